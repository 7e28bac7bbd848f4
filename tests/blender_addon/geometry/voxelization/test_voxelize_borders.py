"""What lies on the border of the volume, where fitting puts walls."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from numpy.typing import NDArray
from occscene.grid import GridVolume
from occscene.taxonomy import INDOOR

from blender_addon.geometry.voxelization.voxelize import TriangleObject, voxelize

SIDES = [(axis, upper) for axis in range(3) for upper in (False, True)]


def plane(axis: int, at: float, low: float, high: float) -> NDArray[np.float64]:
    corners = np.full((4, 3), at)
    others = [other for other in range(3) if other != axis]
    corners[:, others] = [(low, low), (high, low), (high, high), (low, high)]
    return corners[[[0, 1, 2], [0, 2, 3]]]


def labels(triangles: NDArray[np.float64], volume: GridVolume, class_index: int = 3) -> NDArray[np.uint8]:
    return voxelize([TriangleObject("plane", class_index, triangles)], volume, INDOOR).labels


def layer(axis: int, index: int, side: int) -> NDArray[np.bool_]:
    expected = np.zeros((side,) * 3, bool)
    expected[(slice(None),) * axis + (index,)] = True
    return expected


@pytest.mark.parametrize(("axis", "upper"), SIDES)
@pytest.mark.parametrize("voxel", [0.05, 0.08, 0.1, 0.125, 0.2, 0.25])
@pytest.mark.parametrize("origin", [0.0, -2.4, 17.3])
@pytest.mark.parametrize("off", [0.0, 1e-3, -1e-3])
def test_planes_on_the_border_are_in_the_outermost_voxels(
    axis: int, upper: bool, voxel: float, origin: float, off: float
) -> None:
    side = 20
    pose = np.eye(4)
    pose[:3, 3] = origin
    high = origin + side * voxel
    place = (high if upper else origin) + off * voxel
    single = np.asarray(plane(axis, place, origin, high), np.float32).astype(np.float64)
    expected = layer(axis, side - 1 if upper else 0, side)
    volume = GridVolume((side,) * 3, voxel, pose)
    np.testing.assert_array_equal(labels(single, volume) > 0, expected)
    both_ways = np.concatenate([single, single[:, ::-1]])
    np.testing.assert_array_equal(labels(both_ways, volume) > 0, expected)


@pytest.mark.parametrize(("axis", "upper"), SIDES)
def test_thin_walls_around_the_border_are_in_the_outermost_voxels(axis: int, upper: bool) -> None:
    low, high = np.zeros(3), np.full(3, 2.0)
    low[axis], high[axis] = (1.99, 2.01) if upper else (-0.01, 0.01)
    wall = np.asarray(trimesh.creation.box(bounds=[low, high]).triangles)
    shown = labels(wall, GridVolume((20, 20, 20), 0.1, np.eye(4))) > 0
    np.testing.assert_array_equal(shown, layer(axis, 19 if upper else 0, 20))


@pytest.mark.parametrize(("axis", "upper"), SIDES)
def test_what_lies_beyond_the_border_stays_out(axis: int, upper: bool) -> None:
    volume = GridVolume((20, 20, 20), 0.1, np.eye(4))
    away = 2.001 if upper else -0.001
    assert not labels(plane(axis, away, 0, 2), volume).any()
    low, high = np.zeros(3), np.full(3, 2.0)
    low[axis], high[axis] = (2.0, 3.0) if upper else (-1.0, 0.0)
    assert not labels(np.asarray(trimesh.creation.box(bounds=[low, high]).triangles), volume).any()


@pytest.mark.parametrize(("axis", "upper"), SIDES)
def test_solids_that_end_on_the_border_are_not_moved(axis: int, upper: bool) -> None:
    low, high = np.zeros(3), np.full(3, 2.0)
    low[axis], high[axis] = (1.5, 2.0) if upper else (0.0, 0.5)
    shown = labels(
        np.asarray(trimesh.creation.box(bounds=[low, high]).triangles), GridVolume((20,) * 3, 0.1, np.eye(4))
    )
    expected = np.zeros((20,) * 3, bool)
    expected[(slice(None),) * axis + (slice(15, 20) if upper else slice(0, 5),)] = True
    np.testing.assert_array_equal(shown > 0, expected)


def test_planes_within_the_grid_are_one_layer_on_the_side_that_they_were() -> None:
    volume = GridVolume((20, 20, 20), 0.1, np.eye(4))
    for axis in range(3):
        np.testing.assert_array_equal(labels(plane(axis, 1.0, 0, 2), volume) > 0, layer(axis, 10, 20))
        np.testing.assert_array_equal(labels(plane(axis, 1.9, 0, 2), volume) > 0, layer(axis, 19, 20))


def test_a_turned_volume_keeps_its_border_too() -> None:
    pose = trimesh.transformations.rotation_matrix(0.7, (0.2, 0.5, 1.0))
    pose[:3, 3] = (3.0, -2.0, 0.7)
    for axis, upper in SIDES:
        flat = plane(axis, 2.0 if upper else 0.0, 0.0, 2.0)
        world = trimesh.transform_points(flat.reshape(-1, 3), pose).reshape(-1, 3, 3)
        shown = labels(world, GridVolume((20, 20, 20), 0.1, pose)) > 0
        np.testing.assert_array_equal(shown, layer(axis, 19 if upper else 0, 20))
