"""Volumes resampled in the cameras' frusta."""

from __future__ import annotations

import torch

from occscene_server.geometry.cameras import CameraTensors, pixel_rays
from occscene_server.geometry.frustum import (
    TAPS,
    depth_planes,
    frustum_taps,
    pad_outside,
    tap_positions,
)
from occscene_server.geometry.grids import GridTensors


def test_planes_are_log_spaced() -> None:
    planes = depth_planes(0.3, 8.0, 24)
    ratios = planes[1:] / planes[:-1]
    torch.testing.assert_close(ratios, ratios[:1].expand(23))
    torch.testing.assert_close(planes[0] ** 2 / planes[1] * ratios[0] ** 0.5, torch.tensor(0.3))


def test_taps_name_the_voxels_they_lie_in(grid_tensors: GridTensors, camera_tensors: CameraTensors) -> None:
    size, planes, near, far = (4, 6), 3, 0.1, 3.0
    volume = grid_tensors.volume
    voxels = frustum_taps(camera_tensors, volume, size, near, far, planes)
    assert voxels.shape == (2, 3, planes, 24, TAPS)
    names = pad_outside(torch.arange(2 * 9 * 11 * 7).view(2, 9, 11, 7), -1).flatten()[voxels]
    origins, fine = pixel_rays(camera_tensors, volume, (8, 12))  # its pixel centres are the taps' rows and columns
    sides = torch.tensor(volume.shape)
    for tap, (row, column, shift) in enumerate(tap_positions().tolist()):
        direction = fine[:, :, int(row > 0) :: 2, int(column > 0) :: 2].flatten(2, 3)
        depth = near * (far / near) ** ((torch.arange(planes) + 0.5 + shift) / planes)
        points = origins[:, :, None, None] + depth[:, None, None] * direction[:, :, None]
        x, y, z = points.floor().long().unbind(-1)
        batch = torch.arange(2)[:, None, None, None] * sides.prod()
        expected = batch + (x * 11 + y) * 7 + z
        inside = ((points >= 0) & (points < sides)).all(-1)
        expected = torch.where(inside, expected, -1)
        clear = ((points - points.round()).abs() > 1e-4).all(-1)  # away from faces, where rounding decides
        assert torch.equal(names[..., tap][clear], expected[clear])
        assert inside.any()
