"""Winding numbers of surfaces that do not close, from the six ways along the axes.

The winding number of a surface around a point is the average, over all directions, of the crossings that a ray from
the point meets, counted by their direction (Jacobson et al. 2013, "Robust inside-outside segmentation using
generalized winding numbers"). Rays along the axes from voxel centres are on the lines that the voxeliser scans anyway,
so six directions cost one scan for each axis. A point is inside where more than half of the rays say so, or
half of them and nearly all meet the surface. Behind a hole that faces between the axes a dent may stay, no deeper than
the hole is wide.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from .scanlines import Bools, Floats, Ints, Shape, batches, sections

Counts = NDArray[np.int16]


@dataclass(frozen=True, eq=False)
class Hits:
    """Where the lines along an axis through voxel centres meet triangles, of one body or of several on their own.

    Args:
        axis: of the lines.
        triangle: (H,) what is met.
        row, column: (H,) the line, voxel indices along the other axes in ascending order.
        height: (H,) where on it, voxel units, in the grid or not.
        upward: (H,) whether the triangle faces along the axis.
    """

    axis: int
    triangle: Ints
    row: Ints
    column: Ints
    height: Floats
    upward: Bools

    @staticmethod
    def along(corners: Floats, axis: int, shape: Shape) -> Hits:
        """The hits of the lines of a grid with triangles (3, 3, T) in voxel units."""
        hits = []
        for batch in batches(corners.shape[2]):
            cut = sections(corners[:, :, batch], axis, shape)
            column, height = cut.lines(np.arange(len(cut.row)))
            lines = (np.repeat(values, cut.count) for values in (batch.start + cut.triangle, cut.row, cut.upward))
            hits.append((*lines, column, height))
        triangle, row, up, column, height = (np.concatenate(parts) for parts in zip(*hits, strict=True))
        row, column = (column, row) if axis == 1 else (row, column)  # z comes after y, x before
        return Hits(axis, triangle, row, column, height, up)

    def at(self, chosen: Ints | Bools) -> Hits:
        """Some of the hits."""
        return Hits(
            self.axis,
            self.triangle[chosen],
            self.row[chosen],
            self.column[chosen],
            self.height[chosen],
            self.upward[chosen],
        )

    def moved(self, start: Ints) -> Hits:
        """The hits as seen from the voxel `start` (3,)."""
        u_axis, v_axis = np.delete(np.arange(3), self.axis)
        row, column, height = self.row - start[u_axis], self.column - start[v_axis], self.height - start[self.axis]
        return replace(self, row=row, column=column, height=height)

    def next_center(self, side: int) -> Ints:
        """(H,) the first voxel along the axis whose centre is not below the hit, 0 .. the grid's side."""
        return np.minimum(np.maximum(np.ceil(self.height - 0.5), 0), side).astype(np.int64)

    def below(self, body: Ints, bodies: int, shape: Shape, value: Counts | int) -> Counts:
        """(side + 1, bodies, rows, columns) the sum of hits' values below each centre of a line, then of all.

        Args:
            body: (H,) of what the hit is.
            bodies: how many there are.
            shape: the grid's sides.
            value: (H,) what is summed.
        """
        u_axis, v_axis = np.delete(np.arange(3), self.axis)
        side = shape[self.axis]
        total = np.zeros((side + 1, bodies, shape[u_axis], shape[v_axis]), np.int16)
        np.add.at(total, (self.next_center(side), body, self.row, self.column), value)
        for lower, upper in pairwise(total):
            np.add(lower, upper, out=upper)
        return total


def inside(hits: Sequence[Hits], body: Sequence[Ints], alternating: Bools, shape: Shape) -> Bools:
    """Which voxel centres (bodies, X, Y, Z) are inside bodies.

    Args:
        hits: along x, y and z.
        body: per axis (H,) of what the hit is.
        alternating: (bodies,) its normals disagree, so a line is inside after every other hit.
        shape: the grid's sides.
    """
    votes = np.zeros((len(alternating), *shape), np.int16)
    for along, of_hit in zip(hits, body, strict=True):
        turning = alternating[of_hit]
        below = along.below(of_hit, len(alternating), shape, np.where(turning | along.upward, 1, -1).astype(np.int16))
        below, above = below[:-1], below[-1] - below[:-1]
        both = below - above  # from above, an upward face leads in
        if alternating.any():
            both[:, alternating] = (below[:, alternating] & 1) + (above[:, alternating] & 1)
        votes += np.moveaxis(both, 0, 1 + along.axis)
    votes = np.abs(votes)
    if not (votes == 3).any():
        return votes > 3
    # half of the rays: next to a face that was left inside, where all are stopped, or next to a large hole
    stopped = np.zeros(votes.shape, np.int8)
    for along, of_hit in zip(hits, body, strict=True):
        below = along.below(of_hit, len(alternating), shape, 1)
        ends = (below[:-1] > 0).astype(np.int8) + (below[:-1] < below[-1])
        stopped += np.moveaxis(ends, 0, 1 + along.axis)
    return (votes > 3) | ((votes == 3) & (stopped >= 5))
