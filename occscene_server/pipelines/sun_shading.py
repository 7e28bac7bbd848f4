"""The sun's direct light on views, laid on what a decoder draws: its shadows are geometry, known to the pixel.

A surface that the sun reaches has the light of the sky and that of the sun, one in the shade that of the sky only. A
decoder draws the mean of both, since words do not say where shadows are. Pixels are multiplied by what is between them,
in linear light. The numbers fit rendered rooms and streets best, over drafts of decoders (see the model cards).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from occscene.taxonomy import OUTDOOR
from torch import Tensor

from occscene_server.geometry.gbuffer import GBuffer
from occscene_server.geometry.pixel_values import linear_from_srgb, srgb_from_linear

_STREET_SUN, _ROOM_SUN = (3.0, 2.5, 2.0), (2.0, 2.0, 2.0)
"""Light of the sun, falling straight on a surface, over that of the sky: red, green and blue."""
_REACHED = 0.7
"""Share of the sunlight that reaches what lies open to the sky, in the mean of streets."""
_KNEE = 0.5
"""Linear value from which the sun's light is damped."""


def sun_factors(buffer: GBuffer, suns: Sequence[NDArray[np.float64] | None], taxonomy: str) -> Tensor:
    """By what the sun's light changes each pixel, linear RGB (B, V, 3, h, w); 1 where it is not known.

    Args:
        buffer: of B scenes in V views.
        suns: (3,) unit vectors towards the sun in the world; None where there is none.
        taxonomy: name of the scenes' classes.
    """
    outdoors = taxonomy == OUTDOOR.name
    gain = torch.tensor(_STREET_SUN if outdoors else _ROOM_SUN, device=buffer.depth.device)[:, None, None]
    heights = [float(sun[2]) if outdoors and sun is not None else 0.0 for sun in suns]
    height = torch.tensor(heights, device=gain.device)[:, None, None, None, None]
    known, falling = buffer.sunlight[:, :, :1], softened(buffer.sunlight[:, :, 1], buffer.parts)
    usual = known * _REACHED * height * buffer.normal[:, :, 2:].clamp_min(0)
    return (1 + gain * falling[:, :, None]) / (1 + gain * usual)


def softened(light: Tensor, parts: Tensor) -> Tensor:
    """Maps averaged over each pixel and those of its four neighbors that show the same part.

    Else edges of shadows are jagged: for each pixel there is one ray to the sun.

    Args:
        light: (..., h, w).
        parts: (..., h, w) int64 of `GBuffer`.
    """
    shown = parts.int()
    total, count = light.clone(), torch.ones_like(light)
    for dim in (-2, -1):
        side = light.shape[dim] - 1
        same = (shown.narrow(dim, 0, side) == shown.narrow(dim, 1, side)).to(light.dtype)
        for own, other in ((0, 1), (1, 0)):
            total.narrow(dim, own, side).addcmul_(same, light.narrow(dim, other, side))
            count.narrow(dim, own, side).add_(same)
    return total / count


def sunlit(views: Tensor, factors: Tensor) -> Tensor:
    """Views (..., 3, h, w), sRGB in [-1, 1], with the sun's light."""
    before = linear_from_srgb((views + 1) / 2)
    after = before * factors
    # as film: what gets brighter than the knee comes near to white and never there
    knee = before.clamp_min(_KNEE)
    bright = knee + (1 - knee) * -torch.expm1((knee - after) / (1 - knee).clamp_min(1e-3))
    return 2 * srgb_from_linear(torch.where(after > knee, bright, after)) - 1


def without_sun(views: Tensor, factors: Tensor) -> Tensor:
    """The inverse of `sunlit`, but for what is bright."""
    return sunlit(views, 1 / factors)
