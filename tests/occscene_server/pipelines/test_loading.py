"""What is loaded of a model's folder: weights as safetensors, and nothing that runs code."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from occscene_server.pipelines.occscene import OccScenePipeline
from occscene_server.pipelines.stable_diffusion import pipeline_from_stable_diffusion
from tests.occscene_server.pipelines.tiny_stable_diffusion import save_tiny_stable_diffusion


def test_weights_that_are_pickles_are_refused(pipe: OccScenePipeline, tmp_path: Path) -> None:
    pipe.save_pretrained(tmp_path, safe_serialization=False)
    assert list(tmp_path.glob("*/*.bin"))
    with pytest.raises(OSError, match="safetensors"):
        OccScenePipeline.from_pretrained(str(tmp_path))


@pytest.mark.parametrize("part", ["vae", "text_encoder", "unet"])
def test_pickles_of_a_stable_diffusion_checkpoint_are_refused(
    pipe: OccScenePipeline, part: str, tmp_path: Path
) -> None:
    checkpoint = save_tiny_stable_diffusion(tmp_path)
    (weights,) = (tmp_path / part).glob("*.safetensors")
    prefix = "pytorch_" if part == "text_encoder" else "diffusion_pytorch_"
    torch.save(getattr(checkpoint, part).state_dict(), weights.with_name(f"{prefix}model.bin"))
    weights.unlink()
    with pytest.raises(OSError, match="safetensors"):
        pipeline_from_stable_diffusion(tmp_path, pipe.perception)
