"""Whether results can be written to a folder: checked before anything is sent, as the child writes them much later."""

from __future__ import annotations

import math
import shutil
import tempfile
from pathlib import Path

from occscene.results import BLOCKOUT_FILE, CAMERAS_FILE, LAYOUT_FILE, OCCUPANCY_FILE, RESULT_FILE

_NAMED = (OCCUPANCY_FILE, BLOCKOUT_FILE, CAMERAS_FILE, LAYOUT_FILE, RESULT_FILE)
_FILES = ("view_*.png", "depth_*.exr", "normal_*.exr", "*.npz.*.part", *_NAMED)
"""What a result's folder holds."""

_REFUSAL = "The results cannot be written to {}"


def not_written(directory: str, error: OSError) -> str:
    """Says that results could not be written to a folder, and why."""
    return f"{_REFUSAL.format(directory)}: {error.strerror or error}."


def check_room(directory: str, size: int) -> None:
    """Checks whether results can be written to a folder that need not exist yet; creates nothing.

    Args:
        directory: the folder.
        size: bytes that may come.

    Raises:
        ValueError: something is in its way, it may not be written to, or the disk is too full.
    """
    way_out = "or choose another folder: results are next to the .blend"
    place = Path(directory)
    while not place.exists() and place != place.parent:
        place = place.parent
    refusal = _REFUSAL.format(directory)
    if not place.is_dir():
        raise ValueError(f"{refusal}: {place} is a file; move it away, {way_out}")
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(bytes(1))
        free = shutil.disk_usage(place).free
    except OSError as error:
        raise ValueError(f"{refusal}: {place}: {error.strerror or error}; fix that, {way_out}") from error
    if free < size:
        need = f"{math.ceil(size / 1e6):,} MB may come, and {free // 10**6:,} MB are free"
        raise ValueError(f"{refusal}: {need}; make room there, {way_out}")


def _result_files(folder: Path) -> list[Path]:
    """The files of a folder that a result has; others are someone's own."""
    return [path for name in _FILES for path in folder.glob(name) if path.is_file()] if folder.is_dir() else []


def result_bytes(folder: Path) -> int:
    """The bytes of a result's files; 0 where they are gone."""
    return sum(path.stat().st_size for path in _result_files(folder))


def remove_result_files(folder: Path) -> int:
    """Deletes a result's files, and the folder if it is empty then; returns the bytes.

    Raises:
        OSError: a file cannot be deleted.
    """
    freed = 0
    for path in _result_files(folder):
        size = path.stat().st_size
        path.unlink()
        freed += size
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
    return freed
