"""`occscene-server train`: trains the parts of the model, one command a stage."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from occscene.taxonomy import TAXONOMIES
from torch import Tensor

from occscene_server.data.scenes import SceneSet
from occscene_server.models.autoencoder import SceneAutoencoder
from occscene_server.models.denoiser import OccSceneDenoiser
from occscene_server.models.perception import OccupancyPerception
from occscene_server.models.precision import fast_autocast
from occscene_server.models.surface_detail import SurfaceDetail
from occscene_server.models.text import load_minilm
from occscene_server.pipelines.occscene import OccScenePipeline
from occscene_server.terminal import say
from occscene_server.training import decoder_stage, draft_stage
from occscene_server.training.autoencoder_stage import reconstruction_scores, train_autoencoder
from occscene_server.training.bundle import bundle
from occscene_server.training.denoiser_stage import LatentScenes, TrainingScenes, denoiser_loss, validation_loss
from occscene_server.training.detail_stage import DetailScene, detail_loss, detail_scenes, explained_detail
from occscene_server.training.draft_stage import drafted_rooms
from occscene_server.training.drafted_rooms import fit_drafts
from occscene_server.training.generated_views import generate_views
from occscene_server.training.guess_stage import explained_variance, guess_loss
from occscene_server.training.joint_stage import JointModel, joint_loss
from occscene_server.training.layout_stage import layout
from occscene_server.training.loop import LoopOptions, train
from occscene_server.training.parts_stage import parts
from occscene_server.training.perception_stage import (
    balance,
    evaluate_perception,
    perception_step,
    pixel_step,
    random_batch,
)
from occscene_server.training.stable_diffusion_cli import sd

train_app = typer.Typer(help="Train the model on rendered scenes.", no_args_is_help=True)
train_app.command()(layout)
train_app.command()(parts)
train_app.command()(decoder_stage.decoder)
train_app.command()(decoder_stage.decoder_adversarial)
train_app.command()(draft_stage.drafts)
train_app.command()(sd)
train_app.command()(bundle)

DataOption = Annotated[Path, typer.Option(help="Folder that `occscene-server studio render` filled.")]
OutputOption = Annotated[Path, typer.Option(help="Folder for the checkpoint, the log and the weights.")]
DeviceOption = Annotated[str, typer.Option(help="cpu or cuda.")]
SeedOption = Annotated[int, typer.Option(help="Decides the weights at the start and what every step sees.")]
STEPS_HELP = "Optimiser steps in all, those before a resume included."
InitialOption = Annotated[Path | None, typer.Option(help="Start from these weights instead of random ones.")]
DraftsOption = Annotated[
    Path | None, typer.Option(help="Folder of `occscene-server train drafts`; by default it is made in OUTPUT.")
]
MaxMinutesOption = Annotated[float | None, typer.Option(help="Stop with a checkpoint after this time.")]


@train_app.command()
def autoencoder(
    data: DataOption,
    output: OutputOption,
    steps: Annotated[int, typer.Option(min=1, help=STEPS_HELP)] = 9000,
    batch: Annotated[int, typer.Option(min=1, help="Crops a step.")] = 8,
    crop: Annotated[int, typer.Option(min=64, help="Side of a crop in pixels.")] = 128,
    decoder_of: Annotated[
        Path | None, typer.Option(help="Train this autoencoder's decoder further; its latents stay as they are.")
    ] = None,
    learning_rate: Annotated[float, typer.Option(help="After the warm-up.")] = 1.2e-3,
    max_minutes: MaxMinutesOption = None,
    device: DeviceOption = "cpu",
    seed: SeedOption = 0,
) -> None:
    """Train the autoencoder, from which everything else follows."""
    views, held_out = SceneSet(data, "train").views.flatten(0, 1), SceneSet(data, "validation").views.flatten(0, 1)
    torch.manual_seed(seed)
    model = SceneAutoencoder() if decoder_of is None else SceneAutoencoder.from_pretrained(decoder_of)
    model.encoder.requires_grad_(decoder_of is None)
    options = LoopOptions(
        output, steps, learning_rate, decay_fraction=0.3, ema_decay=0.9985, weight_decay=0.0,
        max_minutes=max_minutes, device=device,
    )  # fmt: skip
    finished = train_autoencoder(model, views, held_out[:32], options, batch, crop, seed)
    model.save_pretrained(output / "vae")
    _report(finished, output / "vae", reconstruction_scores(model, held_out, device))


@train_app.command()
def guess(
    data: DataOption,
    output: OutputOption,
    vae: Annotated[Path, typer.Option(help="The trained autoencoder's folder.")],
    steps: Annotated[int, typer.Option(min=1, help=STEPS_HELP)] = 6000,
    batch: Annotated[int, typer.Option(min=1, help="Scenes a step, each with all its views.")] = 4,
    learning_rate: Annotated[float, typer.Option(help="After the warm-up.")] = 1e-3,
    initial: InitialOption = None,
    widths: Annotated[str, typer.Option(help="Of the UNet's levels, finest first.")] = "64,128,192",
    attention_levels: Annotated[int, typer.Option(min=1, help="How many of the coarsest levels attend.")] = 1,
    max_minutes: MaxMinutesOption = None,
    device: DeviceOption = "cpu",
    seed: SeedOption = 0,
) -> None:
    """Train a denoiser's first guess; the rest of it is left untrained, or as it was."""
    autoencoder = SceneAutoencoder.from_pretrained(vae).to(device)
    scenes, held_out = (_latent_scenes(data, split, autoencoder, device) for split in ("train", "validation"))
    torch.manual_seed(seed)
    model = _denoiser(initial, autoencoder, _classes(scenes.scenes), widths, attention_levels)
    model.to(device, memory_format=torch.channels_last).requires_grad_(False)
    if model.first_guess is None:
        raise typer.BadParameter(
            f"{initial} has no first guess, for only a compact denoiser that predicts flow has one; leave the option "
            "out to begin anew",
            param_hint="--initial",
        )
    model.first_guess.requires_grad_(True)
    options = LoopOptions(
        output, steps, learning_rate, decay_fraction=0.4, ema_decay=0.998, weight_decay=0.05, optimizer="muon",
        max_minutes=max_minutes, device=device,
    )  # fmt: skip

    def loss_of_step(step: int) -> tuple[Tensor, dict[str, float]]:
        rng = np.random.default_rng((seed, step))
        return guess_loss(model, scenes, rng.choice(len(scenes), batch, replace=False).tolist(), rng)

    def evaluate() -> dict[str, float]:
        with fast_autocast(device):
            return explained_variance(model, held_out)

    finished = train(model, loss_of_step, options, evaluate)
    model.save_pretrained(output / "denoiser")
    _report(finished, output / "denoiser", evaluate())


@train_app.command()
def denoiser(
    data: DataOption,
    output: OutputOption,
    vae: Annotated[Path, typer.Option(help="The trained autoencoder's folder.")],
    steps: Annotated[int, typer.Option(min=1, help=STEPS_HELP)] = 60000,
    batch: Annotated[int, typer.Option(min=1, help="Scenes a step, each with all its views.")] = 2,
    learning_rate: Annotated[float, typer.Option(help="After the warm-up.")] = 1e-3,
    ema_decay: Annotated[float, typer.Option(help="Of the averaged weights.")] = 0.9985,
    initial: InitialOption = None,
    decoder: Annotated[
        Path | None, typer.Option(help="A guided decoder, whose drafts the denoiser is given; without it, it guesses.")
    ] = None,
    drafts: DraftsOption = None,
    levels: Annotated[int, typer.Option(min=1, help="Noise levels of each scene in a step, with --decoder.")] = 2,
    widths: Annotated[str, typer.Option(help="Of the UNet's levels, finest first.")] = "64,128,192",
    attention_levels: Annotated[int, typer.Option(min=1, help="How many of the coarsest levels attend.")] = 1,
    view_side: Annotated[int | None, typer.Option(help="Shrink views to so many pixels; a quick start.")] = None,
    max_minutes: MaxMinutesOption = None,
    device: DeviceOption = "cpu",
    seed: SeedOption = 0,
) -> None:
    """Train the denoiser and dual alignment on the autoencoder's latents."""
    autoencoder = SceneAutoencoder.from_pretrained(vae).to(device)
    scenes: TrainingScenes
    held_out: TrainingScenes
    fit: tuple[Sequence[float], Sequence[float]] | None = None
    if decoder is None:
        known = _latent_scenes(data, "train", autoencoder, device, view_side)
        scenes, held_out = known, _latent_scenes(data, "validation", autoencoder, device, view_side)
        classes = _classes(known.scenes)
    else:
        rooms, held_out = drafted_rooms(data, drafts or output / "drafts", autoencoder, decoder, levels, device)
        scenes, fit, classes = rooms, fit_drafts(rooms), rooms.classes
    torch.manual_seed(seed)
    model = _denoiser(initial, autoencoder, classes, widths, attention_levels, fit)
    if model.takes_draft != (decoder is not None):
        needs = "needs drafts; give --decoder" if model.takes_draft else "guesses by itself; leave --decoder out"
        raise typer.BadParameter(f"{initial} {needs}", param_hint="--initial")
    model.to(device, memory_format=torch.channels_last)
    if model.first_guess is not None:
        model.first_guess.requires_grad_(False)  # else it would guess what it knows by heart
    options = LoopOptions(
        output, steps, learning_rate, ema_decay=ema_decay, optimizer="muon", max_minutes=max_minutes, device=device
    )

    def loss_of_step(step: int) -> tuple[Tensor, dict[str, float]]:
        rng = np.random.default_rng((seed, step))
        return denoiser_loss(model, scenes, rng.choice(len(scenes), batch, replace=False).tolist(), rng)

    def evaluate() -> dict[str, float]:
        with fast_autocast(device):
            return {"validation_loss": validation_loss(model, held_out)}

    finished = train(model, loss_of_step, options, evaluate)
    model.save_pretrained(output / "denoiser")
    _report(finished, output / "denoiser", evaluate())


@train_app.command()
def joint(
    data: DataOption,
    output: OutputOption,
    model: Annotated[Path, typer.Option(help="Folder with vae, denoiser and perception; with drafts, guided_decoder.")],
    steps: Annotated[int, typer.Option(min=1, help=STEPS_HELP)] = 2000,
    batch: Annotated[int, typer.Option(min=1, help="Scenes a step.")] = 2,
    learning_rate: Annotated[float, typer.Option(help="After the warm-up.")] = 1e-4,
    freeze_perception: Annotated[bool, typer.Option(help="Let it teach without learning.")] = False,
    drafts: DraftsOption = None,
    max_minutes: MaxMinutesOption = None,
    device: DeviceOption = "cpu",
    seed: SeedOption = 0,
) -> None:
    """Train denoiser and perception together, each on what the other makes."""
    autoencoder = SceneAutoencoder.from_pretrained(model / "vae").to(device)
    networks = JointModel(
        OccSceneDenoiser.from_pretrained(model / "denoiser"),
        OccupancyPerception.from_pretrained(model / "perception").requires_grad_(not freeze_perception),
        autoencoder,
    ).to(device)
    networks.denoiser.to(memory_format=torch.channels_last)
    rooms = SceneSet(data, "train")
    scenes: TrainingScenes = (
        drafted_rooms(data, drafts or output / "drafts", autoencoder, model / "guided_decoder", 1, device)[0]
        if networks.denoiser.takes_draft
        else LatentScenes(rooms, autoencoder, *load_minilm(), device)
    )
    weights = balance(rooms, _classes(rooms)).to(device)

    def loss_of_step(step: int) -> tuple[Tensor, dict[str, float]]:
        rng = np.random.default_rng((seed, step))
        return joint_loss(networks, scenes, rng.choice(len(scenes), batch, replace=False).tolist(), rng, weights)

    finished = train(
        networks, loss_of_step, LoopOptions(output, steps, learning_rate, max_minutes=max_minutes, device=device)
    )
    networks.denoiser.save_pretrained(output / "denoiser")
    networks.perception.save_pretrained(output / "perception")
    _report(finished, output, evaluate_perception(networks.perception, SceneSet(data, "validation"), device=device))


@train_app.command()
def perception(
    data: DataOption,
    output: OutputOption,
    steps: Annotated[int, typer.Option(min=1, help=STEPS_HELP)] = 6000,
    pixel_steps: Annotated[int, typer.Option(min=0, help="So many of them, the first, teach pixels alone.")] = 2000,
    batch: Annotated[int, typer.Option(min=1, help="Scenes a step.")] = 2,
    learning_rate: Annotated[float, typer.Option(help="After the warm-up.")] = 1e-3,
    initial: InitialOption = None,
    generator: Annotated[
        Path | None, typer.Option(help="A finished pipeline; half of the batches show views that it generates.")
    ] = None,
    rooms: Annotated[int, typer.Option(min=1, help="So many are generated first, into OUTPUT.")] = 500,
    keep: Annotated[float, typer.Option(min=0, max=1, help="Share of the initial weights in the finished ones.")] = 0.0,
    max_minutes: MaxMinutesOption = None,
    device: DeviceOption = "cpu",
    seed: SeedOption = 0,
) -> None:
    """Train perception: posed images, with or without a blockout, to occupancy."""
    if keep > 0 and initial is None:
        raise typer.BadParameter(
            f"{keep:g} of no initial weights; give --initial too, or leave it out", param_hint="--keep"
        )
    scenes, held_out = SceneSet(data, "train"), SceneSet(data, "validation")
    shown = [scenes]
    if generator is not None:
        pipeline = OccScenePipeline.from_pretrained(str(generator)).to(device)
        shown.append(scenes.with_views(generate_views(pipeline, data, scenes, rooms, output / "generated")))
    classes = _classes(scenes)
    torch.manual_seed(seed)
    model = OccupancyPerception(classes) if initial is None else OccupancyPerception.from_pretrained(initial)
    model.to(device)
    weights = balance(scenes, classes).to(device)

    def loss_of_step(step: int) -> tuple[Tensor, dict[str, float]]:
        rng = np.random.default_rng((seed, step))
        drawn = random_batch(shown[step % len(shown)], batch, rng).to(device)
        if step < pixel_steps:
            return pixel_step(model, drawn, rng)
        return perception_step(model, drawn, rng, weights)

    def evaluate() -> dict[str, float]:
        return evaluate_perception(model, held_out, range(min(24, len(held_out))), device)

    options = LoopOptions(output, steps, learning_rate, max_minutes=max_minutes, device=device)
    finished = train(model, loss_of_step, options, evaluate)
    if initial is not None:  # a mixture can be better than either, after Wortsman et al. 2022, arXiv 2109.01903
        start = OccupancyPerception.from_pretrained(initial).to(device).state_dict()
        model.load_state_dict({name: value.lerp(start[name], keep) for name, value in model.state_dict().items()})
    model.save_pretrained(output / "perception")
    _report(finished, output / "perception", evaluate_perception(model, held_out, device=device))


@train_app.command()
def detail(
    data: DataOption,
    output: OutputOption,
    model: Annotated[Path, typer.Option(help="A finished pipeline, whose views are to get their patterns.")],
    rooms: Annotated[int, typer.Option(min=1, help="So many are generated first, into OUTPUT.")] = 300,
    steps: Annotated[int, typer.Option(min=1, help=STEPS_HELP)] = 3000,
    batch: Annotated[int, typer.Option(min=1, help="Scenes a step.")] = 3,
    pixels: Annotated[int, typer.Option(min=1, help="Pixels of a scene.")] = 10_000,
    learning_rate: Annotated[float, typer.Option(help="After the warm-up.")] = 1e-2,
    max_minutes: MaxMinutesOption = None,
    device: DeviceOption = "cpu",
    seed: SeedOption = 0,
) -> None:
    """Train what draws patterns on walls, floors and ceilings of generated views."""
    pipeline = OccScenePipeline.from_pretrained(str(model), surface_detail=None).to(device)
    torch.manual_seed(seed)
    network = SurfaceDetail(pipeline.denoiser.pattern_words(*pipeline.encode_text([""])).shape[-1]).to(device)

    def gathered(split: str, rooms: int) -> list[DetailScene]:
        scenes = SceneSet(data, split, rooms)
        return detail_scenes(
            pipeline, network, scenes, generate_views(pipeline, data, scenes, rooms, output / "generated"), device
        )

    scenes, held_out = gathered("train", rooms), gathered("validation", max(1, rooms // 10))

    def loss_of_step(step: int) -> tuple[Tensor, dict[str, float]]:
        return detail_loss(network, scenes, batch, pixels, np.random.default_rng((seed, step)))

    options = LoopOptions(
        output, steps, learning_rate, warmup_steps=50, decay_fraction=0.8, ema_decay=0.99, weight_decay=0.2,
        max_minutes=max_minutes, device=device,
    )  # fmt: skip
    finished = train(network, loss_of_step, options, lambda: explained_detail(network, held_out))
    network.save_pretrained(output / "surface_detail")
    _report(finished, output / "surface_detail", explained_detail(network, held_out))


def _denoiser(
    initial: Path | None,
    vae: SceneAutoencoder,
    classes: int,
    widths: str,
    attention_levels: int,
    fit: tuple[Sequence[float], Sequence[float]] | None = None,
) -> OccSceneDenoiser:
    """The denoiser of a folder, or a new one; with the fit of drafts one that is given them."""
    if initial is not None:
        return OccSceneDenoiser.from_pretrained(initial)
    sizes = tuple(int(width) for width in widths.split(","))
    channels = vae.config.latent_channels
    if fit is None:
        return OccSceneDenoiser(channels, classes, sizes, attention_levels=attention_levels)
    gains, variances = fit
    return OccSceneDenoiser(
        channels, classes, sizes, attention_levels=attention_levels,
        guess_widths=(), draft_gains=gains, draft_variances=variances,
    )  # fmt: skip


def _latent_scenes(
    data: Path, split: str, vae: SceneAutoencoder, device: str, view_side: int | None = None
) -> LatentScenes:
    return LatentScenes(SceneSet(data, split), vae, *load_minilm(), device, view_side)


def _classes(scenes: SceneSet) -> int:
    return len(TAXONOMIES[scenes.infos[0].domain])


def _report(finished: bool, weights: Path, figures: dict[str, float]) -> None:
    say({name: round(value, 4) for name, value in figures.items()})
    say(f"{'Finished' if finished else 'Stopped at the time limit'}; weights in {weights}")
