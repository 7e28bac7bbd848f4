"""The surface of a semantic grid as a smooth net that all classes share.

Gibson 1998, "Constrained elastic surface nets"; Frisken 2022, "SurfaceNets for multi-label segmentations with
preservation of sharp boundaries" for the curves along which several classes meet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from occscene.grid import EMPTY, SemanticGrid

from .manifold import manifold
from .polygons import UNIT_HEADINGS, PolygonSurface
from .surface import (
    BoundaryFaces,
    Indices,
    boundary_faces,
    face_sides,
    lattice_places,
    lattice_strides,
    lattice_surface,
    number_points,
    quad_corners,
)

Places = NDArray[np.float32]

_REACH = np.float32(0.49)
"""Voxels that a vertex may move along each axis: it does not quite get to the eight voxel centres around it."""

_NARROWING = (0.05, 0.3, 0.5)
"""Voxels by which runs of one, two and three voxels may become narrower, so that poles, plates and cables keep three
fifths of their volume; of what is thicker two reaches leave that."""

_STEP = np.float32(0.7)
"""How far a vertex goes towards the mean of its neighbors; at 1 neighbors would swap places for ever."""

_RINGS = 4
"""Edges from a bend beyond which a vertex stays; with the usual iterations it would move by 0.004 voxels."""


@dataclass(frozen=True, eq=False)
class _Net:
    """Which vertices pull at each: (6, V) positions, one row for each direction; V where there is none."""

    neighbors: NDArray[np.int32]
    count: NDArray[np.float32]


def surface_nets(grid: SemanticGrid, between_classes: bool = False, iterations: int = 6) -> PolygonSurface:
    """Returns `culled_quads` with vertices relaxed until the stairs of voxels become slopes.

    Classes that touch share the vertices between them, so no gap opens; where three or more labels meet, vertices
    follow only that curve, which smooths the border between two classes and keeps it on both. No vertex moves by more
    than half a voxel along an axis, and the sides of what is thin move together, so that it does not vanish.

    Args:
        grid: what to show.
        between_classes: as in `culled_quads`. The faces towards empty space are the same either way.
        iterations: of relaxation; 0 gives the voxels' own corners.
    """
    faces = boundary_faces(grid.labels, between_classes=True)
    ones = [np.ones(1, np.int64)] * 2
    corners = np.concatenate([quad_corners(face, lattice_strides(grid.shape), *ones) for face in faces])
    points, numbers = number_points(corners.reshape(-1), grid.shape)
    fixed = lattice_places(points, grid.shape)
    places = _relaxed(fixed, _net(points, [face.corners for face in faces], grid.shape), iterations)
    _widen(places, points, faces, grid.shape)
    headings = UNIT_HEADINGS[face_sides(faces)].reshape(-1)
    surface = lattice_surface(grid, faces, points, numbers, headings, np.full(len(corners), 4, np.int32))
    surface = replace(surface, vertices=places * np.float32(grid.voxel_size))
    return surface if between_classes else manifold(surface.only(surface.fronts == EMPTY))


def _net(points: Indices, faces: list[Indices], shape: tuple[int, int, int]) -> _Net:
    """Joins vertices along the lattice edges of the faces; on a curve where several labels meet, along it only."""
    strides = lattice_strides(shape)
    lattice = (shape[0] + 1) * strides[0]
    number = np.empty(lattice, np.int32)
    number[points] = np.arange(len(points), dtype=np.int32)
    present = [np.zeros(lattice, np.uint8) for _ in range(3)]
    for axis in range(3):
        present[axis][faces[axis]] = 1
    neighbors = np.full((6, len(points)), len(points), np.int32)
    curves = []
    for axis in range(3):
        first, second = (axis + 1) % 3, (axis + 2) % 3
        around = present[first] + present[second]  # an edge has up to four faces: two of each direction
        around[strides[second] :] += present[first][: -strides[second]]
        around[strides[first] :] += present[second][: -strides[first]]
        low = np.flatnonzero(around != 0)
        ends = number[low], number[low + strides[axis]]
        _join(neighbors, axis, *ends)
        is_curve = around[low] > 2
        curves.append([end[is_curve] for end in ends])
    neighbors[:, np.concatenate([end for ends in curves for end in ends])] = len(points)
    for axis, (low_end, high_end) in enumerate(curves):
        _join(neighbors, axis, low_end, high_end)
    return _Net(neighbors, (neighbors < len(points)).sum(axis=0, dtype=np.float32))


def _join(neighbors: NDArray[np.int32], axis: int, low: NDArray[np.int32], high: NDArray[np.int32]) -> None:
    """Makes neighbors of the ends of edges along one axis."""
    neighbors[2 * axis, low] = high
    neighbors[2 * axis + 1, high] = low


def _relaxed(fixed: Places, net: _Net, iterations: int) -> Places:
    """Moves each vertex by `_STEP` to the mean of its neighbors, again and again, within `_REACH` of its origin."""
    padded = np.zeros((len(fixed) + 1, 4), np.float32)  # the last row stands for missing neighbors; a fourth
    padded[:-1, :3] = fixed  # number makes a row one 16-byte element, which is faster to gather
    elements = padded.view(np.complex128)[:, 0]
    moving = _moving(net, iterations)
    neighbors = [row[moving] for row in net.neighbors]
    share = np.repeat(_STEP / net.count[moving], 4).reshape(-1, 4)  # whole, as short rows broadcast slowly
    places = padded[moving]
    low, high = places - _REACH, places + _REACH
    pull, total = np.empty_like(places), np.empty_like(places)
    for _ in range(iterations):
        np.take(elements, neighbors[0], out=total.view(np.complex128)[:, 0], mode="clip")
        for row in neighbors[1:]:
            np.take(elements, row, out=pull.view(np.complex128)[:, 0], mode="clip")
            total += pull
        total *= share
        places *= 1 - _STEP
        places += total
        np.maximum(places, low, out=places)
        np.minimum(places, high, out=places)
        elements[moving] = places.view(np.complex128)[:, 0]
    return padded[:-1, :3]


def _widen(places: Places, points: Indices, faces: Sequence[BoundaryFaces], shape: tuple[int, int, int]) -> None:
    """Moves the sides of thin runs of voxels apart again, by as much each, where they came too near each other."""
    strides = lattice_strides(shape)
    lattice = (shape[0] + 1) * strides[0]
    number = np.empty(lattice, np.int32)
    number[points] = np.arange(len(points), dtype=np.int32)
    for axis, across in enumerate(faces):
        is_face = np.zeros(lattice + len(_NARROWING) * strides[axis], bool)
        is_face[across.corners] = True
        begin = across.corners[across.high != EMPTY]
        first, second = strides[(axis + 1) % 3], strides[(axis + 2) % 3]
        for width, narrowing in enumerate(_NARROWING, 1):
            ends = is_face[begin + width * strides[axis]]
            corner, begin = begin[ends], begin[~ends]
            is_corner = np.zeros(lattice, bool)
            for step in (0, first, second, first + second):
                is_corner[corner + step] = True
            (low,) = is_corner.nonzero()
            low, high = number[low], number[low + width * strides[axis]]
            lack = np.maximum(width - narrowing - (places[high, axis] - places[low, axis]), 0) / 2
            places[low, axis] -= lack
            places[high, axis] += lack


def _moving(net: _Net, iterations: int) -> Indices:
    """The vertices that relaxation can move: those on a bend, and those that a bend's movement gets to."""
    there = net.neighbors < net.neighbors.shape[1]
    moving = np.zeros(net.neighbors.shape[1] + 1, bool)
    moving[:-1] = (there[0::2] != there[1::2]).any(axis=0)  # pulled from one side only
    for _ in range(min(iterations - 1, _RINGS)):
        grown = moving[:-1].copy()
        for row in net.neighbors:
            grown |= np.take(moving, row, mode="clip")
        moving[:-1] = grown
    return np.flatnonzero(moving)
