"""Closed surfaces as manifolds, also where voxels touch along an edge or at a corner.

Of two voxels that share no more than an edge each keeps its own faces: four faces meet at that edge, and those two are
neighbors that have the same voxel behind them - or in front of them, where the others would share both ends of the
edge again. A vertex whose faces then fall into several fans is as many vertices at one place. So every edge has two
faces and every vertex one fan, as modifiers and other programs expect.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .polygons import Labels, PolygonSurface

_INWARDS = np.zeros((6, 6), np.uint8)
"""By a face's direction and that of one of its edges: the direction from the edge into the face."""
for _side in range(6):
    for _heading in range(6):
        _vectors = [np.eye(3)[way // 2] * (2 * (way % 2) - 1) for way in (_side, _heading)]
        _across = np.cross(*_vectors)
        _axis = int(np.abs(_across).argmax())
        _INWARDS[_side, _heading] = 2 * _axis + (_across[_axis] > 0)

_FEWEST = {True: 3, False: 2}
"""Corners that a fan has at least: of quads of one voxel face each, and of polygons with straight corners."""

_LONGEST = 4
"""Doublings that pass once around any fan: at most a dozen corners meet at a place."""

_MOST_ROUNDS = 8
"""Times that edges with four faces are paired again; each leaves a few of them, and two or three are enough."""

Ints = NDArray[np.int64]


def manifold(surface: PolygonSurface) -> PolygonSurface:
    """The surface with as many vertices as it takes for every edge to have two faces, and every vertex one fan.

    Args:
        surface: closed; every edge is passed as often in one direction as in the other.
    """
    corners, sizes = surface.corners.astype(np.int64), surface.sizes
    around = np.bincount(corners, minlength=len(surface.vertices))
    fewest = _FEWEST[len(corners) == 4 * len(sizes)]
    (corner,) = (around >= 2 * fewest)[corners].nonzero()
    if not len(corner):
        return surface
    end = np.cumsum(sizes)
    polygon = np.searchsorted(end, corner, side="right")
    start = end[polygon] - sizes[polygon]
    before = np.where(corner == start, end[polygon], corner) - 1
    after = np.where(corner == end[polygon] - 1, start, corner + 1)
    vertex, side = corners[corner], surface.sides[polygon]
    leaving = _Edges(vertex, corners[after], surface.headings[corner], side, False)
    arriving = _Edges(vertex, corners[before], surface.headings[before], side, True)
    by_front = np.zeros(0, np.int64)
    for _ in range(_MOST_ROUNDS):
        fan = _fans(leaving.keys(by_front), arriving.keys(by_front))
        apart, source = _numbered(fan, corner, corners, len(surface.vertices))
        passed = apart[corner] * len(source) + apart[after]
        order = np.argsort(passed)
        twice = order[1:][np.diff(passed[order]) == 0]
        if not len(twice):
            break
        by_front = np.setxor1d(by_front, leaving.number[twice])
    return replace(surface, vertices=surface.vertices[source], corners=apart.astype(np.int32))


class _Edges:
    """Edges as they are seen from one of their ends, by the corner there of one of their faces.

    Args:
        vertex: (N,) that end.
        other: (N,) the other one.
        heading: (N,) where the edge leads as the face passes it.
        side: (N,) the direction of the face.
        arrives: whether the face passes it towards `vertex`.
    """

    def __init__(self, vertex: Ints, other: Ints, heading: Labels, side: Labels, arrives: bool) -> None:
        direction = heading ^ np.uint8(arrives)
        inwards = _INWARDS[side, heading]
        self.number = np.minimum(vertex, other) << 32 | np.maximum(vertex, other)
        self._ways = []
        for across in (side ^ np.uint8(1), side):  # the voxel behind the face, and that in front
            voxel = np.minimum(inwards, across) * np.uint8(8) + np.maximum(inwards, across)
            self._ways.append((vertex * 8 + direction) * 64 + voxel)

    def keys(self, by_front: Ints) -> Ints:
        """(N,) what sorts by end, direction and, among the faces of an edge, by the voxel that makes two of them
        neighbors: that in front for the edges of the numbers `by_front`."""
        behind, front = self._ways
        return np.where(np.isin(self.number, by_front), front, behind) if len(by_front) else behind


def _fans(leaving: Ints, arriving: Ints) -> Ints:
    """(N,) for each corner the first of those that are around the same vertex with it, as edges join them."""
    follows = np.empty(len(leaving), np.int64)
    follows[np.argsort(leaving)] = np.argsort(arriving)
    fan = np.arange(len(leaving))
    for _ in range(_LONGEST):
        fan = np.minimum(fan, fan[follows])
        follows = follows[follows]
    return fan


def _numbered(fan: Ints, corner: Ints, corners: Ints, vertices: int) -> tuple[Ints, Ints]:
    """All corners (C,) with a vertex for each fan, and (V,) the vertex that each was before.

    Args:
        fan: (N,) as from `_fans`.
        corner: (N,) which corners these are.
        corners: (C,) vertices so far.
        vertices: how many there are.
    """
    (first,) = (fan == np.arange(len(fan))).nonzero()
    first = first[np.argsort(corners[corner[first]], kind="stable")]
    vertex = corners[corner[first]]
    is_more = np.diff(vertex, prepend=-1) == 0
    number = np.empty(len(fan), np.int64)
    number[first] = np.where(is_more, vertices + np.cumsum(is_more) - 1, vertex)
    apart = corners.copy()
    apart[corner] = number[fan]
    return apart, np.concatenate([np.arange(vertices), vertex[is_more]])
