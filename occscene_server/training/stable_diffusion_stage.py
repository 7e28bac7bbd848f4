"""The `sd` model's training: what OccScene adds to a Stable Diffusion checkpoint learns, the checkpoint stays.

Dual alignment, the encoder of G-buffer maps and the attention across views are trained from zero; low-rank adapters,
if asked for, let the checkpoint's attention follow them and are merged into its weights afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from occscene_server.models.denoiser import OccSceneDenoiser
from occscene_server.models.stable_diffusion import ADDED_MODULES
from occscene_server.training.denoiser_stage import LatentScenes, corrupted_batch

LORA_MODULES = ["to_q", "to_k", "to_v", "to_out.0"]
"""Attention's linear layers, where low-rank adaptation (Hu et al. 2021, arXiv 2106.09685) usually goes."""


def freeze_checkpoint(model: OccSceneDenoiser, lora_rank: int = 0) -> None:
    """Leaves to training what was added to the checkpoint, and low-rank adapters of a rank above 0.

    Raises:
        RuntimeError: adapters are asked for and peft is not installed.
    """
    for name, parameter in model.unet.named_parameters():
        parameter.requires_grad_(any(part in name for part in ADDED_MODULES))
    if lora_rank:
        try:
            from peft import LoraConfig
        except ImportError as error:
            raise RuntimeError("low-rank adapters need peft: run `pip install 'occscene-server[sd]'`") from error
        model.unet.add_adapter(LoraConfig(r=lora_rank, lora_alpha=lora_rank, target_modules=LORA_MODULES))


def merge_adapters(model: OccSceneDenoiser) -> None:
    """Adds trained adapters to the weights that they adapt, so that nothing of them is left."""
    model.unet.fuse_lora()
    model.unet.unload_lora()


def diffusion_loss(
    model: OccSceneDenoiser,
    data: LatentScenes,
    indices: Sequence[int],
    rng: np.random.Generator,
    alphas_cumprod: Tensor,
) -> tuple[Tensor, dict[str, float]]:
    """The checkpoint's own loss on some scenes, everything random drawn from `rng`.

    x_t = sqrt(a_t) x_0 + sqrt(1 - a_t) e; the target is e, or v = sqrt(a_t) e - sqrt(1 - a_t) x_0 (Ho et al. 2020,
    equation 4; Salimans and Ho 2022, appendix D); t is uniform, stratified over the batch.

    Args:
        model: predicts what its `prediction_type` says.
        data: training scenes, in the checkpoint's latents and with its text encoder's states.
        indices: of the scenes.
        rng: decides all that is random.
        alphas_cumprod: (steps,) of the checkpoint's scheduler.
    """
    sample = corrupted_batch(model, data, indices, rng)
    level = sample.level[:, None, None, None, None]
    latents = sample.noisy - level * sample.velocity
    noise = latents + sample.velocity
    part = torch.from_numpy((rng.permutation(len(level)) + rng.random(len(level))) / len(level))
    timestep = (part * len(alphas_cumprod)).long().to(latents.device)
    signal = alphas_cumprod.to(latents.device)[timestep][:, None, None, None, None]
    noisy = signal.sqrt() * latents + (1 - signal).sqrt() * noise
    target = noise
    if model.config.prediction_type == "v_prediction":
        target = signal.sqrt() * noise - (1 - signal).sqrt() * latents
    prediction = model(noisy, timestep, sample.text, sample.text_mask, sample.condition)
    return (prediction.float() - target).square().mean(), {}
