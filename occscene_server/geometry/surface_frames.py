"""Where points lie on the surfaces of their objects, in metres: what patterns and grain hang on.

Meshes of the studio have the places of their own textures. An artist's have none; what they get agrees with the
studio's where that is possible:

* Walls, windows, floors, ceilings and whatever else rooms and streets are built of lie in the axes of the grid and
  count from the world's origin (from the next multiple of 64 m where the grid is far from it). A face that stands has
  (along, up, across), one that lies has (x, y, z). `along` is horizontal and grows with x, or with y where the face
  looks along x.
* Each other object, and each rug, which is a floor on a larger floor, counts from the middle of its own upright box:
  (along its longest side, along its second, along its shortest).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from occscene.grid import SemanticGrid
from occscene.mesh import TriangleMesh
from occscene.taxonomy import INDOOR, OUTDOOR

from occscene_server.geometry.mesh_parts import rows_by_object
from occscene_server.geometry.object_boxes import kept_box

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

BUILT = {
    INDOOR.name: [INDOOR.index_of(name) for name in ("ceiling", "floor", "wall", "window")],
    OUTDOOR.name: [
        OUTDOOR.index_of(name)
        for name in ("road", "parking", "sidewalk", "other-ground", "building", "fence", "terrain")
    ],
}
"""Classes, by taxonomy, of what rooms and streets are built of."""
_FLOOR = INDOOR.index_of("floor")
_RUG = 0.6
"""Share of the largest floor's outline that a rug has at most."""
_ORIGINS = 64.0
"""Metres between the points that surfaces are counted from."""


def surface_corners(mesh: TriangleMesh, grid: SemanticGrid) -> Floats:
    """(T, 3, 3) where the corners of triangles lie on their surfaces.

    Args:
        mesh: with or without surface coordinates.
        grid: of the same scene; its axes are followed.
    """
    if mesh.surface is not None:
        return mesh.surface[mesh.triangles]
    pose = grid.world_from_grid
    corners = ((mesh.vertices - pose[:3, 3]) @ pose[:3, :3] + grid_corner(pose))[mesh.triangles]
    built = np.isin(mesh.labels, BUILT.get(grid.taxonomy, [])) | (mesh.object_ids == 0)
    if grid.taxonomy == INDOOR.name:
        built &= ~_rugs(mesh, corners)
    surface = np.empty_like(corners)
    surface[built] = _projected(corners[built])
    for own in rows_by_object(mesh.object_ids, np.flatnonzero(~built)):
        surface[own] = in_own_box(corners[own].reshape(-1, 3)).reshape(-1, 3, 3)
    return surface


def in_own_box(points: Floats) -> Floats:
    """Points (N, 3) from the middle of their upright box along its longest, second and shortest side."""
    box = kept_box(points)
    cosine, sine = np.cos(box.turn), np.sin(box.turn)
    along = (points - box.center) @ np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
    return along[:, np.argsort(-box.size, kind="stable")]


def grid_corner(world_from_grid: Floats) -> Floats:
    """(3,) where the corner of a grid is, along its axes, from the point that its surfaces are counted from."""
    corner: Floats = world_from_grid[:3, 3] @ world_from_grid[:3, :3]
    return corner - np.round(corner / _ORIGINS) * _ORIGINS


def _projected(corners: Floats) -> Floats:
    """Corners (N, 3, 3) along the grid's axes, each triangle's as it stands or lies."""
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    level = np.linalg.norm(normal[:, :2], axis=1)
    standing = level > np.abs(normal[:, 2])
    across = normal[standing, :2] / level[standing, None]
    along = across[:, ::-1] * (1.0, -1.0)
    surface = corners.copy()
    place = corners[standing]
    surface[standing] = np.stack(
        [
            np.einsum("tcx,tx->tc", place[:, :, :2], _growing(along)),
            place[:, :, 2],
            np.einsum("tcx,tx->tc", place[:, :, :2], _growing(across)),
        ],
        axis=2,
    )
    return surface


def _growing(direction: Floats) -> Floats:
    """Horizontal directions (N, 2), turned about where they point to a lower x, or y where they follow that more."""
    largest = np.where(np.abs(direction[:, 0]) >= np.abs(direction[:, 1]), direction[:, 0], direction[:, 1])
    return direction * np.where(largest < 0, -1.0, 1.0)[:, None]


def _rugs(mesh: TriangleMesh, corners: Floats) -> Bools:
    """(T,) whether a triangle is of a floor that is much smaller than the largest."""
    floors = mesh.labels == _FLOOR
    outlines = {
        number: float(np.prod(np.ptp(corners[floors & (mesh.object_ids == number)].reshape(-1, 3)[:, :2], axis=0)))
        for number in np.unique(mesh.object_ids[floors]).tolist()
    }
    largest = max(outlines.values(), default=0.0)
    small = [number for number, outline in outlines.items() if outline < _RUG * largest]
    rugs: Bools = floors & np.isin(mesh.object_ids, small)
    return rugs


def pattern_coordinates(points: Floats, center: Floats, size: Floats, centered: bool = False) -> Floats:
    """Places (N, 3) in a part's own texture, metres, its longest side first; no two boards match unless `centered`.

    Args:
        points: (N, 3) along the part's own axes.
        center, size: (3,) of the part.
        centered: count from the middle, as pictures and rugs do.
    """
    order = np.argsort(-size, kind="stable")
    local: Floats = (points - center)[:, order]
    return local if centered else local + pattern_shift(center, size)


def pattern_shift(center: Floats, size: Floats) -> Floats:
    """(..., 3) metres by which the textures of parts with these centres and sizes (..., 3) are shifted: at random."""
    angle = center @ (12.9898, 78.233, 37.719) + 4.581 * size[..., 0]
    shift: Floats = np.sin(angle)[..., None] * (50.0, 35.0, 15.0)
    return shift
