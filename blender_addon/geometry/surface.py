"""The surface of a semantic grid as quads, one for each exposed voxel face.

Three kinds of surface share the type `PolygonSurface`: `culled_quads` here, `merged.merged_polygons` with faces of one
plane and class merged, and `surface_nets.surface_nets` with smoothed vertices. `class_surfaces` splits any of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from occscene.grid import EMPTY, UNKNOWN, SemanticGrid

from .manifold import manifold
from .polygons import UNIT_HEADINGS, Labels, PolygonSurface

Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class BoundaryFaces:
    """Voxel faces across which the label changes, all perpendicular to one axis.

    The lattice of voxel corners has one point more along each axis than the grid has voxels; a face is known by the
    flat C-order index of its lowest corner.

    Args:
        axis: 0, 1 or 2.
        corners: (F,) ascending lattice indices.
        low: (F,) the label on the side of smaller coordinates.
        high: (F,) the label on the other side.
    """

    axis: int
    corners: Indices
    low: Labels
    high: Labels


def culled_quads(grid: SemanticGrid, between_classes: bool = False) -> PolygonSurface:
    """Returns every voxel face between an occupied voxel and an unoccupied one or the outside: a closed manifold.

    Args:
        grid: what to show.
        between_classes: also the faces between voxels of two classes, each once, with the class on the side of smaller
            coordinates behind it. Then all classes share the vertices; `class_surfaces` makes a manifold of each.
    """
    faces = boundary_faces(grid.labels, between_classes)
    surface = unit_surface(grid, faces)
    return surface if between_classes else manifold(surface)


def class_surfaces(surface: PolygonSurface) -> dict[int, PolygonSurface]:
    """Splits a surface made with `between_classes` into one for each class, by ascending label.

    Each is a closed manifold, so that hiding a class leaves no hole in its neighbors; neighbors share places, not
    vertices.
    """
    present = np.bincount(surface.classes, minlength=256) + np.bincount(surface.fronts, minlength=256)
    result = {}
    for label in np.flatnonzero(present):
        if label != EMPTY:
            part = surface.only((surface.classes == label) | (surface.fronts == label))
            result[int(label)] = manifold(part.turned(part.fronts == label))
    return result


def lattice_strides(shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """Steps along x, y and z in flat indices of the corner lattice of a grid of `shape`."""
    return (shape[1] + 1) * (shape[2] + 1), shape[2] + 1, 1


def padded_labels(labels: Labels) -> Labels:
    """Labels on the corner lattice, flat, behind one more layer along x; what is unknown or outside is empty.

    A voxel stands at its lowest corner. The added layers keep every neighbour `i - stride` of a lattice index `i`
    inside the array and empty where it is outside the grid.
    """
    x, y, z = labels.shape
    padded = np.zeros((x + 2, y + 1, z + 1), np.uint8)
    np.multiply(labels, labels != UNKNOWN, out=padded[1:-1, :-1, :-1])
    return padded.reshape(-1)


def boundary_faces(labels: Labels, between_classes: bool) -> tuple[BoundaryFaces, BoundaryFaces, BoundaryFaces]:
    """Faces between occupied and unoccupied voxels, or between any two labels, for each axis."""
    flat = padded_labels(labels)
    compared = flat if between_classes else flat != EMPTY
    strides = lattice_strides(labels.shape)  # type: ignore[arg-type]  # three sides, as SemanticGrid checks

    def along(axis: int) -> BoundaryFaces:
        stride = strides[axis]
        below = np.flatnonzero(compared[stride:] != compared[:-stride])
        return BoundaryFaces(axis, below + (stride - strides[0]), flat[below], flat[below + stride])

    return along(0), along(1), along(2)


def quad_corners(faces: BoundaryFaces, strides: tuple[int, int, int], length: Indices, width: Indices) -> Indices:
    """The (F, 4) lattice indices of rectangles that start at `faces.corners`.

    Args:
        faces: whose lowest corners and sides are meant.
        strides: of the corner lattice.
        length: voxels along the axis after `faces.axis` (x, y, z, x ...).
        width: voxels along the axis after that.
    """
    first, second = length * strides[(faces.axis + 1) % 3], width * strides[(faces.axis + 2) % 3]
    inwards = faces.low == EMPTY  # the quad faces towards smaller coordinates
    corners = np.empty((len(faces.corners), 4), np.int64)
    corners[:, 0] = faces.corners
    corners[:, 1] = faces.corners + np.where(inwards, second, first)
    corners[:, 2] = faces.corners + (first + second)
    corners[:, 3] = faces.corners + np.where(inwards, first, second)
    return corners


def unit_surface(grid: SemanticGrid, faces: Sequence[BoundaryFaces]) -> PolygonSurface:
    """A quad for each face."""
    strides, ones = lattice_strides(grid.shape), [np.ones(1, np.int64)] * 2
    corners = np.concatenate([quad_corners(face, strides, *ones) for face in faces])
    points, numbers = number_points(corners.reshape(-1), grid.shape)
    headings = UNIT_HEADINGS[face_sides(faces)].reshape(-1)
    return lattice_surface(grid, faces, points, numbers, headings, np.full(len(corners), 4, np.int32))


def face_sides(faces: Sequence[BoundaryFaces]) -> Labels:
    """(F,) the directions of the faces."""
    return np.concatenate([2 * np.uint8(face.axis) + (face.low != EMPTY) for face in faces]).astype(np.uint8)


def lattice_surface(
    grid: SemanticGrid,
    faces: Sequence[BoundaryFaces],
    points: Indices,
    corners: NDArray[np.int32],
    headings: Labels,
    sizes: NDArray[np.int32],
) -> PolygonSurface:
    """Polygons whose vertices are lattice points.

    Args:
        grid: whose lattice it is.
        faces: what lies behind the polygons and in front of them.
        points: (V,) lattice indices of the vertices.
        corners, headings, sizes: as in `PolygonSurface`.
    """
    low, high = (np.concatenate([getattr(face, side) for face in faces]) for side in ("low", "high"))
    inwards = low == EMPTY
    vertices = lattice_places(points, grid.shape) * np.float32(grid.voxel_size)
    classes, fronts = np.where(inwards, high, low), np.where(inwards, low, high)
    return PolygonSurface(vertices, corners, sizes, classes, fronts, face_sides(faces), headings)


def number_points(corners: Indices, shape: tuple[int, int, int]) -> tuple[Indices, NDArray[np.int32]]:
    """The lattice indices in use (V,), ascending, and `corners` as positions among them."""
    used = np.zeros((shape[0] + 1) * lattice_strides(shape)[0], bool)
    used[corners] = True
    points = np.flatnonzero(used)
    number = np.empty(len(used), np.int32)
    number[points] = np.arange(len(points), dtype=np.int32)
    return points, number[corners]


def lattice_places(points: Indices, shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """Lattice indices as (V, 3) coordinates in voxels."""
    places = np.empty((len(points), 3), np.float32)
    stride_x, stride_y, _ = lattice_strides(shape)
    places[:, 0], rest = np.divmod(points, stride_x)
    places[:, 1], places[:, 2] = np.divmod(rest, stride_y)
    return places
