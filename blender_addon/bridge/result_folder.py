"""Whether results can be written to a folder: checked before anything is sent, as the child writes them much later."""

from __future__ import annotations

import math
import shutil
import tempfile
from pathlib import Path

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
