"""Perception at a tiny size: what it gives back untrained, what it listens to, and that it learns."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from occscene.camera import PinholeCamera
from torch import Tensor

from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.gbuffer_maps import render_gbuffer_maps
from occscene_server.geometry.grids import GridTensors, VolumeTensors
from occscene_server.models.perception import OccupancyPerception, _fold, _unfold, classify_voxels
from occscene_server.training.losses import occupancy_loss

CLASSES = 4
VOXEL = 0.25


def ring(views: int, shape: tuple[int, int, int]) -> list[PinholeCamera]:
    """Cameras around the middle of a grid whose corner is the world's origin, looking at it from outside."""
    middle = np.array(shape) * VOXEL / 2
    cameras = []
    for index in range(views):
        angle = 0.4 + math.tau * index / views
        position = middle + np.array([3 * math.cos(angle), 3 * math.sin(angle), 1.0])
        forward = (middle - position) / np.linalg.norm(middle - position)
        right = np.cross(forward, [0, 0, 1])
        right /= np.linalg.norm(right)
        pose = np.eye(4)
        pose[:3] = np.stack([right, np.cross(forward, right), forward, position], 1)
        cameras.append(PinholeCamera(f"view {index}", 64, 64, 64.0, 64.0, 32.0, 32.0, pose))
    return cameras


def inputs(shape: tuple[int, int, int], batch: int = 1, views: int = 2) -> tuple[Tensor, CameraTensors, VolumeTensors]:
    """Random images, and cameras that look at the whole grid."""
    cameras = CameraTensors.from_cameras([ring(views, shape)] * batch)
    volume = VolumeTensors(
        shape, torch.full((batch,), VOXEL).double(), torch.eye(4, dtype=torch.float64).repeat(batch, 1, 1)
    )
    generator = torch.Generator().manual_seed(1)
    return torch.rand(batch, views, 3, 64, 64, generator=generator) * 2 - 1, cameras, volume


@pytest.fixture
def model() -> OccupancyPerception:
    """Untrained, narrow."""
    torch.manual_seed(0)
    return OccupancyPerception(CLASSES, (8, 8, 8), 4, 8, (16, 16, 16), 8)


def test_default_size() -> None:
    """About three million parameters."""
    assert 2e6 < OccupancyPerception().num_parameters() < 3.2e6


@pytest.mark.parametrize("shape", [(8, 8, 4), (16, 8, 8), (7, 5, 3), (1, 1, 1), (2, 9, 1)])
@pytest.mark.parametrize("half_precision", [False, True])
@pytest.mark.parametrize("details", [8, 0])
def test_untrained_gives_the_blockout_back(details: int, shape: tuple[int, int, int], half_precision: bool) -> None:
    """On grids of any sides, with layers at their own size or without; where the blockout is silent, so is the net."""
    torch.manual_seed(0)
    model = OccupancyPerception(CLASSES, (8, 8, 8), 4, 8, (16, 16, 16), details)
    images, cameras, volume = inputs(shape, batch=2)
    blockout = torch.randint(CLASSES, (2, *shape), generator=torch.Generator().manual_seed(2)).to(torch.uint8)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=half_precision):
        logits = model(images, cameras, volume, blockout)
        silent = model(images, cameras, volume, torch.full_like(blockout, 255))
        without = model(images, cameras, volume)
    assert logits.shape == (2, CLASSES, *shape)
    assert logits.dtype == torch.float32
    assert torch.equal(logits.argmax(1), blockout.long())
    assert float(silent.abs().max()) < 2.0
    assert torch.equal(silent, without)


def test_each_of_eight_voxels_counts() -> None:
    """At half size no voxel of the blockout is lost: each has an effect of its own."""
    torch.manual_seed(0)
    model = OccupancyPerception(CLASSES, (8, 8, 8), 4, 8, (16, 16, 16), 0)
    torch.nn.init.normal_(model.head.weight, std=0.3)
    images, cameras, volume = inputs((4, 4, 4), batch=1)
    own = []
    for corner in itertools.product((0, 1), repeat=3):
        blockout = torch.zeros(1, 4, 4, 4, dtype=torch.uint8)
        blockout[(0, *corner)] = 3
        with torch.no_grad():
            logits = model(images, cameras, volume, blockout)
        logits[0, 0] -= model.blockout_scale * (blockout[0] == 0)
        logits[0, 3] -= model.blockout_scale * (blockout[0] == 3)
        own.append(logits)
    assert all(not torch.allclose(one, other, atol=1e-3) for one, other in itertools.combinations(own, 2))


@pytest.mark.parametrize("shape", [(4, 2, 6), (2, 2, 2)])
def test_unfolding_undoes_folding(shape: tuple[int, int, int]) -> None:
    """Eight voxels and their places, as numpy would slice them."""
    voxels = torch.arange(2 * math.prod(shape)).view(2, 1, *shape)
    folded = _fold(voxels)
    assert torch.equal(folded[:, 0b101], voxels[:, 0, 1::2, 0::2, 1::2])
    assert torch.equal(_unfold(folded), voxels)


def test_untrained_pixels_see_the_blockout(model: OccupancyPerception) -> None:
    """Its class and depth, exactly; a pixel that looks past it depends on the image only."""
    images, cameras, volume = inputs((8, 8, 4))
    blockout = torch.zeros(1, 8, 8, 4, dtype=torch.uint8)
    blockout[:, 2:5, 1:6, 1:3] = 2
    grid = GridTensors(blockout, None, torch.zeros(1, 1, 4), volume.voxel_size, volume.world_from_grid)
    truth = render_gbuffer_maps(grid, cameras, (16, 16), CLASSES)
    known = truth.depth.isfinite()
    assert 0 < known.float().mean() < 1
    with torch.no_grad():
        seen = model.encode_images(images, cameras, volume, blockout)
    assert torch.equal(seen.class_logits.argmax(2)[known], truth.labels[known])
    torch.testing.assert_close(seen.log_depth[known], truth.depth[known].log())
    assert seen.log_depth[~known].std() > 0


def test_half_precision_is_close(model: OccupancyPerception) -> None:
    """bfloat16 autocast changes little: convolutions of odd and single-voxel grids included."""
    for shape in ((8, 8, 4), (7, 5, 3), (1, 1, 1)):
        images, cameras, volume = inputs(shape)
        with torch.no_grad():
            exact = model(images, cameras, volume)
            with torch.autocast("cpu", torch.bfloat16):
                rough = model(images, cameras, volume)
        assert float((exact - rough).abs().max()) < 0.05 * float(exact.abs().max())


def test_gradients_reach_the_images_that_see_the_grid(model: OccupancyPerception) -> None:
    """Frozen weights let the gradient through; a camera that looks away gets none."""
    model.requires_grad_(False)
    images, cameras, volume = inputs((8, 8, 4))
    cameras.world_from_camera[0, 1, :3, :3] = cameras.world_from_camera[0, 1, :3, :3] @ torch.diag(
        torch.tensor([-1.0, 1.0, -1.0], dtype=torch.float64)
    )
    images.requires_grad_()
    loss, _ = occupancy_loss(model(images, cameras, volume), torch.ones(1, 8, 8, 4, dtype=torch.uint8))
    loss.backward()
    assert images.grad is not None
    assert float(images.grad[0, 0].abs().max()) > 0
    assert float(images.grad[0, 1].abs().max()) == 0


def test_views_have_no_order_and_scenes_do_not_mix(model: OccupancyPerception) -> None:
    """Swapping views changes nothing; a scene's prediction is the same by itself and in a batch."""
    images, cameras, volume = inputs((6, 6, 4), batch=2)
    images[1] = -images[1]
    one = VolumeTensors(volume.shape, volume.voxel_size[:1], volume.world_from_grid[:1])
    swapped = cameras.selected(torch.tensor([[1, 0], [1, 0]]))
    alone = CameraTensors(cameras.intrinsics[:1], cameras.world_from_camera[:1], cameras.height, cameras.width)
    with torch.no_grad():
        both = model(images, cameras, volume)
        torch.testing.assert_close(model(images.flip(1), swapped, volume), both, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(model(images[:1], alone, one), both[:1], atol=1e-5, rtol=1e-4)


def test_save_and_load(model: OccupancyPerception, tmp_path: Path) -> None:
    """A round trip through diffusers' format."""
    model.save_pretrained(tmp_path)
    loaded = OccupancyPerception.from_pretrained(tmp_path)
    images, cameras, volume = inputs((6, 6, 4))
    with torch.no_grad():
        torch.testing.assert_close(loaded(images, cameras, volume), model(images, cameras, volume))


@pytest.mark.slow
def test_tells_scenes_apart_by_their_images(model: OccupancyPerception) -> None:
    """Two scenes that differ in nothing but their images get their own grids."""
    shape = (8, 8, 4)
    images, cameras, volume = inputs(shape, batch=2)
    images[0] = images[0].abs() - 0.5
    images[1] = -images[1].abs() + 0.5
    target = torch.zeros(2, *shape, dtype=torch.uint8)
    target[0, 2:5, 2:6, :2] = 1
    target[1, 4:7, 1:4, :3] = 2
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(80):
        loss, _ = occupancy_loss(model(images, cameras, volume), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    agreement = (model(images, cameras, volume).argmax(1) == target).float().mean()
    assert float(agreement) > 0.97


def test_crumbs_are_smoothed_away_and_certain_voxels_stay() -> None:
    occupied = torch.full((1, 6, 6, 6), 0.02)
    occupied[0, :, :, :2] = 0.98
    expected = (occupied > 0.5).to(torch.uint8)
    expected[0, 4, 4, 4] = 1
    occupied[0, 4, 4, 4] = 0.98  # alone, and certain
    occupied[0, 1, 1, 2] = 0.55  # on a floor, and not
    occupied[0, 3, 3, 1] = 0.45  # a hole in it
    logits = torch.stack([1 - occupied, occupied], 1).log()
    torch.testing.assert_close(classify_voxels(logits), expected)
