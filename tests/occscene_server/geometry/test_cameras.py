"""Camera and grid tensors against the value types they come from."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from occscene.camera import PinholeCamera
from occscene.grid import SemanticGrid

from occscene_server.geometry.cameras import CameraTensors, pixel_rays
from occscene_server.geometry.grids import GridTensors


def test_rays_project_back_to_their_pixels(
    scenes: list[list[PinholeCamera]], grids: list[SemanticGrid], grid_tensors: GridTensors
) -> None:
    size = (16, 24)
    cameras = CameraTensors.from_cameras(scenes)
    origins, directions = pixel_rays(cameras, grid_tensors.volume, size)
    points = origins[:, :, None, None] + 2.5 * directions  # voxels, at a depth of 2.5 m
    for b, grid in enumerate(grids):
        for v, camera in enumerate(scenes[b]):
            world = grid.voxel_centers(points[b, v].double().numpy() - 0.5)
            pixels, depth = camera.project(world)
            expected = np.stack(np.meshgrid(np.arange(24) + 0.5, np.arange(16) + 0.5), -1)
            np.testing.assert_allclose(pixels / 4, expected, atol=1e-3)
            np.testing.assert_allclose(depth, 2.5, atol=1e-4)


def test_cameras_are_scaled_to_one_size(scenes: list[list[PinholeCamera]]) -> None:
    cameras = CameraTensors.from_cameras(scenes, size=(128, 192))
    assert (cameras.height, cameras.width, cameras.views) == (128, 192, 3)
    np.testing.assert_allclose(cameras.intrinsics[0, 0].numpy(), scenes[0][0].resized(192, 128).intrinsics)
    np.testing.assert_allclose(cameras.scaled_intrinsics((64, 96))[1, 2].numpy(), scenes[1][2].intrinsics)


def test_selected_views(camera_tensors: CameraTensors) -> None:
    chosen = camera_tensors.selected(torch.tensor([[2, 0], [1, 1]]))
    torch.testing.assert_close(chosen.world_from_camera[0, 0], camera_tensors.world_from_camera[0, 2])
    torch.testing.assert_close(chosen.world_from_camera[1, 1], camera_tensors.world_from_camera[1, 1])


def test_objects_become_rows_of_the_hints(grids: list[SemanticGrid], grid_tensors: GridTensors) -> None:
    assert grid_tensors.instances is not None
    assert grid_tensors.instances.unique().tolist() == [0, 1, 2]
    torch.testing.assert_close(grid_tensors.hints[0], torch.tensor([[0, 0, 0, 0], [1, 0.2, 0, 1], [0, 0, 0, 0]]))
    np.testing.assert_array_equal(grid_tensors.instances[1].numpy() == 1, grids[1].instances == 100)


def test_unknown_does_not_stop_rays(grid_tensors: GridTensors) -> None:
    assert not grid_tensors.occupied()[:, 0, 0, 0].any()
    assert grid_tensors.occupied().any()


def test_grids_of_two_shapes_make_no_batch(grids: list[SemanticGrid]) -> None:
    other = SemanticGrid(np.zeros((2, 2, 2), np.uint8), 0.1, np.eye(4), "indoor")
    with pytest.raises(ValueError, match="one shape"):
        GridTensors.from_grids([grids[0], other])


def test_coarser_volume_covers_the_same_space(grid_tensors: GridTensors) -> None:
    coarse = grid_tensors.volume.coarser(2)
    assert coarse.shape == (5, 6, 4)
    assert (coarse.size >= grid_tensors.volume.size).all()
