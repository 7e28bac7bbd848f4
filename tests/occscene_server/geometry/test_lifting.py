"""Lifting against plain projection and sampling."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from occscene.camera import PinholeCamera
from occscene.grid import SemanticGrid

from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.grids import GridTensors
from occscene_server.geometry.lifting import lift, lift_ref, lift_surfaces, project_voxels
from tests.occscene_server.geometry.random_scenes import SIZES, random_scene


def test_projection_equals_the_value_types(
    grids: list[SemanticGrid], scenes: list[list[PinholeCamera]], grid_tensors: GridTensors
) -> None:
    cameras = CameraTensors.from_cameras(scenes)
    column, row, depth = project_voxels(cameras, grid_tensors.volume, (64, 96))
    index = np.stack(np.meshgrid(*(np.arange(s) for s in grids[0].shape), indexing="ij"), -1).reshape(-1, 3)
    for b, grid in enumerate(grids):
        for v, camera in enumerate(scenes[b]):
            pixels, expected = camera.project(grid.voxel_centers(index))
            np.testing.assert_allclose(depth[b, v].numpy(), expected, atol=1e-5)
            ahead = expected > 0.05
            np.testing.assert_allclose(column[b, v].numpy()[ahead], pixels[ahead, 0], atol=1e-2)
            np.testing.assert_allclose(row[b, v].numpy()[ahead], pixels[ahead, 1], atol=1e-2)


@pytest.mark.parametrize(
    ("size", "picture"), [((8, 12), None), ((1, 1), None), ((5, 1), None), ((8, 12), (43, 90)), ((5, 7), (64, 33))]
)
def test_equals_reference(
    size: tuple[int, int], picture: tuple[int, int] | None, grid_tensors: GridTensors, camera_tensors: CameraTensors
) -> None:
    cameras = camera_tensors.selected(torch.tensor([[2, 0], [2, 2]]))  # leaves some voxels unseen
    cameras = replace(cameras, picture=picture)
    features = torch.randn(2, 2, 4, *size, generator=torch.Generator().manual_seed(0))
    lifted, count = lift(features, cameras, grid_tensors.volume)
    expected, expected_count = lift_ref(features, cameras, grid_tensors.volume)
    assert torch.equal(count, expected_count)
    assert count.min() == 0
    assert count.max() > 1
    torch.testing.assert_close(lifted, expected, atol=1e-3, rtol=1e-3)


def test_gradient(grid_tensors: GridTensors, camera_tensors: CameraTensors) -> None:
    features = torch.randn(2, 3, 2, 3, 4, dtype=torch.float64, requires_grad=True)
    volume = grid_tensors.volume.coarser(3)
    assert torch.autograd.gradcheck(lambda f: lift(f, camera_tensors, volume)[0], features, fast_mode=True)


def test_views_may_come_in_any_order(grid_tensors: GridTensors, camera_tensors: CameraTensors) -> None:
    features = torch.randn(2, 3, 4, 8, 12)
    order = torch.tensor([2, 0, 1])
    lifted, count = lift(features, camera_tensors, grid_tensors.volume)
    turned = camera_tensors.selected(order.expand(2, -1))
    again, count_again = lift(features[:, order], turned, grid_tensors.volume)
    torch.testing.assert_close(lifted, again)
    assert torch.equal(count, count_again)


def test_a_volume_that_no_view_sees_is_zero(grid_tensors: GridTensors, camera_tensors: CameraTensors) -> None:
    poses = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=torch.float64)).repeat(2, 3, 1, 1)
    poses[..., 2, 3] = -1e4  # below everything, looking down
    cameras = CameraTensors(camera_tensors.intrinsics, poses, camera_tensors.height, camera_tensors.width)
    features = torch.randn(2, 3, 4, 8, 12, requires_grad=True)
    lifted, count = lift(features, cameras, grid_tensors.volume)
    assert count.sum() == 0
    assert lifted.abs().sum() == 0
    lifted.sum().backward()
    assert features.grad is not None
    assert features.grad.abs().sum() == 0


@pytest.mark.parametrize(("shape", "voxel_size"), SIZES)
def test_any_grid_within_the_limits_equals_the_reference(shape: tuple[int, int, int], voxel_size: float) -> None:
    grid, cameras = random_scene(shape, voxel_size)
    features = torch.randn(1, 3, 4, 8, 12, generator=torch.Generator().manual_seed(0))
    lifted, count = lift(features, cameras, grid.volume)
    expected, expected_count = lift_ref(features, cameras, grid.volume)
    same = count == expected_count  # a centre on an image's very border may fall to either side
    assert same.float().mean() > 0.99
    torch.testing.assert_close(lifted.movedim(1, -1)[same], expected.movedim(1, -1)[same], atol=1e-3, rtol=1e-3)


def test_surfaces_are_where_the_depth_maps_say(
    grids: list[SemanticGrid], scenes: list[list[PinholeCamera]], grid_tensors: GridTensors
) -> None:
    """Against a voxel-by-voxel transcription."""
    picked = [[2, 0], [2, 2]]  # leaves some voxels unseen
    cameras = CameraTensors.from_cameras(scenes).selected(torch.tensor(picked))
    log_depth = torch.randn(2, 2, 8, 12, generator=torch.Generator().manual_seed(0)) * 0.3 + 0.5
    found = lift_surfaces(log_depth, cameras, grid_tensors.volume)
    rng = np.random.default_rng(0)
    unseen = 0
    for b, grid in enumerate(grids):
        for voxel in rng.integers(grid.shape, size=(200, 3)):
            before = []
            for v, camera in enumerate(scenes[b][view] for view in picked[b]):
                (x, y), depth = camera.project(grid.voxel_centers(voxel[None])[0])
                if depth > 0 and 0 <= x < camera.width and 0 <= y < camera.height:
                    before.append(float(log_depth[b, v, int(y / 8), int(x / 8)]) - np.log(depth))
            unseen += not before
            distance = np.clip(np.array(before or [-1.0]) / 0.2, -1, 1)
            nearness = np.clip(1 - np.abs(before or [1.0]) / np.float64(0.08), 0, 1)
            expected = [distance.mean(), distance.max(), nearness.mean(), nearness.max()]
            np.testing.assert_allclose(found[b, :, *voxel].numpy(), expected, atol=2e-3)
    assert unseen
