"""Stage 1: the first guess, by regression of the latents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from occscene_server.models.denoiser import OccSceneDenoiser
from occscene_server.training.denoiser_stage import TRUE_OCCUPANCY, LatentScenes, draw_scenes, placed_grid


def guess_loss(
    model: OccSceneDenoiser, data: LatentScenes, indices: Sequence[int], rng: np.random.Generator
) -> tuple[Tensor, dict[str, float]]:
    """Squared error of the first guess of some scenes, each channel counted as in the denoiser's loss."""
    drawn = draw_scenes(data, indices, rng)
    true = torch.from_numpy(rng.random(len(drawn.latents)) < TRUE_OCCUPANCY).to(data.device)
    grid = placed_grid(drawn.batch, true, rng)
    guidance = model.draw_guidance(grid, drawn.batch.cameras, drawn.size)
    guess = model.guess(guidance, drawn.text, drawn.text_mask)
    assert guess is not None
    return ((guess - drawn.latents).square().mean((0, 1, 3, 4)) * data.channel_weights).mean(), {}


@torch.no_grad()
def explained_variance(model: OccSceneDenoiser, data: LatentScenes, scenes: int = 24) -> dict[str, float]:
    """How much of the latents' variance, weighted as in the loss, the guess explains in the first held-out scenes.

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
            guidance = model.draw_guidance(grid, batch.cameras, (latents.shape[-2], latents.shape[-1]))
            text, mask = data.text[row, :1].float().to(data.device), data.text_mask[row, :1].to(data.device)
            guess = model.guess(guidance, text, mask)
            assert guess is not None
            wrong = (guess[0] - latents[row].to(data.device)).square().mean((0, 2, 3)) * data.channel_weights
            error += float(wrong.mean())
        explained[name] = float(1 - error / len(rows) / variance)
    return explained
