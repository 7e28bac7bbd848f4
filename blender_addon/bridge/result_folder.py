"""The folder of a result: the child writes its files, so that Blender never waits for a disk or a compressor."""

from __future__ import annotations

import re
from pathlib import Path

from occscene.grid import SemanticGrid, save_grid

BLOCKOUT_FILE = "blockout.npz"
OCCUPANCY_FILE = "occupancy.npz"


def view_file(name: str) -> str:
    """The file name of a camera's view; characters that some file systems refuse become underscores."""
    plain = re.sub(r"[^\w.-]+", "_", name)
    return f"view_{plain}.png"


class ResultFolder:
    """Writes what a job returns.

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
        (self._folder / file).write_bytes(data)
        return file

    def write_grid(self, file: str, grid: SemanticGrid) -> None:
        """Writes a grid file, whole or not at all."""
        part = self._folder / f"{file}.part"
        save_grid(part, grid)
        part.replace(self._folder / file)
