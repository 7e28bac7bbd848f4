"""The last stage: trained networks become one pipeline of rounded half-precision weights."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Annotated

import torch
import typer
from torch import nn

from occscene_server.models.autoencoder import SceneAutoencoder
from occscene_server.models.denoiser import OccSceneDenoiser
from occscene_server.models.guided_decoder import GuidedDecoder
from occscene_server.models.perception import OccupancyPerception
from occscene_server.pipelines.occscene import START_STRENGTH, OccScenePipeline
from occscene_server.pipelines.prediction import flow_scheduler
from occscene_server.terminal import say
from occscene_server.training import arguments as arg

BUNDLED_STEPS = {"denoiser": 32, "perception": 8}
"""Quantization levels per standard deviation of a bundled matrix. The denoiser then compresses to 3/4 of its size, with
a PSNR of 47 dB of its views to those of the full weights (not visible); perception to 1/2 at equal mIoU."""


def bundle(
    output: Annotated[
        Path, typer.Option(help="Folder for the finished pipeline."), arg.Writes(("pipeline",), below=False)
    ],
    vae: arg.Vae,
    denoiser: arg.Denoiser,
    perception: arg.Perception,
    guided_decoder: Annotated[
        Path | None, typer.Option(help="The trained guided decoder's folder."), arg.Weights("decoder")
    ] = None,
    taxonomy: Annotated[str, typer.Option(help="Classes that the model was trained with.")] = "indoor",
    noise_scale: Annotated[float, typer.Option(help="Noise to start from where a call gives none.")] = 0.75,
    start_strength: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the steps after a draft where a call gives none.")
    ] = START_STRENGTH,
    change_cell: Annotated[
        int, typer.Option(min=1, max=8, help="Pixels over which it is averaged what latents change in drafts.")
    ] = 1,
) -> None:
    """Write the trained networks as one pipeline, in half precision; the text encoder stays in its package."""
    if 8 % change_cell:
        raise typer.BadParameter(f"{change_cell} is not 1, 2, 4 or 8", param_hint="--change-cell")
    pipeline = OccScenePipeline(
        SceneAutoencoder.from_pretrained(vae),
        None,
        None,
        OccSceneDenoiser.from_pretrained(denoiser),
        OccupancyPerception.from_pretrained(perception),
        flow_scheduler(),
        taxonomy=taxonomy,
        default_noise_scale=noise_scale,
        default_start_strength=start_strength,
        change_cell=change_cell,
        guided_decoder=None if guided_decoder is None else GuidedDecoder.from_pretrained(guided_decoder),
    )
    for part, steps in BUNDLED_STEPS.items():
        if (network := getattr(pipeline, part)) is not None:
            round_weights(network, steps)
    pipeline.to(torch.float16).save_pretrained(output)
    for path in output.glob("*/config.json"):  # diffusers notes where the parts were read from
        facts = json.loads(path.read_text(encoding="utf-8"))
        facts.pop("_name_or_path", None)
        path.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")
    size = sum(path.stat().st_size for path in output.rglob("*.safetensors"))
    say(f"{size / 1e6:.1f} MB of weights in {output}")


@torch.no_grad()
def round_weights(network: nn.Module, steps: int) -> None:
    """Rounds each matrix to multiples of a power of two near 1/`steps` of its standard deviation."""
    for parameter in network.parameters():
        if parameter.ndim > 1 and (spread := float(parameter.std())) > 0:
            step = 2.0 ** round(math.log2(spread / steps))
            parameter.copy_((parameter / step).round() * step)
