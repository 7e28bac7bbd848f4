"""Options that training commands share, with marks from which a recipe knows which stage's output an option takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer


@dataclass(frozen=True)
class MadeBy:
    """Marks an option that takes a data set: the command that makes it."""

    command: str


@dataclass(frozen=True)
class Weights:
    """Marks an option that takes the folder of trained weights: of which part."""

    part: str


@dataclass(frozen=True)
class Writes:
    """Marks the output folder of a stage: the parts whose weights it leaves there, and in which folders below it."""

    parts: tuple[str, ...]
    below: bool = True

    def folder(self, output: Path, part: str) -> Path:
        """Where the weights of a part are."""
        return output / part if self.below else output


OUTPUT = typer.Option(help="Folder for the checkpoint, the log and the weights.")
INITIAL = typer.Option(help="Start from these weights instead of random ones.")

Data = Annotated[
    Path, typer.Option(help="Folder that `occscene-server studio render` filled."), MadeBy("studio render")
]
Layouts = Annotated[
    Path, typer.Option(help="Folder that `occscene-server studio layouts` filled."), MadeBy("studio layouts")
]
Vae = Annotated[Path, typer.Option(help="The trained autoencoder's folder."), Weights("vae")]
Denoiser = Annotated[Path, typer.Option(help="The trained denoiser's folder."), Weights("denoiser")]
Perception = Annotated[Path, typer.Option(help="The trained perception's folder."), Weights("perception")]
InitialDenoiser = Annotated[Path | None, INITIAL, Weights("denoiser")]

Drafts = Annotated[
    Path | None,
    typer.Option(help="Folder of `occscene-server train drafts`; by default it is made in OUTPUT."),
    Weights("drafts"),
]

Steps = Annotated[int, typer.Option(min=1, help="Optimizer steps in all, those before a resume included.")]
SceneBatch = Annotated[int, typer.Option(min=1, help="Scenes a step, each with all its views.")]
CropBatch = Annotated[int, typer.Option(min=1, help="Crops a step.")]
LearningRate = Annotated[float, typer.Option(help="After the warm-up; it falls towards the last step.")]
EmaDecay = Annotated[float, typer.Option(help="Of the averaged weights.")]
Keep = Annotated[float, typer.Option(min=0, max=1, help="Share of the initial weights in the finished ones.")]
Widths = Annotated[str, typer.Option(help="Of the UNet's levels, finest first.")]
AttentionLevels = Annotated[int, typer.Option(min=1, help="How many of the coarsest levels attend.")]
StateWidth = Annotated[int, typer.Option(min=32, help="Of the transformer's states.")]
Layers = Annotated[int, typer.Option(min=1, help="Of the transformer.")]
MaxMinutes = Annotated[float | None, typer.Option(help="Stop with a checkpoint after this time.")]
Device = Annotated[str, typer.Option(help="cpu or cuda.")]
Seed = Annotated[int, typer.Option(help="Random seed of the initialization and the data order.")]
