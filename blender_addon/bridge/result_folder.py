"""The folder of a result: the child writes its files, so that Blender never waits for a disk or a compressor."""

from __future__ import annotations

import math
import os
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from occscene.grid import SemanticGrid, save_grid
from occscene.mesh import TriangleMesh

BLOCKOUT_FILE = "blockout.npz"
OCCUPANCY_FILE = "occupancy.npz"
LAYOUT_FILE = "layout.json"


def view_file(name: str) -> str:
    """The file name of a camera's view; characters that some file systems refuse become underscores."""
    plain = re.sub(r"[^\w.-]+", "_", name)
    return f"view_{plain}.png"


_REFUSAL = "The results cannot be written to {}"


def not_written(directory: str, error: OSError) -> str:
    """Says that results could not be written to a folder, and why."""
    return f"{_REFUSAL.format(directory)}: {error.strerror or error}."


def check_room(directory: str, size: int) -> None:
    """Looks whether results can be written to a folder that need not be there yet; makes nothing.

    Args:
        directory: the folder.
        size: bytes that may come.

    Raises:
        ValueError: something is in its way, it may not be written to, or the disk is too full.
    """
    way_out = "or choose another folder: results lie beside the .blend"
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
        raise ValueError(f"{refusal}: {place}: {error.strerror or error}; mend that, {way_out}") from error
    if free < size:
        need = f"{math.ceil(size / 1e6):,} MB may come, and {free // 10**6:,} MB are free"
        raise ValueError(f"{refusal}: {need}; make room there, {way_out}")


class ResultFolder:
    """Writes what a job returns: each file whole or not at all, also where two processes fetch the same job.

    Args:
        directory: made if it is not there.

    Raises:
        OSError: the folder or a file in it cannot be written.
    """

    def __init__(self, directory: str) -> None:
        self._folder = Path(directory)
        self._folder.mkdir(parents=True, exist_ok=True)

    def write_view(self, name: str, data: bytes) -> str:
        """Writes a view's PNG; returns the file's name in the folder."""
        file = view_file(name)
        self._write(file, lambda part: part.write_bytes(data))
        return file

    def write_grid(self, file: str, grid: SemanticGrid, mesh: TriangleMesh | None = None) -> None:
        """Writes a grid file."""
        self._write(file, lambda part: save_grid(part, grid, mesh))

    def write_text(self, file: str, text: str) -> None:
        """Writes a text file."""
        self._write(file, lambda part: part.write_text(text, encoding="utf-8"))

    def remove_parts(self) -> None:
        """Removes what a process that was killed has left half written."""
        for part in self._folder.glob("*.part"):
            part.unlink(missing_ok=True)

    def _write(self, file: str, write: Callable[[Path], object]) -> None:
        part = self._folder / f"{file}.{os.getpid()}.part"
        try:
            write(part)
            part.replace(self._folder / file)
        except OSError as error:
            if isinstance(error, FileNotFoundError) and (self._folder / file).exists():
                return  # another process has the whole job, and has removed all parts
            part.unlink(missing_ok=True)
            raise
