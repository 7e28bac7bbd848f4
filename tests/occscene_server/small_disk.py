"""Small disks, for tests of what happens when they are full."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@contextlib.contextmanager
def small_disk(folder: Path, mebibytes: int = 4) -> Iterator[Path]:
    """A tmpfs for the time of the block; the test is skipped where this process may not mount one."""
    folder.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={mebibytes}m,mode=700", "tmpfs", str(folder)]
    if os.name == "nt" or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("only root can mount a small disk")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """Takes all the room that is left on the folder's disk, and returns the file that holds it."""
    path = folder / "filling"
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    return path


def mounted_disk(folder: Path, mebibytes: int) -> bool:
    """Mounts `store.img` at the folder's `disk`, made at the first time, so that it outlives the process.

    Returns:
        False where this process may not, or where files lie there that were written without.
    """
    disk, image = folder / "disk", folder / "store.img"
    disk.mkdir(parents=True, exist_ok=True)
    if os.path.ismount(disk):
        return True
    if not image.exists() and any(disk.iterdir()):
        return False
    commands = [["mount", "-o", "loop", str(image), str(disk)]]
    if not image.exists():
        with image.open("wb") as file:
            file.truncate(mebibytes * 2**20)
        commands.insert(0, ["mkfs.ext4", "-q", "-m", "0", str(image)])
    try:
        for command in commands:
            subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        image.unlink(missing_ok=True)
        return False
    return True


@contextlib.contextmanager
def unmounted_at_last(folder: Path) -> Iterator[None]:
    """Unmounts the disk of `mounted_disk` at the end, if it is mounted."""
    try:
        yield
    finally:
        if os.path.ismount(folder / "disk"):
            subprocess.run(["umount", "-l", str(folder / "disk")], check=True)
