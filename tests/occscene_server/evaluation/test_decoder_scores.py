"""Metrics of drafts on tiny rooms."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from occscene_server.data.dataset import write_scene
from occscene_server.evaluation.cli import evaluate_app
from occscene_server.evaluation.decoder_scores import draft_metrics
from occscene_server.models.autoencoder import SceneAutoencoder
from occscene_server.models.guided_decoder import GuidedDecoder
from occscene_server.training.decoder_rooms import read_rooms
from occscene_server.training.surface_kinds import NOTHING, SurfaceKinds
from occscene_server.weights import default_parts_prior
from tests.occscene_server.training.test_decoder_stage import room


@pytest.mark.weights
def test_metrics_of_drafts(tmp_path: Path) -> None:
    for seed in (1, 2):  # the first is held out
        write_scene(tmp_path / "data", room(seed))
    torch.manual_seed(0)
    SceneAutoencoder((8, 8, 8), 1, 4, (0.0,) * 4, (1.0,) * 4).save_pretrained(tmp_path / "vae")
    GuidedDecoder(12, 4, (8, 8, 16, 16), 16, word_channels=16).save_pretrained(tmp_path / "weights")
    arguments = [
        "--data",
        str(tmp_path / "data"),
        "--vae",
        str(tmp_path / "vae"),
        "--weights",
        str(tmp_path / "weights"),
    ]
    result = CliRunner().invoke(evaluate_app, ["decoder", *arguments, "--texts", str(tmp_path / "texts")])
    assert result.exit_code == 0, result.output
    assert "energy_boxes" in result.output
    decoder = GuidedDecoder.from_pretrained(tmp_path / "weights").eval()
    folders = (tmp_path / "data", "validation", tmp_path / "vae", default_parts_prior(), tmp_path / "texts")
    rooms = read_rooms(*folders, SurfaceKinds([NOTHING]))
    metrics = draft_metrics(decoder, rooms, 1)
    assert metrics == draft_metrics(decoder, rooms, 1)
    assert metrics["l1_true"] > 0
    assert metrics["energy_parts"] != metrics["energy_parts_latents"]
    assert metrics["seeds_all"] > 0
    assert "seeds_rug" not in metrics
