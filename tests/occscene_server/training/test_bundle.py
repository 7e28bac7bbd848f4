"""The bundle holds what it was given, the guided decoder too."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from occscene_server.pipelines.occscene import OccScenePipeline
from occscene_server.training.cli import train_app
from tests.occscene_server.tiny import load_tiny_with_decoder


@pytest.mark.weights
def test_a_guided_decoder_is_bundled_in_half_precision(tmp_path: Path) -> None:
    pipe = load_tiny_with_decoder("tiny", "cpu").pipe
    parts = ("vae", "denoiser", "perception", "guided_decoder")
    words = ["bundle", "--output", str(tmp_path / "bundle")]
    for part in parts:
        getattr(pipe, part).save_pretrained(tmp_path / part)
        words += [f"--{part.replace('_', '-')}", str(tmp_path / part)]
    result = CliRunner().invoke(train_app, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    bundled = OccScenePipeline.from_pretrained(str(tmp_path / "bundle"))
    state = bundled.guided_decoder.state_dict()
    for name, value in pipe.guided_decoder.state_dict().items():
        assert torch.equal(state[name].float(), value.half().float()), name
    for path in (tmp_path / "bundle").rglob("*.json"):
        assert str(tmp_path) not in path.read_text(), path
