"""The surface of a semantic grid as culled quads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from occscene.grid import EMPTY, UNKNOWN, SemanticGrid


@dataclass(frozen=True, eq=False)
class QuadSurface:
    """Quads between occupied and empty voxels.

    Args:
        vertices: (V, 3) float32, metres in the grid's own frame (apply `world_from_grid` for the world); shared.
        quads: (F, 4) int32 vertex indices, counter-clockwise seen from the empty side.
        classes: (F,) uint8, the label of the occupied side.
        voxels: (F, 3) int32, the index of the voxel on the occupied side.
    """

    vertices: NDArray[np.float32]
    quads: NDArray[np.int32]
    classes: NDArray[np.uint8]
    voxels: NDArray[np.int32]


def occupied(labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Voxels that hold something: neither empty nor unknown."""
    result: NDArray[np.bool_] = (labels != EMPTY) & (labels != UNKNOWN)
    return result


def quad_surface(grid: SemanticGrid) -> QuadSurface:
    """Returns every voxel face between an occupied voxel and an unoccupied one or the outside.

    Faces between two occupied voxels are hidden and left out, whatever their classes are. Faces come sorted by
    direction (-x, +x, -y, +y, -z, +z), then by voxel in C order.
    """
    solid = occupied(grid.labels)
    padded = np.pad(solid, 1)
    corners, voxels = [], []
    for axis in range(3):
        for side in (0, 1):
            neighbour = [slice(1, -1)] * 3
            neighbour[axis] = slice(2, None) if side else slice(0, -2)
            index = np.argwhere(solid & ~padded[tuple(neighbour)]).astype(np.int32)
            voxels.append(index)
            corners.append(index[:, None, :] + _face_corners(axis, side))
    voxel = np.concatenate(voxels)
    lattice = np.concatenate(corners)  # (F, 4, 3)
    shape = tuple(side + 1 for side in grid.shape)
    flat = np.ravel_multi_index(tuple(lattice.reshape(-1, 3).T), shape)
    used = np.zeros(int(np.prod(shape)), bool)
    used[flat] = True
    number = np.cumsum(used, dtype=np.int32) - 1
    vertices = np.stack(np.unravel_index(np.flatnonzero(used), shape), axis=-1) * grid.voxel_size
    return QuadSurface(
        vertices.astype(np.float32),
        number[flat].astype(np.int32).reshape(-1, 4),
        grid.labels[tuple(voxel.T)],
        voxel,
    )


def _face_corners(axis: int, side: int) -> NDArray[np.int32]:
    """The (4, 3) corner offsets of a unit voxel's face, counter-clockwise seen from outside."""
    first, second = (axis + 1) % 3, (axis + 2) % 3
    order = ((0, 0), (1, 0), (1, 1), (0, 1)) if side else ((0, 0), (0, 1), (1, 1), (1, 0))
    corners = np.zeros((4, 3), np.int32)
    corners[:, axis] = side
    corners[:, first] = [a for a, _ in order]
    corners[:, second] = [b for _, b in order]
    return corners
