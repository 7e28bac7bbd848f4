"""SemanticKITTI's frames as scenes that perception is trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from occscene.grid import UNKNOWN
from typer.testing import CliRunner

from occscene_server.geometry.gbuffer_maps import render_gbuffer_maps
from occscene_server.models.perception import OccupancyPerception
from occscene_server.training.cli import train_app
from occscene_server.training.kitti_scenes import VIEW_SIZE, KittiScenes
from tests.occscene_server.kitti_folder import write_frames


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Frames of one training sequence and of the validation sequence."""
    for sequence in (3, 8):
        write_frames(tmp_path / "kitti", sequence)
    return tmp_path / "kitti"


@pytest.mark.slow
def test_frames_are_scenes(dataset: Path, tmp_path: Path) -> None:
    """One view each, the true grid with what is unknown, and the blockout made of it, kept for the next time."""
    scenes = KittiScenes(dataset, "train", tmp_path / "blockouts")
    batch = scenes.batch([0, 1])
    assert (len(scenes), scenes.classes, scenes.shape) == (2, 20, (256, 256, 32))
    assert batch.views.shape == (2, 1, VIEW_SIZE[1], VIEW_SIZE[0], 3)
    assert 0.2 < float((batch.occupancy.labels == UNKNOWN).float().mean()) < 0.4
    assert not (batch.blockout.labels == UNKNOWN).any()
    kept = sorted(path.name for path in (tmp_path / "blockouts").iterdir())
    assert kept == ["03_000000.npz", "03_000005.npz"]
    assert torch.equal(scenes.batch([0, 1]).blockout.labels, batch.blockout.labels)


@pytest.mark.slow
def test_mirrored_frames_show_what_their_grids_say(dataset: Path, tmp_path: Path) -> None:
    """What the mirrored camera sees of the mirrored blockout is the mirror image of what the camera saw."""
    scenes = KittiScenes(dataset, "train", tmp_path / "blockouts")
    plain, flipped = (scenes.batch([0], (mirror, 0)) for mirror in (False, True))
    assert torch.equal(flipped.views, plain.views.flip(3))
    seen, mirror = (
        render_gbuffer_maps(batch.blockout, batch.cameras, (48, 156), scenes.classes).labels
        for batch in (plain, flipped)
    )
    assert len(seen.unique()) > 3
    assert float((mirror.flip(3) == seen).float().mean()) > 0.98


@pytest.mark.slow
def test_perception_is_trained_on_them(dataset: Path, tmp_path: Path) -> None:
    """The command goes on from weights, on blocks of the volume, and says what it needs."""
    torch.manual_seed(0)
    OccupancyPerception(20, (8, 8, 8), 4, 8, (16, 16, 16), 0).save_pretrained(tmp_path / "initial")
    command = ["perception", "--output", str(tmp_path / "run"), "--initial", str(tmp_path / "initial")]
    both = CliRunner().invoke(train_app, [*command, "--kitti", str(dataset), "--data", str(dataset)])
    assert both.exit_code == 2
    assert "one of them" in both.output
    options = ["--steps", "2", "--pixel-steps", "1", "--batch", "1", "--block", "32"]
    options += ["--validation-scenes", "1"]
    done = CliRunner().invoke(train_app, [*command, "--kitti", str(dataset), *options])
    assert done.exit_code == 0, done.output
    trained = OccupancyPerception.from_pretrained(tmp_path / "run/perception")
    start = OccupancyPerception.from_pretrained(tmp_path / "initial")
    assert not np.array_equal(trained.head.weight.detach(), start.head.weight.detach())
