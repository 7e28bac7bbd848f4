"""Where on their surfaces pixels lie: what patterns of modular sizes, as bricks and planks, are made of."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from occscene_server.geometry.pattern_sizes import BLOCK, COURSE, PANEL, PLANK, TILE

WAVELENGTHS = (PANEL, BLOCK, TILE, PLANK, BLOCK / 3, COURSE)
"""Metres; the studio's patterns are made of these waves, their sums and products."""


class SurfaceEncoder(nn.Module):
    """Places on surfaces, at a finer grid than the latents', to features at the latents' size.

    Args:
        cells: pixels of the finer grid along the side of one latent pixel.
        channels: of the features.
    """

    def __init__(self, cells: int, channels: int) -> None:
        super().__init__()
        self.fold = nn.PixelUnshuffle(cells)
        self.waves = nn.Conv2d(4 * len(WAVELENGTHS) * cells**2, channels, 1)
        with torch.no_grad():  # products of waves need an activation that bends
            self.waves.weight *= 3

    def forward(self, surface: Tensor) -> Tensor:
        """Box projections (N, 2, cells * h, cells * w) in metres to features (N, channels, h, w)."""
        turns = torch.cat([surface * (2 * math.pi / length) for length in WAVELENGTHS], dim=1)
        return F.silu(self.waves(self.fold(torch.cat([turns.sin(), turns.cos()], dim=1))))
