"""The surface of a semantic grid as few, large polygons."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from occscene.grid import SemanticGrid

from .manifold import manifold
from .polygons import UNIT_HEADINGS, Labels, PolygonSurface
from .surface import (
    BoundaryFaces,
    Indices,
    boundary_faces,
    face_sides,
    lattice_strides,
    lattice_surface,
    number_points,
    quad_corners,
)


def merged_polygons(grid: SemanticGrid, between_classes: bool = False) -> PolygonSurface:
    """Returns `culled_quads` with neighbouring faces of one plane and one class merged: a closed manifold too.

    Faces are merged to runs along an axis, then equal runs side by side to rectangles (Lysenko 2012, "Meshing in a
    Minecraft game"). The area of each class stays what it was. Where the corner of one rectangle lies on another's
    side the other has a corner there too, so the surface is watertight.

    Args:
        grid: what to show.
        between_classes: as in `culled_quads`.
    """
    faces, corners = [], []
    for across in boundary_faces(grid.labels, between_classes):
        rectangles, length, width = _rectangles(across, grid.shape)
        faces.append(rectangles)
        corners.append(quad_corners(rectangles, lattice_strides(grid.shape), length, width))
    points, numbers = number_points(np.concatenate(corners), grid.shape)
    headings = UNIT_HEADINGS[face_sides(faces)]
    surface = lattice_surface(grid, faces, points, *_meeting(points, numbers, headings, grid.shape))
    return surface if between_classes else manifold(surface)


def _meeting(
    points: Indices, corners: NDArray[np.int32], headings: Labels, shape: tuple[int, int, int]
) -> tuple[NDArray[np.int32], Labels, NDArray[np.int32]]:
    """Rectangles with a corner wherever the corner of any lies on their sides.

    Args:
        points: (V,) lattice indices of all corners, ascending.
        corners: (F, 4) positions among them.
        headings: (F, 4) where the sides from each corner to the next lead.
        shape: the grid's.

    Returns:
        Corners (C,), headings (C,) and how many each polygon has (F,).
    """
    along = [np.lexsort([points // stride % (side + 1), line]) for line, stride, side in _lines(points, shape)]
    place = np.empty((3, len(points)), np.int64)  # of each point, where all are ordered by the lines along an axis
    for number, order in enumerate(along):
        place[number, order] = np.arange(len(points))
    axis, start, end = (headings >> 1).astype(np.int64), corners, np.roll(corners, -1, axis=1)
    first, last = place[axis, start], place[axis, end]
    count = np.abs(last - first)
    within = np.arange(int(count.sum())) - np.repeat(np.cumsum(count) - count.reshape(-1), count.reshape(-1))
    begin = np.repeat((axis * len(points) + first).reshape(-1), count.reshape(-1))
    step = np.repeat(np.sign(last - first).reshape(-1), count.reshape(-1))
    result = np.concatenate(along)[begin + within * step].astype(np.int32)
    return result, np.repeat(headings.reshape(-1), count.reshape(-1)), count.sum(axis=1).astype(np.int32)


def _lines(points: Indices, shape: tuple[int, int, int]) -> Iterator[tuple[Indices, int, int]]:
    """For each axis the line along it on which points lie, and the axis's stride and side."""
    for stride, side in zip(lattice_strides(shape), shape, strict=True):
        yield points - points // stride % (side + 1) * stride, stride, side


_COORDINATE = 10
"""Bits of a lattice coordinate or a length: a grid's side is at most 512."""

_PAIR = 16
"""Bits of the labels on both sides of a face."""


def _rectangles(faces: BoundaryFaces, shape: tuple[int, int, int]) -> tuple[BoundaryFaces, Indices, Indices]:
    """Merges faces to rectangles, and their sides in voxels along the two axes after `faces.axis`.

    Everything known of a face or a run is packed into one integer, whose lowest field is the one that rises by one
    from a face to the next of the same rectangle; so sorting and comparing neighbors is all there is to do.
    """
    strides = lattice_strides(shape)
    x, rest = np.divmod(faces.corners, strides[0])
    place = (x, *np.divmod(rest, strides[1]))
    plane, row, column = (place[(faces.axis + turn) % 3] for turn in range(3))
    pair = faces.low.astype(np.int64) << 8 | faces.high

    face = ((plane << _COORDINATE | row) << _PAIR | pair) << _COORDINATE | column
    start, width = _runs(face)
    plane, row, pair, column = _unpacked(start, _COORDINATE, _COORDINATE, _PAIR, _COORDINATE)

    run = (((plane << _COORDINATE | column) << _COORDINATE | width) << _PAIR | pair) << _COORDINATE | row
    start, length = _runs(run)
    plane, column, width, pair, row = _unpacked(start, _COORDINATE, _COORDINATE, _COORDINATE, _PAIR, _COORDINATE)

    along = (strides[(faces.axis + turn) % 3] for turn in range(3))
    corners = plane * next(along) + row * next(along) + column * next(along)
    low, high = (pair >> 8).astype(np.uint8), (pair & 255).astype(np.uint8)
    return BoundaryFaces(faces.axis, corners, low, high), length, width


def _runs(keys: Indices) -> tuple[Indices, Indices]:
    """The first key of each run of consecutive integers, and the run's length."""
    keys = np.sort(keys)
    first = np.flatnonzero(np.diff(keys, prepend=-2) != 1)
    return keys[first], np.diff(first, append=len(keys))


def _unpacked(keys: Indices, *bits: int) -> list[Indices]:
    """The fields of packed keys, the highest first."""
    fields = []
    for width in reversed(bits):
        fields.append(keys & (1 << width) - 1)
        keys = keys >> width
    return fields[::-1]
