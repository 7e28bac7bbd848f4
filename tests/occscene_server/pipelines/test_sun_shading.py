"""Sunlight on views: what it changes, where it falls, and how to take it off again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from occscene.camera import PinholeCamera
from occscene.grid import GridObject, SemanticGrid
from occscene.mesh import TriangleMesh
from occscene.part_shapes import part_shape, triangulated
from occscene.taxonomy import INDOOR, OUTDOOR
from torch import Tensor

from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.gbuffer import GBuffer
from occscene_server.geometry.mesh_gbuffer import RayScene, mesh_gbuffer
from occscene_server.geometry.pixel_values import linear_from_srgb
from occscene_server.pipelines.sun_shading import softened, sun_factors, sunlit, without_sun
from tests.occscene_server.geometry.random_scenes import looking_at

ROAD, BUILDING = OUTDOOR.index_of("road"), OUTDOOR.index_of("building")
FROM_WEST = np.array([-np.sqrt(0.5), 0.0, np.sqrt(0.5)])
"""A sun in the west, 45 degrees high."""


def tower_on_a_road(sun: np.ndarray | None) -> GBuffer:
    """A tower of 2 x 2 x 4 m amid a road of 40 m, seen from 20 m above its southern side."""
    boxes = [((0.0, 0.0, -0.1), (40.0, 40.0, 0.2), ROAD), ((0.0, 0.0, 2.0), (2.0, 2.0, 4.0), BUILDING)]
    vertices, triangles, labels = [], [], []
    for number, (center, size, label) in enumerate(boxes):
        corners, faces = part_shape("box", np.array(size))
        vertices.append(corners + center)
        triangles.append(triangulated(faces) + 8 * number)
        labels.append(np.full(12, label, np.uint8))
    ids = np.repeat([1, 2], 12).astype(np.uint16)
    mesh = TriangleMesh(np.concatenate(vertices), np.concatenate(triangles), np.concatenate(labels), ids)
    empty = np.zeros((64, 64, 16), np.uint8)
    pose = np.eye(4)
    pose[:3, 3] = (-20, -20, -1)
    objects = (GridObject(1, "road"), GridObject(2, "tower"))
    grid = SemanticGrid(empty, 0.625, pose, "outdoor", empty.astype(np.uint16), objects)
    camera = PinholeCamera("c", 96, 96, 90.0, 90.0, 48.0, 48.0, looking_at((0.0, -12.0, 20.0), (0.0, 0.0, 0.0)))
    return mesh_gbuffer([RayScene(mesh, grid, sun)], CameraTensors.from_cameras([[camera]]), (96, 96))


def luminance(views: Tensor) -> Tensor:
    """(h, w) linear."""
    return linear_from_srgb((views + 1) / 2).mean(-3)


def test_a_shadow_lies_east_of_the_tower_when_the_sun_is_in_the_west() -> None:
    buffer = tower_on_a_road(FROM_WEST)
    factors = sun_factors(buffer, [FROM_WEST], "outdoor")[0, 0]
    road = buffer.labels[0, 0] == ROAD
    shaded = road & (factors[1] < 1) & (buffer.sunlight[0, 0, 1] == 0)
    columns = torch.nonzero(shaded)[:, 1]
    assert 40 < len(columns) < 1500
    assert columns.min() >= 46, "the camera looks north, so east is on the right"
    gray = sunlit(torch.zeros(3, 96, 96), factors)
    light = luminance(gray)
    lit = road & (buffer.sunlight[0, 0, 1] > 0)
    assert float(light[lit].median() / light[shaded].median()) == pytest.approx(1 + 2.5 * np.sqrt(0.5), rel=0.15)
    red, blue = gray[0], gray[2]
    assert red[lit].median() > blue[lit].median(), "sunlight is warm"
    assert red[shaded].median() < blue[shaded].median(), "shade is blue"


def test_without_a_sun_and_beyond_surfaces_nothing_changes() -> None:
    dark = tower_on_a_road(None)
    for taxonomy in ("outdoor", "indoor"):
        assert (sun_factors(dark, [None], taxonomy) == 1).all()
    bright = tower_on_a_road(FROM_WEST)
    sky = replace(bright, sunlight=torch.where(torch.isfinite(bright.depth)[:, :, None], bright.sunlight, 0.0))
    beyond = ~torch.isfinite(bright.depth)[0, 0]
    assert (sun_factors(sky, [FROM_WEST], "outdoor")[0, 0][:, beyond] == 1).all()
    both = GBuffer(*(torch.cat([getattr(one, name) for one in (dark, bright)]) for name in vars(dark)))
    together = sun_factors(both, [None, FROM_WEST], "outdoor")
    assert (together[0] == 1).all()
    torch.testing.assert_close(together[1], sun_factors(bright, [FROM_WEST], "outdoor")[0])


def test_rooms_are_not_darker_where_no_sun_comes_in() -> None:
    buffer = tower_on_a_road(FROM_WEST)
    factors = sun_factors(buffer, [FROM_WEST], INDOOR.name)
    shaded = buffer.sunlight[0, 0, 1] == 0
    assert (factors >= 1).all()
    assert float(factors[0, 0, 0][shaded].median()) == 1


def test_sunlight_can_be_taken_off_again() -> None:
    views = torch.rand(2, 3, 24, 24, generator=torch.Generator().manual_seed(1)) * 1.0 - 0.95
    factors = torch.rand(2, 3, 24, 24, generator=torch.Generator().manual_seed(2)) * 1.2 + 0.3
    torch.testing.assert_close(without_sun(sunlit(views, factors), factors), views, atol=2e-2, rtol=0)
    assert (sunlit(views, torch.ones_like(views)) - views).abs().max() < 1e-5


def test_light_never_gets_beyond_white_and_stays_in_order() -> None:
    values = torch.linspace(-1, 1, 256).expand(3, 1, 256)
    for factor in (0.25, 1.0, 1.5, 4.0):
        shone = sunlit(values, torch.full_like(values, factor))
        assert shone.min() >= -1.0001
        assert shone.max() <= 1.0001
        assert (shone.diff(dim=-1) > -1e-5).all()
    assert torch.isfinite(sunlit(torch.tensor([-1.2, 1.2]).view(1, 1, 2).expand(3, 1, 2), torch.ones(3, 1, 2))).all()


def test_gradients_pass_also_where_a_network_draws_beyond_black_and_white() -> None:
    views = torch.linspace(-1.3, 1.3, 64).expand(3, 1, 64).clone().requires_grad_()
    sunlit(views, torch.full((3, 1, 64), 1.7)).sum().backward()
    assert views.grad is not None
    assert torch.isfinite(views.grad).all()
    assert (views.grad[:, :, :40] > 0).all()


def test_edges_of_shadows_are_soft_within_one_part_only() -> None:
    light = torch.zeros(1, 1, 8, 8)
    light[..., 4:] = 0.9
    whole, halves = torch.zeros(2, 1, 1, 8, 8, dtype=torch.int64)
    halves[..., 4:] = 1
    soft = softened(light, whole)
    torch.testing.assert_close(soft[0, 0, 3], torch.tensor([0.0, 0, 0, 0.18, 0.72, 0.9, 0.9, 0.9]))
    torch.testing.assert_close(soft[0, 0, 0, [0, 3, 4, 7]], torch.tensor([0.0, 0.225, 0.675, 0.9]))
    torch.testing.assert_close(softened(light, halves), light)
