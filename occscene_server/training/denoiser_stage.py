"""Stage 1: the denoiser with dual alignment, by flow matching on latents of rendered scenes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from occscene.taxonomy import INDOOR, OUTDOOR, TAXONOMIES
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from occscene_server.data.prompts import VARIANTS, prompt_variants
from occscene_server.data.scenes import SceneBatch, SceneSet
from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.grids import GridTensors
from occscene_server.geometry.pixel_values import images_from_bytes
from occscene_server.models.autoencoder import SceneAutoencoder
from occscene_server.models.denoiser import Condition, OccSceneDenoiser
from occscene_server.models.text import encode_prompts, load_minilm
from occscene_server.models.transfer import take_over

TEXT_DROPOUT = 0.1
VARIANT_SHARES = (0.6, 0.15, 0.25)
"""Probability of each of `prompt_variants`."""
OCCUPANCY_DROPOUT = 0.1
TRUE_OCCUPANCY = 0.1
"""Share of scenes conditioned on the true grid: perception's prediction is like it in text to scene."""
REFINED_OCCUPANCY = 0.3
"""Share of scenes whose dual alignment sees the blockout filled up with true detail, as after feedback."""
SCENES_WITHOUT_HINTS = 0.4
"""With a quarter, the text had hardly any effect on colors."""
HINT_DROPOUT = 0.5
REACH = {INDOOR.name: (0.3, 8.0), OUTDOOR.name: (0.5, 60.0)}
"""Meters from the nearest plane of dual alignment to the farthest, by taxonomy."""
LOSS_SCALES = (1, 2, 4, 8)
"""Sides, in latent pixels, of the squares over which errors are averaged."""


class LatentScenes:
    """Scenes with their latents and their prompts' token states, ready for the denoiser.

    Args:
        scenes: rendered scenes; their views are encoded once, and once mirrored.
        vae: the trained autoencoder.
        text_encoder, tokenizer: of the prompts.
        device: where batches go.
        view_side: side to which views are shrunk first, pixels; None keeps theirs. What a scene looks like is learned
            several times faster from small views, and carries over.
    """

    def __init__(
        self,
        scenes: SceneSet,
        vae: SceneAutoencoder,
        text_encoder: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        device: str,
        view_side: int | None = None,
    ) -> None:
        self.scenes = scenes
        self.device = device

        def latents(views: Tensor) -> Tensor:
            return latents_of_views(vae, views.to(device), view_side).cpu().to(torch.bfloat16)

        self.channel_weights = channel_weights(vae, scenes.views[:: max(1, len(scenes) // 4)].flatten(0, 1).to(device))
        plain = torch.stack([latents(views) for views in scenes.views])
        mirrored = torch.stack([latents(views.flip(2)) for views in scenes.views])
        self.latents = torch.stack([plain, mirrored])  # (2, N, V, C, h, w)
        text_encoder = text_encoder.to(device)
        prompts = [prompt for info in scenes.infos for prompt in prompt_variants(info)]
        encoded = [encode_prompts(text_encoder, tokenizer, prompts[i : i + 32]) for i in range(0, len(prompts), 32)]
        states = torch.cat([states.cpu().to(torch.bfloat16) for states, _ in encoded])
        self.text = states.unflatten(0, (-1, VARIANTS))  # (N, variant, T, D)
        self.text_mask = torch.cat([mask.cpu() for _, mask in encoded]).unflatten(0, (-1, VARIANTS))
        states, mask = encode_prompts(text_encoder, tokenizer, [""])
        self.no_text, self.no_text_mask = states.cpu().to(torch.bfloat16), mask.cpu()

    @classmethod
    def read(
        cls, data: Path, split: str, vae: SceneAutoencoder, device: str, view_side: int | None = None
    ) -> LatentScenes:
        """Those of a folder, with MiniLM's states of their prompts."""
        return cls(SceneSet(data, split), vae, *load_minilm(), device, view_side)

    def __len__(self) -> int:
        return len(self.scenes)

    def corrupted(self, model: OccSceneDenoiser, indices: Sequence[int], rng: np.random.Generator) -> CorruptedBatch:
        """Draws scenes, noise and condition."""
        return corrupted_batch(model, self, indices, rng)


class TrainingScenes(Protocol):
    """Scenes that a denoiser learns from, those in memory or drafted ones.

    Args:
        channel_weights: (C,) how much an error in each latent channel counts.
    """

    channel_weights: Tensor

    def __len__(self) -> int: ...

    def corrupted(self, model: OccSceneDenoiser, indices: Sequence[int], rng: np.random.Generator) -> CorruptedBatch:
        """Draws scenes, noise and condition, all at random from `rng`."""
        ...


@torch.no_grad()
def latents_of_views(vae: SceneAutoencoder, views: Tensor, view_side: int | None = None) -> Tensor:
    """uint8 views (N, height, width, 3), shrunk to `view_side` pixels, to normalised latents (N, channel, h, w)."""
    images = images_from_bytes(views)
    if view_side is not None:
        images = F.interpolate(images, size=(view_side, view_side), mode="area")
    images = images.contiguous(memory_format=torch.channels_last)
    return vae.normalize(vae.encode(images).latent_dist.mode().float())


@torch.no_grad()
def channel_weights(vae: SceneAutoencoder, views: Tensor, probe: float = 0.3) -> Tensor:
    """Weights (C,) of the latent channels in the loss, mean 1: square roots of their effect on the image.

    A channel's share of the image's squared error differs by more than ten between channels, and those with the least
    are the hardest to predict; counted alike they would take most of the training. The square root, our choice, keeps
    the fine detail that they carry from being forgotten.

    Args:
        vae: the trained autoencoder.
        views: (N, height, width, 3) uint8, some views.
        probe: standard deviation of the error, in normalised latents.
    """
    squared = torch.zeros(vae.config.latent_channels, device=views.device)
    for chunk in views.split(8):
        latents = latents_of_views(vae, chunk)
        decoded = vae.decode(vae.denormalize(latents)).sample
        error = probe * torch.randn(latents.shape[2:], generator=torch.Generator().manual_seed(0)).to(latents)
        for channel in range(latents.shape[1]):
            wrong = latents.clone()
            wrong[:, channel] += error
            squared[channel] += (vae.decode(vae.denormalize(wrong)).sample - decoded).square().sum()
    return squared.sqrt() / squared.sqrt().mean()


def denoiser_loss(
    model: OccSceneDenoiser, data: TrainingScenes, indices: Sequence[int], rng: np.random.Generator
) -> tuple[Tensor, dict[str, float]]:
    """The flow-matching loss on some scenes, everything random drawn from `rng`.

    x_t = (1 - t) x_0 + t noise, the target is noise - x_0, and t follows a logit-normal stratified over the batch
    (Esser et al. 2024, "Scaling rectified flow transformers", section 3.1).
    """
    sample = data.corrupted(model, indices, rng)
    velocity = model(sample.noisy, sample.level * 1000, sample.text, sample.text_mask, sample.condition, sample.prior)
    return velocity_loss(velocity, sample.velocity, data.channel_weights), {}


def velocity_loss(velocity: Tensor, target: Tensor, weights: Tensor) -> Tensor:
    """Squared error of the velocity (B, V, C, h, w) at several scales, each channel counted by `weights` (C,).

    sum_s s mean((pool_s(v - v*))^2) / sum_s 1/s over the sides s of `LOSS_SCALES` (after Hoogeboom et al. 2023, "Simple
    diffusion", arXiv 2301.11093; the weights s are our choice). Latents are mostly unpredictable texture, in which an
    error that spans several pixels, as of a wall's color, would be lost. The minimizer is unchanged; it is learned
    sooner.
    """
    error = (velocity.float() - target).flatten(0, 1)
    scales = [scale for scale in LOSS_SCALES if scale <= min(error.shape[-2:])]
    parts = [scale * F.avg_pool2d(error, scale).square().mean((0, 2, 3)) for scale in scales]
    white = sum(1 / scale for scale in scales)  # the same sum for an error that is noise of variance 1
    return (torch.stack(parts).sum(0) * weights).mean() / white


@dataclass(frozen=True)
class CorruptedBatch:
    """Scenes at random noise levels, with the denoiser's conditioning.

    Args:
        noisy, velocity: (B, V, C, h, w); what to denoise, and the target.
        level: (B,) noise levels in (0, 1).
        text, text_mask: (B, T, D) and (B, T).
        condition: of the occupancy.
        prior: (B, V, C, h, w) the encoded drafts, zeros where there is none; None if the denoiser predicts it.
        cameras: of the views.
        blockout, occupancy: the artist's grids, and the true ones.
        perceived: labels (B, X, Y, Z) that take the true ones' place, to the condition that they give.
    """

    noisy: Tensor
    velocity: Tensor
    level: Tensor
    text: Tensor
    text_mask: Tensor
    condition: Condition
    prior: Tensor | None
    cameras: CameraTensors
    blockout: GridTensors
    occupancy: GridTensors
    perceived: Callable[[Tensor], Condition]


@dataclass(frozen=True)
class DrawnScenes:
    """Scenes of a step, turned or mirrored, and one prompt for each.

    Args:
        latents: (B, V, C, h, w) of the views.
        text, text_mask: (B, T, D) and (B, T).
        batch: the scenes.
    """

    latents: Tensor
    text: Tensor
    text_mask: Tensor
    batch: SceneBatch

    @property
    def size(self) -> tuple[int, int]:
        """(h, w)."""
        return self.latents.shape[-2], self.latents.shape[-1]


def draw_scenes(data: LatentScenes, indices: Sequence[int], rng: np.random.Generator) -> DrawnScenes:
    """Draws symmetry and prompt for some scenes."""
    mirror, turns = bool(rng.integers(2)), 2 * int(rng.integers(2))  # planks of a floor run along x, turned or not
    rows = torch.as_tensor(indices)
    no_text = torch.from_numpy(rng.random(len(rows)) < TEXT_DROPOUT)
    variant = torch.from_numpy(rng.choice(VARIANTS, len(rows), p=VARIANT_SHARES))
    text = torch.where(no_text[:, None, None], data.no_text, data.text[rows, variant])
    mask = torch.where(no_text[:, None], data.no_text_mask, data.text_mask[rows, variant])
    return DrawnScenes(
        data.latents[int(mirror), rows].float().to(data.device),
        text.float().to(data.device),
        mask.to(data.device),
        data.scenes.batch(indices, (mirror, turns)).to(data.device),
    )


def corrupted_batch(
    model: OccSceneDenoiser, data: LatentScenes, indices: Sequence[int], rng: np.random.Generator
) -> CorruptedBatch:
    """Draws scenes, noise and condition."""
    drawn = draw_scenes(data, indices, rng)
    latents = drawn.latents
    noise = torch.from_numpy(rng.standard_normal(latents.shape, np.float32)).to(data.device)
    level = noise_levels(len(latents), rng).to(data.device)
    blend = level[:, None, None, None, None]
    condition = random_condition(model, drawn.batch, drawn.size, rng)
    noisy = (1 - blend) * latents + blend * noise
    batch = drawn.batch

    def perceived(labels: Tensor) -> Condition:
        seen = replace(batch, occupancy=batch.occupancy.with_labels(labels.to(torch.uint8)))
        return random_condition(model, seen, drawn.size, rng)

    return CorruptedBatch(
        noisy, noise - latents, level, drawn.text, drawn.text_mask, condition, None,
        batch.cameras, batch.blockout, batch.occupancy, perceived,
    )  # fmt: skip


def noise_levels(count: int, rng: np.random.Generator, mean: float = 0.8, deviation: float = 1.3) -> Tensor:
    """Noise levels in (0, 1), logit-normal, one from each of `count` equal parts of the distribution.

    More than half are high: with so strong a condition little is left to learn at low noise.
    """
    quantile = torch.from_numpy((rng.permutation(count) + rng.random(count)) / count).float().clamp(1e-4, 1 - 1e-4)
    return torch.sigmoid(mean + deviation * torch.special.ndtri(quantile))


def random_condition(
    model: OccSceneDenoiser, batch: SceneBatch, size: tuple[int, int], rng: np.random.Generator
) -> Condition:
    """The condition of a training batch: mostly the blockout, sometimes none, refined, or the true grid."""
    kind = torch.from_numpy(rng.random(len(batch.views))).to(batch.views.device)
    dropped = kind < OCCUPANCY_DROPOUT
    true = kind > 1 - TRUE_OCCUPANCY
    refined = ((kind - OCCUPANCY_DROPOUT) < REFINED_OCCUPANCY) & ~true
    grid = placed_grid(batch, true, rng)
    fill = refined[:, None, None, None] & (batch.blockout.labels == 0)
    return model.encode_condition(
        grid, batch.cameras, size, torch.where(fill, batch.occupancy.labels, grid.labels), dropped
    )


def placed_grid(batch: SceneBatch, true: Tensor, rng: np.random.Generator) -> GridTensors:
    """What a training batch's G-buffers show: the blockout, or the true grid where `true` (B,), some hints dropped."""
    blockout = batch.blockout
    assert blockout.instances is not None
    true = true[:, None, None, None]
    return replace(
        blockout,
        labels=torch.where(true, batch.occupancy.labels, blockout.labels),
        instances=blockout.instances.masked_fill(true, 0),
        hints=drop_hints(blockout.hints, rng),
    )


def drop_hints(hints: Tensor, rng: np.random.Generator) -> Tensor:
    """Colour hints (B, N + 1, 4) with some scenes' and some objects' removed."""
    kept = rng.random(hints.shape[:2]) >= HINT_DROPOUT
    kept &= (rng.random(len(hints)) >= SCENES_WITHOUT_HINTS)[:, None]
    return hints * torch.from_numpy(kept).to(hints.device)[..., None]


@torch.no_grad()
def validation_loss(model: OccSceneDenoiser, data: TrainingScenes, scenes: int = 24) -> float:
    """The loss on the first scenes of a held-out set, always with the same random numbers."""
    rng = np.random.default_rng(0)
    losses = [
        float(denoiser_loss(model, data, range(i, min(i + 4, len(data))), rng)[0])
        for i in range(0, min(scenes, len(data)), 4)
    ]
    return sum(losses) / len(losses)


def initial_denoiser(
    initial: Path | None,
    vae: SceneAutoencoder,
    classes: int,
    widths: str,
    attention_levels: int,
    fit: tuple[Tensor, Tensor] | None = None,
) -> OccSceneDenoiser:
    """The denoiser of a folder, or a new one, which takes drafts if their fit is given.

    From a folder's that has other classes it takes what does not depend on them; dual alignment then reaches as far as
    the scenes do.
    """
    if initial is not None:
        trained = OccSceneDenoiser.from_pretrained(initial)
        if trained.config.classes == classes:
            return trained
        reach = REACH[next(name for name, taxonomy in TAXONOMIES.items() if len(taxonomy) == classes)]
        changed: OccSceneDenoiser = OccSceneDenoiser.from_config(
            dict(trained.config) | {"classes": classes, "reach": reach}
        )
        take_over(changed, trained)
        return changed
    sizes = tuple(int(width) for width in widths.split(","))
    channels = vae.config.latent_channels
    if fit is None:
        return OccSceneDenoiser(channels, classes, sizes, attention_levels=attention_levels)
    model = OccSceneDenoiser(channels, classes, sizes, attention_levels=attention_levels, prior_widths=())
    model.set_draft_statistics(*fit)
    return model
