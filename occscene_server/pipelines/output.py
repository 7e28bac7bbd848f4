"""The output of the pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers.image_processor import VaeImageProcessor
from diffusers.utils import BaseOutput
from numpy.typing import NDArray
from occscene.grid import SemanticGrid
from torch import Tensor

from occscene_server.geometry.pixel_values import bytes_from_images


@dataclass
class OccSceneOutput(BaseOutput):
    """The output of a generation.

    Args:
        images: of one scene, one a camera, in the cameras' order: (V, height, width, 3) uint8 sRGB for the output type
            "uint8", a list of PIL images for "pil", (V, height, width, 3) float32 in [0, 1] for "np", a tensor
            (V, 3, height, width) in [0, 1] for "pt", latents (V, channel, h, w) for "latent". Of a list of prompts,
            the same with an axis (or list) of scenes before it.
        grids: the predicted occupancy of every scene, in the volume of its blockout.
        source: where the occupancy comes from, one of `occscene.results.OCCUPANCY_SOURCES`.
    """

    images: Any
    grids: list[SemanticGrid]
    source: str = "views"

    @property
    def grid(self) -> SemanticGrid:
        """The predicted occupancy of the first scene."""
        return self.grids[0]


def images_of_type(output_type: str, images: Tensor, latents: Tensor) -> Any:
    """One scene's images (V, 3, height, width) in [-1, 1], or its latents, as the output type asks."""
    if output_type == "latent":
        return latents
    if output_type == "uint8":
        return to_uint8(images)
    return VaeImageProcessor().postprocess(images, output_type)


def stacked(scenes: Sequence[Any]) -> Any:
    """The images of several scenes with an axis of scenes before them; PIL images stay a list of lists."""
    if isinstance(scenes[0], Tensor):
        return torch.stack(list(scenes))
    return np.stack(scenes) if isinstance(scenes[0], np.ndarray) else list(scenes)


def to_uint8(images: Tensor) -> NDArray[np.uint8]:
    """Images (V, 3, height, width) in [-1, 1] to (V, height, width, 3) uint8."""
    pixels: NDArray[np.uint8] = bytes_from_images(images).contiguous().cpu().numpy()
    return pixels
