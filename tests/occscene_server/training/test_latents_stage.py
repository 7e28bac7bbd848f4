"""Latents of rendered views, noised and denoised by a pipeline."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from occscene_server.data.dataset import write_scene
from occscene_server.training.cli import train_app
from occscene_server.training.latent_store import stored_latents
from occscene_server.training.latents_stage import latents_file
from tests.occscene_server.tiny import load_tiny
from tests.occscene_server.training.test_decoder_stage import SIDE, room

pytestmark = pytest.mark.weights


@pytest.mark.slow
def test_an_interrupted_call_goes_on_with_what_is_missing(tmp_path: Path) -> None:
    for seed in (0, 1, 2, 3, 4):  # the first two are held out
        write_scene(tmp_path / "data", room(seed))
    load_tiny("tiny", "cpu").pipe.save_pretrained(tmp_path / "model")

    def run(rooms: int) -> np.ndarray:
        folders = ("--data", str(tmp_path / "data"), "--model", str(tmp_path / "model"))
        options = ("--output", str(tmp_path / "latents"), "--rooms", str(rooms))
        result = CliRunner().invoke(train_app, ["latents", *folders, *options], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return np.array(np.load(latents_file(tmp_path / "latents", "train")))

    first = run(2)
    assert first.shape == (3, 2, 4, SIDE // 8, SIDE // 8)
    assert first[:2].any(axis=(1, 2, 3, 4)).all()
    assert stored_latents(latents_file(tmp_path / "latents", "train"), 2) is None
    changed = first.copy()
    changed[0], changed[1] = 1, 0
    np.save(latents_file(tmp_path / "latents", "train"), changed)
    second = run(9)
    assert (second[0] == 1).all()  # what is there is kept
    np.testing.assert_array_equal(second[1], first[1])
    assert second[2].any()
