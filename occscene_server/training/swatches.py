"""Swatches of regular materials: which words make which pattern, learned far faster than from rooms only.

In a crop of a room a pattern is one detail among many, and rare. Here each pattern that phrases of the rooms name is
drawn by itself, as the studio's materials have it: not its colors, but where its second color shows. Regular patterns
hang on places on surfaces that are those of `geometry.surface_places`, so rooms show the same.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from occscene.taxonomy import INDOOR
from torch import Tensor

from occscene_server.data.dataset import ItemFacts
from occscene_server.models.object_words import LIGHT, ObjectTable, Texts, base_name
from occscene_server.models.pixel_features import CODE_CHANNELS, swatch_features
from occscene_server.pipelines.guided_decoding import word_colors
from occscene_server.training.phrasebook import Phrasebook

COUNT, SIDE = 12, 32
"""Swatches of a batch, and their side in pixels."""
_SPANS = (0.004, 0.04)
"""Metres that a pixel of a swatch covers."""
_REACH = 3.0
"""Metres from the middle of the room."""

Pattern = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class SwatchBatch:
    """What the decoder gets of S swatches, and where their second colors show.

    Args:
        features: (S, C, h, w) as of `pixel_features`.
        classes: (S,) int64.
        table: of S objects, in the order of the swatches.
        second: (S, h, w) share of the second color, 0 to 1.
    """

    features: Tensor
    classes: Tensor
    table: ObjectTable
    second: Tensor


def _wave(x: Tensor, period: float) -> Tensor:
    return torch.cos(x * (2 * math.pi / period))


def _smooth(x: Tensor, low: float, high: float) -> Tensor:
    part = ((x - low) / (high - low)).clamp(0, 1)
    return part * part * (3 - 2 * part)


def _gaps(x: Tensor, y: Tensor, width: float, height: float, gap: float, offset: float = 0.5) -> Tensor:
    """Between bricks, of which every second row is shifted, as Blender's brick texture has it."""
    row = (y / height).floor()
    x = x + torch.where(row % 2 == 0, width * offset, 0.0)
    x, y = x % width, y - row * height
    return (torch.stack([x, y, width - x, height - y]).amin(0) < gap / 2).float()


def _diamonds(x: Tensor, y: Tensor) -> Tensor:
    ring = ((x / 0.5 + 0.5) % 1 - 0.5).abs() + ((y / 0.5 + 0.5) % 1 - 0.5).abs()
    second = torch.tensor([1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0])
    return second[(ring * 7).long().clamp(0, 6)]


def _damask(x: Tensor, y: Tensor) -> Tensor:
    field = _wave(x, 1 / 2) * _wave(y, 1 / 2) + 0.38 * _wave(x, 1 / 6) * _wave(y, 1 / 8) + 0.35 * _wave(x, 1 / 4)
    return torch.maximum(_smooth(field, 0.78, 0.88), 1 - _smooth((field - 0.55).abs(), 0.06, 0.12))


def _parquet(x: Tensor, y: Tensor) -> Tensor:
    x, y = x + 0.25, y + 0.25
    turned = ((x / 0.5).floor() + (y / 0.5).floor()) % 2 > 0
    return _gaps(torch.where(turned, y, x), torch.where(turned, x, y), 0.5, 0.125, 0.012, 0.0)


PATTERNS: dict[str, Pattern] = {
    "striped": lambda x, y: (_wave(x, 0.25) > 0).float(),
    "checked": lambda x, y: (_wave(x, 0.25) * _wave(y, 0.25) > 0).float(),
    "checked rug": lambda x, y: (_wave(x, 0.5) * _wave(y, 0.5) > 0).float(),
    "checkered": lambda x, y: (_wave(x, 0.5) * _wave(y, 0.5) > 0).float(),
    "patterned rug": _diamonds,
    "damask": _damask,
    "brick": lambda x, y: _gaps(x, y, 0.25, 0.25 / 3, 0.016),
    "tiled": lambda x, y: _gaps(x, y, 0.25, 0.25, 0.014, 0.0),
    "plank": lambda x, y: _gaps(x, y + 0.0625, 2.0, 0.125, 0.012),
    "parquet": _parquet,
    "shoji": lambda x, y: _gaps(x, y, 0.25, 0.5, 0.035, 0.0),
    "tatami": lambda x, y: _gaps(x, y + 0.5, 2.0, 1.0, 0.06),
}
"""By the last words of a phrase that name a finish, where the second color is: metres along and up the surface."""


class Swatches:
    """The patterns that the phrases of some scenes name.

    Args:
        items: of the scenes.
        book: that has their names and phrases.
    """

    def __init__(self, items: Sequence[ItemFacts], book: Phrasebook) -> None:
        self._book = book
        by_pattern: defaultdict[str, set[tuple[str, str, str]]] = defaultdict(set)
        for item in items:
            phrase = str(item["phrase"])
            known = [pattern for pattern in PATTERNS if f" {pattern} " in f" {phrase} "]
            if known:
                by_pattern[max(known, key=len)].add((base_name(str(item["name"])), str(item["class"]), phrase))
        self._items = {pattern: sorted(by_pattern[pattern]) for pattern in PATTERNS if by_pattern[pattern]}

    def draw(self, geometry: Tensor, rng: np.random.Generator) -> SwatchBatch | None:
        """A batch of swatches, or None where no phrase names a pattern.

        Args:
            geometry: (N, C, h, w) features of views, of which each swatch takes what a pixel has.
            rng: decides everything.
        """
        if not self._items:
            return None
        names = list(self._items)
        patterns = [names[int(rng.integers(len(names)))] for _ in range(COUNT)]
        chosen = [self._items[pattern][int(rng.integers(len(self._items[pattern])))] for pattern in patterns]
        grid = np.arange(SIDE) + 0.5
        spans = np.exp(rng.uniform(math.log(_SPANS[0]), math.log(_SPANS[1]), (COUNT, 2)))
        corners = rng.uniform(-_REACH, _REACH, (COUNT, 2))
        along, up = (torch.from_numpy(corners[:, axis, None] + np.outer(spans[:, axis], grid)) for axis in (0, 1))
        place = torch.stack([along[:, None].expand(-1, SIDE, -1), up[..., None].expand(-1, -1, SIDE)], 1).float()
        second = [PATTERNS[pattern](*own) for pattern, own in zip(patterns, place, strict=True)]
        span = torch.from_numpy(spans).float()[:, :, None, None].expand_as(place)
        keys = torch.from_numpy(rng.integers(1 << 30, size=(COUNT, 1, 1)).astype(np.int32)).expand(-1, SIDE, SIDE)
        columns = geometry.flatten(2)
        picked = columns[rng.integers(len(columns), size=COUNT), :, rng.integers(columns.shape[2], size=COUNT)]
        return SwatchBatch(
            swatch_features(picked, place, span, keys),
            torch.tensor([INDOOR.index_of(class_name) for _, class_name, _ in chosen]),
            self._table(chosen, rng),
            torch.stack(second),
        )

    def _table(self, chosen: Sequence[tuple[str, str, str]], rng: np.random.Generator) -> ObjectTable:
        phrases = [phrase for _, _, phrase in chosen]
        states = [self._book.tokens(phrase) for phrase in phrases]
        owner = torch.repeat_interleave(torch.arange(COUNT), torch.tensor([len(own) for own in states]))
        codes = torch.from_numpy(rng.uniform(-1, 1, (COUNT, CODE_CHANNELS)).astype(np.float32))
        return ObjectTable(
            torch.stack([self._book.mean(name) for name, _, _ in chosen]),
            torch.arange(COUNT),
            torch.zeros(COUNT, 4),
            word_colors(phrases),
            codes,
            torch.zeros(1, dtype=torch.long),
            self._book.mean(LIGHT),
            Texts(torch.cat(states), owner),
        )
