"""Whether objects have the colours that words give them."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from occscene_server.metrics.images import delta_e, lab_from_linear
from occscene_server.metrics.palette import COLORS

_WORDS = tuple(COLORS)
_ANY_WORD = re.compile(rf"\b({'|'.join(_WORDS)})\b")


def color_word(phrase: str) -> str | None:
    """The one colour word of a phrase ("a red linen sofa"); None where it has none, or several."""
    words = set(_ANY_WORD.findall(phrase))
    return words.pop() if len(words) == 1 else None


def mean_colors(views: Tensor, objects: Tensor, least: float) -> dict[int, Tensor]:
    """Mean colours of objects in views, taken in linear light.

    Args:
        views: (V, h, w, 3) linear RGB.
        objects: (V, h, w) row of the object that each pixel sees; 0 is none.
        least: objects that fill a smaller share of one view, all views together, are omitted.

    Returns:
        (3,) linear RGB by row.
    """
    flat, rows = views.reshape(-1, 3), objects.flatten()
    count = torch.bincount(rows)
    sums = torch.zeros(len(count), 3).index_add_(0, rows, flat)
    area = views.shape[1] * views.shape[2]
    return {row: sums[row] / count[row] for row in range(1, len(count)) if count[row] >= max(1.0, least * area)}


def nearest_color_word(color: Tensor) -> str:
    """The palette's word whose color is nearest in CIELAB to a linear RGB color (3,)."""
    palette = lab_from_linear(torch.tensor(list(COLORS.values())))
    return _WORDS[int(delta_e(palette, lab_from_linear(color)).argmin())]


def has_color(color: Tensor, word: str) -> bool:
    """Whether a linear RGB color (3,) is nearer in CIELAB to that of `word` than to any other of the palette's."""
    return nearest_color_word(color) == word


def colors_as_named(colors: Mapping[int, Tensor], phrases: Mapping[int, str]) -> dict[int, bool]:
    """By row, for the objects whose phrase has one colour word: whether their mean colour is that word's."""
    words = {row: color_word(phrases.get(row, "")) for row in colors}
    return {row: has_color(colors[row], word) for row, word in words.items() if word is not None}
