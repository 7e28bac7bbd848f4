"""Snow and lit windows on views of streets, where the words ask for them.

Both are geometry first of all: snow lies on what faces up, and a window's pane is known to the pixel. Decoders that saw
few such streets draw neither. The numbers are those of rendered streets.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from occscene.taxonomy import OUTDOOR
from torch import Tensor

from occscene_server.geometry.gbuffer import GBuffer
from occscene_server.geometry.materials import LEAVES, MATERIALS
from occscene_server.geometry.pixel_values import linear_from_srgb, srgb_from_linear
from occscene_server.pipelines.sun import DARK

_SNOWY = re.compile(r"\b(snow(y|ing|ed|fall)?|snow-covered)\b(?!-)")
_DARK = re.compile(rf"\b({DARK}|windows? lit(?! by)|lit windows?)\b")
_SNOW, _LIT_ROOM, _LAMP = (0.62, 0.65, 0.71), (0.85, 0.61, 0.32), (0.95, 0.86, 0.66)
"""Linear RGB in a view."""
_STEEP, _FLAT, _COVERED = (0.55, 0.25), (0.8, 0.6), 0.85
"""How far up a surface faces that has no snow, and that has all of it: of leaves the second; and how much all is."""
_ON_ROADS = 0.6
"""Of the snow that lies where wheels go, over that elsewhere."""
_BARE = [MATERIALS.index(name) for name in ("pane", "lit_pane", "lamp", "skin", "cloth", "hair", "trousers")]
_LIT = [MATERIALS.index(name) for name in ("lit_pane", "lamp")]
_ROAD = OUTDOOR.index_of("road")


@dataclass(frozen=True)
class Weather:
    """What the words of scenes lay on their views.

    Args:
        snow: (B, V, h, w) how much of each pixel is under snow, 0 to 1.
        shining: (B, V, h, w) uint8, 0 for what does not shine, 1 for lit windows, 2 for lamps.
    """

    snow: Tensor
    shining: Tensor

    @classmethod
    def of(cls, buffer: GBuffer, prompts: Sequence[str]) -> Weather:
        """The weather of B streets, as what is seen of them has it."""
        said = [prompt.lower() for prompt in prompts]
        asked = [[bool(words.search(prompt)) for prompt in said] for words in (_SNOWY, _DARK)]
        snowy, dark = torch.tensor(asked, device=buffer.depth.device)[:, :, None, None, None]
        is_leaf = buffer.materials == LEAVES
        low, high = (torch.where(is_leaf, of_leaves, of_all) for of_all, of_leaves in (_STEEP, _FLAT))
        share = ((buffer.normal[:, :, 2] - low) / (high - low)).clamp(0, 1)
        share = share * share * (3 - 2 * share) * _COVERED * torch.where(buffer.labels == _ROAD, _ON_ROADS, 1.0)
        bare = torch.isin(buffer.materials, torch.tensor(_BARE, device=share.device))
        shining = torch.zeros_like(buffer.materials, dtype=torch.uint8)
        for number, row in enumerate(_LIT, 1):
            shining[(buffer.materials == row) & dark] = number
        return cls(share * (snowy & ~bare), shining)

    @staticmethod
    def is_said(prompts: Sequence[str]) -> bool:
        """Whether any words ask for some."""
        return any(words.search(prompt.lower()) for words in (_SNOWY, _DARK) for prompt in prompts)

    @staticmethod
    def joined(several: Sequence[Weather]) -> Weather:
        """That of more views, from those of some views each."""
        return Weather(torch.cat([one.snow for one in several], 1), torch.cat([one.shining for one in several], 1))

    def snowed(self, views: Tensor) -> Tensor:
        """Views (B, V, 3, h, w), sRGB in [-1, 1], under snow."""
        return self._laid(views, torch.tensor(_SNOW), self.snow)

    def lit(self, views: Tensor) -> Tensor:
        """Views (B, V, 3, h, w), sRGB in [-1, 1], in which windows and lamps shine."""
        for number, color in enumerate((_LIT_ROOM, _LAMP), 1):
            views = self._laid(views, torch.tensor(color), 0.9 * (self.shining == number))
        return views

    @staticmethod
    def _laid(views: Tensor, color: Tensor, share: Tensor) -> Tensor:
        if not share.any():
            return views
        linear = linear_from_srgb((views + 1) / 2)
        mixed = torch.lerp(linear, color.to(views.device)[:, None, None], share[:, :, None])
        return torch.where(share[:, :, None] > 0, 2 * srgb_from_linear(mixed) - 1, views)
