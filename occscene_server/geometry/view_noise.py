"""Initial noise of views that hangs on surfaces: what two cameras see of one place begins with the same noise.

White noise on surfaces has a value for each texel of every size, and the value of a texel is that of its four quarters
together, halved (the integral noise of Chang et al. 2024, "How I Warped Your Noise"). A latent pixel sums the texels
that it covers, at a size below its own footprint, and so has variance 1 and nothing in common with its neighbors.
Everything is a hash of place, object and seed; nothing is stored.
"""

from __future__ import annotations

import math
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.gbuffer_maps import GBufferMaps
from occscene_server.geometry.surface_noise import mixed

_ROWS = 1 << 16
_LAYER, _LAYERS_FROM = 0.5, 0.1234
"""Metres across a surface within which it counts as one, and where they are counted from."""
_X, _Y, _SIZE = 0x58163841, 0x8DA6B343 - 2**32, 0x1B873593
_LEVELS = 3
"""Sizes of texels that a value is made of; all that are larger have together 1/64 of its variance."""


def surface_fixed_noise(
    gbuffer: GBufferMaps, cameras: CameraTensors, seeds: Tensor, channels: int, cells: int
) -> Tensor:
    """Draws standard normal noise for B scenes of V views, the same for the same seeds.

    Args:
        gbuffer: `cells` times as fine as the noise.
        cameras: of the G-buffer maps.
        seeds: (B,) int64.
        channels: of the noise.
        cells: samples along each side of a latent pixel.

    Returns:
        (B, V, channels, h, w) float32; where something is seen it lies on that, elsewhere on the view.
    """
    batch, views, height, width = gbuffer.depth.shape
    seen = torch.isfinite(gbuffer.depth)
    focal = cameras.scaled_intrinsics((height, width))[..., 0, 0].float()[..., None, None]
    depth = torch.where(seen, gbuffer.depth, 1.0)
    nearest = -F.max_pool2d(-depth.flatten(0, 1), cells)  # one size in a latent pixel: sizes overlap
    span = F.interpolate(nearest[:, None], scale_factor=cells)[:, 0].unflatten(0, (batch, views)) / focal
    level = span.log2().round().int()

    face = gbuffer.face
    axis = face // 2
    across = gbuffer.points.gather(2, axis[:, :, None])[:, :, 0]
    layer = ((across + _LAYERS_FROM) / _LAYER).floor().int()
    owner = mixed(mixed(seeds.int())[:, None, None, None] + (gbuffer.objects * 8 + face).int()) + layer
    key = mixed(owner)
    texel = torch.exp2(level.float())
    place = (gbuffer.surface / texel[:, :, None]).floor().int()
    x, y = place[:, :, 0], place[:, :, 1]
    # pixels that see nothing have their own texels
    number = torch.arange(views * height * width, dtype=torch.int32, device=depth.device).view(views, height, width)
    x, y = torch.where(seen, x, number), torch.where(seen, y, -1 - number)

    rows = torch.stack(_texel_rows(key, level, x, y), -1)  # (B, V, height, width, parts)
    rows = rows.unflatten(3, (-1, cells)).unflatten(2, (-1, cells)).transpose(3, 4).flatten(4, 5)
    samples = rows.flatten(0, 3)  # (latent pixels, cells^2, parts)
    # a texel counts as often as samples meet it; the sum of squares of these counts keeps the variance
    own = _same_texel(key, level, x, y, cells)
    weights = own.flatten(0, 3).sum(-1).sum(-1).rsqrt()
    parts = _parts(samples.device) * weights[:, None, None]
    noise = F.embedding_bag(
        samples.flatten(1), _table(channels).to(samples.device),
        per_sample_weights=parts.expand_as(samples).flatten(1), mode="sum",
    )  # fmt: skip
    return noise.view(batch, views, height // cells, width // cells, channels).movedim(-1, 2)


def _same_texel(key: Tensor, level: Tensor, x: Tensor, y: Tensor, cells: int) -> Tensor:
    """(B, V, h, w, cells^2, cells^2) float32, 1 where two samples of a latent pixel meet the same texel."""
    texel = _hash(key, level, x, y)
    texel = texel.unflatten(3, (-1, cells)).unflatten(2, (-1, cells)).transpose(3, 4).flatten(4, 5)
    return (texel[..., None] == texel[..., None, :]).float()


def _hash(key: Tensor, level: Tensor, x: Tensor, y: Tensor) -> Tensor:
    return mixed(mixed(key + level * _SIZE) + mixed(x * _X) + y * _Y)


def _texel_rows(key: Tensor, level: Tensor, x: Tensor, y: Tensor) -> list[Tensor]:
    """Rows of the table that the value of a texel is made of, in the order of `_parts`."""
    rows = []
    for up in range(_LEVELS - 1):
        for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):  # the texel and its siblings, in turn
            rows.append(_hash(key, level + up, (x >> up) ^ dx, (y >> up) ^ dy) & (_ROWS - 1))
    rows.append(_hash(key, level + _LEVELS - 1, x >> (_LEVELS - 1), y >> (_LEVELS - 1)) & (_ROWS - 1))
    return [row.long() for row in rows]


@cache
def _part_weights() -> tuple[float, ...]:
    """A quarter is half of the whole plus its own share, which adds up to nothing over the four."""
    own = [0.75, -0.25, -0.25, -0.25]
    return (*(share * 0.5**up for up in range(_LEVELS - 1) for share in own), 0.5 ** (_LEVELS - 1))


def _parts(device: torch.device) -> Tensor:
    return torch.tensor(_part_weights(), device=device)


@cache
def _table(channels: int) -> Tensor:
    """Standard normal numbers (rows, channels)."""
    table = torch.randn(_ROWS, channels, generator=torch.Generator().manual_seed(0))
    return (table - table.mean(0)) / (table - table.mean(0)).square().mean().sqrt()


assert math.isclose(sum(share**2 for share in _part_weights()), 1.0)
