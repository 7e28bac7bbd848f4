"""Places on surfaces: exact, and the same from all cameras."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from occscene.camera import PinholeCamera
from occscene.grid import GridObject, SemanticGrid
from occscene.mesh import TriangleMesh

from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.gbuffer import GBuffer
from occscene_server.geometry.grids import GridTensors
from occscene_server.geometry.mesh_gbuffer import RayScene, mesh_gbuffer
from occscene_server.geometry.surface_places import surface_places
from occscene_server.models.pixel_features import FEATURES, pixel_features

SIDE = 64
PATTERNS = 26


def volume_pose() -> np.ndarray:
    """A grid whose corner lies anywhere, turned about the vertical."""
    pose = np.eye(4)
    pose[:3, :3] = [[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]]
    pose[:3, 3] = (3.0, -2.0, 0.7)
    return pose


def wall(normal: tuple[float, float, float]) -> tuple[SemanticGrid, RayScene]:
    """A large square through the middle of a volume of 4 x 4 x 2 m."""
    axis = np.asarray(normal) / np.linalg.norm(normal)
    side = np.cross(axis, (0.3, 0.4, 0.86))
    side /= np.linalg.norm(side)
    up = np.cross(axis, side)
    middle = np.array([2.0, 2.0, 1.0])
    corners = np.array([middle + 20 * (a * side + b * up) for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))])
    pose = volume_pose()
    world = corners @ pose[:3, :3].T + pose[:3, 3]
    mesh = TriangleMesh(world, np.array([[0, 1, 2], [0, 2, 3]]), np.full(2, 3, np.uint8), np.full(2, 9, np.uint16))
    grid = SemanticGrid(
        np.zeros((20, 20, 10), np.uint8),
        0.2,
        pose,
        "indoor",
        np.zeros((20, 20, 10), np.uint16),
        (GridObject(9, "wall"),),
    )
    return grid, RayScene(mesh, grid)


def camera(
    position: tuple[float, float, float], forward: tuple[float, float, float], focal: float, cx: float, cy: float
) -> PinholeCamera:
    """In the grid's axes; its y axis points down."""
    pose = np.eye(4)
    z = np.asarray(forward) / np.linalg.norm(forward)
    x = np.cross(z, (0, 0, 1.0) if abs(z[2]) < 0.9 else (0, 1.0, 0))
    x /= np.linalg.norm(x)
    pose[:3, :3] = np.stack([x, np.cross(z, x), z], 1)
    pose[:3, 3] = position
    return PinholeCamera("c", SIDE, SIDE, focal, focal, cx, cy, volume_pose() @ pose)


def look(grid: SemanticGrid, scene: RayScene, *cameras: PinholeCamera) -> tuple[GBuffer, CameraTensors]:
    tensors = CameraTensors.from_cameras([cameras])
    return mesh_gbuffer([scene], tensors, (SIDE, SIDE)), tensors


@pytest.mark.parametrize("normal", [(0, -1, 0), (-1, 0.2, 0), (-0.2, 0.1, 1), (-1, -0.9, 0.3)])
def test_spans_are_steps_between_pixels(normal: tuple[float, float, float]) -> None:
    grid, scene = wall(normal)
    volume = GridTensors.from_grids([grid]).volume
    away = np.array([2.0, 2.0, 1.0]) + 1.7 * np.asarray(normal) / np.linalg.norm(normal) + (0.2, 0.4, 0.3)
    towards = tuple(np.array([2.0, 2.1, 1.05]) - away)
    maps = surface_places(*look(grid, scene, camera(tuple(away), towards, 60.0, 30.0, 28.0)), volume)
    place = maps.place[0, 0].double()
    steps = [((place.roll(-1, d) - place.roll(1, d)) / 2)[:, 1:-1, 1:-1] for d in (1, 2)]
    spans = maps.span[0, 0, :, 1:-1, 1:-1].double()
    torch.testing.assert_close(spans, (steps[0].square() + steps[1].square()).sqrt(), rtol=0.01, atol=2e-5)
    assert float((maps.rays.norm(dim=2) - 1).abs().max()) < 1e-5


def test_places_are_a_box_projection_with_heights_of_the_world() -> None:
    grid, scene = wall((0, -1, 0))
    buffer, cameras = look(grid, scene, camera((2.3, 0.5, 1.2), (0, 1, 0), 60.0, 30.0, 28.0))
    maps = surface_places(buffer, cameras, GridTensors.from_grids([grid]).volume)
    x = 2.3 - 2.0 + 1.5 * (np.arange(SIDE) + 0.5 - 30.0) / 60  # from the volume's center
    z = 1.2 + 0.7 - 1.5 * (np.arange(SIDE) + 0.5 - 28.0) / 60  # above the world's ground, 0.7 below the volume
    expected = torch.from_numpy(np.stack(np.broadcast_arrays(x, z[:, None]))).float()
    torch.testing.assert_close(maps.place[0, 0], expected, atol=1e-4, rtol=0)
    assert (maps.face == 1).all()


def test_two_cameras_see_the_same_patterns_at_the_same_point() -> None:
    grid, scene = wall((0, -1, 0))
    volume = GridTensors.from_grids([grid]).volume
    # twice as far with twice the focal length, and moved aside with a shifted lens: the same points of the wall
    near = camera((2.3, 0.5, 1.2), (0, 1, 0), 240.0, 30.0, 28.0)
    far = camera((2.3, -1.0, 1.2), (0, 1, 0), 480.0, 30.0, 28.0)
    aside = camera((2.6, 0.5, 1.0), (0, 1, 0), 240.0, 30.0 + 0.3 * 240 / 1.5, 28.0 + 0.2 * 240 / 1.5)
    buffer, cameras = look(grid, scene, near, far, aside)
    features = pixel_features(buffer, cameras, volume, torch.tensor([5]))[0]
    assert features.shape == (3, FEATURES, SIDE, SIDE)
    patterns = features[:, PATTERNS:]
    assert float(patterns[0].std((1, 2)).min()) > 0.01  # each says something
    for other in (1, 2):
        torch.testing.assert_close(patterns[other], patterns[0], atol=2e-3, rtol=0)
    waves, noise = slice(PATTERNS, PATTERNS + 36), slice(PATTERNS + 36, None)
    others = pixel_features(buffer, cameras, volume, torch.tensor([6]))[0]
    assert torch.equal(others[:, waves], features[:, waves])  # waves know of no seed
    assert float((others[0, noise] - features[0, noise]).abs().mean()) > 0.1
    assert torch.equal(pixel_features(buffer, cameras, volume, torch.tensor([5]))[0], features)


def test_nothing_is_seen_without_a_trace() -> None:
    grid, scene = wall((0, -1, 0))
    volume = GridTensors.from_grids([grid]).volume
    buffer, cameras = look(grid, scene, camera((2.3, 0.5, 1.2), (0, -1, 0), 60.0, 30.0, 28.0))
    assert not torch.isfinite(buffer.depth).any()
    features = pixel_features(buffer, cameras, volume, torch.tensor([5]))[0, 0]
    assert torch.isfinite(features).all()
    assert float(features[3:].abs().max()) == 0  # but for the direction of sight
    assert float((features[:3].norm(dim=0) - 1).abs().max()) < 1e-5
