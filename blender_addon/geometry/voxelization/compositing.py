"""Overlapping runs of voxels to a dense grid, without a pass per object.

The voxels of a grid line up in columns along x. A run is an interval of one column with a rank; where runs overlap the
highest rank shows. The cost is that of sorting the runs' ends and one pass over the grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from .scanlines import Ints, Shape

Label = TypeVar("Label", np.uint8, np.uint16)


@dataclass(frozen=True, eq=False)
class Runs:
    """Voxels begin <= x < end of columns y * Z + z, each with a rank from 1."""

    rank: Ints
    column: Ints
    begin: Ints
    end: Ints

    @staticmethod
    def joined(parts: list[Runs]) -> Runs:
        """All runs of several sets."""
        if len(parts) == 1:
            return parts[0]
        return Runs(*(np.concatenate(values) for values in zip(*(vars(part).values() for part in parts), strict=True)))


@dataclass(frozen=True, eq=False)
class Changes:
    """Where along the columns of a grid what shows changes: the grid in short.

    Args:
        shape: the grid's sides.
        column: (N,) ascending.
        x: (N,) ascending within a column.
        rank: (N,) what shows from here on, 0 for nothing.
    """

    shape: Shape
    column: Ints
    x: Ints
    rank: Ints

    def painted(self, value_of_rank: NDArray[Label]) -> NDArray[Label]:
        """The dense grid of `value_of_rank` (ranks + 1,), whose first entry stands for nothing."""
        # plane by plane, each a copy of the one before but for what changes there: far faster than filling run by run
        order = np.argsort(self.x.astype(np.uint16), kind="stable")  # numpy sorts so short ones by counting
        x, column, value = self.x[order], self.column[order], value_of_rank[self.rank[order]]
        ends = np.searchsorted(x, np.arange(1, self.shape[0] + 1))
        grid = np.empty(self.shape, value_of_rank.dtype)
        planes = grid.reshape(self.shape[0], -1)
        begin = 0
        for number, end in enumerate(ends):
            planes[number] = planes[number - 1] if number else value_of_rank[0]
            planes[number, column[begin:end]] = value[begin:end]
            begin = end
        return grid

    def within(self, border: int) -> Changes:
        """Those of the grid without its outermost `border` voxels."""
        x_side, y_side, z_side = (side - 2 * border for side in self.shape)
        y, z = np.divmod(self.column, self.shape[2])
        inside = (y >= border) & (y < border + y_side) & (z >= border) & (z < border + z_side)
        # what begins before the grid shows from its first voxel on, if nothing else does
        goes_on = np.append((self.column[1:] != self.column[:-1]) | (self.x[1:] > border), np.ones(1, bool))
        (kept,) = (inside & goes_on[: len(inside)]).nonzero()
        column = (y[kept] - border) * z_side + z[kept] - border
        return Changes((x_side, y_side, z_side), column, np.maximum(self.x[kept] - border, 0), self.rank[kept])


def visible_changes(runs: Runs, shape: Shape) -> Changes:
    """What shows along every column where the runs are laid over each other."""
    order = np.argsort(runs.rank, kind="stable")
    rank, column = runs.rank[order], runs.column[order]
    stride = shape[0] + 1  # one more than a column's voxels, so that a run's end stays in its column
    ends = (np.stack([runs.begin[order], runs.end[order]], axis=1) + (column * stride)[:, None]).reshape(-1)
    bits = len(ends).bit_length()
    event = np.sort((ends << bits) | np.arange(len(ends)), kind="stable")  # merges: each object's runs are in order
    position, run_end = event >> bits, event & ((1 << bits) - 1)
    place = np.empty(len(ends), np.int64)
    place[run_end] = np.arange(len(ends))
    begin, end = place.reshape(-1, 2).T
    highest = _highest_over(rank, begin, end, len(ends))
    last = np.flatnonzero(np.diff(position, append=-1))  # of several changes at one place the last holds
    return Changes(shape, position[last] // stride, position[last] % stride, highest[last])


def _highest_over(value: Ints, begin: Ints, end: Ints, length: int) -> Ints:
    """For each of `length` places the highest value of the intervals begin <= place < end over it, else 0.

    Values must ascend. Every interval is the union of two blocks of 2**level places; the blocks are handed down level
    by level (a sparse table run backwards), so the cost does not grow with what the intervals cover.
    """
    level = np.frexp(end - begin)[1].astype(np.int64) - 1
    table = np.zeros((int(level.max(initial=0)) + 1, length), np.int32)
    blocks = np.stack([begin, end - (1 << level)], axis=1).reshape(-1)
    table[np.repeat(level, 2), blocks] = np.repeat(value, 2)  # the last of equal places stays: the highest
    for upper in range(len(table) - 1, 0, -1):
        half = 1 << (upper - 1)
        np.maximum(table[upper - 1], table[upper], out=table[upper - 1])
        np.maximum(table[upper - 1][half:], table[upper][:-half], out=table[upper - 1][half:])
    return table[0].astype(np.int64)
