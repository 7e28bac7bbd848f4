"""The surface of a semantic grid as few, large quads."""

from __future__ import annotations

import numpy as np
from occscene.grid import SemanticGrid

from .surface import (
    BoundaryFaces,
    Indices,
    QuadSurface,
    boundary_faces,
    lattice_strides,
    lattice_surface,
    quad_corners,
)


def greedy_quads(grid: SemanticGrid, between_classes: bool = False) -> QuadSurface:
    """Returns `culled_quads` with neighbouring faces of one plane and one class merged to rectangles.

    Faces are merged to runs along one axis, then equal runs side by side to rectangles (Lysenko 2012, "Meshing in a
    Minecraft game"). The area of each class stays what it was. Corners may lie on the sides of larger quads
    (T-junctions): for modifiers that need a manifold take `culled_quads`.

    Args:
        grid: what to show.
        between_classes: as in `culled_quads`.
    """
    corners, lows, highs = [], [], []
    for faces in boundary_faces(grid.labels, between_classes):
        merged, length, width = _rectangles(faces, grid.shape)
        corners.append(quad_corners(merged, lattice_strides(grid.shape), length, width))
        lows.append(merged.low)
        highs.append(merged.high)
    return lattice_surface(grid, np.concatenate(corners), np.concatenate(lows), np.concatenate(highs))


_COORDINATE = 10
"""Bits of a lattice coordinate or a length: a grid's side is at most 512."""

_PAIR = 16
"""Bits of the labels on both sides of a face."""


def _rectangles(faces: BoundaryFaces, shape: tuple[int, int, int]) -> tuple[BoundaryFaces, Indices, Indices]:
    """Merges faces to rectangles, and their sides in voxels along the two axes after `faces.axis`.

    Everything known of a face or a run is packed into one integer, whose lowest field is the one that rises by one
    from a face to the next of the same rectangle; so sorting and comparing neighbours is all there is to do.
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
