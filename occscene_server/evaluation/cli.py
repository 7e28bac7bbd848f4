"""`occscene-server evaluate`: trains the evaluator, and scores a model with it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from occscene_server.evaluation.decoder_cli import decoder
from occscene_server.evaluation.kitti_cli import kitti
from occscene_server.evaluation.layout_cli import layout
from occscene_server.evaluation.parts_cli import parts
from occscene_server.evaluation.views_cli import generate, two_sample, views
from occscene_server.models.checkpoint_options import CheckpointOptions
from occscene_server.pipelines.checkpoint_arguments import USUAL, open_chosen, with_checkpoint
from occscene_server.terminal import say, track
from occscene_server.training import arguments as arg

evaluate_app = typer.Typer(help="Score a model on scenes of the studio.", no_args_is_help=True)
evaluate_app.command()(decoder)
evaluate_app.command()(kitti)
evaluate_app.command()(layout)
evaluate_app.command()(parts)
evaluate_app.command()(generate)
evaluate_app.command()(views)
evaluate_app.command()(two_sample)

_SHOWN = 24
_TEXT_SCENES = 12
"""Scenes that are also generated from their prompts only."""


@evaluate_app.command()
def train(
    data: arg.Data,
    output: Annotated[
        Path,
        typer.Option(help="Folder for the checkpoint, the log and the evaluator."),
        arg.Writes(("evaluator",), below=False),
    ],
    steps: arg.Steps = 4000,
    batch: Annotated[int, typer.Option(min=1, help="Views a step.")] = 8,
    learning_rate: arg.LearningRate = 1.5e-3,
    max_minutes: arg.MaxMinutes = None,
    device: arg.Device = "cpu",
    seed: arg.Seed = 0,
) -> None:
    """Train the evaluator of views on real renders: a segmenter and linear probes."""
    from occscene_server.evaluation.evaluator import train_evaluator
    from occscene_server.training.loop import LoopOptions

    options = LoopOptions(
        output, steps, learning_rate, warmup_steps=min(100, steps), ema_decay=0.998,
        max_minutes=max_minutes, device=device,
    )  # fmt: skip
    evaluator = train_evaluator(data, options, batch, seed, say)
    say({name: round(value, 4) for name, value in evaluator.metrics.items()})
    say(f"The evaluator is in {output}")


@evaluate_app.command()
@with_checkpoint()
def run(
    model: Annotated[str, typer.Option(help="Model folder, hub id, checkpoint or preset.")],
    evaluator: Annotated[Path, typer.Option(help="Folder that `evaluate train` filled.")],
    data: arg.Data,
    output: Annotated[Path, typer.Option(help="Folder for report.json, report.html, sheet.png and text_sheet.png.")],
    split: Annotated[str, typer.Option(help="test, validation or train.")] = "test",
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first N scenes; all if omitted.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Denoising steps; the model's default if omitted.")] = None,
    text_guidance_scale: Annotated[
        float | None, typer.Option(help="How closely the views follow the prompt; the model's default if omitted.")
    ] = None,
    occupancy_guidance_scale: Annotated[
        float | None, typer.Option(help="How closely the views follow the blockout; the model's default if omitted.")
    ] = None,
    noise_scale: Annotated[
        float | None,
        typer.Option(help="Standard deviation of the initial noise, 1 as in training; of OccScene's own models."),
    ] = None,
    hints: Annotated[bool, typer.Option(help="Give colour hints, or leave colours to the prompt.")] = True,
    prior: Annotated[bool, typer.Option(help="Show blockouts with parts in place of plain boxes.")] = True,
    seed: Annotated[int, typer.Option(help="Added to each scene's own.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    checkpoint: CheckpointOptions = USUAL,
) -> None:
    """Generate the scenes of a split and score them, with the same metrics of the real renders for comparison."""
    if split not in ("test", "validation", "train"):
        raise typer.BadParameter(f"--split is {split!r}; it must be test, validation or train")
    from dataclasses import asdict

    from occscene_server.evaluation.evaluator import Evaluator, scenes_of
    from occscene_server.evaluation.report import write_report
    from occscene_server.evaluation.scene_scores import (
        GeneratedScene,
        Generation,
        SceneScores,
        autoencoder_metrics,
        generate_scenes,
        predicts_occupancy,
    )
    from occscene_server.evaluation.text_to_scene import TextToSceneScores, generate_from_prompts
    from occscene_server.pipelines.scene_priors import ScenePriors
    from occscene_server.pipelines.zero_shot import ZeroShotPipeline

    pipe = open_chosen(model, device, checkpoint)
    if noise_scale is not None and isinstance(pipe, ZeroShotPipeline):
        raise typer.BadParameter(f"--noise-scale is {noise_scale:g}; a checkpoint's noise is always 1, so omit it")
    device = str(pipe.device)
    trained = Evaluator.load(evaluator, device)
    scenes = list(scenes_of(data, split, limit))
    generation = Generation(seed, steps, text_guidance_scale, occupancy_guidance_scale, noise_scale, hints)
    scores = SceneScores(trained, scenes[0].blockout.taxonomy)
    shown: list[GeneratedScene] = []
    priors = ScenePriors.bundled(pipe.config.taxonomy)
    generated = generate_scenes(pipe, scenes, generation, priors if prior else None)
    for result in track(generated, "scenes", total=len(scenes)):
        scores.add(result)
        if len(shown) < _SHOWN:
            shown.append(result)
    text_scenes, text_metrics = {}, {}
    arms: list[tuple[str, ScenePriors | None]] = []
    if priors is not None and priors.layout is not None:
        arms.append(("with_prior", priors))
    if predicts_occupancy(pipe):
        arms.append(("without_prior", None))
    for arm, arm_priors in arms:
        label = f"text to scene, {arm.replace('_', ' ')}"
        first = scenes[:_TEXT_SCENES]
        text_scenes[arm] = list(
            track(generate_from_prompts(pipe, first, generation, arm_priors), label, total=len(first))
        )
        text_scores = TextToSceneScores(trained, scenes)
        for text_scene in text_scenes[arm]:
            text_scores.add(text_scene)
        text_metrics[arm] = text_scores.metrics()
    options = {name: value for name, value in asdict(checkpoint).items() if value != getattr(USUAL, name)}
    metrics = {
        "model": model, "checkpoint": options, "device": device, "split": split,
        "generation": asdict(generation) | {"parts": prior},
        "evaluator": trained.metrics, "autoencoder": autoencoder_metrics(pipe, scenes), **scores.metrics(),
        "text_to_scene": text_metrics,
    }  # fmt: skip
    write_report(output, metrics, shown, text_scenes)
    printed = ("gradient_energy", "edge_distance", "colors_by_words", "segmenter_agreement", "probes", "warp_psnr")
    say({name: metrics[name] for name in printed})
    say(f"The report is {output / 'report.html'}, its pictures {output / 'sheet.png'}")
