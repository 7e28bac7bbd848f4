"""What the lines through voxel centres miss: poles, spikes and specks, found along the edges of triangles.

A triangle or a tip of one that no line meets is slender, and near the triangle's longest edge. A point on an edge is
missed where none of the eight voxel centres around it belongs to its object; then the voxel that holds the point is
kept. No point on a flat face of something thick is missed, for one of the eight lies behind the face. So a pole thinner
than a voxel is never lost; one that leans may leave out single voxels between those that lines found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .crossings import Bools, Floats, Ints
from .marks import Marks, OwnVoxels
from .painting import Runs

_SPACING = 1.0
"""Voxels between points along an edge, at most. What is missed leaves a gap only where it is longer."""

_POINT_COUNTS = np.array([1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024])
"""Edges with about as many points are handled as one array."""

_AROUND = np.array([-0.75, -0.25, 0.25, 0.75, 1.25, 1.75])
"""Where denser points lie around a point and its two neighbours, in steps from the point's number."""

MARGIN = 3
"""Voxels around the grid in which edges are followed too: what is found within must not depend on where it ends."""


@dataclass(frozen=True, eq=False)
class Occupied:
    """What has been found so far.

    Args:
        ranks: the dense grid of what shows.
        runs: what is filled.
        marks: the single voxels.
    """

    ranks: NDArray[np.unsignedinteger[Any]]
    runs: Runs
    marks: Marks

    def strides(self) -> tuple[int, int, int]:
        """Flat steps to the next voxel along each axis."""
        return self.ranks.shape[1] * self.ranks.shape[2], self.ranks.shape[2], 1

    def neighbors(self) -> list[int]:
        """Flat steps from the lowest of eight voxels that share a corner to each of them."""
        x, y, _ = self.strides()
        return [0, x + y + 1, x, y + 1, y, x + 1, 1, x + y]


@dataclass(frozen=True, eq=False)
class EdgePoints:
    """Points on edges that may show nothing of their object; point i of n is at (i + 0.5) / n.

    Args:
        start: (3, P) where the edge begins.
        direction: (3, P) from there to its end.
        number: (P,) the point's i.
        count: (P,) its n.
        rank: (P,) the object's rank.
        lowest: (P,) the first of the eight voxels around the point, flat.
    """

    start: Floats
    direction: Floats
    number: Ints
    count: Ints
    rank: Ints
    lowest: Ints

    @staticmethod
    def joined(parts: list[EdgePoints]) -> EdgePoints:
        """All points of several sets."""
        return EdgePoints(
            *(np.concatenate(values, axis=-1) for values in zip(*(vars(part).values() for part in parts), strict=True))
        )


def bare_points(start: Floats, end: Floats, rank: Ints, occupied: Occupied) -> EdgePoints:
    """Those points along edges (3, E), `_SPACING` apart, around which nothing of the edge's object is visible."""
    direction = end - start
    steps = np.ceil(np.maximum(np.abs(direction).max(axis=0, initial=0), 1) / _SPACING)
    count_class = np.searchsorted(_POINT_COUNTS, steps)
    limit = np.array(occupied.ranks.shape)[:, None] - 1.0
    low, high = np.minimum(start, end), np.maximum(start, end)
    inside = ((low >= 1) & (high <= limit)).all(axis=0)
    none = np.zeros(0, np.int64)
    edges, numbers, counts, lowests = [none], [none], [none], [none]
    for which in np.flatnonzero(np.bincount(count_class[inside])):
        count = _POINT_COUNTS[which]
        alike = np.flatnonzero(inside & (count_class == which))
        along = (np.arange(count) + 0.5) / count
        points = start.take(alike, axis=1)[:, :, None] + direction.take(alike, axis=1)[:, :, None] * along
        bare, lowest = _bare(points.reshape(3, -1), np.repeat(rank[alike], count), occupied)
        edges.append(alike[bare // count])
        numbers.append(bare % count)
        counts.append(np.full(len(bare), count))
        lowests.append(lowest)
    cut = np.flatnonzero(~inside & ((high >= 1) & (low <= limit)).all(axis=0))
    if len(cut):
        count = np.where(steps > _POINT_COUNTS[-1], steps, _POINT_COUNTS.take(count_class, mode="clip"))[cut]
        edge, number = _numbers_inside(start[:, cut], direction[:, cut], count, limit)
        count, edge = count[edge].astype(np.int64), cut[edge]
        bare, lowest = _bare(start[:, edge] + direction[:, edge] * ((number + 0.5) / count), rank[edge], occupied)
        edges.append(edge[bare])
        numbers.append(number[bare])
        counts.append(count[bare])
        lowests.append(lowest)
    edge = np.concatenate(edges)
    return EdgePoints(
        start[:, edge],
        direction[:, edge],
        np.concatenate(numbers),
        np.concatenate(counts),
        rank[edge],
        np.concatenate(lowests),
    )


def slender_voxels(bare: EdgePoints, occupied: Occupied) -> tuple[Ints, Ints]:
    """The ranks and flat indices of voxels along edges around bare points.

    There the edges are followed twice as densely, so that no voxel is left out.
    """
    missed = np.flatnonzero(~_hidden_near(bare.rank, bare.lowest, occupied))
    start, direction, rank = bare.start[:, missed], bare.direction[:, missed], bare.rank[missed]
    along = ((bare.number[missed] + _AROUND[:, None]) / bare.count[missed]).reshape(-1)
    point = np.tile(np.arange(len(missed)), len(_AROUND))
    points, rank = start[:, point] + direction[:, point] * along, rank[point]
    limit = np.array(occupied.ranks.shape)[:, None] - 1.0
    kept = np.flatnonzero((along > 0) & (along < 1) & ((points >= 1) & (points <= limit)).all(axis=0))
    points, rank = points[:, kept], rank[kept]
    left, lowest = _bare(points, rank, occupied)
    voxel = sum(points[axis, left].astype(np.int64) * occupied.strides()[axis] for axis in range(3))
    visible = np.flatnonzero(occupied.ranks.reshape(-1)[voxel] < rank[left])
    rank, voxel, lowest = rank[left[visible]], voxel[visible], lowest[visible]
    missed = np.flatnonzero(~_hidden_near(rank, lowest, occupied))
    return rank[missed], voxel[missed]


def _hidden_near(rank: Ints, lowest: Ints, occupied: Occupied) -> Bools:
    """Whether the object of a rank has one of the eight voxels from `lowest` on, where a higher object shows there."""
    flat = occupied.ranks.reshape(-1)
    # the many edges of a round pole have most of their points in the same places
    place, which = np.unique(rank * flat.size + lowest, return_inverse=True)
    rank, lowest = np.divmod(place, flat.size)
    near = np.zeros(len(place), bool)
    left = np.flatnonzero(np.any([flat[lowest + offset] > rank for offset in occupied.neighbors()], axis=0))
    if len(left):
        near[left] = True
        own = OwnVoxels(occupied.runs, occupied.marks, occupied.ranks.shape)
        for offset in occupied.neighbors():
            left = left[~own.hold(rank[left], lowest[left] + offset)]
        near[left] = False
    return near[which.reshape(-1)]


def _numbers_inside(start: Floats, direction: Floats, count: Floats, limit: Floats) -> tuple[Ints, Ints]:
    """The edge and number of those points, `count` on each edge, that lie in the grid without its outermost voxels."""
    with np.errstate(divide="ignore", invalid="ignore"):  # an edge along an axis has no ends across it
        ends = (1 - start) / direction, (limit - start) / direction
    enter = np.fmax.reduce(np.fmin(*ends), axis=0, initial=0.0)
    leave = np.fmin.reduce(np.fmax(*ends), axis=0, initial=1.0)
    met = np.flatnonzero(enter < leave)
    first = np.ceil(enter[met] * count[met] - 0.5).astype(np.int64)
    within = np.maximum(np.floor(leave[met] * count[met] - 0.5).astype(np.int64) + 1 - first, 0)
    edge = np.repeat(met, within)
    return edge, np.arange(len(edge)) + np.repeat(first - np.cumsum(within) + within, within)


def _bare(points: Floats, rank: Ints, occupied: Occupied) -> tuple[Ints, Ints]:
    """Which points (3, P) see no voxel of their object around them, and the lowest of the eight voxels there."""
    strides = occupied.strides()
    flat = occupied.ranks.reshape(-1)
    voxel = sum(points[axis].astype(np.int64) * strides[axis] for axis in range(3))
    (left,) = (flat[voxel] != rank).nonzero()  # spares most points the search around
    lowest = sum((points[axis].take(left) - 0.5).astype(np.int64) * strides[axis] for axis in range(3))
    rank = rank[left]
    for offset in occupied.neighbors():
        (bare,) = (flat[lowest + offset] != rank).nonzero()
        left, lowest, rank = left[bare], lowest[bare], rank[bare]
    return left, lowest
