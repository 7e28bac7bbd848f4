"""Stage 1: the regression prior of the latents, and its command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from torch import Tensor

from occscene_server.models.autoencoder import SceneAutoencoder
from occscene_server.models.denoiser import OccSceneDenoiser
from occscene_server.models.precision import fast_autocast
from occscene_server.training import arguments as arg
from occscene_server.training.denoiser_stage import (
    TRUE_OCCUPANCY,
    LatentScenes,
    draw_scenes,
    initial_denoiser,
    placed_grid,
)
from occscene_server.training.loop import LoopOptions, train
from occscene_server.training.stage import on_random_rows, report


def prior_loss(
    model: OccSceneDenoiser, data: LatentScenes, indices: Sequence[int], rng: np.random.Generator
) -> tuple[Tensor, dict[str, float]]:
    """Squared error of the regression prior on some scenes, channels weighted as in the denoiser's loss."""
    drawn = draw_scenes(data, indices, rng)
    true = torch.from_numpy(rng.random(len(drawn.latents)) < TRUE_OCCUPANCY).to(data.device)
    grid = placed_grid(drawn.batch, true, rng)
    gbuffer = model.gbuffer_features(grid, drawn.batch.cameras, drawn.size)
    prior = model.predict_prior(gbuffer, drawn.text, drawn.text_mask)
    assert prior is not None
    return ((prior - drawn.latents).square().mean((0, 1, 3, 4)) * data.channel_weights).mean(), {}


@torch.no_grad()
def explained_variance(model: OccSceneDenoiser, data: LatentScenes, scenes: int = 24) -> dict[str, float]:
    """Share of the latents' variance, weighted as in the loss, that the prior explains in the first held-out scenes.

    With colour hints and without, from whole prompts; 1 is all of it.
    """
    explained = {}
    rows = range(min(scenes, len(data)))
    latents = data.latents[0, : len(rows)].float()
    variance = (latents.var((0, 1, 3, 4)) * data.channel_weights.cpu()).mean()
    for name, kept in (("explained", 1.0), ("explained_without_hints", 0.0)):
        error = 0.0
        for row in rows:
            batch = data.scenes.batch([row]).to(data.device)
            grid = replace(batch.blockout, hints=batch.blockout.hints * kept)
            gbuffer = model.gbuffer_features(grid, batch.cameras, (latents.shape[-2], latents.shape[-1]))
            text, mask = data.text[row, :1].float().to(data.device), data.text_mask[row, :1].to(data.device)
            prior = model.predict_prior(gbuffer, text, mask)
            assert prior is not None
            wrong = (prior[0] - latents[row].to(data.device)).square().mean((0, 2, 3)) * data.channel_weights
            error += float(wrong.mean())
        explained[name] = float(1 - error / len(rows) / variance)
    return explained


def regression_prior(
    data: arg.Data,
    output: Annotated[Path, arg.OUTPUT, arg.Writes(("denoiser",))],
    vae: arg.Vae,
    steps: arg.Steps = 6000,
    batch: arg.SceneBatch = 4,
    learning_rate: arg.LearningRate = 1e-3,
    initial: arg.InitialDenoiser = None,
    widths: arg.Widths = "64,128,192",
    attention_levels: arg.AttentionLevels = 1,
    max_minutes: arg.MaxMinutes = None,
    device: arg.Device = "cpu",
    seed: arg.Seed = 0,
) -> None:
    """Train a denoiser's regression prior; its other weights stay as they were initialized or given."""
    autoencoder = SceneAutoencoder.from_pretrained(vae).to(device)
    scenes, held_out = (LatentScenes.read(data, split, autoencoder, device) for split in ("train", "validation"))
    torch.manual_seed(seed)
    model = initial_denoiser(initial, autoencoder, scenes.scenes.classes, widths, attention_levels)
    model.to(device, memory_format=torch.channels_last).requires_grad_(False)
    if model.regression_prior is None:
        raise typer.BadParameter(
            f"{initial} has no regression prior, which only a compact denoiser that predicts flow has; "
            "omit the option to start anew",
            param_hint="--initial",
        )
    model.regression_prior.requires_grad_(True)
    options = LoopOptions(
        output, steps, learning_rate, decay_fraction=0.4, ema_decay=0.998, weight_decay=0.05, optimizer="muon",
        max_minutes=max_minutes, device=device,
    )  # fmt: skip

    def evaluate() -> dict[str, float]:
        with fast_autocast(device):
            return explained_variance(model, held_out)

    loss = on_random_rows(lambda rows, rng: prior_loss(model, scenes, rows, rng), len(scenes), batch, seed)
    finished = train(model, loss, options, evaluate)
    model.save_pretrained(output / "denoiser")
    report(finished, output / "denoiser", evaluate())
