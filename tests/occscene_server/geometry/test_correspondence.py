"""Correspondences of views, and views that are fused over them."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from occscene.camera import PinholeCamera
from occscene.grid import GridObject, SemanticGrid
from occscene.taxonomy import INDOOR

from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.correspondence import Correspondences, correspondences
from occscene_server.geometry.gbuffer import GBuffer
from occscene_server.geometry.grids import GridTensors
from occscene_server.geometry.raymarch import first_hit_ref
from occscene_server.geometry.scene_gbuffer import scene_gbuffer
from occscene_server.geometry.view_fusion import disagreement, fuse
from tests.occscene_server.geometry.closed_room import closed_room, corner_cameras, room_buffer, textured
from tests.occscene_server.geometry.random_scenes import looking_at

SIZE = (48, 48)


def _room(size: tuple[int, int] = SIZE, cameras: list[PinholeCamera] | None = None) -> Correspondences:
    buffer, tensors = room_buffer(cameras or corner_cameras(), size)
    return correspondences(buffer, closed_room(), tensors)


@lru_cache(1)
def _large_room() -> tuple[GBuffer, Correspondences]:
    buffer, tensors = room_buffer(corner_cameras(), (128, 128))
    return buffer, correspondences(buffer, closed_room(), tensors)


def test_what_corresponds_is_seen_by_both_and_by_a_ray_cast_for_each_pixel() -> None:
    grid, cameras = closed_room(), corner_cameras(2)
    buffer, tensors = room_buffer(cameras, SIZE)
    found = correspondences(buffer, grid, tensors)
    placed = GridTensors.from_grids([grid])
    intrinsics = tensors.scaled_intrinsics(SIZE)[0].numpy()
    checked = unseen = 0
    rows, columns = (axis.ravel() for axis in np.indices(SIZE))
    for target, source in ((0, 1), (1, 0)):
        depth = buffer.depth[0, target].numpy().reshape(-1, 1)
        focal, center = intrinsics[target][(0, 1), (0, 1)], intrinsics[target][:2, 2]
        across = (np.stack([columns, rows], 1) + 0.5 - center) / focal
        ones = np.ones_like(depth)
        points = np.concatenate([across * depth, depth, ones], 1) @ cameras[target].world_from_camera.T
        local = points @ np.linalg.inv(cameras[source].world_from_camera).T
        origins = np.broadcast_to(cameras[source].world_from_camera[:3, 3] / 0.1, (len(points), 3))
        directions = points[:, :3] / 0.1 - origins
        hit = first_hit_ref(placed.occupied(), torch.tensor(origins)[None], torch.from_numpy(directions)[None])
        short = np.abs(hit.depth[0].numpy() - 1) * np.linalg.norm(directions, axis=1) * 0.1
        places = (local[:, :3] / local[:, 2:3] @ intrinsics[source].T)[:, :2]
        seen = found.weights[target, 0].numpy().ravel() > 0
        assert (short[seen] < 0.03).all()  # nothing stands between
        assert (local[seen, 2] > 0).all()
        ours = (found.places[target, 0].numpy().reshape(-1, 2) + 1) / 2 * SIZE[::-1]
        np.testing.assert_allclose(ours[seen], places[seen], atol=1e-3)
        aside = ((places <= 0) | (places >= SIZE[::-1])).any(1) | (local[:, 2] < 0)
        checked += seen.sum()
        unseen += (~seen & (aside | (short > 0.1))).sum()
    assert checked > 300
    # what is seen by both and does not correspond lies next to outlines
    assert checked + unseen > 0.6 * 2 * SIZE[0] * SIZE[1]


def test_places_lead_there_and_back() -> None:
    labels = np.zeros((40, 40, 30), np.uint8)
    labels[:, 30] = INDOOR.index_of("wall")
    grid = SemanticGrid(labels, 0.1, np.eye(4), "indoor")
    poses = [looking_at((x, 0.4, 1.5), (x, 3.0, 1.5)) for x in (1.7, 2.3)]
    cameras = [PinholeCamera(str(i), 96, 96, 90.0, 90.0, 48.0, 48.0, pose) for i, pose in enumerate(poses)]
    tensors = CameraTensors.from_cameras([cameras])
    buffer = scene_gbuffer(GridTensors.from_grids([grid]), (), tensors, (96, 96))
    found = correspondences(buffer, grid, tensors)
    back = F.grid_sample(found.places[1].movedim(-1, 1), found.places[0], align_corners=False)[0]
    y, x = torch.meshgrid(*(((torch.arange(96) + 0.5) / 48 - 1),) * 2, indexing="ij")
    seen = (found.weights[0, 0] > 0) & (F.grid_sample(found.weights[1][None], found.places[0], align_corners=False)[
        0, 0] > 0)  # fmt: skip
    assert seen.float().mean() > 0.3
    off = (back - torch.stack([x, y])).abs().amax(0)[seen]
    assert off.max() < 1 / 48  # one pixel


def test_nothing_corresponds_through_a_wall_at_windows_and_at_outlines() -> None:
    grid = closed_room()
    walled = grid.labels.copy()
    walled[:, 10:12] = INDOOR.index_of("wall")
    cameras = corner_cameras()
    tensors = CameraTensors.from_cameras([cameras])
    for labels, low, high in ((walled, 0.0, 0.0), (grid.labels, 0.1, 1.0)):
        scene = replace(grid, labels=labels)
        buffer = scene_gbuffer(GridTensors.from_grids([scene]), (), tensors, SIZE)
        overlap = float(correspondences(buffer, scene, tensors).overlap[0, 2])
        assert low <= overlap <= high
    glass = replace(grid, labels=np.where(grid.labels == 3, INDOOR.index_of("window"), grid.labels).astype(np.uint8))
    buffer = scene_gbuffer(GridTensors.from_grids([glass]), (), tensors, SIZE)
    found = correspondences(buffer, glass, tensors)
    window = buffer.labels[0] == INDOOR.index_of("window")
    assert (found.weights.amax(1)[window] == 0).all()
    assert (found.weights.amax(1)[~window] > 0).any()
    edges = buffer.edges[0]
    assert (found.weights.amax(1)[edges] == 0).all()
    named = replace(grid, objects=(GridObject(1, "mirror"), GridObject(2, "table")),
                    labels=np.where(grid.instances == 1, 11, grid.labels).astype(np.uint8))  # fmt: skip
    buffer = scene_gbuffer(GridTensors.from_grids([named]), (), tensors, SIZE)
    assert (correspondences(buffer, named, tensors).weights.amax(1)[buffer.objects[0] == 1] == 0).all()


def test_the_hub_shares_most_and_one_view_has_no_others() -> None:
    cameras = corner_cameras(3)
    aside = PinholeCamera("aside", 64, 64, 150.0, 150.0, 32.0, 32.0, looking_at((0.5, 0.5, 2.0), (0.2, 0.3, 2.5)))
    assert _room(cameras=[aside, *cameras]).hub != 0
    alone = _room(cameras=cameras[:1])
    assert alone.sources.shape == (1, 0)
    assert not alone.covisible.any()
    images = torch.rand(1, 3, *SIZE)
    assert torch.equal(fuse(images, alone, 3.0), images)
    assert disagreement(images, alone) == 0


def test_sources_are_the_four_that_see_most() -> None:
    turned = [replace(camera, name=str(index)) for index, camera in enumerate([*corner_cameras()] * 2)]
    found = _room(cameras=turned)
    assert found.sources.shape == (8, 4)
    for view in range(8):
        twin = (view + 4) % 8
        assert twin in found.sources[view].tolist()


def test_views_that_agree_stay_as_they_are() -> None:
    buffer, found = _large_room()
    images = textured(buffer)
    assert found.covisible.float().mean() > 0.3
    assert disagreement(images, found) < 0.06  # bilinear sampling
    for exponent in (1.0, 6.0):
        assert float((fuse(images, found, exponent) - images).abs().mean()) < 0.012


def test_views_that_disagree_come_to_agree_and_stay_sharp() -> None:
    buffer, found = _large_room()
    draw = torch.Generator().manual_seed(0)
    casts = 0.3 * torch.randn(4, 3, 1, 1, generator=draw)
    blotches = F.interpolate(0.2 * torch.randn(4, 3, 16, 16, generator=draw), (128, 128), mode="bicubic")
    images = textured(buffer) + casts + blotches
    before = disagreement(images, found)
    fused = fuse(images, found, 6.0)
    assert disagreement(fused, found) < 0.3 * before

    def sharpness(pixels: torch.Tensor) -> float:
        return float(pixels.diff(dim=-1).abs().mean() + pixels.diff(dim=-2).abs().mean())

    assert sharpness(fused) > 0.85 * sharpness(images)
    assert disagreement(fuse(images, found, 1.0), found) < disagreement(fused, found)


def test_fusing_at_a_smaller_size_keeps_the_finest_grain() -> None:
    buffer, tensors = room_buffer(corner_cameras(), (64, 64))
    found = correspondences(buffer, closed_room(), tensors)
    grain = torch.randn(4, 3, 128, 128, generator=torch.Generator().manual_seed(1)) * 0.1
    grain = grain - F.interpolate(F.interpolate(grain, (64, 64), mode="area"), (128, 128), mode="nearest")
    flat = torch.tensor([0.2, -0.1, 0.4, 0.0]).view(4, 1, 1, 1).expand(4, 3, 128, 128)
    fused = fuse(flat + grain, found, 3.0)
    change = fused - flat - grain
    assert change.abs().max() > 0.05
    assert not math.isclose(float(change.std()), 0.0)
    blocks = change.unfold(2, 2, 2).unfold(3, 2, 2)
    assert float((blocks.amax((-1, -2)) - blocks.amin((-1, -2))).mean()) < 0.02  # the change is smooth
