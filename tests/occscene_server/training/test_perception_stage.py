"""Perception's training on scenes that are written, read and learned in seconds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from occscene.camera import PinholeCamera
from occscene.grid import GridObject, SemanticGrid
from typer.testing import CliRunner

from occscene_server.data.dataset import RenderedScene, SceneInfo, write_scene
from occscene_server.data.scenes import SceneSet
from occscene_server.geometry.gbuffer_maps import render_gbuffer_maps
from occscene_server.models.perception import ImageFeatures, OccupancyPerception
from occscene_server.training.cli import train_app
from occscene_server.training.perception_stage import (
    degrade,
    evaluate_perception,
    perception_step,
    pixel_loss,
    random_batch,
    scene_class_weights,
)

INSTANCE_OF_CLASS = np.array([0, 0, 1, 0, 0, 0, 0, 2], np.uint16)
SEEDS = {"train": (2, 3), "validation": (1,)}


def scene(seed: int) -> RenderedScene:
    """A floor with a box on it, which the blockout makes two voxels too high."""
    rng = np.random.default_rng(seed)
    occupancy, blockout = np.zeros((2, 8, 8, 6), np.uint8)
    occupancy[:, :, 0] = blockout[:, :, 0] = 2
    x, y = rng.integers(1, 4, 2)
    occupancy[x : x + 4, y : y + 3, 1:3] = blockout[x : x + 4, y : y + 3, 1:5] = 7
    objects = (GridObject(1, "floor", (0.5, 0.5, 0.5)), GridObject(2, "sofa", (0.8, 0.1, 0.1)))
    grids = [
        SemanticGrid(labels, 0.3, np.eye(4), "indoor", INSTANCE_OF_CLASS[labels], objects)
        for labels in (occupancy, blockout)
    ]
    cameras = []
    for x in (0.8, 1.6):  # they look along y
        pose = np.array([[1.0, 0, 0, x], [0, 0, 1, -2.5], [0, -1, 0, 1], [0, 0, 0, 1]])
        cameras.append(PinholeCamera(f"x = {x} m", 64, 64, 50.0, 50.0, 32.0, 32.0, pose))
    views = rng.integers(0, 256, (2, 4, 4, 3)).astype(np.uint8).repeat(16, 1).repeat(16, 2)
    info = SceneInfo(seed, "indoor", "a room", "living room", "modern", "day", "white", "grey", ())
    return RenderedScene(info, grids[0], grids[1], tuple(cameras), views)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder of rendered scenes of two splits."""
    for seeds in SEEDS.values():
        for seed in seeds:
            write_scene(tmp_path / "data", scene(seed))
    return tmp_path / "data"


@pytest.fixture
def model() -> OccupancyPerception:
    """Untrained, narrow."""
    torch.manual_seed(0)
    return OccupancyPerception(12, (8, 8, 8), 4, 8, (16, 16, 16), 8)


@pytest.mark.slow
def test_untrained_scores_are_the_blockouts_and_training_raises_them(root: Path, model: OccupancyPerception) -> None:
    """A few steps teach that boxes are lower than they are blocked out."""
    scenes = SceneSet(root, "train")
    before = evaluate_perception(model, scenes)
    assert before["miou"] == before["miou_blockout"]
    weights = scene_class_weights(scenes, 12)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for step in range(45):
        rng = np.random.default_rng((0, step))
        loss, metrics = perception_step(model, random_batch(scenes, 2, rng), rng, weights)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    assert set(metrics) == {"cross_entropy", "sem_scal", "geo_scal", "pixel_classes", "pixel_depth", "recall"}
    after = evaluate_perception(model, scenes)
    assert after["miou"] > before["miou"] + 0.01
    assert after["miou_blockout"] == before["miou_blockout"]


def test_pixel_loss_falls_to_nothing_at_the_truth(root: Path) -> None:
    """What the true grid shows has no loss; a depth that is wrong everywhere by a tenth has that."""
    batch = SceneSet(root, "train").batch([0, 1])
    truth = render_gbuffer_maps(batch.occupancy, batch.cameras, (16, 16), 12)
    logits = 100.0 * F.one_hot(truth.labels, 12).movedim(-1, 2).float()
    log_depth = truth.depth.clamp(0.05, 100.0).log()
    nothing = torch.zeros(())
    right, _ = pixel_loss(ImageFeatures(nothing, nothing, logits, log_depth), batch)
    assert float(right) < 1e-6
    _, metrics = pixel_loss(ImageFeatures(nothing, nothing, logits, log_depth + 0.1), batch)
    assert abs(metrics["pixel_depth"] - 0.1) < 1e-5


def test_a_step_is_decided_by_its_seed(root: Path, model: OccupancyPerception) -> None:
    """The same generator gives the same batch, flaws and loss; another one does not."""
    scenes = SceneSet(root, "train")

    def loss(seed: int) -> float:
        rng = np.random.default_rng(seed)
        with torch.no_grad():
            return float(perception_step(model, random_batch(scenes, 2, rng), rng)[0])

    assert loss(5) == loss(5)
    assert loss(5) != loss(6)


def test_batches_show_one_view_to_all(root: Path) -> None:
    """Each view keeps its own camera."""
    scenes = SceneSet(root, "train")
    counts = set()
    for seed in range(12):
        batch = random_batch(scenes, 2, np.random.default_rng(seed))
        counts.add(batch.cameras.views)
        assert batch.views.shape == (2, batch.cameras.views, 64, 64, 3)
    assert counts == {1, 2}


def test_flaws_leave_the_picture_recognisable() -> None:
    """Some views stay as they are, the others change but a little on average."""
    ramp = np.linspace(0, 255, 64, dtype=np.uint8)
    views = torch.from_numpy(np.broadcast_to(ramp[:, None, None], (2, 10, 64, 64, 3)).copy())
    degraded = degrade(views, np.random.default_rng(0))
    error = (degraded - (views.movedim(-1, 2).float() / 127.5 - 1)).abs().mean((2, 3, 4))
    assert 0 < int((error == 0).sum()) < 20
    assert 0 < float(error.max()) < 0.6
    assert float(degraded.abs().max()) <= 1.0


def test_the_command_trains_and_saves(root: Path, tmp_path: Path) -> None:
    """Two steps of the real size; what it leaves can be loaded."""
    output = tmp_path / "out"
    result = CliRunner().invoke(
        train_app,
        [
            "perception",
            "--data",
            str(root),
            "--output",
            str(output),
            "--steps",
            "2",
            "--pixel-steps",
            "1",
            "--batch",
            "1",
        ],
    )
    assert result.exit_code == 0, result.output
    rows = [json.loads(line) for line in (output / "log.jsonl").read_text().splitlines()]
    assert any("miou_blockout" in row for row in rows)
    assert OccupancyPerception.from_pretrained(output / "perception").config.classes == 12


def test_the_command_takes_over_what_another_taxonomy_s_network_learned(root: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    OccupancyPerception(20).save_pretrained(tmp_path / "streets")
    output = tmp_path / "out"
    words = ["perception", "--data", root, "--output", output, "--initial", tmp_path / "streets", "--half-size"]
    words += ["--steps", 1, "--pixel-steps", 0, "--batch", 1]
    result = CliRunner().invoke(train_app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    assert OccupancyPerception.from_pretrained(output / "perception").classes == 12
