"""Sunlight on what is seen: shadows where geometry puts them, in rooms a patch behind each window."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from occscene.camera import PinholeCamera
from occscene.grid import SemanticGrid
from occscene.mesh import TriangleMesh
from occscene.part_shapes import part_shape, triangulated
from occscene.taxonomy import TAXONOMIES

from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.gbuffer import GBuffer
from occscene_server.geometry.grids import GridTensors
from occscene_server.geometry.mesh_gbuffer import RayScene, mesh_gbuffer
from occscene_server.geometry.voxel_gbuffer import voxel_gbuffer
from tests.occscene_server.geometry.random_scenes import looking_at

Floats = NDArray[np.float64]
Box = tuple[str, tuple[float, float, float], tuple[float, float, float]]
"""Class, middle and size in metres."""

SIDE = 200
ROOM: tuple[Box, ...] = (
    ("floor", (2.0, 2.0, -0.05), (4.0, 4.0, 0.1)),
    ("ceiling", (2.0, 2.0, 2.55), (4.0, 4.0, 0.1)),
    ("wall", (-0.05, 2.0, 1.25), (0.1, 4.0, 2.5)),
    ("wall", (4.05, 2.0, 1.25), (0.1, 4.0, 2.5)),
    ("wall", (2.0, -0.05, 1.25), (4.0, 0.1, 2.5)),
    ("wall", (2.0, 4.05, 1.25), (4.0, 0.1, 2.5)),
    ("window", (-0.05, 2.0, 1.5), (0.12, 1.0, 1.0)),
)
"""Walls without a hole, the window a box in one of them."""


def _mesh(boxes: tuple[Box, ...], taxonomy: str) -> TriangleMesh:
    vertices, faces = part_shape("box", np.ones(3))
    unit = vertices[triangulated(faces)]
    corners = np.concatenate([unit * size + middle for _, middle, size in boxes])
    labels = [TAXONOMIES[taxonomy].index_of(name) for name, *_ in boxes]
    count = len(corners) * 3
    return TriangleMesh(
        corners.reshape(-1, 3),
        np.arange(count).reshape(-1, 3),
        np.repeat(np.array(labels, np.uint8), len(unit)),
        np.repeat(np.arange(1, len(boxes) + 1, dtype=np.uint16), len(unit)),
    )


def _from_above(
    boxes: tuple[Box, ...], taxonomy: str, sun: Floats | None, eye: tuple[float, float, float], turn: float = 0.0
) -> tuple[GBuffer, Floats]:
    """What a camera that looks down sees, and where on the plane z = 0 each pixel's ray lies, (h, w, 2)."""
    pose = np.eye(4)
    pose[:2, :2] = [[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]]
    grid = SemanticGrid(np.zeros((20, 20, 20), np.uint8), 0.2, pose, taxonomy)
    seen = looking_at(eye, (eye[0], eye[1] + 1e-3, 0.0))
    camera = PinholeCamera("c", SIDE, SIDE, 90.0, 90.0, SIDE / 2, SIDE / 2, seen)
    scene = RayScene(_mesh(boxes, taxonomy), grid, sun)
    rays = camera.pixel_directions()
    ground = eye[:2] - rays[..., :2] / rays[..., 2:] * eye[2]
    return mesh_gbuffer([scene], CameraTensors.from_cameras([[camera]]), (SIDE, SIDE)), ground


@pytest.mark.parametrize("turn", [0.0, 0.7])
def test_a_tower_throws_its_shadow_away_from_the_sun(turn: float) -> None:
    """The sun stands at 45 degrees in the west; the shadow is as long as the tower is high."""
    boxes: tuple[Box, ...] = (
        ("road", (0.0, 0.0, -0.1), (40.0, 40.0, 0.2)),
        ("building", (0.0, 0.0, 1.5), (1.0, 1.0, 3.0)),
    )
    buffer, ground = _from_above(boxes, "outdoor", np.array([-1.0, 0.0, 1.0]) / np.sqrt(2), (0.3, 0.4, 9.0), turn)
    road = (buffer.labels[0, 0] == TAXONOMIES["outdoor"].index_of("road")).numpy()
    known, light = buffer.sunlight[0, 0].numpy()
    assert (known == 1).all()
    x, y = ground[..., 0], ground[..., 1]
    inside = road & (x > 0.6) & (x < 3.4) & (np.abs(y) < 0.45)
    outside = road & ((x < -0.6) | (x > 3.7) | (np.abs(y) > 0.6))
    assert inside.sum() > 200
    assert (light[inside] == 0).all()
    np.testing.assert_allclose(light[outside], np.sqrt(0.5), atol=1e-5)


def test_a_side_that_is_turned_away_is_dark() -> None:
    boxes: tuple[Box, ...] = (("building", (0.0, 0.0, 1.0), (2.0, 2.0, 2.0)),)
    grid = SemanticGrid(np.zeros((20, 20, 20), np.uint8), 0.2, np.eye(4), "outdoor")
    camera = PinholeCamera("c", 64, 64, 60.0, 60.0, 32.0, 32.0, looking_at((5.0, 0.0, 1.0), (0.0, 0.0, 1.0)))
    for side, expected in ((1.0, 0.8), (-1.0, 0.0)):
        scene = RayScene(_mesh(boxes, "outdoor"), grid, np.array([0.8 * side, 0.0, 0.6]))
        buffer = mesh_gbuffer([scene], CameraTensors.from_cameras([[camera]]), (64, 64))
        assert float(buffer.sunlight[0, 0, 1, 32, 32]) == pytest.approx(expected, abs=1e-5)


def test_the_sun_comes_into_a_room_through_its_window() -> None:
    """The window's box lies in a wall without a hole, as artists place it: z 1 to 2, y 1.5 to 2.5, at x = 0."""
    sun = np.array([-1.0, 0.0, 1.0]) / np.sqrt(2)
    buffer, ground = _from_above(ROOM, "indoor", sun, (2.0, 2.0, 2.4))
    light, (x, y) = buffer.sunlight[0, 0, 1].numpy(), np.moveaxis(ground, -1, 0)
    floor = (buffer.labels[0, 0] == TAXONOMIES["indoor"].index_of("floor")).numpy()
    patch = floor & (x > 1.05) & (x < 1.85) & (np.abs(y - 2.0) < 0.45)
    shade = floor & ((x < 0.85) | (x > 2.05) | (np.abs(y - 2.0) > 0.55))
    assert patch.sum() > 200
    assert shade.sum() > 1000
    np.testing.assert_allclose(light[patch], np.sqrt(0.5), atol=1e-5)
    assert (light[shade] == 0).all()


def test_furniture_shades_a_room_and_a_room_without_windows_is_dark() -> None:
    sun = np.array([-1.0, 0.0, 1.0]) / np.sqrt(2)
    table: Box = ("table", (0.9, 2.0, 0.8), (0.4, 2.0, 0.05))
    buffer, ground = _from_above((*ROOM, table), "indoor", sun, (2.0, 2.0, 2.4))
    light, (x, y) = buffer.sunlight[0, 0, 1].numpy(), np.moveaxis(ground, -1, 0)
    floor = (buffer.labels[0, 0] == TAXONOMIES["indoor"].index_of("floor")).numpy()
    below = floor & (x > 1.6) & (x < 1.8) & (np.abs(y - 2.0) < 0.4)  # the ray from there meets the table top
    beside = floor & (x > 1.1) & (x < 1.4) & (np.abs(y - 2.0) < 0.4) & (light > 0)
    assert below.sum() > 30
    assert (light[below] == 0).all()
    assert beside.any()
    assert not _from_above(ROOM[:-1], "indoor", sun, (2.0, 2.0, 2.4))[0].sunlight[0, 0, 1].any()


def test_without_a_sun_nothing_is_known_of_it() -> None:
    assert not _from_above(ROOM, "indoor", None, (2.0, 2.0, 2.4))[0].sunlight.any()
    labels = np.zeros((8, 8, 8), np.uint8)
    labels[:, :, 0] = 1
    grid = SemanticGrid(labels, 0.5, np.eye(4), "indoor")
    camera = PinholeCamera("c", 64, 64, 60.0, 60.0, 32.0, 32.0, looking_at((2.0, 2.0, 3.0), (2.0, 2.1, 0.0)))
    buffer = voxel_gbuffer(GridTensors.from_grids([grid]), CameraTensors.from_cameras([[camera]]), (64, 64))
    assert buffer.sunlight.shape == (1, 1, 2, 64, 64)
    assert not buffer.sunlight.any()
    assert torch.isfinite(buffer.depth).any()
