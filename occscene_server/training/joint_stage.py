"""Stage 2: generation and perception supervise each other; and its command.

The denoiser's estimate of the clean views is decoded and perceived; the perception loss reaches the denoiser through
the decoder, and what was perceived conditions the denoiser through dual alignment, as when it is used. The paper gives
no weights; the noise weighting and the share of steps with feedback are our choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from occscene.grid import UNKNOWN
from torch import Tensor, nn

from occscene_server.data.scenes import SceneSet
from occscene_server.models.autoencoder import SceneAutoencoder
from occscene_server.models.denoiser import OccSceneDenoiser
from occscene_server.models.perception import OccupancyPerception
from occscene_server.models.text import load_minilm
from occscene_server.training import arguments as arg
from occscene_server.training.denoiser_stage import CorruptedBatch, LatentScenes, TrainingScenes, velocity_loss
from occscene_server.training.draft_stage import drafted_rooms, sampled_rooms
from occscene_server.training.loop import LoopOptions, train
from occscene_server.training.losses import occupancy_loss
from occscene_server.training.perception_stage import BLOCKOUT_DROPOUT, evaluate_perception, scene_class_weights
from occscene_server.training.stage import report, seeded

PERCEPTION_WEIGHT = 0.05
SAMPLED_SHARE = 0.25
"""Share of steps that show rooms that the layout prior drew, where there are any."""
FEEDBACK_SHARE = 0.5
"""Share of steps in which dual alignment gets perception's prediction from a first estimate of the views."""


class JointModel(nn.Module):
    """The networks that train together; the regression prior and the autoencoder between them are frozen."""

    def __init__(self, denoiser: OccSceneDenoiser, perception: OccupancyPerception, vae: SceneAutoencoder) -> None:
        super().__init__()
        self.denoiser = denoiser
        if denoiser.regression_prior is not None:
            denoiser.regression_prior.requires_grad_(False)
        self.perception = perception
        self.vae = vae.requires_grad_(False)


def joint_loss(
    model: JointModel,
    data: TrainingScenes,
    indices: Sequence[int],
    rng: np.random.Generator,
    weights: Tensor,
    is_rendered: bool = True,
) -> tuple[Tensor, dict[str, float]]:
    """Flow-matching loss plus the perception loss of the estimate, weighted by how clean the estimate can be.

    Args:
        model: denoiser, perception and autoencoder.
        data: training scenes.
        indices: of the scenes.
        rng: decides all that is random.
        weights: (classes,) of the cross-entropy.
        is_rendered: whether there are views to learn from; of a sampled layout there is only what should be perceived.
    """
    sample = data.corrupted(model.denoiser, indices, rng)
    condition, words = sample.condition, (sample.text, sample.text_mask)
    blend = sample.level[:, None, None, None, None]
    if rng.random() < FEEDBACK_SHARE:
        with torch.no_grad():
            first = model.denoiser(sample.noisy, sample.level * 1000, *words, condition, sample.prior)
            logits = _perceive(model, sample.noisy - blend * first.float(), sample, sample.blockout.labels)
        condition = sample.perceived(logits.argmax(1))
    velocity = model.denoiser(sample.noisy, sample.level * 1000, *words, condition, sample.prior).float()
    generation = velocity_loss(velocity, sample.velocity, data.channel_weights)
    withheld = torch.from_numpy(rng.random(len(blend)) < BLOCKOUT_DROPOUT).to(blend.device)
    blockout = sample.blockout.labels.masked_fill(withheld[:, None, None, None], UNKNOWN)
    logits = _perceive(model, sample.noisy - blend * velocity, sample, blockout)
    cleanness = (1 - sample.level).square()
    seen, _ = occupancy_loss(logits, sample.occupancy.labels, weight=cleanness, classes=weights)
    metrics = {"generation": float(generation.detach()), "perception": float(seen.detach())}
    return generation * is_rendered + PERCEPTION_WEIGHT * seen, metrics


def _perceive(model: JointModel, latents: Tensor, scenes: CorruptedBatch, blockout: Tensor) -> Tensor:
    """Decodes an estimate of the latents (B, V, C, h, w) and predicts the classes' logits (B, classes, X, Y, Z)."""
    images = model.vae.decode(model.vae.denormalize(latents.flatten(0, 1))).sample
    return model.perception(
        images.clamp(-1, 1).unflatten(0, latents.shape[:2]), scenes.cameras, scenes.occupancy.volume, blockout
    )


def joint(
    data: arg.Data,
    output: Annotated[Path, arg.OUTPUT, arg.Writes(("denoiser", "perception"))],
    vae: arg.Vae,
    denoiser: arg.Denoiser,
    perception: arg.Perception,
    decoder: Annotated[
        Path | None, typer.Option(help="The guided decoder of a denoiser that is given drafts."), arg.Weights("decoder")
    ] = None,
    drafts: arg.Drafts = None,
    steps: arg.Steps = 2000,
    batch: arg.SceneBatch = 2,
    learning_rate: arg.LearningRate = 1e-4,
    freeze_perception: Annotated[bool, typer.Option(help="Freeze perception (teacher only).")] = False,
    max_minutes: arg.MaxMinutes = None,
    device: arg.Device = "cpu",
    seed: arg.Seed = 0,
) -> None:
    """Train denoiser and perception together, each on the other's output."""
    autoencoder = SceneAutoencoder.from_pretrained(vae).to(device)
    networks = JointModel(
        OccSceneDenoiser.from_pretrained(denoiser),
        OccupancyPerception.from_pretrained(perception).requires_grad_(not freeze_perception),
        autoencoder,
    ).to(device)
    networks.denoiser.to(memory_format=torch.channels_last)
    if networks.denoiser.takes_draft != (decoder is not None):
        needs = "needs drafts; give --decoder" if decoder is None else "has a regression prior; omit --decoder"
        raise typer.BadParameter(f"{denoiser} {needs}", param_hint="--denoiser")
    # drafted rooms stay on the disk; the class weights are counted on some in memory
    rooms = SceneSet(data, "train", None if decoder is None else 500)
    scenes: TrainingScenes
    sampled: TrainingScenes | None = None
    if decoder is None:
        scenes = LatentScenes(rooms, autoencoder, *load_minilm(), device)
    else:
        folder = drafts or output / "drafts"
        drafted, _ = drafted_rooms(data, folder, autoencoder, decoder, 1, device)
        scenes, sampled = drafted, sampled_rooms(folder, drafted)
    weights = scene_class_weights(rooms, rooms.classes).to(device)
    options = LoopOptions(output, steps, learning_rate, max_minutes=max_minutes, device=device)

    def loss(rng: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        shown = sampled if sampled is not None and rng.random() < SAMPLED_SHARE else scenes
        rows = rng.choice(len(shown), batch, replace=False).tolist()
        return joint_loss(networks, shown, rows, rng, weights, is_rendered=shown is scenes)

    finished = train(networks, seeded(loss, seed), options)
    networks.denoiser.save_pretrained(output / "denoiser")
    networks.perception.save_pretrained(output / "perception")
    report(finished, output, evaluate_perception(networks.perception, SceneSet(data, "validation"), device=device))
