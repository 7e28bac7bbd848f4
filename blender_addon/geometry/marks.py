"""Single voxels that show objects, beside the runs that fill them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .crossings import Bools, Ints
from .painting import Runs

_VOXEL_BITS = 32


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
        key = np.sort(np.concatenate([none, *((rank << _VOXEL_BITS) | voxel for rank, voxel in parts)]))
        key = key[np.diff(key, prepend=-1) != 0]
        return Marks(key >> _VOXEL_BITS, key & ((1 << _VOXEL_BITS) - 1))

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

    def __init__(self, runs: Runs, marks: Marks, shape: tuple[int, ...]) -> None:
        self._plane = shape[1] * shape[2]
        self._stride = shape[0] + 1  # a column's voxels and one more, so that a run's end stays in its column
        line = (runs.rank * self._plane + runs.column) * self._stride
        order = np.argsort(line + runs.begin)
        self._begin = (line + runs.begin)[order]
        self._end = np.maximum.accumulate((line + runs.end)[order])  # runs of one object may overlap
        self._marks = (marks.rank << _VOXEL_BITS) | marks.voxel

    def hold(self, rank: Ints, voxel: Ints) -> Bools:
        """Which voxels (N,) are those of the objects of ranks (N,)."""
        held = np.zeros(len(rank), bool)
        if len(self._begin):
            sought = (rank * self._plane + voxel % self._plane) * self._stride + voxel // self._plane
            before = np.searchsorted(self._begin, sought, side="right") - 1
            held |= (before >= 0) & (self._end[before] > sought)
        if len(self._marks):
            key = (rank << _VOXEL_BITS) | voxel
            held |= self._marks[np.minimum(np.searchsorted(self._marks, key), len(self._marks) - 1)] == key
        return held
