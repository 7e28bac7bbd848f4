"""Objects have the colors that their words name, whatever light and shade make of them in a decoder's view.

The pixels of an object are multiplied, in linear light, by one factor for each channel, which is what another albedo
does under the same light (von Kries 1902): texture and shading stay, and views go on agreeing, since the factors come
from all of them together.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from occscene_server.geometry.pixel_values import linear_from_srgb, srgb_from_linear
from occscene_server.metrics.palette import named_colors

TINT, BRIGHTNESS = 0.75, 0.5
"""Exponents of what would make an object's mean the color that is named: its tint almost so, its brightness by half,
so that dusk stays dusk."""
MOST_BRIGHTENED, MOST_TINTED = 1.8, 4.0
"""Limits of both factors, and of their inverses."""
_LUMINANCE = torch.tensor([0.2126, 0.7152, 0.0722])
_LEAST = 1e-3
_MANY = 5
"""Objects from which on it is the light that they have in common."""


def one_color(phrases: Sequence[str], hints: Tensor, moved_to_hints: bool = False) -> Tensor:
    """The one color that each of some objects is to have: its hint, else the only one that its phrase names.

    Args:
        phrases: of N objects.
        hints: (at least N + 1, 4), as a grid has them; row 0 is no object.
        moved_to_hints: whether views are moved to hints as well; a decoder that follows them closely needs none.

    Returns:
        Like `hints`: linear RGB and 1; zeros where there is no color, or several.
    """
    colors = torch.zeros_like(hints)
    for row, phrase in enumerate(phrases, 1):
        named = set(named_colors(phrase))
        if hints[row, 3] == 0 and len(named) == 1:
            colors[row] = torch.tensor([*named.pop(), 1.0])
        elif moved_to_hints and len(named) <= 1:
            colors[row] = hints[row]
    return colors


def with_named_colors(views: Tensor, objects: Tensor, colors: Tensor, keeps_light: bool = False) -> Tensor:
    """Views of a scene in which objects have the colors that are named.

    Args:
        views: (V, 3, h, w) sRGB in [-1, 1].
        objects: (V, h, w) int64, the row of what each pixel shows.
        colors: of `one_color`.
        keeps_light: whether what most objects that are seen have in common, dusk or shade, stays as it is.

    Returns:
        Like `views`.
    """
    told = colors[:, 3] > 0
    rows = objects.flatten()
    if not told[rows].any():
        return views
    pixels = views.movedim(1, -1).reshape(-1, 3)
    linear = linear_from_srgb((pixels + 1) / 2)
    count = rows.bincount(minlength=len(colors))
    mean = torch.zeros(len(colors), 3, device=views.device).index_add_(0, rows, linear) / count.clamp_min(1)[:, None]
    wanted = colors[:, :3]
    seen = told & (count > 0)
    if keeps_light and int(seen.sum()) >= _MANY:
        wanted = wanted * _common_light(mean[seen], wanted[seen])
    changed = 2 * srgb_from_linear((linear * _gains(mean, wanted)[rows]).clamp(0, 1)) - 1
    pixels = torch.where(told[rows][:, None], changed, pixels)
    return pixels.reshape(len(views), *views.shape[2:], 3).movedim(-1, 1)


def _common_light(mean: Tensor, wanted: Tensor) -> Tensor:
    """(3,) linear RGB of the light in which most of some colors (N, 3) are seen as means (N, 3); half of its tint, for
    the rest of it is more likely the decoder's."""
    light = (mean.clamp_min(_LEAST) / wanted.clamp_min(_LEAST)).median(0).values
    brightness = light @ _LUMINANCE.to(light.device)
    return brightness * (light / brightness).sqrt()


def _gains(mean: Tensor, wanted: Tensor) -> Tensor:
    """Factors (N, 3) of linear RGB that bring means (N, 3) near what is wanted."""
    mean, wanted = mean.clamp_min(_LEAST), wanted.clamp_min(_LEAST)
    bright, asked = (color @ _LUMINANCE.to(color.device) for color in (mean, wanted))
    brightness = (asked / bright)[:, None]
    tint = (wanted / mean / brightness).clamp(1 / MOST_TINTED, MOST_TINTED)
    brightness = (brightness**BRIGHTNESS).clamp(1 / MOST_BRIGHTENED, MOST_BRIGHTENED)
    return tint**TINT * brightness
