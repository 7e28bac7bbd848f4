"""Noise that hangs on surfaces is white noise in every view, and the same noise in all of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from occscene.camera import PinholeCamera
from occscene.grid import GridObject, SemanticGrid
from torch import Tensor

from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.gbuffer_maps import render_gbuffer_maps
from occscene_server.geometry.grids import GridTensors
from occscene_server.geometry.view_noise import surface_fixed_noise

CELLS, CHANNELS = 4, 8
SIDE = 256
"""Pixels of a view, 8 in a latent pixel; the focal length is as long."""


def noise(*poses: tuple[float, float, float, float], seed: int = 0, wall: bool = True) -> Tensor:
    """(V, CHANNELS, 32, 32) of cameras at x, y, z, turned about the vertical, before a wall at y = 4 and a box."""
    labels = np.zeros((60, 60, 36), np.uint8)
    if wall:
        labels[:, 50:] = 3
        labels[10:20, 30:36, :12] = 7
    grid = SemanticGrid(labels, 0.08, np.eye(4), "indoor", (labels == 7).astype(np.uint16), (GridObject(1, "sofa"),))
    cameras = []
    for x, y, z, turn in poses:
        pose = np.eye(4)
        pose[:3, :3] = [[np.cos(turn), 0, -np.sin(turn)], [np.sin(turn), 0, np.cos(turn)], [0, -1, 0]]
        pose[:3, 3] = (x, y, z)
        cameras.append(PinholeCamera(str(len(cameras)), SIDE, SIDE, SIDE, SIDE, SIDE / 2, SIDE / 2, pose))
    placed, seen_by = GridTensors.from_grids([grid]), CameraTensors.from_cameras([cameras])
    seen = render_gbuffer_maps(placed, seen_by, (SIDE // 8 * CELLS,) * 2, 12)
    return surface_fixed_noise(seen, seen_by, torch.tensor([seed]), CHANNELS, CELLS)[0]


def correlation(a: Tensor, b: Tensor) -> float:
    return float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1])


@pytest.mark.parametrize("wall", [True, False])
def test_every_view_sees_white_noise(wall: bool) -> None:
    views = torch.cat([noise((2.4, 0.3, 1.4, 0.0), (1.0, 1.0, 1.0, 0.7), (2.2, 2.0, 1.2, -1.0), seed=s, wall=wall)
                       for s in range(4)])  # fmt: skip
    assert float(views.mean()) == pytest.approx(0, abs=0.02)
    for view in views:
        assert float(view.var()) == pytest.approx(1, abs=0.06)
    assert abs(correlation(views[..., 1:], views[..., :-1])) < 0.03
    assert abs(correlation(views[..., 1:, :], views[..., :-1, :])) < 0.03
    assert abs(correlation(views[:, 1:], views[:, :-1])) < 0.02
    fourth = float(((views - views.mean()) / views.std()).pow(4).mean())
    assert fourth == pytest.approx(3, abs=0.15)  # as a normal distribution's


def test_a_place_has_the_same_noise_from_every_camera() -> None:
    """The wall is 3 m away and a latent pixel covers 9.375 cm of it: a camera so far to the right sees it one later."""
    step, rows = 3.0 / 32, slice(3, 20)  # above and below there is no wall, or a box
    plain, right, again = noise((2.4, 1.0, 1.4, 0.0), (2.4 + 4 * step, 1.0, 1.4, 0.0), (2.4, 1.0, 1.4, 0.0))
    torch.testing.assert_close(plain[:, rows], again[:, rows])
    assert correlation(plain[:, rows, 4:], right[:, rows, :-4]) > 0.9
    assert abs(correlation(plain[:, rows, :-4], right[:, rows, :-4])) < 0.05


def test_what_is_seen_from_farther_away_is_the_sum_of_what_is_seen_near() -> None:
    near, far = noise((2.4, 2.5, 1.8, 0.0), (2.4, 1.0, 1.8, 0.0))
    summed = 2 * torch.nn.functional.avg_pool2d(near[None], 2)[0]  # four latent pixels in the place of one
    assert correlation(summed[:, 2:10], far[:, 10:18, 8:24]) > 0.3  # less than 1: texels are sampled


def test_seeds_and_what_nobody_sees_have_noise_of_their_own() -> None:
    pose = (2.4, 1.0, 2.0, 0.0)
    assert abs(correlation(noise(pose), noise(pose, seed=1))) < 0.03
    nothing = noise(pose, pose, wall=False)
    assert abs(correlation(nothing[0], nothing[1])) < 0.03
