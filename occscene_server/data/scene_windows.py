"""Windows of a rendered scene's views at a larger image size, on disk next to the views.

`window_<view>_<k>.webp` is the k-th window of a view, and `windows.npz` has for each, in the order of the file names,
`views` (N,) uint8, `numbers` (N,) uint16 (its k), `origins` (N, 2) int32 (x and y of its upper left pixel in the whole
view) and `full_sizes` (N,) int32, the pixels of a side of the whole view: its camera is the scene's own `resized`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from occscene_server.data.view_files import read_view, write_view

WINDOWS_FILE = "windows.npz"
WINDOW_SIDE = 256


@dataclass(frozen=True)
class WindowPlace:
    """Where a window lies.

    Args:
        view: row of the scene's cameras.
        number: distinguishes the windows of a view.
        origin: x and y of its upper left pixel in the whole view.
        full_size: pixels of a side of the whole view.
    """

    view: int
    number: int
    origin: tuple[int, int]
    full_size: int

    @property
    def file_name(self) -> str:
        """The window's file in the folder of its scene."""
        return f"window_{self.view}_{self.number}.webp"


def window_places(folder: Path) -> list[WindowPlace]:
    """Where the windows stored in a scene's folder lie; none if there are none."""
    if not (folder / WINDOWS_FILE).exists():
        return []
    with np.load(folder / WINDOWS_FILE, allow_pickle=False) as members:
        columns = [members[name].tolist() for name in ("views", "numbers", "origins", "full_sizes")]
    return [WindowPlace(view, number, (x, y), size) for view, number, (x, y), size in zip(*columns, strict=True)]


def missing_windows(folder: Path, views: int, count: int, size: int, side: int = WINDOW_SIDE) -> list[WindowPlace]:
    """The windows that a scene lacks to have `count` of a `size` pixel view in each view, at places of its seed's."""
    seed, stored = int(folder.name.removeprefix("scene_")), window_places(folder)
    missing = []
    for view in range(views):
        numbers = [place.number for place in stored if place.view == view]
        there = sum(place.view == view and place.full_size == size for place in stored)
        for number in range(len(numbers), len(numbers) + count - there):
            x, y = np.random.default_rng([seed, 11, view, number]).integers(size - side + 1, size=2).tolist()
            missing.append(WindowPlace(view, number, (x, y), size))
    return missing


def read_window(folder: Path, place: WindowPlace) -> NDArray[np.uint8]:
    """A window's pixels (side, side, 3), sRGB."""
    return read_view(folder / place.file_name)


def add_windows(folder: Path, places: Sequence[WindowPlace], pixels: Sequence[NDArray[np.uint8]]) -> None:
    """Adds windows (side, side, 3) to those that are there; `windows.npz` names only files that are complete."""
    for place, window in zip(places, pixels, strict=True):
        write_view(folder / place.file_name, window)
    every = sorted([*window_places(folder), *places], key=lambda place: (place.view, place.number))
    partial = folder / f"partial_{WINDOWS_FILE}"
    np.savez_compressed(
        partial,
        views=np.array([place.view for place in every], np.uint8),
        numbers=np.array([place.number for place in every], np.uint16),
        origins=np.array([place.origin for place in every], np.int32),
        full_sizes=np.array([place.full_size for place in every], np.int32),
    )
    partial.replace(folder / WINDOWS_FILE)
