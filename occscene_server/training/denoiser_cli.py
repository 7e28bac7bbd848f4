"""`occscene-server train denoiser`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
import typer
from torch import Tensor

from occscene_server.models.autoencoder import SceneAutoencoder
from occscene_server.models.precision import fast_autocast
from occscene_server.training import arguments as arg
from occscene_server.training.denoiser_stage import (
    LatentScenes,
    TrainingScenes,
    denoiser_loss,
    initial_denoiser,
    validation_loss,
)
from occscene_server.training.draft_stage import drafted_rooms
from occscene_server.training.drafted_rooms import fit_drafts
from occscene_server.training.loop import LoopOptions, train
from occscene_server.training.stage import on_random_rows, report


def denoiser(
    data: arg.Data,
    output: Annotated[Path, arg.OUTPUT, arg.Writes(("denoiser",))],
    vae: arg.Vae,
    steps: arg.Steps = 60000,
    batch: arg.SceneBatch = 2,
    learning_rate: arg.LearningRate = 1e-3,
    ema_decay: arg.EmaDecay = 0.9985,
    initial: arg.InitialDenoiser = None,
    decoder: Annotated[
        Path | None,
        typer.Option(
            help="A guided decoder, whose drafts the denoiser takes as input; without it, it has a regression prior."
        ),
        arg.Weights("decoder"),
    ] = None,
    drafts: arg.Drafts = None,
    levels: Annotated[int, typer.Option(min=1, help="Noise levels of each scene in a step, with --decoder.")] = 2,
    widths: arg.Widths = "64,128,192",
    attention_levels: arg.AttentionLevels = 1,
    view_side: Annotated[int | None, typer.Option(help="Shrink views to N pixels a side for a quick start.")] = None,
    max_minutes: arg.MaxMinutes = None,
    device: arg.Device = "cpu",
    seed: arg.Seed = 0,
) -> None:
    """Train the denoiser and dual alignment on the autoencoder's latents."""
    autoencoder = SceneAutoencoder.from_pretrained(vae).to(device)
    scenes: TrainingScenes
    held_out: TrainingScenes
    fit: tuple[Tensor, Tensor] | None = None
    if decoder is None:
        known = LatentScenes.read(data, "train", autoencoder, device, view_side)
        scenes, held_out = known, LatentScenes.read(data, "validation", autoencoder, device, view_side)
        classes = known.scenes.classes
    else:
        rooms, held_out = drafted_rooms(data, drafts or output / "drafts", autoencoder, decoder, levels, device)
        scenes, fit, classes = rooms, fit_drafts(rooms), rooms.classes
    torch.manual_seed(seed)
    model = initial_denoiser(initial, autoencoder, classes, widths, attention_levels, fit)
    if model.takes_draft != (decoder is not None):
        needs = "needs drafts; give --decoder" if model.takes_draft else "has a regression prior; omit --decoder"
        raise typer.BadParameter(f"{initial} {needs}", param_hint="--initial")
    model.to(device, memory_format=torch.channels_last)
    if model.regression_prior is not None:
        model.regression_prior.requires_grad_(False)  # its estimates of scenes it was trained on would be too good
    options = LoopOptions(
        output, steps, learning_rate, ema_decay=ema_decay, optimizer="muon", max_minutes=max_minutes, device=device
    )

    def evaluate() -> dict[str, float]:
        with fast_autocast(device):
            return {"validation_loss": validation_loss(model, held_out)}

    loss = on_random_rows(lambda rows, rng: denoiser_loss(model, scenes, rows, rng), len(scenes), batch, seed)
    finished = train(model, loss, options, evaluate)
    model.save_pretrained(output / "denoiser")
    report(finished, output / "denoiser", evaluate())
