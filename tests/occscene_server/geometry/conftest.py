"""Small scenes for the geometry tests."""

from __future__ import annotations

import math

import numpy as np
import pytest
from occscene.camera import PinholeCamera
from occscene.grid import GridObject, SemanticGrid

from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.grids import GridTensors
from tests.occscene_server.geometry.random_scenes import looking_at


def _grid(seed: int) -> SemanticGrid:
    rng = np.random.default_rng(seed)
    labels = (rng.random((9, 11, 7)) < 0.08).astype(np.uint8) * rng.integers(1, 5, (9, 11, 7)).astype(np.uint8)
    labels[0, 0, 0] = 255
    turn = 0.3 + seed
    world_from_grid = np.eye(4)
    world_from_grid[:2, :2] = [[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]
    world_from_grid[:3, 3] = [1000.0, -2000.0, 3.0 + seed]
    instances = np.where(labels > 0, labels % 3 * 100, 0).astype(np.uint16)
    objects = (GridObject(100, "red", (1.0, 0.2, 0.0)), GridObject(200, "plain"))
    return SemanticGrid(labels, 0.1 + 0.1 * seed, world_from_grid, "indoor", instances, objects)


@pytest.fixture
def grids() -> list[SemanticGrid]:
    """Two grids of one shape, turned, far from the origin, with different voxel sizes."""
    return [_grid(0), _grid(1)]


@pytest.fixture
def scenes(grids: list[SemanticGrid]) -> list[list[PinholeCamera]]:
    """Three cameras for each grid: two outside, one within."""
    result = []
    for grid in grids:
        corner_to_world = grid.world_from_grid
        extent = np.array(grid.shape) * grid.voxel_size
        cameras = []
        for name, at in (("a", (-0.8, 0.3, 0.9)), ("b", (0.5, 1.7, 1.4)), ("inside", (0.45, 0.52, 0.55))):
            target = (0.6, 0.4, 0.4) if name == "inside" else (0.5, 0.5, 0.5)
            pose = corner_to_world @ looking_at(tuple(extent * at), tuple(extent * target))
            cameras.append(PinholeCamera(name, 96, 64, 80.0, 76.0, 46.0, 34.0, pose))
        result.append(cameras)
    return result


@pytest.fixture
def grid_tensors(grids: list[SemanticGrid]) -> GridTensors:
    """`grids` as a batch."""
    return GridTensors.from_grids(grids)


@pytest.fixture
def camera_tensors(scenes: list[list[PinholeCamera]]) -> CameraTensors:
    """`scenes` as a batch."""
    return CameraTensors.from_cameras(scenes)
