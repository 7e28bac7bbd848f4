"""Metrics of images against known values and exactly rendered planes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.pixel_values import linear_from_srgb
from occscene_server.metrics.images import (
    delta_e,
    hint_differences,
    lab_from_linear,
    psnr,
    warp_error,
)


@pytest.mark.parametrize(
    ("srgb", "lab"),
    [
        ((255, 255, 255), (100.0, 0.0, 0.0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
        ((119, 119, 119), (50.03, 0.0, 0.0)),
        ((3, 2, 1), (0.6, 0.1, 0.4)),
    ],
)
def test_lab_of_known_colors(srgb: tuple[int, int, int], lab: tuple[float, float, float]) -> None:
    found = lab_from_linear(linear_from_srgb(torch.tensor(srgb) / 255))
    torch.testing.assert_close(found, torch.tensor(lab), atol=0.15, rtol=0)


def test_delta_e_from_black_to_white_is_100() -> None:
    black, white = lab_from_linear(torch.zeros(3)), lab_from_linear(torch.ones(3))
    assert float(delta_e(black, white)) == pytest.approx(100, abs=0.01)


def test_hints_are_compared_with_the_mean_of_an_objects_pixels() -> None:
    colors = torch.zeros(1, 4, 4, 3)
    colors[:, :2] = torch.tensor([0.5, 0.1, 0.1])
    colors[:, 0] += 0.1
    colors[:, 1] -= 0.1
    objects = torch.zeros(1, 4, 4, dtype=torch.long)
    objects[:, :2], objects[:, 3, 3] = 5, 6
    hints = {5: torch.tensor([0.5, 0.1, 0.1]), 6: torch.ones(3), 7: torch.ones(3)}
    found = hint_differences(colors, objects, hints, least=4)
    assert found == {5: pytest.approx(0, abs=1e-2)}


def plane_seen_by_two() -> tuple[Tensor, Tensor, CameraTensors]:
    """A smoothly painted wall at z = 2 m and cameras 0.4 m apart, one of them turned: views, depth, cameras."""
    turn = torch.tensor(0.2)
    poses = torch.eye(4, dtype=torch.float64).repeat(1, 2, 1, 1)
    poses[0, 1, 0, 3] = 0.4
    poses[0, 1, 0, 0] = poses[0, 1, 2, 2] = turn.cos()
    poses[0, 1, 0, 2], poses[0, 1, 2, 0] = turn.sin(), -turn.sin()
    intrinsics = torch.tensor([[60.0, 0, 32], [0, 60, 24], [0, 0, 1]], dtype=torch.float64).repeat(1, 2, 1, 1)
    cameras = CameraTensors(intrinsics, poses, 48, 64)
    y, x = torch.meshgrid(torch.arange(48) + 0.5, torch.arange(64) + 0.5, indexing="ij")
    rays = torch.stack([(x - 32) / 60, (y - 24) / 60, torch.ones_like(x)], -1).double()
    views, depths = [], []
    for pose in poses[0]:
        directions = rays @ pose[:3, :3].T
        depth = (2 - pose[2, 3]) / directions[..., 2]
        points = pose[:3, 3] + depth[..., None] * directions
        views.append(
            0.5 + 0.4 * torch.stack([(4 * points[..., 0]).sin(), (3 * points[..., 1]).cos(), points[..., 0]], -1)
        )
        depths.append(depth)
    return torch.stack(views).float(), torch.stack(depths).float(), cameras


def test_views_of_a_painted_plane_agree() -> None:
    views, depth, cameras = plane_seen_by_two()
    total, difference, pixels = warp_error(views, depth, cameras, 0.04)
    assert pixels > 0.5 * 2 * 48 * 64
    assert psnr(total / pixels) > 45
    assert (difference / pixels) ** 0.5 < 1
    other = views.clone()
    other[1] = other[1].flip(1)
    total, difference, pixels = warp_error(other, depth, cameras, 0.04)
    assert psnr(total / pixels) < 20
    assert (difference / pixels) ** 0.5 > 10


def test_difference_of_flat_views_is_that_of_their_colors() -> None:
    _, depth, cameras = plane_seen_by_two()
    gray, red = torch.full((48, 64, 3), 119 / 255), torch.tensor([1.0, 0, 0]).expand(48, 64, 3)
    _, difference, pixels = warp_error(torch.stack([gray, red]), depth, cameras, 0.04)
    known = ((53.24 - 50.03) ** 2 + 80.09**2 + 67.20**2) ** 0.5
    assert (difference / pixels) ** 0.5 == pytest.approx(known, abs=0.2)


def test_what_a_view_does_not_see_is_left_out() -> None:
    views, depth, cameras = plane_seen_by_two()
    depth[1] = 1.0  # something stands before the second camera
    assert warp_error(views, depth, cameras, 0.04)[2] == 0
