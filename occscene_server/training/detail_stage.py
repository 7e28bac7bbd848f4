"""Surface detail, by regression from generated to rendered views of the same surfaces, and its command."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from torch import Tensor

from occscene_server.data.scenes import SceneSet
from occscene_server.geometry.guidance import render_guidance
from occscene_server.models.surface_detail import SurfaceDetail, SurfacePixels
from occscene_server.pipelines.occscene import OccScenePipeline
from occscene_server.terminal import track
from occscene_server.training import arguments as arg
from occscene_server.training.generated_views import generate_views, training_prompt
from occscene_server.training.loop import LoopOptions, train
from occscene_server.training.stage import report, seeded

PIXELS_KEPT = 2**16
"""Pixels of each scene, drawn at random."""
LARGEST = 0.7
"""Detail beyond it is an object that the blockout does not know, or its shadow."""


@dataclass(frozen=True)
class DetailScene:
    """One scene as a training sample.

    Args:
        pixels: of its generated views.
        words: (label, channel), the embedding of every class given the prompt.
        target: (N, 3), the detail of the rendered views at the same pixels.
    """

    pixels: SurfacePixels
    words: Tensor
    target: Tensor


@torch.no_grad()
def detail_scenes(
    pipeline: OccScenePipeline, model: SurfaceDetail, scenes: SceneSet, generated: Tensor, device: str
) -> list[DetailScene]:
    """Gathers training samples of the first scenes, those that `generate_views` has made views of."""
    rng = np.random.default_rng(0)
    gathered = []
    for index in track(range(len(generated)), "gathering pixels"):
        batch = scenes.batch([index]).to(device)
        height, width = batch.views.shape[2:4]
        guidance = render_guidance(batch.blockout, batch.cameras, (height, width), pipeline.perception.classes)
        made, real = (
            SurfacePixels.gather(views.to(device).movedim(-1, 1) / 255, guidance, tuple(model.config.classes))
            for views in (generated[index], batch.views[0])
        )
        kept = torch.from_numpy(np.sort(rng.permutation(len(made.index))[:PIXELS_KEPT])).to(device)
        words = pipeline.denoiser.pattern_words(*pipeline.encode_text([training_prompt(scenes.infos[index])[0]]))[0]
        gathered.append(DetailScene(made.selected(kept), words, real.detail[kept].sum(2).clamp(-LARGEST, LARGEST)))
    return gathered


def detail_loss(
    model: SurfaceDetail, scenes: Sequence[DetailScene], batch: int, pixels: int, rng: np.random.Generator
) -> tuple[Tensor, dict[str, float]]:
    """The squared error of the detail of some pixels of some scenes."""
    errors = []
    for index in rng.integers(len(scenes), size=batch):
        scene = scenes[index]
        rows = torch.from_numpy(np.sort(rng.integers(len(scene.target), size=pixels))).to(scene.target.device)
        detail = model.detail(scene.pixels.selected(rows), scene.words)
        errors.append((detail - scene.target[rows]).square().mean())
    return torch.stack(errors).mean(), {}


@torch.no_grad()
def explained_detail(model: SurfaceDetail, scenes: Sequence[DetailScene]) -> dict[str, float]:
    """Shares of the rendered detail's energy that the prediction and that the generated views' own detail explain."""
    error, own, total = 0.0, 0.0, 0.0
    for scene in scenes:
        error += float((model.detail(scene.pixels, scene.words) - scene.target).square().sum())
        own += float((scene.pixels.detail.sum(2) - scene.target).square().sum())
        total += float(scene.target.square().sum())
    return {"explained": 1 - error / total, "explained_before": 1 - own / total}


def detail(
    data: arg.Data,
    output: Annotated[Path, arg.OUTPUT, arg.Writes(("surface_detail",))],
    model: Annotated[
        Path, typer.Option(help="A finished pipeline, whose views are to get their patterns."), arg.Weights("pipeline")
    ],
    rooms: Annotated[int, typer.Option(min=1, help="Rooms to generate first, into OUTPUT.")] = 300,
    steps: arg.Steps = 3000,
    batch: arg.SceneBatch = 3,
    pixels: Annotated[int, typer.Option(min=1, help="Pixels of a scene.")] = 10_000,
    learning_rate: arg.LearningRate = 1e-2,
    max_minutes: arg.MaxMinutes = None,
    device: arg.Device = "cpu",
    seed: arg.Seed = 0,
) -> None:
    """Train surface detail: patterns on walls, floors and ceilings of generated views."""
    pipeline = OccScenePipeline.from_pretrained(str(model), surface_detail=None).to(device)
    torch.manual_seed(seed)
    network = SurfaceDetail(pipeline.denoiser.pattern_words(*pipeline.encode_text([""])).shape[-1]).to(device)

    def gathered(split: str, rooms: int) -> list[DetailScene]:
        scenes = SceneSet(data, split, rooms)
        return detail_scenes(
            pipeline, network, scenes, generate_views(pipeline, data, scenes, rooms, output / "generated"), device
        )

    scenes, held_out = gathered("train", rooms), gathered("validation", max(1, rooms // 10))
    options = LoopOptions(
        output, steps, learning_rate, warmup_steps=50, decay_fraction=0.8, ema_decay=0.99, weight_decay=0.2,
        max_minutes=max_minutes, device=device,
    )  # fmt: skip
    loss = seeded(lambda rng: detail_loss(network, scenes, batch, pixels, rng), seed)
    finished = train(network, loss, options, lambda: explained_detail(network, held_out))
    network.save_pretrained(output / "surface_detail")
    report(finished, output / "surface_detail", explained_detail(network, held_out))
