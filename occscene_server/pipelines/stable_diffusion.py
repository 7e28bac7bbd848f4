"""The `sd` model: a pipeline around a Stable Diffusion 1.x or 2.x checkpoint folder."""

from __future__ import annotations

import json
from pathlib import Path

from diffusers import DPMSolverMultistepScheduler, UNet2DConditionModel
from transformers import AutoTokenizer, CLIPTextModel

from occscene_server.models.autoencoder import SceneAutoencoderKL
from occscene_server.models.denoiser import OccSceneDenoiser
from occscene_server.models.perception import OccupancyPerception
from occscene_server.models.stable_diffusion import ADDED_MODULES
from occscene_server.pipelines.occscene import OccScenePipeline

_PARTS = ("vae", "unet", "text_encoder", "tokenizer", "scheduler")

_DEFAULT_STEPS = 20
"""At which diffusers' documentation calls DPM-Solver++'s results high in quality."""


def pipeline_from_stable_diffusion(
    folder: Path, perception: OccupancyPerception, taxonomy: str = "indoor"
) -> OccScenePipeline:
    """A pipeline that draws what the bare checkpoint would, until its additions are trained.

    The scheduler becomes DPM-Solver++ on the checkpoint's own noise schedule: it needs far fewer steps than the one
    that checkpoints come with.

    Args:
        folder: as diffusers' `StableDiffusionPipeline.save_pretrained` writes it.
        perception: trained apart, for images of any size.
        taxonomy: the classes of `perception`.

    Raises:
        ValueError: the folder is no such checkpoint.
        OSError: its weights are pickles instead of safetensors.
    """
    absent = [part for part in _PARTS if not (folder / part).is_dir()]
    if absent:
        raise ValueError(
            f"{folder} lacks {', '.join(absent)}; give a Stable Diffusion 1.x or 2.x folder in diffusers' layout"
        )
    scheduler = DPMSolverMultistepScheduler.from_config(_read_config(folder / "scheduler/scheduler_config.json"))
    return OccScenePipeline(
        vae=SceneAutoencoderKL.from_pretrained(folder / "vae", use_safetensors=True),
        text_encoder=CLIPTextModel.from_pretrained(folder / "text_encoder", use_safetensors=True),
        tokenizer=AutoTokenizer.from_pretrained(folder / "tokenizer"),
        denoiser=extended_denoiser(folder / "unet", scheduler.config.prediction_type, perception.classes),
        perception=perception,
        scheduler=scheduler,
        taxonomy=taxonomy,
        default_steps=_DEFAULT_STEPS,
    )


def extended_denoiser(folder: Path, prediction_type: str, classes: int) -> OccSceneDenoiser:
    """A denoiser around a checkpoint's UNet that predicts what the bare UNet would.

    Args:
        folder: the checkpoint's folder `unet`.
        prediction_type: of the checkpoint's scheduler.
        classes: of the taxonomy, empty included.
    """
    unet = UNet2DConditionModel.from_pretrained(folder, use_safetensors=True)
    denoiser = OccSceneDenoiser(
        unet.config.in_channels,
        classes,
        text_dim=unet.config.cross_attention_dim,
        prediction_type=prediction_type,
        trunk={key: value for key, value in unet.config.items() if not key.startswith("_")},
    )
    weights = unet.state_dict()
    for kind in ("weight", "bias"):
        weights[f"conv_in.latents.{kind}"] = weights.pop(f"conv_in.{kind}")
    missing, unexpected = denoiser.unet.load_state_dict(weights, strict=False)
    assert not unexpected
    assert all(any(part in name for part in ADDED_MODULES) for name in missing)
    return denoiser


def _read_config(path: Path) -> dict[str, object]:
    config: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    return config
