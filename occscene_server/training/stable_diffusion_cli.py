"""`occscene-server train sd`: teaches a Stable Diffusion checkpoint to follow an occupancy."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
import typer

from occscene_server.data.scenes import SceneSet
from occscene_server.models.perception import OccupancyPerception
from occscene_server.pipelines.stable_diffusion import pipeline_from_stable_diffusion
from occscene_server.terminal import say
from occscene_server.training import arguments as arg
from occscene_server.training.denoiser_stage import LatentScenes
from occscene_server.training.loop import LoopOptions, train
from occscene_server.training.stable_diffusion_stage import diffusion_loss, freeze_checkpoint, merge_adapters
from occscene_server.training.stage import on_random_rows
from occscene_server.weights import default_model


def sd(
    checkpoint: Annotated[
        Path, typer.Option(help="Stable Diffusion 1.x or 2.x folder, as diffusers saves it.", file_okay=False)
    ],
    data: arg.Data,
    output: Annotated[
        Path,
        typer.Option(help="Folder for the checkpoint, the log and the finished pipeline."),
        arg.Writes(("model",)),
    ],
    perception: Annotated[
        Path | None,
        typer.Option(help="Folder of trained perception; the bundled model's, if not given."),
        arg.Weights("perception"),
    ] = None,
    steps: arg.Steps = 20000,
    batch: arg.SceneBatch = 1,
    learning_rate: arg.LearningRate = 1e-4,
    lora_rank: Annotated[int, typer.Option(min=0, help="Of adapters in the checkpoint's attention; 0 is none.")] = 0,
    view_side: Annotated[int | None, typer.Option(help="Scale views to N pixels a side.")] = None,
    max_minutes: arg.MaxMinutes = None,
    device: arg.Device = "cpu",
    seed: arg.Seed = 0,
) -> None:
    """Train dual alignment, the encoder of G-buffers, and optionally adapters, on a Stable Diffusion checkpoint."""
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

    loss = on_random_rows(
        lambda rows, rng: diffusion_loss(model, latents, rows, rng, alphas_cumprod), len(scenes), batch, seed
    )
    options = LoopOptions(output, steps, learning_rate, max_minutes=max_minutes, device=device)
    finished = train(model, loss, options)
    if lora_rank:
        merge_adapters(model)
    pipeline.save_pretrained(output / "model")
    say(f"{'Finished' if finished else 'Stopped at the time limit'}; serve it with --model {output / 'model'}")
