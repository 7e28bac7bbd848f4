"""A G-buffer as channels of a network's input.

Patterns of any material are made of two kinds of channels, both bound to surfaces: waves of modular building sizes
(bricks, planks and tiles follow an octametric grid, DIN 4172), and noise, for what is irregular. Each is faded by the
pixel's footprint, waves of frequency f over a footprint s by exp(-pi (s f)^2) (the Gaussian filter of Mip-NeRF, arXiv
2103.13415), so that none aliases at any size of the image.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from occscene_server.geometry.cameras import CameraTensors, grid_from_camera
from occscene_server.geometry.gbuffer import GBuffer
from occscene_server.geometry.grids import VolumeTensors
from occscene_server.geometry.surface_noise import cell_noise, fade, mixed, unit_numbers, value_noise
from occscene_server.geometry.surface_places import surface_places

WAVELENGTHS = (2.0, 1.0, 1 / 2, 1 / 4, 1 / 6, 1 / 8, 1 / 12, 1 / 16, 1 / 24)
"""Metres of the waves."""
TEXELS = (0.25, 0.125, 0.0625, 0.03125, 0.015625, 0.0078125)
"""Metres between independent values of the smooth noise."""
CELLS = (0.25, 0.0625)
"""Metres from a cell to the next."""
CODE_CHANNELS = 8
"""Random numbers that an object has from the seed."""
_GEOMETRY = 26
FEATURES = _GEOMETRY + 4 * len(WAVELENGTHS) + len(TEXELS) + 3 * len(CELLS)
_NEAREST = 0.05
"""Metres, for the logarithm of the depth."""


def pixel_features(buffer: GBuffer, cameras: CameraTensors, volume: VolumeTensors, seeds: Tensor) -> Tensor:
    """The channels of every pixel, (B, V, `FEATURES`, h, w) float32.

    Args:
        buffer, cameras, volume: what is seen, by whom, and where it stands.
        seeds: (B,) int64 of the noise.
    """
    batch, views, height, width = buffer.depth.shape
    places = surface_places(buffer, cameras, volume)
    seen = torch.isfinite(buffer.depth)[:, :, None]
    camera_axes = grid_from_camera(cameras, volume)[..., :3, :3].float()
    depth = buffer.depth[:, :, None]
    # (B, V, C, h, w), written in place: copying all channels would take longer than computing them
    features = buffer.depth.new_empty(batch, views, FEATURES, height, width)
    features[:, :, 0:3] = places.rays
    features[:, :, 3:6] = buffer.normal
    features[:, :, 6:9] = (camera_axes.mT @ buffer.normal.flatten(3)).unflatten(3, (height, width))
    features[:, :, 9:10] = -(buffer.normal * places.rays).sum(2, keepdim=True)
    features[:, :, 10:13] = places.points / 2
    features[:, :, 13:14] = torch.where(seen, depth.clamp_min(_NEAREST).log(), 0.0)
    features[:, :, 14:15] = seen
    features[:, :, 15] = buffer.edges
    features[:, :, 16:18] = torch.where(seen, places.span.clamp_min(1e-4).log2() / 4 + 1.5, 0.0)
    features[:, :, 18:22] = buffer.shape
    features[:, :, 22:24] = part_numbers(buffer.objects, buffer.parts, seeds)
    features[:, :, 24:26] = buffer.sunlight
    span = torch.where(seen, places.span, torch.inf)  # which leaves nothing of any pattern
    keys = _keys(seeds, buffer.objects, places.face)
    draw_patterns(
        places.place.flatten(0, 1), span.flatten(0, 1), keys.flatten(0, 1), features.flatten(0, 1)[:, _GEOMETRY:]
    )
    return features


def swatch_features(geometry: Tensor, place: Tensor, span: Tensor, key: Tensor) -> Tensor:
    """The channels (N, `FEATURES`, h, w) of flat pieces of surfaces.

    Args:
        geometry: (N, `FEATURES`) of pixels, of which what is no pattern is taken.
        place, span, key: as of `draw_patterns`.
    """
    features = geometry[:, :, None, None].repeat(1, 1, *place.shape[2:])
    features[:, 16:18] = span.log2() / 4 + 1.5
    draw_patterns(place, span, key, features[:, _GEOMETRY:])
    return features


def draw_patterns(place: Tensor, span: Tensor, key: Tensor, result: Tensor) -> None:
    """Waves and noise of places on surfaces.

    Args:
        place, span: (N, 2, h, w) as of `SurfacePlaces`.
        key: (N, h, w) int32 of the noise.
        result: (N, `FEATURES` - `_GEOMETRY`, h, w), overwritten.
    """
    channel = 0
    for length in WAVELENGTHS:
        turns, left = place * (2 * math.pi / length), fade(span, 1 / length)
        for wave in (torch.sin, torch.cos):
            torch.mul(wave(turns), left, out=result[:, channel : channel + 2])
            channel += 2
    widest = span.amax(1)
    for number, texel in enumerate(TEXELS):
        noise = value_noise(place, mixed(key + number), texel)
        torch.mul(noise, fade(widest, 0.7 / texel), out=result[:, channel])
        channel += 1
    for number, size in enumerate(CELLS):
        cells = cell_noise(place, mixed(key - 1 - number), size)
        torch.mul(cells, fade(widest, 0.7 / size)[:, None], out=result[:, channel : channel + 3])
        channel += 3


def part_numbers(objects: Tensor, parts: Tensor, seeds: Tensor) -> Tensor:
    """Random numbers (B, V, 2, h, w) in [-1, 1] of the parts of objects (B, V, h, w), from seeds (B,); else 0."""
    hashes = mixed(mixed((objects * 4096 + parts).int()) ^ mixed(seeds.int() + 1)[:, None, None, None])
    numbers = torch.stack([hashes & 0xFFFF, (hashes >> 16) & 0xFFFF], 2).float() / 2**15 - 1
    return numbers * (parts > 0)[:, :, None]


def object_codes(seeds: Tensor, objects: int) -> Tensor:
    """Random numbers (B, objects, `CODE_CHANNELS`) in [-1, 1] of each object of each scene, from seeds (B,)."""
    numbers = torch.arange(objects * CODE_CHANNELS, dtype=torch.int32, device=seeds.device)
    hashes = mixed(mixed(numbers) ^ mixed(seeds.int())[:, None])
    return (unit_numbers(hashes) * 2 - 1).unflatten(1, (objects, CODE_CHANNELS))


def _keys(seeds: Tensor, objects: Tensor, face: Tensor) -> Tensor:
    """Of the noise on each side of each object, (B, V, h, w) int32."""
    return mixed((objects * 3 + face).int() + mixed(seeds.int())[:, None, None, None]) << 4
