"""Denoising that begins at given views instead of pure noise (SDEdit, Meng et al. 2022)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from occscene_server.geometry.pixel_values import images_from_bytes


def check_strength(strength: float) -> None:
    """Raises a ValueError if a strength is outside its limits."""
    if not (math.isfinite(strength) and 0 < strength <= 1):
        raise ValueError(f"strength is {strength}; it must be more than 0 and at most 1 (1 keeps nothing)")


def first_step(steps: int, strength: float) -> int:
    """The step to begin at, as diffusers' image-to-image pipelines count: the last `strength` of the steps are done.

    One is always done.
    """
    return steps - max(1, int(steps * strength))


def start_images(
    start: NDArray[np.uint8] | Sequence[NDArray[np.uint8]], scenes: int, views: int, image_size: tuple[int, int]
) -> Tensor:
    """Views to begin at as (B, V, 3, height, width) in [-1, 1].

    Args:
        start: (V, height, width, 3) uint8, or one such array a scene.
        scenes: B.
        views: V.
        image_size: (height, width) of the cameras.

    Raises:
        ValueError: they are other images than the cameras take.
    """
    arrays = [start] if isinstance(start, np.ndarray) and start.ndim == 4 else list(start)
    needed = (views, *image_size, 3)
    for array in arrays:
        if array.shape != needed or array.dtype != np.uint8:
            raise ValueError(f"start is {array.dtype} of the shape {array.shape}; these cameras need uint8 of {needed}")
    if len(arrays) != scenes:
        raise ValueError(f"start has the views of {len(arrays)} scenes; there are {scenes} prompts")
    return torch.stack([images_from_bytes(torch.from_numpy(np.ascontiguousarray(array))) for array in arrays])


def noised(scheduler: Any, latents: Tensor, noise: Tensor, begin: int) -> Tensor:
    """Clean latents at the noise level of step `begin`, where the scheduler begins.

    Args:
        scheduler: any of diffusers', its timesteps set.
        latents, noise: of one shape.
        begin: number of the step.
    """
    if hasattr(scheduler, "set_begin_index"):  # those that count their steps
        scheduler.set_begin_index(begin)
    timestep = scheduler.timesteps[begin : begin + 1]
    if hasattr(scheduler, "scale_noise"):  # flow matching
        mixed: Tensor = scheduler.scale_noise(latents, timestep, noise)
    else:
        mixed = scheduler.add_noise(latents, noise, timestep)
    return mixed
