"""Denoising that begins at given views instead of pure noise (SDEdit, Meng et al. 2022), or around views that stay."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from occscene_server.geometry.pixel_values import images_from_bytes


def check_strength(strength: float, name: str = "strength") -> None:
    """Raises a ValueError if a strength is outside its limits."""
    if not (math.isfinite(strength) and 0 <= strength <= 1):
        raise ValueError(f"{name} is {strength}; it must be 0 (keeps all) to 1 (keeps nothing)")


def first_step(steps: int, strength: float) -> int:
    """The step to begin at, as diffusers' image-to-image pipelines count: the last `strength` of the steps are done.

    One is done at least, unless `strength` is 0, which does none.
    """
    return steps - max(strength > 0, int(steps * strength))


def start_images(
    start: NDArray[np.uint8] | Sequence[NDArray[np.uint8]],
    scenes: int,
    views: int,
    image_size: tuple[int, int],
    name: str = "start",
) -> Tensor:
    """Views to begin at as (B, V, 3, height, width) in [-1, 1].

    Args:
        start: (V, height, width, 3) uint8, or one such array a scene.
        scenes: B.
        views: V.
        image_size: (height, width) of the cameras.
        name: of the argument, for errors.

    Raises:
        ValueError: they are other images than the cameras take.
    """
    arrays = [start] if isinstance(start, np.ndarray) and start.ndim == 4 else list(start)
    needed = (views, *image_size, 3)
    for array in arrays:
        if array.shape != needed or array.dtype != np.uint8:
            raise ValueError(
                f"{name} is {array.dtype} of the shape {array.shape}; these cameras need uint8 of {needed}"
            )
    if len(arrays) != scenes:
        raise ValueError(f"{name} has the views of {len(arrays)} scenes; there are {scenes} prompts")
    return torch.stack([images_from_bytes(torch.from_numpy(np.ascontiguousarray(array))) for array in arrays])


def noised(scheduler: Any, latents: Tensor, noise: Tensor, begin: int) -> Tensor:
    """Clean latents at the noise level of step `begin`, where the scheduler begins.

    Args:
        scheduler: any of diffusers', its timesteps set.
        latents, noise: of one shape.
        begin: number of the step; that after the last is clean.
    """
    if begin < len(scheduler.timesteps) and hasattr(scheduler, "set_begin_index"):  # those that count their steps
        scheduler.set_begin_index(begin)
    return noised_at(scheduler, latents, noise, begin)


def noised_at(scheduler: Any, latents: Tensor, noise: Tensor, index: int) -> Tensor:
    """Clean latents at the level of step `index`, to which the scheduler has come; its arguments are `noised`'s."""
    if index >= len(scheduler.timesteps):
        return latents
    timestep = scheduler.timesteps[index : index + 1]
    if hasattr(scheduler, "scale_noise"):  # flow matching
        mixed: Tensor = scheduler.scale_noise(latents, timestep, noise)
    else:
        mixed = scheduler.add_noise(latents, noise, timestep.expand(len(latents)))
    return mixed


@dataclass(frozen=True, eq=False)
class KnownViews:
    """Views that stay as they are while others are denoised.

    At each step their latents are those of the known images with that step's noise, so that the others, which attend to
    them, come to agree with them (the replacement of Lugmayr et al. 2022, "RePaint", without its resampling).

    Args:
        places: of the views among all, from 0.
        images: (1, K, 3, height, width) in [-1, 1].
        latents: (1, K, channels, h, w), clean.
    """

    places: tuple[int, ...]
    images: Tensor
    latents: Tensor

    def held(self, scheduler: Any, latents: Tensor, noise: Tensor, index: int) -> Tensor:
        """Latents (1, V, channels, h, w) of all views at the level of step `index`, with those of the known ones."""
        known = noised_at(scheduler, self.latents, noise[:, self.places], index)
        return self.put_into(latents, known)

    def shown(self, denoised: Tensor) -> Tensor:
        """An estimate of clean latents (1, V, channels, h, w) with those of the known views."""
        return self.put_into(denoised, self.latents)

    def finished(self, images: Tensor) -> Tensor:
        """Views (1, V, 3, height, width), the known ones as they were given."""
        return self.put_into(images, self.images)

    def put_into(self, all_views: Tensor, known: Tensor) -> Tensor:
        """All views (1, V, ...), those at `places` replaced by the known ones (1, K, ...)."""
        replaced = all_views.clone()
        replaced[:, list(self.places)] = known.to(all_views)
        return replaced


def known_images(
    known: Mapping[int, NDArray[np.uint8]] | None, scenes: int, views: int, image_size: tuple[int, int]
) -> tuple[tuple[int, ...], Tensor] | None:
    """Places and images (1, K, 3, height, width) in [-1, 1] of the views that stay; None if there are none.

    Args:
        known: (height, width, 3) uint8 by place.
        scenes: B, which must be 1.
        views: V.
        image_size: (height, width) of the cameras.

    Raises:
        ValueError: there are several scenes, or the images are other than the cameras take, or nothing is left to make.
    """
    if not known:
        return None
    if scenes != 1:
        raise ValueError(f"known has views of one scene; there are {scenes} prompts")
    beyond = [place for place in known if not 0 <= place < views]
    if beyond:
        raise ValueError(f"known has a view {beyond[0]}; there are {views} cameras, numbered from 0")
    if len(known) == views:
        raise ValueError(f"known has all {views} views; at least one must be left to generate")
    places = tuple(sorted(known))
    images = np.stack([known[place] for place in places])
    return places, start_images(images, 1, len(places), image_size, "known")
