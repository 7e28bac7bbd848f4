"""`occscene-server train sd`: teaches a Stable Diffusion checkpoint to follow an occupancy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from torch import Tensor

from occscene_server.data.scenes import SceneSet
from occscene_server.models.perception import OccupancyPerception
from occscene_server.pipelines.stable_diffusion import pipeline_from_stable_diffusion
from occscene_server.terminal import say
from occscene_server.training.denoiser_stage import LatentScenes
from occscene_server.training.loop import LoopOptions, train
from occscene_server.training.stable_diffusion_stage import diffusion_loss, freeze_checkpoint, merge_adapters
from occscene_server.weights import default_model


def sd(
    checkpoint: Annotated[
        Path, typer.Option(help="Stable Diffusion 1.x or 2.x folder, as diffusers saves it.", file_okay=False)
    ],
    data: Annotated[Path, typer.Option(help="Folder that `occscene-server studio render` filled.")],
    output: Annotated[Path, typer.Option(help="Folder for the checkpoint, the log and the finished pipeline.")],
    perception: Annotated[
        Path | None, typer.Option(help="Folder of trained perception; the bundled model's, if not given.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps in all, those before a resume included.")] = 20000,
    batch: Annotated[int, typer.Option(min=1, help="Scenes a step, each with all its views.")] = 1,
    learning_rate: Annotated[float, typer.Option(help="After the warm-up.")] = 1e-4,
    lora_rank: Annotated[int, typer.Option(min=0, help="Of adapters in the checkpoint's attention; 0 is none.")] = 0,
    view_side: Annotated[int | None, typer.Option(help="Scale views to so many pixels a side.")] = None,
    max_minutes: Annotated[float | None, typer.Option(help="Stop with a checkpoint after this time.")] = None,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    seed: Annotated[int, typer.Option(help="Decides the weights at the start and what every step sees.")] = 0,
) -> None:
    """Train dual alignment and guidance, and optionally adapters, on a Stable Diffusion checkpoint."""
    torch.manual_seed(seed)
    scenes = SceneSet(data, "train")
    seeing = OccupancyPerception.from_pretrained(perception or default_model() / "perception")
    pipeline = pipeline_from_stable_diffusion(checkpoint, seeing, scenes.infos[0].domain)
    pipeline.to(device)
    latents = LatentScenes(scenes, pipeline.vae, pipeline.text_encoder, pipeline.tokenizer, device, view_side)
    model = pipeline.denoiser
    freeze_checkpoint(model, lora_rank)
    model.to(memory_format=torch.channels_last)
    alphas_cumprod = pipeline.scheduler.alphas_cumprod

    def loss_of_step(step: int) -> tuple[Tensor, dict[str, float]]:
        rng = np.random.default_rng((seed, step))
        indices = rng.choice(len(scenes), batch, replace=False).tolist()
        return diffusion_loss(model, latents, indices, rng, alphas_cumprod)

    options = LoopOptions(output, steps, learning_rate, max_minutes=max_minutes, device=device)
    finished = train(model, loss_of_step, options)
    if lora_rank:
        merge_adapters(model)
    pipeline.save_pretrained(output / "model")
    say(f"{'Finished' if finished else 'Stopped at the time limit'}; serve it with --model {output / 'model'}")
