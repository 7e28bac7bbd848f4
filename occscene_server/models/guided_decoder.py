"""The guided decoder: G-buffers at the image's size, words for each object and, if there are any, latents to a view.

Geometry and words are exact inputs, so the network only shades and textures. Each object has a palette of a few colours
from its words and hint. A small network at every pixel decides which of them shows there: it reads the surface's waves
and noise with coefficients of the object (features modulated by object, as FiLM, arXiv 1709.07871) and multiplies them,
as checks are a product of stripes. A UNet whose blocks are modulated by the buffers (as SPADE, arXiv 1903.07291) and by
the scene's words adds light and form. Normalisation is over the channels of one pixel, so a pixel depends on what is
near it and on no size of image. OccScene's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

from occscene_server.models.object_words import ObjectTable, ObjectWords
from occscene_server.models.pixel_features import CODE_CHANNELS, FEATURES

COLOR_CHANNELS = 4
"""Channels of a hint and of a color that words name: sRGB and whether there is one."""
COLORS = 4
"""Number of colors in each object's palette."""
SECOND_COLOR = 1
"""The palette's color that begins with the second one that words name."""
_SCENE_CHANNELS = 128
PIXEL_MULTIPLE = 16
"""Downscaling factor of the deepest level; sides are padded to multiples of it."""


class ModulatedBlock(nn.Module):
    """x + conv(silu(norm(conv(silu(modulated(norm(x))))))), modulated by the scene and by maps.

    Args:
        channels: of `x`.
        maps: channels of the maps that modulate every pixel; 0 for none.
    """

    def __init__(self, channels: int, maps: int = 0) -> None:
        super().__init__()
        self.scene = nn.Linear(_SCENE_CHANNELS, 2 * channels)
        self.maps = nn.Conv2d(maps, 2 * channels, 1) if maps else None
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm = PixelNorm(channels)
        self.last = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, scene: Tensor, maps: Tensor | None = None) -> Tensor:
        """(N, C, h, w), (N, scene), (N, maps, h, w) to (N, C, h, w)."""
        modulation = self.scene(scene)[:, :, None, None]
        if self.maps is not None:
            modulation = modulation + self.maps(maps)
        scale, shift = modulation.chunk(2, 1)
        hidden = F.silu(pixel_norm(x) * (1 + scale) + shift)
        result: Tensor = x + self.last(F.silu(self.norm(self.first(hidden))))
        return result


def pixel_norm(x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
    """Images (N, C, h, w) with mean 0 and deviation 1 over the channels of each pixel."""
    return F.layer_norm(x.movedim(1, -1), (x.shape[1],), weight, bias).movedim(-1, 1)


class PixelNorm(nn.Module):
    """`pixel_norm` with a weight and a bias for each channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) to the same."""
        return pixel_norm(x, self.weight.to(x.dtype), self.bias.to(x.dtype))


class GuidedDecoder(ModelMixin, ConfigMixin):
    """Views from buffers, words and latents.

    Args:
        classes: of the taxonomy, empty included.
        latent_channels: of the latents that it may get, at 1/8 of the size of the view that they stand for.
        widths: at 1/2, 1/4, 1/8 and 1/16 of the image's size.
        pixel_width: of the network at every pixel.
        text_dim: width of token states.
        word_channels: of what is read of an object's text.
        materials: that parts may be made of; 0 for a decoder that knows of none.
    """

    @register_to_config
    def __init__(
        self,
        classes: int = 12,
        latent_channels: int = 12,
        widths: Sequence[int] = (48, 80, 128, 192),
        pixel_width: int = 32,
        text_dim: int = 384,
        word_channels: int = 64,
        materials: int = 0,
    ) -> None:
        super().__init__()
        self.words = ObjectWords(text_dim, word_channels)
        self.facts = nn.Linear(3 * COLOR_CHANNELS + CODE_CHANNELS, word_channels)
        self.kinds = nn.Embedding(classes, word_channels)
        self.object_norm = nn.LayerNorm(word_channels)
        self.painting = nn.Linear(word_channels, 4 * pixel_width + COLORS)
        self.palette = nn.Linear(word_channels, 3 * COLORS)
        self.scene_words = nn.Linear(word_channels + text_dim + 2, _SCENE_CHANNELS)

        self.surface = nn.Conv2d(FEATURES, pixel_width, 1)
        self.made_of = nn.Embedding(materials, pixel_width) if materials else None
        self.material = nn.Conv2d(pixel_width, 2 * pixel_width, 1)
        self.choice = nn.Conv2d(pixel_width, COLORS + 3, 1)
        self.tint = nn.Conv2d(3, widths[0], 2, stride=2, bias=False)
        self._begin(pixel_width)
        self.latents = nn.Conv2d(latent_channels, widths[2], 1, bias=False)
        sizes = [pixel_width, *widths]
        self.down = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in pairwise(sizes))
        self.inward = nn.ModuleList(ModulatedBlock(width) for width in widths)
        self.middle = ModulatedBlock(widths[-1])
        self.up = nn.ModuleList(nn.Conv2d(b, 4 * a, 1) for a, b in pairwise(widths))
        self.outward = nn.ModuleList(ModulatedBlock(width, width) for width in widths[:-1])
        self.light = nn.Conv2d(widths[0], 4 * 6, 1)

    @torch.no_grad()
    def _begin(self, width: int) -> None:
        """Gains of 1, open gates, values of about 1, palettes with light and dark: else patterns begin far later."""
        gains = torch.cat([torch.ones(width), torch.zeros(width)])
        self.painting.bias.add_(F.pad(gains.repeat(2), (0, COLORS)))
        self.surface.weight *= 4
        self.material.weight *= 3
        opened: Tensor = self.material.bias  # type: ignore[assignment]
        opened += gains
        if self.made_of is not None:
            self.made_of.weight.zero_()
        self.palette.bias.add_(torch.tensor([0.0, 0.0, 0.4, -0.4]).repeat_interleave(3))

    def paint(self, table: ObjectTable) -> Tensor:
        """The modulation of the pixels of each object, (R * classes, C): row r * classes + c for its parts of class c.

        Gain and shift of both layers at every pixel, a bias for each color, and the colors themselves: what is known of
        them, and what is learned of words.
        """
        said = self.words(table.names, table.texts, table.text_of)
        objects = said + self.facts(torch.cat([table.hints, table.colors, table.codes], -1))
        both = F.silu(self.object_norm(objects[:, None] + self.kinds.weight))
        known = _known_colors(table)
        palette = self.palette(both) + known[:, None].to(both.dtype)
        return torch.cat([self.painting(both), palette], -1).flatten(0, 1)

    def scene(self, table: ObjectTable, level: Tensor, given: Tensor) -> Tensor:
        """The modulation of all pixels of a view, (N, C); `level` and `given` are those of `forward`."""
        texts = table.texts
        said = self.words(table.light.expand(len(table.prompt_of), -1), texts, table.prompt_of)
        own = (texts.owner == table.prompt_of[:, None]).to(texts.states.dtype)
        mean = own @ texts.states / own.sum(1, keepdim=True).clamp_min(1)
        facts = torch.stack([given, given * level], 1)
        result: Tensor = F.silu(self.scene_words(torch.cat([said, mean, facts], 1)))
        return result

    def forward(
        self,
        features: Tensor,
        rows: Tensor,
        table: ObjectTable,
        latents: Tensor | None,
        level: Tensor,
        given: Tensor,
        materials: Tensor | None = None,
    ) -> Tensor:
        """Draws N views.

        Args:
            features: (N, `FEATURES`, h, w) of `pixel_features`.
            rows: (N, h, w) int64, what each pixel shows: row of the table times the number of classes, plus class.
            table: of the objects.
            latents: (N, latent_channels, h', w') normalised, of what the maps show, at any resolution; None for none.
            level: (N,) noise in the latents: 0 for none, 1 for nothing else.
            given: (N,) 1 where the latents count, 0 where they do not.
            materials: (N, h, w) int64 of what each pixel shows, as of `GBuffer`; None where nothing is known.

        Returns:
            (N, 3, h, w) sRGB, about [-1, 1].
        """
        painted, scene = self.paint(table), self.scene(table, level, given)
        height, width = features.shape[-2:]
        features, rows = _padded(features), _padded(rows)
        materials = None if materials is None else _padded(materials)
        pixels, texture = self.texture(features, F.embedding(rows, painted).movedim(-1, 1), materials)
        x, maps = pixels, []
        for depth, (down, block) in enumerate(zip(self.down, self.inward, strict=True)):
            x = down(x) + self.tint(texture) if depth == 0 else down(x)
            if depth == 2 and latents is not None:
                cells = (-(-height // 8), -(-width // 8))  # those that are padding have no latents of their own
                encoded = F.interpolate(self.latents(latents), cells, mode="bilinear", align_corners=False)
                x = x + _padded(encoded, 2) * given[:, None, None, None].to(encoded.dtype)
            x = block(x, scene)
            maps.append(x)
        x = self.middle(x, scene)
        for finer in (2, 1, 0):
            x = F.pixel_shuffle(self.up[finer](x), 2) + maps[finer]
            x = self.outward[finer](x, scene, maps[finer])
        gain, light = F.pixel_shuffle(self.light(x), 2).chunk(2, 1)
        result: Tensor = texture * (1 + gain) + light
        return result[..., :height, :width]

    def texture(self, features: Tensor, painted: Tensor, materials: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """What is seen at every pixel, (N, pixel_width, h, w), and its color without light, (N, 3, h, w).

        Args:
            features: (N, `FEATURES`, h, w).
            painted: (N, C, h, w), of `paint`.
            materials: as of `forward`.
        """
        pixels, shares, detail = self.mixture(features, painted, materials)
        colors = painted[:, -3 * COLORS :].unflatten(1, (COLORS, 3)) * shares[:, :, None]
        return pixels, detail + colors.sum(1)

    def mixture(
        self, features: Tensor, painted: Tensor, materials: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Features of `texture` at every pixel, the share of each color (N, COLORS, h, w), and a residual color."""
        width = self.config.pixel_width
        gain, shift, gate_gain, gate_shift, bias, _ = painted.split([width] * 4 + [COLORS, 3 * COLORS], 1)
        # narrowed before it is laid out anew: half the copy
        x = self.surface(features.to(painted.dtype).contiguous(memory_format=torch.channels_last))
        if self.made_of is not None and materials is not None:
            x = x + F.embedding(materials, self.made_of.weight.to(x.dtype)).movedim(-1, 1)
        gate, values = self.material(F.silu(torch.addcmul(shift, x, gain))).chunk(2, 1)
        pixels = torch.addcmul(gate_shift, gate, gate_gain).sigmoid() * values
        logits, detail = self.choice(pixels).split([COLORS, 3], 1)
        return pixels, (logits + bias).softmax(1), detail


def _known_colors(table: ObjectTable) -> Tensor:
    """(R, 3 * COLORS) what each color of the palettes begins with: the hint, the second color that words name, the
    first, and the hint again; where one of them is not known, the nearest to it that is, else 0."""
    first, second = table.colors.split(COLOR_CHANNELS, 1)
    named = torch.where(first[:, 3:] > 0, first, table.hints)[:, :3]
    hinted = torch.where(table.hints[:, 3:] > 0, table.hints, first)[:, :3]
    other = torch.where(second[:, 3:] > 0, second[:, :3], named)
    return torch.cat([hinted, other, named, hinted], 1)


def _padded(maps: Tensor, multiple: int = PIXEL_MULTIPLE) -> Tensor:
    """Maps (..., h, w) with their last row and column repeated up to a multiple of pixels."""
    for dim in (-2, -1):
        side = maps.shape[dim]
        if side % multiple:
            index = torch.arange(side + -side % multiple, device=maps.device).clamp_max(side - 1)
            maps = maps.index_select(dim, index)
    return maps
