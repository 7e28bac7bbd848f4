"""Surface detail: where it is drawn, that waves fade with distance, and that a pattern is read off noisy views."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from occscene.camera import PinholeCamera
from occscene.grid import GridObject, SemanticGrid
from torch import Tensor, nn

from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.grids import GridTensors
from occscene_server.geometry.guidance import Guidance, render_guidance
from occscene_server.models.surface_detail import FREQUENCIES, SurfaceDetail, SurfacePixels
from tests.occscene_server.geometry.random_scenes import looking_at

SIDE, FLOOR, WALL, SOFA = 64, 2, 3, 7
FLOOR_ID, RUG_ID, WALL_ID, SOFA_ID = 1, 2, 3, 4
CHECKS = 2
"""Waves a metre."""


@pytest.fixture(scope="module")
def guidance() -> Guidance:
    """A floor with a rug, a wall and a sofa, from two sides."""
    labels = np.zeros((40, 40, 20), np.uint8)
    instances = np.zeros(labels.shape, np.uint16)
    for label, name, where in (
        (FLOOR, FLOOR_ID, np.s_[:, :, 0]), (FLOOR, RUG_ID, np.s_[8:20, 8:20, 0]), (WALL, WALL_ID, np.s_[:, -1, :]),
        (SOFA, SOFA_ID, np.s_[24:32, 26:32, 1:6]),
    ):  # fmt: skip
        labels[where], instances[where] = label, name
    objects = tuple(GridObject(name, str(name)) for name in (FLOOR_ID, RUG_ID, WALL_ID, SOFA_ID))
    grid = SemanticGrid(labels, 0.1, np.eye(4), "indoor", instances, objects)
    cameras = [
        PinholeCamera(str(x), SIDE, SIDE, 50.0, 50.0, 32.0, 32.0, looking_at((x, 0.3, 1.5), (2.0, 2.4, 0.3)))
        for x in (0.5, 3.2)
    ]
    return render_guidance(GridTensors.from_grids([grid]), CameraTensors.from_cameras([cameras]), (SIDE, SIDE), 12)


@pytest.fixture
def network() -> SurfaceDetail:
    torch.manual_seed(0)
    return SurfaceDetail(8, (FLOOR, WALL), 4, 8)


@pytest.fixture
def views() -> Tensor:
    return torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


def test_pixels_are_those_of_large_surfaces_in_the_order_of_classes(guidance: Guidance, views: Tensor) -> None:
    pixels = SurfacePixels.gather(views, guidance, (FLOOR, WALL))
    assert set(guidance.objects.flatten()[pixels.index].tolist()) == {FLOOR_ID, WALL_ID}
    assert (pixels.label.diff() >= 0).all()
    torch.testing.assert_close(pixels.label, guidance.labels.flatten()[pixels.index])
    assert len(pixels.index) > 0.9 * torch.isin(guidance.objects, torch.tensor([FLOOR_ID, WALL_ID])).sum()


def test_local_means_do_not_mix_surfaces(guidance: Guidance) -> None:
    colors = guidance.objects[0, :, None].expand(-1, 3, -1, -1) / 4.0
    pixels = SurfacePixels.gather(colors, guidance, (FLOOR, WALL))
    torch.testing.assert_close(pixels.mean, colors.movedim(1, -1).flatten(0, 2)[pixels.index])
    assert pixels.detail.abs().max() < 1e-5


def test_its_own_detail_gives_the_views_back(guidance: Guidance, views: Tensor) -> None:
    pixels = SurfacePixels.gather(views, guidance, (FLOOR, WALL))
    torch.testing.assert_close(pixels.painted(pixels.detail.sum(2), views), views, rtol=0, atol=1e-5)


def test_spans_are_those_of_the_pinhole(guidance: Guidance, views: Tensor) -> None:
    """Of a wall that is nearly faced, a pixel spans the depth over the focal length."""
    pixels = SurfacePixels.gather(views, guidance, (WALL,))
    expected = guidance.depth.flatten()[pixels.index] / 50.0
    assert 0.8 < float((pixels.span[:, 0] / expected).median()) < 1.6


def test_the_rest_of_a_view_stays(guidance: Guidance, views: Tensor, network: SurfaceDetail) -> None:
    images = 2 * views[None] - 1
    drawn = network(images, guidance, torch.randn(1, 12, 8))
    assert drawn.shape == images.shape
    changed = (drawn != images).any(2)
    assert changed[torch.isin(guidance.objects, torch.tensor([FLOOR_ID, WALL_ID]))].float().mean() > 0.9
    assert not changed[torch.isin(guidance.objects, torch.tensor([0, RUG_ID, SOFA_ID]))].any()


def test_views_without_a_surface_stay(guidance: Guidance, views: Tensor) -> None:
    images = 2 * views[None] - 1
    drawn = SurfaceDetail(8, (9,), 4, 8)(images, guidance, torch.randn(1, 12, 8))
    torch.testing.assert_close(drawn, images)


def test_each_scene_of_a_batch_is_drawn_by_itself(guidance: Guidance, views: Tensor, network: SurfaceDetail) -> None:
    images, words = torch.stack([views, views.flip(0)]) * 2 - 1, torch.randn(2, 12, 8)
    both = Guidance(*(maps.repeat(2, *[1] * (maps.ndim - 1)) for maps in vars(guidance).values()))
    for scene, drawn in enumerate(network(images, both, words)):
        torch.testing.assert_close(network(images[scene][None], guidance, words[scene][None])[0], drawn)


def test_waves_fade_where_pixels_span_them(guidance: Guidance, views: Tensor, network: SurfaceDetail) -> None:
    nn.init.zeros_(network.mixture[-1].weight)
    network.mixture[-1].bias.data = torch.tensor([1.0] * 12 + [0.0] * 4 + [-1.0] * 2)  # only the prompt's textures
    pixels = SurfacePixels.gather(views, guidance, (FLOOR, WALL))
    near = SurfacePixels(**(vars(pixels) | {"span": torch.full_like(pixels.span, 0.02)}))
    far = SurfacePixels(**(vars(pixels) | {"span": torch.full_like(pixels.span, 5.0)}))
    words = torch.zeros(12, 8)
    assert network.detail(near, words).std() > 0.01
    assert network.detail(far, words).abs().max() < 1e-6


def test_a_pattern_is_read_off_noisy_views(guidance: Guidance, network: SurfaceDetail) -> None:
    """A checked floor under noise, in colors that no prompt names: the result is nearer to it than the views."""
    across, along = (2 * math.pi * CHECKS * guidance.surface[0]).cos().unbind(1)
    checks = (guidance.labels[0] == FLOOR) * across * along
    clean = 0.5 + checks[:, None] * torch.tensor([0.2, -0.1, 0.05])[:, None, None]
    noisy = clean + 0.1 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(2))
    nn.init.zeros_(network.waves)
    network.waves.data[0, FREQUENCIES.index(CHECKS), FREQUENCIES.index(CHECKS)] = 1.0
    nn.init.zeros_(network.mixture[-1].weight)
    network.mixture[-1].bias.data = torch.tensor([0.0] * 12 + [1.0] * 4 + [-1.0] * 2)  # only the views' textures
    drawn = (network(2 * noisy[None] - 1, guidance, torch.zeros(1, 12, 8))[0] + 1) / 2
    floor = (guidance.objects[0] == FLOOR_ID)[:, None]
    before, after = (((image - clean) * floor).square().sum().sqrt() for image in (noisy, drawn))
    assert after < 0.4 * before


def test_faint_patterns_give_way_to_grain(guidance: Guidance, views: Tensor, network: SurfaceDetail) -> None:
    nn.init.zeros_(network.mixture[-1].weight)
    pixels = SurfacePixels.gather(views, guidance, (FLOOR,))
    likeliest, drawn = {}, {}
    for strength in (0.01, 10.0):
        network.mixture[-1].bias.data = torch.tensor([strength] * 12 + [0.0] * 4 + [-1.0] * 2)
        likeliest[strength] = network.detail(pixels, torch.zeros(12, 8))
        drawn[strength] = network.detail(pixels, torch.zeros(12, 8), drawn=True)
    assert likeliest[0.01].any()
    torch.testing.assert_close(drawn[0.01], 0.75 * pixels.detail.sum(2))
    torch.testing.assert_close(drawn[10.0], likeliest[10.0], rtol=0.05, atol=1e-3)
