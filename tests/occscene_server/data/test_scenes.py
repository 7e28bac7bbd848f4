"""Scenes on disk, and that mirrored and turned scenes look as they must from their cameras."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from occscene.camera import PinholeCamera
from occscene.grid import GridObject, SemanticGrid
from occscene.rigid import looking_at

from occscene_server.data.dataset import RenderedScene, SceneInfo, write_scene
from occscene_server.data.scenes import SceneSet, mirrored, turned
from occscene_server.geometry.gbuffer_maps import render_gbuffer_maps

SIDE = 64


def random_scene(seed: int) -> RenderedScene:
    rng = np.random.default_rng(seed)
    labels = np.where(rng.random((12, 12, 8)) < 0.1, rng.integers(1, 12, (12, 12, 8)), 0).astype(np.uint8)
    labels[4:8, 4:8] = 0
    instances = np.where(labels > 0, labels, 0).astype(np.uint16)
    pose = np.eye(4)
    pose[:3, 3] = (10.0, -3.0, 0.5)
    objects = tuple(GridObject(i, f"object {i}", (i / 12, 0.5, 0.2)) for i in range(1, 12))
    grid = SemanticGrid(labels, 0.4, pose, "indoor", instances, objects)
    cameras = []
    for index, angle in enumerate((0.3, 2.0)):
        eye = pose[:3, 3] + (2.3, 2.5, 1.7)
        camera = looking_at(eye, np.add(eye, (np.cos(angle), np.sin(angle), -0.2)))
        cameras.append(PinholeCamera(f"view {index}", SIDE, SIDE, 40.0, 41.0, 30.0, 33.0, camera))
    views = rng.integers(0, 255, (2, SIDE, SIDE, 3), np.uint8)
    info = SceneInfo(seed, "indoor", "a room", "study", "modern", "overcast", "white", "brown", ())
    return RenderedScene(info, grid, grid, tuple(cameras), views)


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> SceneSet:
    root = tmp_path_factory.mktemp("scenes")
    for seed in (2, 3, 20):
        write_scene(root, random_scene(seed))
    return SceneSet(root, "train")


def test_splits_do_not_mix(scenes: SceneSet) -> None:
    assert [info.seed for info in scenes.infos] == [2, 3]


def test_missing_split_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="studio render"):
        SceneSet(tmp_path, "train")


def test_mirrored_scene_looks_mirrored(scenes: SceneSet) -> None:
    batch = scenes.batch([0, 1])
    seen = render_gbuffer_maps(batch.blockout, batch.cameras, (SIDE, SIDE), 12)
    other = mirrored(batch)
    reflected = render_gbuffer_maps(other.blockout, other.cameras, (SIDE, SIDE), 12)
    assert (seen.labels.flip(3) == reflected.labels).float().mean() > 0.995
    hit = seen.depth.flip(3).isfinite() & reflected.depth.isfinite()
    torch.testing.assert_close(seen.depth.flip(3)[hit].median(), reflected.depth[hit].median())
    torch.testing.assert_close(other.views, batch.views.flip(3))


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_turned_scene_looks_the_same(scenes: SceneSet, turns: int) -> None:
    batch = scenes.batch([0, 1])
    seen = render_gbuffer_maps(batch.blockout, batch.cameras, (SIDE, SIDE), 12)
    other = turned(batch, turns)
    again = render_gbuffer_maps(other.blockout, other.cameras, (SIDE, SIDE), 12)
    assert (seen.labels == again.labels).float().mean() > 0.995
    moved = (seen.points - again.points).square().sum(2).sqrt()
    assert float(moved.max()) > 1.0  # the points themselves have turned


def test_mirroring_twice_and_four_turns_are_nothing(scenes: SceneSet) -> None:
    batch = scenes.batch([1])
    for other in (mirrored(mirrored(batch)), turned(turned(batch, 3), 1)):
        assert torch.equal(other.blockout.labels, batch.blockout.labels)
        torch.testing.assert_close(other.cameras.world_from_camera, batch.cameras.world_from_camera)
