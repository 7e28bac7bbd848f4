"""What a camera sees of a grid, by small steps along each ray: slow, simple, with numpy only."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from occscene.camera import PinholeCamera
from occscene.grid import EMPTY, SemanticGrid

Integers = NDArray[np.integer[Any]]
STEPS_PER_VOXEL = 4
_RAYS_AT_ONCE = 4096


def march(
    grid: SemanticGrid, camera: PinholeCamera, reach: float, stride: int = 1
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The first voxel that is not empty along the ray through each pixel's centre.

    Args:
        grid: any grid.
        camera: in the grid's world.
        reach: largest depth, in metres along the camera's z.
        stride: only every `stride`-th pixel of every `stride`-th row.

    Returns:
        flat voxel indices (height, width), -1 where nothing is hit; and z-depths in metres, `reach` where nothing is.
    """
    grid_from_world = np.linalg.inv(grid.world_from_grid)
    to_grid = grid_from_world[:3, :3] / grid.voxel_size
    start = (grid_from_world @ camera.world_from_camera[:, 3])[:3] / grid.voxel_size
    pixels = camera.pixel_directions()[stride // 2 :: stride, stride // 2 :: stride]
    directions = pixels.reshape(-1, 3).astype(np.float64) @ to_grid.T
    steps = (np.arange(int(np.ceil(reach / grid.voxel_size * STEPS_PER_VOXEL))) + 0.5) * (
        grid.voxel_size / STEPS_PER_VOXEL
    )
    shape = np.array(grid.shape)
    # One voxel of empty margin stands for everything outside.
    padded = np.pad(grid.labels != EMPTY, 1)
    hits = np.full(len(directions), -1, np.intp)
    depths = np.full(len(directions), reach)
    for first in range(0, len(directions), _RAYS_AT_ONCE):
        chunk = slice(first, first + _RAYS_AT_ONCE)
        points = start + directions[chunk, None, :] * steps[:, None]
        voxels = np.clip(np.floor(points), -1, shape).astype(np.intp) + 1
        filled = padded[voxels[..., 0], voxels[..., 1], voxels[..., 2]]
        nearest = filled.argmax(axis=1)
        rows = np.arange(len(nearest))
        occupied = filled[rows, nearest]
        at = voxels[rows, nearest] - 1
        flat = (at[:, 0] * shape[1] + at[:, 1]) * shape[2] + at[:, 2]
        hits[chunk] = np.where(occupied, flat, -1)
        depths[chunk] = np.where(occupied, steps[nearest], reach)
    return hits.reshape(pixels.shape[:2]), depths.reshape(pixels.shape[:2])


def looked_up(values: Integers, hits: NDArray[np.intp]) -> Integers:
    """Values (X, Y, Z) of a grid at the voxels that `march` found, 0 where it found none."""
    return np.where(hits >= 0, values.ravel()[np.maximum(hits, 0)], 0)
