"""The guided decoder: by regression first, then also against a discriminator that segments."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
import typer
from torch import Tensor, nn

from occscene_server.geometry.materials import MATERIALS
from occscene_server.models.guided_decoder import GuidedDecoder
from occscene_server.models.segmenting_discriminator import SegmentingDiscriminator
from occscene_server.models.transfer import take_over
from occscene_server.training import arguments as arg
from occscene_server.training.decoder_crops import DecoderBatch
from occscene_server.training.decoder_losses import (
    SWATCH_WEIGHT,
    decoder_loss,
    discriminator_loss,
    reconstruction_loss,
    swatch_loss,
)
from occscene_server.training.decoder_rooms import DecoderRooms, read_rooms
from occscene_server.training.decoder_views import draw, held_out_scores, write_sheet
from occscene_server.training.latents_stage import latents_file
from occscene_server.training.loop import LoopOptions, train
from occscene_server.training.prefetch import Prefetched
from occscene_server.training.stage import blend_parameters, report

ADVERSARIAL_WEIGHT, ADVERSARIAL_RISE = 0.25, 150
"""Weight of the adversarial loss of the decoder, and the steps over which it rises to that."""
HELD_OUT = 6
"""Rooms that the sheet of views shows."""

PartsOption = Annotated[
    Path | None,
    typer.Option(help="The parts prior's folder, for blockouts as the product draws them; the domain's if omitted."),
    arg.Weights("parts"),
]
LatentsOption = Annotated[
    Path | None,
    typer.Option(help="What `train latents` wrote, in place of noise on the rooms' latents."),
    arg.Weights("latents"),
]
CropOption = Annotated[int, typer.Option(min=32, help="Side of a crop in pixels, a multiple of 16.")]
DecayOption = Annotated[
    float,
    typer.Option(help="Share of the steps, the last ones, over which the rate falls; 0 for a run to be resumed later."),
]


class DecoderGame(nn.Module):
    """Decoder and discriminator, which one backward pass trains both: each gets the gradient of its own loss.

    Args:
        decoder, discriminator: the networks.
        weight: of the adversarial loss, once it has risen.
    """

    def __init__(
        self, decoder: GuidedDecoder, discriminator: SegmentingDiscriminator, weight: float = ADVERSARIAL_WEIGHT
    ) -> None:
        super().__init__()
        self.decoder, self.discriminator, self.weight = decoder, discriminator, weight

    def loss(self, batch: DecoderBatch, step: int) -> tuple[Tensor, dict[str, float]]:
        """The sum of both losses at a step, and metrics of each."""
        views = draw(self.decoder, batch)
        generator = torch.Generator().manual_seed(step)
        pull = decoder_loss(self.discriminator, views, batch.kinds)
        told_apart = discriminator_loss(self.discriminator, batch.views, views, batch.kinds, generator)
        weight = self.weight * min(1.0, step / ADVERSARIAL_RISE)
        loss, metrics = reconstruction(self.decoder, views, batch)
        metrics |= {"pull": float(pull.detach()), "told_apart": float(told_apart.detach())}
        return loss + weight * pull + told_apart, metrics


def reconstruction(decoder: GuidedDecoder, views: Tensor, batch: DecoderBatch) -> tuple[Tensor, dict[str, float]]:
    """The loss of drawn views against the rendered ones, and of swatches, with their L1 and cross-entropy."""
    loss, metrics = reconstruction_loss(views, batch.views), {"l1": float((views.detach() - batch.views).abs().mean())}
    if batch.swatches is not None:
        patterns = swatch_loss(decoder, batch.swatches)
        loss, metrics = loss + SWATCH_WEIGHT * patterns, metrics | {"patterns": float(patterns.detach())}
    return loss, metrics


def decoder(
    data: arg.Data,
    output: Annotated[Path, arg.OUTPUT, arg.Writes(("decoder",))],
    vae: arg.Vae,
    parts: PartsOption = None,
    latents: LatentsOption = None,
    initial: Annotated[Path | None, arg.INITIAL, arg.Weights("decoder")] = None,
    steps: arg.Steps = 20000,
    batch: arg.CropBatch = 8,
    crop: CropOption = 128,
    widths: arg.Widths = "48,80,128,192",
    learning_rate: arg.LearningRate = 3e-3,
    decay: DecayOption = 0.2,
    ema_decay: arg.EmaDecay = 0.998,
    max_minutes: arg.MaxMinutes = None,
    seed: arg.Seed = 0,
) -> None:
    """Train the guided decoder by regression: G-buffers, words and latents to views."""
    rooms, held_out = _rooms(data, vae, parts, output, crop, latents)
    torch.manual_seed(seed)
    if initial is not None:
        network = initial_decoder(initial, rooms.classes)
    else:
        sizes = [int(width) for width in widths.split(",")]
        channels = rooms.latents.vae.config.latent_channels
        network = GuidedDecoder(rooms.classes, channels, sizes, text_dim=rooms.book.width, materials=len(MATERIALS))
    network.to(memory_format=torch.channels_last)
    # in equal time Muon got further than AdamW at any rate
    options = LoopOptions(
        output, steps, learning_rate, warmup_steps=50, decay_fraction=decay, ema_decay=ema_decay, weight_decay=0.0,
        optimizer="muon", max_minutes=max_minutes,
    )  # fmt: skip

    crops_of = Prefetched(lambda step: rooms.batch(step, batch, crop, seed))

    def loss_of_step(step: int) -> tuple[Tensor, dict[str, float]]:
        crops = crops_of(step)
        return reconstruction(network, draw(network, crops), crops)

    finished = train(network, loss_of_step, options, lambda: held_out_scores(network, held_out, HELD_OUT))
    _finish(network, held_out, output, finished)


def decoder_adversarial(
    data: arg.Data,
    output: Annotated[Path, arg.OUTPUT, arg.Writes(("decoder",))],
    vae: arg.Vae,
    initial: Annotated[Path, typer.Option(help="The decoder to start from."), arg.Weights("decoder")],
    parts: PartsOption = None,
    latents: LatentsOption = None,
    weight: Annotated[float, typer.Option(min=0, help="Of the adversarial loss.")] = ADVERSARIAL_WEIGHT,
    steps: arg.Steps = 20000,
    batch: arg.CropBatch = 8,
    crop: CropOption = 128,
    learning_rate: arg.LearningRate = 5e-4,
    decay: DecayOption = 0.2,
    ema_decay: arg.EmaDecay = 0.998,
    keep: arg.Keep = 0.0,
    max_minutes: arg.MaxMinutes = None,
    seed: arg.Seed = 0,
) -> None:
    """Train a guided decoder further, against a discriminator that segments what it sees."""
    rooms, held_out = _rooms(data, vae, parts, output, crop, latents)
    torch.manual_seed(seed)
    network = initial_decoder(initial, rooms.classes).to(memory_format=torch.channels_last)
    before = GuidedDecoder.from_pretrained(initial)
    if keep and {name: own.shape for name, own in before.state_dict().items()} != {
        name: own.shape for name, own in network.state_dict().items()
    }:
        raise typer.BadParameter(f"{initial} has other classes or materials; omit it", param_hint="--keep")
    game = DecoderGame(network, SegmentingDiscriminator(rooms.kinds.names), weight)
    game.discriminator.to(memory_format=torch.channels_last)
    options = LoopOptions(
        output, steps, learning_rate, warmup_steps=50, decay_fraction=decay, ema_decay=ema_decay, weight_decay=0.0,
        max_minutes=max_minutes,
    )  # fmt: skip

    crops_of = Prefetched(lambda step: rooms.batch(step, batch, crop, seed + 1))

    def loss_of_step(step: int) -> tuple[Tensor, dict[str, float]]:
        return game.loss(crops_of(step), step)

    finished = train(game, loss_of_step, options, lambda: held_out_scores(network, held_out, HELD_OUT))
    if keep:
        blend_parameters(network, before, keep)
    _finish(network, held_out, output, finished)


def initial_decoder(initial: Path, classes: int) -> GuidedDecoder:
    """The guided decoder of a folder, in training; with new classes if it has others, and all materials."""
    trained: GuidedDecoder = GuidedDecoder.from_pretrained(initial).train()
    wanted = {"classes": classes, "materials": len(MATERIALS)}
    if all(trained.config[name] == count for name, count in wanted.items()):
        return trained
    # diffusers lists the options that a file lacks, and would give these their defaults again
    config = {name: value for name, value in trained.config.items() if name != "_use_default_values"}
    network: GuidedDecoder = GuidedDecoder.from_config(config | wanted)
    take_over(network, trained)
    return network


def _rooms(
    data: Path, vae: Path, parts: Path | None, output: Path, crop: int, latents: Path | None
) -> tuple[DecoderRooms, DecoderRooms]:
    """Training and held-out rooms."""
    if crop % 16:
        raise typer.BadParameter(
            f"{crop} is no multiple of 16 pixels; take {round(crop / 16) * 16}", param_hint="--crop"
        )
    denoised = None if latents is None else latents_file(latents, "train")
    rooms = read_rooms(data, "train", vae, parts, output, None, denoised)
    held_out = read_rooms(data, "validation", vae, parts, output, rooms.kinds)
    return rooms, held_out


def _finish(network: GuidedDecoder, held_out: DecoderRooms, output: Path, finished: bool) -> None:
    network.save_pretrained(output / "decoder")
    write_sheet(output / "sheet.webp", network, held_out, HELD_OUT)
    report(finished, output / "decoder", held_out_scores(network, held_out, HELD_OUT))
