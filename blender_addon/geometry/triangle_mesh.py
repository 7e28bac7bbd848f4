"""Triangles of many objects to the one mesh that is sent with their grid."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from occscene.grid import GridVolume
from occscene.mesh import TriangleMesh
from occscene.rigid import invert_rigid, transform_points

from .voxelization.scanlines import Floats
from .voxelization.voxelize import TriangleObject

Bools = NDArray[np.bool_]

MARGIN_VOXELS = 32
"""Voxels around the volume in which triangles are kept, so that what reaches out of it a little is whole."""

_WELD_BITS = 21  # a coordinate's, so that three of them are one integer of 64 bits


def triangle_mesh(objects: Sequence[TriangleObject], volume: GridVolume) -> TriangleMesh:
    """The triangles of objects in and around a volume, cut where they leave its margin, equal vertices welded.

    Args:
        objects: with finite corners; the ids in the mesh are their positions counted from 1.
        volume: of the grid that they are voxelised into.
    """
    margin = MARGIN_VOXELS * volume.voxel_size
    low, high = np.full(3, -margin), np.array(volume.shape) * volume.voxel_size + margin
    grid_from_world = invert_rigid(volume.world_from_grid)
    shown = [item.triangles if item.shown is None else item.shown for item in objects]
    kept = [clipped(transform_points(grid_from_world, triangles), low, high) for triangles in shown]
    counts = [len(triangles) for triangles in kept]
    vertices, triangles = welded(np.concatenate([np.zeros((0, 3, 3)), *kept]), low, high)
    labels = np.repeat(np.array([item.class_index for item in objects], np.uint8), counts)
    ids = np.repeat(np.arange(1, len(objects) + 1, dtype=np.uint16), counts)
    flat = (triangles == np.roll(triangles, 1, axis=1)).any(1)
    world = transform_points(volume.world_from_grid, vertices)
    return TriangleMesh(world, triangles[~flat], labels[~flat], ids[~flat])


def clipped(triangles: Floats, low: Floats, high: Floats) -> Floats:
    """What of triangles (T, 3, 3) lies between the corners of a box (Sutherland and Hodgman 1974), as triangles."""
    corners = triangles.reshape(-1, 3)
    if (corners >= low).all() and (corners <= high).all():
        return triangles
    for axis in range(3):
        for sign, bound in ((1.0, low[axis]), (-1.0, high[axis])):
            triangles = _cut(triangles, sign * (triangles[:, :, axis] - bound))
    return triangles


def _cut(triangles: Floats, inward: Floats) -> Floats:
    """Triangles cut by a plane; `inward` (T, 3) are their corners' distances, positive on the side that stays."""
    inside = inward >= 0.0
    count = inside.sum(1)
    if (count == 3).all():
        return triangles
    corner, _, _, a, b = _around(triangles, inward, inside, count == 1)
    _, following, last, c, d = _around(triangles, inward, ~inside, count == 2)
    parts = (corner, a, b), (c, following, last), (c, last, d)
    return np.concatenate([triangles[count == 3], *(np.stack(part, 1) for part in parts)])


def _around(triangles: Floats, inward: Floats, single: Bools, rows: Bools) -> tuple[Floats, ...]:
    """Of some triangles the single corner on its side of a plane, the two that follow, and the edges' crossings."""
    first = np.argmax(single[rows], axis=1)
    turned = (first[:, None] + np.arange(3)) % 3
    chosen = np.take_along_axis(triangles[rows], turned[:, :, None], axis=1)
    distance = np.take_along_axis(inward[rows], turned, axis=1)
    share = distance[:, :1] / (distance[:, :1] - distance[:, 1:])
    crossings = chosen[:, :1] + (chosen[:, 1:] - chosen[:, :1]) * share[:, :, None]
    return (*chosen.transpose(1, 0, 2), *crossings.transpose(1, 0, 2))


def welded(triangles: Floats, low: Floats, high: Floats) -> tuple[Floats, NDArray[np.uint32]]:
    """Vertices (V, 3) in the order of their use and indices (T, 3) of triangles (T, 3, 3) within a box.

    What lies in the same of 2^21 cells along each of the box's sides is one vertex.
    """
    corners = triangles.reshape(-1, 3)
    cells = np.clip((corners - low) / (high - low) * 2**_WELD_BITS, 0, 2**_WELD_BITS - 1).astype(np.int64)
    key = (cells[:, 0] << 2 * _WELD_BITS) | (cells[:, 1] << _WELD_BITS) | cells[:, 2]
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return corners[first[order]], rank[inverse.reshape(-1)].reshape(-1, 3).astype(np.uint32)
