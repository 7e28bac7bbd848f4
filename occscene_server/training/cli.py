"""`occscene-server train`: trains the parts of the model, one command a stage."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from occscene.taxonomy import TAXONOMIES
from rich import print as rich_print
from torch import Tensor

from occscene_server.models.perception import OccupancyPerception
from occscene_server.training.loop import LoopOptions, train
from occscene_server.training.perception_stage import balance, evaluate_perception, perception_step, random_batch
from occscene_server.training.scenes import SceneSet

train_app = typer.Typer(help="Train the model on rendered scenes.", no_args_is_help=True)

DataOption = Annotated[Path, typer.Option(help="Folder that `occscene-server studio render` filled.")]
OutputOption = Annotated[Path, typer.Option(help="Folder for the checkpoint, the log and the weights.")]
DeviceOption = Annotated[str, typer.Option(help="cpu or cuda.")]
SeedOption = Annotated[int, typer.Option(help="Decides the weights at the start and what every step sees.")]
MaxMinutesOption = Annotated[float | None, typer.Option(help="Stop with a checkpoint after this time.")]


@train_app.callback()
def _train() -> None:
    """Keeps the command's name while there is only one."""


@train_app.command()
def perception(
    data: DataOption,
    output: OutputOption,
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps in all, those before a resume included.")] = 6000,
    batch: Annotated[int, typer.Option(min=1, help="Scenes a step.")] = 2,
    learning_rate: Annotated[float, typer.Option(help="After the warm-up.")] = 1e-3,
    max_minutes: MaxMinutesOption = None,
    device: DeviceOption = "cpu",
    seed: SeedOption = 0,
) -> None:
    """Train perception: posed images, with or without a blockout, to occupancy."""
    scenes, held_out = SceneSet(data, "train"), SceneSet(data, "validation")
    classes = len(TAXONOMIES[scenes.infos[0].domain])
    torch.manual_seed(seed)
    model = OccupancyPerception(classes).to(device)
    weights = balance(scenes, classes).to(device)

    def loss_of_step(step: int) -> tuple[Tensor, dict[str, float]]:
        rng = np.random.default_rng((seed, step))
        return perception_step(model, random_batch(scenes, batch, rng).to(device), rng, weights)

    def evaluate() -> dict[str, float]:
        return evaluate_perception(model, held_out, range(min(24, len(held_out))), device)

    options = LoopOptions(output, steps, learning_rate, max_minutes=max_minutes, device=device)
    finished = train(model, loss_of_step, options, evaluate)
    model.save_pretrained(output / "perception")
    rich_print({name: round(value, 4) for name, value in evaluate_perception(model, held_out, device=device).items()})
    rich_print(f"{'Finished' if finished else 'Stopped at the time limit'}; weights in {output / 'perception'}")
