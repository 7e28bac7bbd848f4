"""What pixel values mean: bytes of pictures, the networks' [-1, 1], and the sRGB curve."""

from __future__ import annotations

import torch
from torch import Tensor


def images_from_bytes(pixels: Tensor) -> Tensor:
    """Pictures (..., height, width, channels) of bytes as float images (..., channels, height, width) in [-1, 1]."""
    return pixels.movedim(-1, -3).float() / 127.5 - 1.0


def bytes_from_images(images: Tensor) -> Tensor:
    """The inverse of `images_from_bytes`; values beyond [-1, 1] are clipped."""
    return ((images.float().clamp(-1.0, 1.0) + 1.0) * 127.5).round().to(torch.uint8).movedim(-3, -1)


def srgb_from_linear(color: Tensor) -> Tensor:
    """The sRGB transfer function (IEC 61966-2-1) on values in [0, 1]."""
    return torch.where(color <= 0.0031308, 12.92 * color, 1.055 * color.clamp_min(0.0031308) ** (1 / 2.4) - 0.055)


def linear_from_srgb(color: Tensor) -> Tensor:
    """The inverse of `srgb_from_linear`."""
    return torch.where(color <= 0.04045, color / 12.92, ((color + 0.055) / 1.055).clamp_min(0) ** 2.4)
