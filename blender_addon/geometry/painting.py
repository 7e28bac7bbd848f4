"""Overlapping runs of voxels to a dense grid, without a pass per object.

The voxels of a grid line up in columns along x. A run is an interval of one column with a rank; where runs overlap the
highest rank shows. The cost is that of sorting the runs' ends and one pass over the grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from .crossings import Ints, Shape

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
        """The dense grid of `value_of_rank` (ranks + 1,), whose first entry stands for nothing and must be 0."""
        value = value_of_rank[self.rank]
        # each change is written as a difference and summed up plane by plane: far faster than filling run by run
        difference = value ^ np.concatenate([value_of_rank[:1], value])[:-1]
        grid = np.zeros(self.shape, value_of_rank.dtype)
        planes = grid.reshape(self.shape[0], -1)
        seen = np.flatnonzero((difference != 0) & (self.x < self.shape[0]))
        planes[self.x[seen], self.column[seen]] = difference[seen]
        for lower, upper in pairwise(planes):
            np.bitwise_xor(lower, upper, out=upper)
        return grid


def visible_changes(runs: Runs, shape: Shape) -> Changes:
    """What shows along every column where the runs are laid over each other."""
    order = np.argsort(runs.rank, kind="stable")
    rank, column = runs.rank[order], runs.column[order]
    stride = shape[0] + 1  # one more than a column's voxels, so that a run's end stays in its column
    ends = np.concatenate([column * stride + runs.begin[order], column * stride + runs.end[order]])
    bits = len(ends).bit_length()
    event = np.sort((ends << bits) | np.arange(len(ends)))
    position, run_end = event >> bits, event & ((1 << bits) - 1)
    place = np.empty(len(ends), np.int64)
    place[run_end] = np.arange(len(ends))
    begin, end = place[: len(rank)], place[len(rank) :]
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
