"""A grid seen from the cameras: volumes resampled at depth planes x rows x columns of every view.

The planes are spaced logarithmically, as rooms are: fine where the camera is near. Between two planes a thin wall
would slip through point samples, so the cells of a frustum are read at several taps (`frustum_taps`).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from occscene_server.geometry.cameras import CameraTensors, pixel_rays
from occscene_server.geometry.grids import VolumeTensors

TAPS = 4
"""Taps in each cell of a frustum."""


def depth_planes(near: float, far: float, count: int, device: torch.device | str = "cpu") -> Tensor:
    """Depths in metres of `count` planes, (D,): the log-centres of `count` equal log-intervals from near to far."""
    fraction = (torch.arange(count, device=device) + 0.5) / count
    return near * (far / near) ** fraction


def frustum_points(cameras: CameraTensors, volume: VolumeTensors, size: tuple[int, int], depths: Tensor) -> Tensor:
    """Centres of the frustum's cells in voxels of the grid, (B, V, D, h, w, 3) float32.

    Args:
        cameras, volume: B scenes, V views.
        size: (h, w) rows and columns.
        depths: (D,) metres along the camera's z axis.
    """
    origins, directions = pixel_rays(cameras, volume, size)
    return origins[:, :, None, None, None] + depths[:, None, None, None] * directions[:, :, None]


def tap_positions(device: torch.device | str = "cpu") -> Tensor:
    """Where a cell's taps lie, (TAPS, 3) as row, column and log-depth; the cell reaches from -1/2 to 1/2."""
    return torch.tensor(
        [[-0.25, -0.25, -0.375], [-0.25, 0.25, 0.125], [0.25, -0.25, 0.375], [0.25, 0.25, -0.125]], device=device
    )


def frustum_taps(
    cameras: CameraTensors, volume: VolumeTensors, size: tuple[int, int], near: float, far: float, planes: int
) -> Tensor:
    """The voxel under every tap of every cell, (B, V, D, h * w, TAPS) int32.

    Returns:
        Flat indices into a volume (B, X + 2, Y + 2, Z + 2), batch included: a border of one voxel on each side stands
        for all that lies outside. See `pad_outside`.
    """
    height, width = size
    origins, directions = pixel_rays(cameras, volume, (2 * height, 2 * width))  # the taps' rows and columns
    batch, views = origins.shape[:2]
    directions = directions.view(batch, views, height, 2, width, 2, 3).permute(6, 0, 1, 2, 4, 3, 5)
    directions = directions.reshape(3, batch, views, 1, height * width * TAPS)
    device = directions.device
    shifts = tap_positions(device)[:, 2]
    fraction = (torch.arange(planes, device=device)[:, None] + 0.5 + shifts) / planes  # (D, TAPS)
    depths = (near * (far / near) ** fraction).repeat(1, height * width)  # (D, h*w*TAPS)
    padded = [side + 2 for side in volume.shape]
    flat = (torch.arange(batch, dtype=torch.int32, device=device) * padded[0])[:, None, None, None]
    for axis in range(3):
        along = torch.addcmul(origins[..., axis, None, None] + 1, depths, directions[axis])  # (B, V, D, h*w*TAPS)
        flat = flat + along.clamp_(0, padded[axis] - 1).to(torch.int32)
        if axis < 2:
            flat *= padded[axis + 1]
    return flat.view(batch, views, planes, height * width, TAPS)


def pad_outside(volume: Tensor, value: float) -> Tensor:
    """Adds the border that `frustum_taps` refers to: (B, X, Y, Z) becomes (B, X + 2, Y + 2, Z + 2)."""
    return F.pad(volume, (1, 1, 1, 1, 1, 1), value=value)
