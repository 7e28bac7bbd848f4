"""What lines through voxel centres miss: cables, rails and specks.

Voxel centres are the corners of a lattice of edges, squares and cubes. A body shows in the voxels of all corners inside
it, and of each edge, square and cube that it passes through without touching its border, in one corner: the one whose
voxel holds the middle of what passes. Edges, between two centres, are thin walls, which `spans` finds; squares and
cubes are found here. So every square and cube that a body touches has a voxel of its own, and as squares that follow
each other share a cube, a connected body is one 26-connected set of voxels, however thin it is and wherever it lies.
These are the dual of the intersection targets of Laine 2013, "A topological approach to voxelization": lines for
surfaces, planes for curves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .scanlines import Bools, Floats, Ints, Squares, batches, other_axes, strides
from .voxel_sets import Marks, OwnVoxels, off_border, voxel_keys


@dataclass(frozen=True, eq=False)
class Occupied:
    """What is occupied so far.

    Args:
        ranks: the dense grid of what shows.
        marks: the single voxels.
        own: to look up what does not show.
    """

    ranks: NDArray[np.unsignedinteger[Any]]
    marks: Marks
    own: OwnVoxels

    def bare(self, rank: Ints, lowest: Ints, axes: Sequence[int]) -> Ints:
        """Which objects of ranks (N,) have none of the 2**axes voxels that begin with `lowest` (N,)."""
        flat, left = self.ranks.reshape(-1), np.arange(len(rank))
        for step in self.steps(axes):
            (other,) = (flat[lowest + step] != rank).nonzero()  # spares most of them the search for what is hidden
            left, lowest, rank = left[other], lowest[other], rank[other]
        return left[~self.owned(rank, lowest, axes).any(axis=0)]

    def owned(self, rank: Ints, lowest: Ints, axes: Sequence[int]) -> Bools:
        """Whether objects of ranks (N,) have each of the voxels (2**axes, N) that begin with `lowest` (N,)."""
        voxel = lowest + np.array(self.steps(axes))[:, None]
        shown = self.ranks.reshape(-1)[voxel]
        result = shown == rank
        hidden = np.nonzero(shown > rank)
        if len(hidden[0]):
            result[hidden] = self.own.hold(rank[hidden[1]], voxel[hidden], self.marks)
        return result

    def steps(self, axes: Sequence[int]) -> list[int]:
        """Flat steps from the lowest voxel of a square or a cube to all of its voxels, opposite ones in turn."""
        first, *rest = (strides(self.ranks.shape)[axis] for axis in axes)
        lower = [0]
        for stride in rest:
            lower += [step + stride for step in lower]
        return [step for low in lower for step in (low, first + sum(rest) - low)]


def in_squares(squares: Sequence[Squares], owner: Ints, occupied: Occupied) -> Marks:
    """The voxels that objects show in squares of which they touch no edge.

    Args:
        squares: cut by triangles, of the scans along x, y and z.
        owner: (T,) the object of each triangle.
        occupied: the voxels whose centres are inside, and those of edges.
    """
    touched = []
    for axis, cut in enumerate(squares):
        rank, axes = owner[cut.triangle] + 1, (other_axes(axis)[1], axis)
        bare = occupied.bare(rank, cut.lowest, axes)
        touched.append(_middles(rank[bare], cut.lowest[bare], cut.low[:, bare], cut.high[:, bare], axes, occupied))
    adjacent = []
    for axis, (rank, lowest, _) in enumerate(touched):
        across = strides(occupied.ranks.shape)[other_axes(axis)[0]]
        adjacent += [voxel_keys(rank, lowest), voxel_keys(rank, lowest - across)]
    cubes, count = np.unique(np.concatenate(adjacent), return_counts=True)
    shown = []
    for axis, (rank, lowest, voxel) in enumerate(touched):
        kept = np.flatnonzero(~_are_bumps(rank, lowest, axis, cubes[count == 1], occupied))
        shown.append((rank[kept], voxel[kept]))
    return Marks.joined(shown)


def _are_bumps(rank: Ints, lowest: Ints, axis: int, ends: Ints, occupied: Occupied) -> Bools:
    """Which squares are passed by what is thick behind and ends before the next square, such as the top of a ball.

    Of closed bodies the voxels whose centres are inside show; their bumps do not.

    Args:
        rank: (N,) of the object.
        lowest: (N,) the square's lowest voxel.
        axis: of the scan.
        ends: keys of the cubes that have one touched square without a voxel.
        occupied: the voxels whose centres are inside, and those of edges.
    """
    normal, second = other_axes(axis)
    across = strides(occupied.ranks.shape)[normal]
    result = np.zeros(len(rank), bool)
    for beyond, behind in ((lowest, lowest - across), (lowest - across, lowest + across)):
        (end,) = np.isin(voxel_keys(rank, beyond), ends).nonzero()
        thick = occupied.owned(rank[end], behind[end], (second, axis)).all(axis=0)
        result[end] |= thick & ~occupied.owned(rank[end], beyond[end], range(3)).any(axis=0)
    return result


def in_cubes(above: Sequence[Ints], corners: Floats, owner: Ints, occupied: Occupied) -> Marks:
    """The voxels that objects show in cubes of which they touch no face.

    Args:
        above: along y, z and x, (T,) the first plane above each triangle that no such plane cuts, else 0.
        corners: (3, 3, T) of the triangles.
        owner: (T,) the object of each.
        occupied: the voxels whose centres are inside, and those of edges and squares.
    """
    none = np.zeros(0, np.int64)
    untouched = [(none, none, none)]
    for batch in batches(len(owner)):
        planes = [plane[batch] for plane in above]
        (between,) = ((planes[0] > 0) & (planes[1] > 0) & (planes[2] > 0)).nonzero()
        places = [plane[between].astype(np.int64) - 1 for plane in planes]
        lowest = sum(places[axis - 1] * strides(occupied.ranks.shape)[axis] for axis in range(3))
        rank = owner[batch][between] + 1
        bare = occupied.bare(rank, lowest, range(3))
        untouched.append((batch.start + between[bare], rank[bare], lowest[bare]))
    triangle, rank, lowest = (np.concatenate(parts) for parts in zip(*untouched, strict=True))
    within = corners[:, :, triangle]
    middles = _middles(rank, lowest, within.min(axis=1), within.max(axis=1), range(3), occupied)
    return Marks.joined([(middles[0], middles[2])])


def _middles(
    rank: Ints, lowest: Ints, low: Floats, high: Floats, axes: Sequence[int], occupied: Occupied
) -> tuple[Ints, Ints, Ints]:
    """Every square or cube of an object once: the rank, the lowest voxel, and the voxel of the middle of what is there.

    Args:
        rank: (N,) of the object.
        lowest: (N,) the lowest voxel of the square or cube.
        low, high: (axes, N) bounds of a part of what is there.
        axes: along which the square or cube extends.
        occupied: for the grid's sides.
    """
    if not len(rank):
        return rank, lowest, lowest
    order = np.argsort(voxel_keys(rank, lowest))
    rank, lowest, low, high = rank[order], lowest[order], low[:, order], high[:, order]
    first = np.flatnonzero(np.diff(voxel_keys(rank, lowest), prepend=-1))
    rank, lowest = rank[first], lowest[first]
    middle = (np.minimum.reduceat(low, first, axis=1) + np.maximum.reduceat(high, first, axis=1)) / 2
    voxel = lowest
    for place, axis in zip(middle, axes, strict=True):
        upper = np.floor(off_border(place, occupied.ranks.shape[axis])) > np.floor(place - 0.5)
        voxel = voxel + upper * strides(occupied.ranks.shape)[axis]
    return rank, lowest, voxel
