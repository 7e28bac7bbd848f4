"""Random grids and cameras of any size, for the tests of geometry and of what is built on it."""

from __future__ import annotations

import numpy as np
from occscene.camera import PinholeCamera
from occscene.grid import SemanticGrid
from occscene.rigid import Float64Array

from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.grids import GridTensors

SIZES = [((1, 1, 1), 10.0), ((512, 2, 1), 0.01), ((3, 5, 64), 0.5), ((40, 24, 9), 0.08)]
"""Shapes and voxel sizes out to the limits of a request."""


def random_scene(shape: tuple[int, int, int], voxel_size: float, views: int = 3) -> tuple[GridTensors, CameraTensors]:
    """A sparse random grid, turned and far from the origin, with cameras around it and one inside it."""
    rng = np.random.default_rng(list(shape))
    labels = np.where(rng.random(shape) < 0.05, rng.integers(1, 5, shape), 0).astype(np.uint8)
    labels.flat[-1] = 2
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = turn * np.sign(np.linalg.det(turn)), rng.normal(size=3) * 1000
    extent = np.array(shape) * voxel_size
    cameras = []
    for view in range(views):
        reach = 0.3 if view == 0 else 1.5
        position = extent * (0.5 + reach * rng.uniform(-1, 1, 3))
        local = looking_at(tuple(position), tuple(extent * rng.uniform(0.3, 0.7, 3)))
        cameras.append(PinholeCamera(str(view), 96, 64, 80.0, 76.0, 46.0, 34.0, pose @ local))
    grid = SemanticGrid(labels, voxel_size, pose, "indoor")
    return GridTensors.from_grids([grid]), CameraTensors.from_cameras([cameras])


def looking_at(position: tuple[float, float, float], target: tuple[float, float, float]) -> Float64Array:
    """The pose of a camera, its image upright."""
    forward = np.subtract(target, position)
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :4] = np.stack([right, np.cross(forward, right), forward, position], axis=1)
    return pose
