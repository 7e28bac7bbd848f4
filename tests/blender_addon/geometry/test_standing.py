"""Cameras in filled voxels."""

from __future__ import annotations

import numpy as np
import pytest
from occscene.camera import PinholeCamera
from occscene.grid import UNKNOWN, GridObject, SemanticGrid
from occscene.taxonomy import INDOOR

from blender_addon.geometry.standing import Standing, standing_cameras

WALL = INDOOR.index_of("wall")


def camera(name: str, *place: float) -> PinholeCamera:
    pose = np.eye(4)
    pose[:3, 3] = place
    return PinholeCamera(name, 64, 64, 60.0, 60.0, 32.0, 32.0, pose)


def turned_grid() -> SemanticGrid:
    """10 x 10 x 10 voxels of 0.5 m, turned about z by 90 degrees: the world's (-y, x, z) are its own (x, y, z)."""
    labels = np.zeros((10, 10, 10), np.uint8)
    labels[:4] = WALL
    labels[8, 5] = INDOOR.index_of("objs")
    labels[9] = UNKNOWN
    instances = np.where(labels == WALL, 7, 0).astype(np.uint16)
    pose = np.array([[0.0, 1, 0, 0], [-1, 0, 0, 0], [0, 0, 1, 10], [0, 0, 0, 1]])
    return SemanticGrid(labels, 0.5, pose, "indoor", instances, (GridObject(7, "north"),))


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ((2.6, -0.7, 12.0), ("wall", "north", True)),  # deep within
        ((2.6, -1.9, 12.0), ("wall", "north", False)),  # in the outermost layer
        ((2.6, -0.1, 12.0), ("wall", "north", False)),  # where the grid ends
        ((2.6, -4.2, 12.0), ("objs", "", False)),  # a thin curtain of no object
        ((2.6, -2.6, 12.0), None),
        ((2.6, -4.7, 12.0), None),  # unknown
        ((2.6, 0.1, 12.0), None),  # next to the grid
        ((2.6, -0.7, 9.9), None),
        ((2.6, -0.7, 15.1), None),
    ],
)
def test_where_a_camera_stands(place: tuple[float, float, float], expected: tuple[str, str, bool] | None) -> None:
    standing = standing_cameras(turned_grid(), [camera("free", 100, 100, 100), camera("c", *place)])
    assert standing == (() if expected is None else (Standing("c", *expected),))
