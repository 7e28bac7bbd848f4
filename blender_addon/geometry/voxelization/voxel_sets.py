"""Single voxels that show objects, in addition to the runs that fill them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .compositing import Runs
from .scanlines import Bools, Floats, Ints

_VOXEL_BITS = 32

BORDER = 2
"""Voxels worked on around the grid, so that what lies there is treated like what lies inside."""

_ON_BORDER = 2.0**-9
"""Voxels from the grid's border up to which a plane lies on it, and so in the outermost voxels, on either side: volumes
are fitted to single precision, and may be smaller than what they hold by a thousandth of a voxel."""


def voxel_keys(rank: Ints, voxel: Ints) -> Ints:
    """One integer for each rank and flat voxel index, that sorts by both in this order."""
    return (rank << _VOXEL_BITS) | voxel


def is_level(first: Floats, second: Floats) -> Bools:
    """Whether places are so near each other that both can lie on the grid's border."""
    level: Bools = np.abs(first - second) < _ON_BORDER
    return level


def off_border(place: Floats, side: int) -> Floats:
    """Places along an axis of the bordered grid, those on the border of the grid moved into its outermost voxels."""
    low, high = BORDER + _ON_BORDER, side - BORDER - _ON_BORDER
    on_low, on_high = np.abs(place - BORDER) < _ON_BORDER, np.abs(place - (side - BORDER)) < _ON_BORDER
    return np.where(on_low, low, np.where(on_high, high, place))


@dataclass(frozen=True, eq=False)
class Marks:
    """Voxels of objects.

    Args:
        rank: (M,) the object's rank, ascending.
        voxel: (M,) flat index, ascending within a rank and each once.
    """

    rank: Ints
    voxel: Ints

    @staticmethod
    def joined(parts: list[tuple[Ints, Ints]]) -> Marks:
        """All (rank, voxel) pairs, each once."""
        none = np.zeros(0, np.int64)
        key = np.sort(np.concatenate([none, *(voxel_keys(rank, voxel) for rank, voxel in parts)]))
        key = key[np.diff(key, prepend=-1) != 0]
        return Marks(key >> _VOXEL_BITS, key & ((1 << _VOXEL_BITS) - 1))

    def within(self, border: int, shape: tuple[int, ...]) -> Marks:
        """Those of a grid of `shape` without its outermost `border` voxels."""
        place = np.stack(np.unravel_index(self.voxel, shape))
        inner = np.array(shape)[:, None] - 2 * border
        (kept,) = ((place >= border) & (place < inner + border)).all(axis=0).nonzero()
        x, y, z = place[:, kept] - border
        return Marks(self.rank[kept], (x * inner[1] + y) * inner[2] + z)

    def shown_on(self, ranks: NDArray[np.unsignedinteger[Any]]) -> Marks:
        """The marks that outrank what a dense grid of ranks shows; it is updated."""
        flat = ranks.reshape(-1)
        above = np.flatnonzero(self.rank > flat[self.voxel])
        visible = Marks(self.rank[above], self.voxel[above])
        visible.write(flat, visible.rank)
        return visible

    def write(self, flat: NDArray[np.unsignedinteger[Any]], value: NDArray[np.integer[Any]]) -> None:
        """Writes a value per mark; where marks share a voxel the last, which is the highest, stays."""
        flat[self.voxel] = value


class OwnVoxels:
    """Looks up which voxels are an object's, whether they are visible or not."""

    def __init__(self, runs: Runs, shape: tuple[int, ...]) -> None:
        self._runs = runs
        self._plane = shape[1] * shape[2]
        self._stride = shape[0] + 1  # a column's voxels and one more, so that a run's end stays in its column

    @cached_property
    def _sorted(self) -> tuple[Ints, Ints]:
        """Where runs begin and end, ascending."""
        line = (self._runs.rank * self._plane + self._runs.column) * self._stride
        order = np.argsort(line + self._runs.begin)
        end = np.maximum.accumulate((line + self._runs.end)[order])  # runs of one object may overlap
        return (line + self._runs.begin)[order], end

    def hold(self, rank: Ints, voxel: Ints, marks: Marks) -> Bools:
        """Which voxels (N,) are those of the objects of ranks (N,), by runs or by marks."""
        held = np.zeros(len(rank), bool)
        if len(self._runs.rank):
            begin, end = self._sorted
            sought = (rank * self._plane + voxel % self._plane) * self._stride + voxel // self._plane
            before = np.searchsorted(begin, sought, side="right") - 1
            held |= (before >= 0) & (end[before] > sought)
        (left,) = (~held).nonzero()
        if len(marks.rank) and len(left):
            key, known = voxel_keys(rank[left], voxel[left]), voxel_keys(marks.rank, marks.voxel)
            held[left] = known[np.minimum(np.searchsorted(known, key), len(known) - 1)] == key
        return held
