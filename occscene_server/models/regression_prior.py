"""The regression prior: the mean of the latents given occupancy and prompt, in one pass.

Blockout and prompt determine most of a view: shapes, edges, colors, the squares of a checked floor. A network that
regresses the mean E[x_0 | occupancy, prompt] learns that in a tenth of the denoiser's time, and diffusion models the
residual x_0 - E[x_0 | occupancy, prompt] (CorrDiff, Mardani et al. 2023, arXiv 2309.15214).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from diffusers.models.resnet import ResnetBlock2D
from torch import Tensor, nn

from occscene_server.geometry.gbuffer_maps import GBufferMaps, gbuffer_channels
from occscene_server.models.class_text_attention import ClassTextAttention
from occscene_server.models.surfaces import SurfaceEncoder
from occscene_server.models.view_attention import fourier_features


class RegressionPrior(nn.Module):
    """G-buffer maps and prompt to latents, each view by itself.

    Args:
        classes: of the taxonomy, empty included.
        latent_channels: of the autoencoder.
        text_dim: width of the text's token states.
        cells: pixels of G-buffer maps along the side of one latent pixel.
        widths: channels at h, h/2, h/4.
        octaves: of the positions' Fourier features.
    """

    def __init__(
        self,
        classes: int,
        latent_channels: int,
        text_dim: int,
        cells: int,
        widths: Sequence[int] = (128, 192, 192),
        octaves: int = 6,
    ) -> None:
        super().__init__()
        fine, middle, coarse = widths
        self.octaves, self.cells, self.prior_channels = octaves, cells, 2 * fine
        self.fold = nn.PixelUnshuffle(cells)
        self.inlet = nn.Conv2d(gbuffer_channels(classes) * cells**2 + 6 * octaves, fine, 1)
        self.surfaces = SurfaceEncoder(cells, fine)
        self.colors = ClassTextAttention(classes, text_dim, fine)
        self.patterns = ClassTextAttention(classes, text_dim, fine, spread=0.2)
        self.words = nn.Sequential(nn.Linear(text_dim, middle), nn.SiLU())

        def block(inputs: int, outputs: int) -> ResnetBlock2D:
            return ResnetBlock2D(
                in_channels=inputs, out_channels=outputs, temb_channels=middle, groups=8,
                time_embedding_norm="scale_shift",
            )  # fmt: skip

        self.down = nn.ModuleList([block(2 * fine, fine), block(fine, middle), block(middle, coarse)])
        self.up = nn.ModuleList([block(coarse, coarse), block(coarse + middle, middle), block(middle + fine, fine)])
        self.outlet = nn.Sequential(
            nn.GroupNorm(8, fine), nn.SiLU(), nn.Conv2d(fine, fine, 3, padding=1), nn.SiLU(),
            nn.Conv2d(fine, latent_channels, 1),
        )  # fmt: skip
        for parameter in self.outlet[-1].parameters():  # untrained, it predicts the latents' mean
            nn.init.zeros_(parameter)

    def encode_gbuffer(self, gbuffer: GBufferMaps) -> Tensor:
        """Features (B, V, `prior_channels`, h, w) that do not depend on the prompt."""
        maps, points, surface = (part.flatten(0, 1) for part in (gbuffer.channels, gbuffer.points, gbuffer.surface))
        positions = fourier_features(F.avg_pool2d(points, self.cells), self.octaves)
        prior_features = torch.cat(
            [self.inlet(torch.cat([self.fold(maps), positions], dim=1)), self.surfaces(surface)], dim=1
        )
        return prior_features.unflatten(0, gbuffer.labels.shape[:2])

    def forward(self, prior_features: Tensor, seen: Tensor, text: Tensor, text_mask: Tensor) -> Tensor:
        """Predicts latents.

        Args:
            prior_features: of `encode_gbuffer`.
            seen: (B, V, classes, h, w), the share of every class in what a latent pixel sees.
            text: (B, T, text_dim) token states.
            text_mask: (B, T), True where there is a token.

        Returns:
            Latents (B, V, channel, h, w).
        """
        views = prior_features.shape[1]
        weights = text_mask[..., None].to(text.dtype)
        pooled = (text * weights).sum(1) / weights.sum(1).clamp_min(1.0)
        words = self.words(pooled).repeat_interleave(views, dim=0)
        shape, surface = prior_features.chunk(2, dim=2)
        painted = shape + self.colors(text, text_mask, seen).to(shape.dtype)
        patterned = surface * self.patterns(text, text_mask, seen).to(surface.dtype)
        x = torch.cat([painted, patterned], dim=2).flatten(0, 1).contiguous(memory_format=torch.channels_last)
        left = []
        for index, block in enumerate(self.down):
            x = block(F.avg_pool2d(x, 2) if index else x, words)
            left.append(x)
        left.pop()
        for index, block in enumerate(self.up):
            if index:
                x = torch.cat([F.interpolate(x, scale_factor=2.0), left.pop()], dim=1)
            x = block(x, words)
        return self.outlet(x).unflatten(0, prior_features.shape[:2])
