"""Random numbers that lie on surfaces: the same from every camera, never finer than a pixel, without any storage.

Everything is a hash of the place on the surface, of a key and of the size; Perlin's value noise and Worley's cells
("A Cellular Texture Basis Function", SIGGRAPH 1996) in two dimensions.
"""

from __future__ import annotations

import math
from itertools import product

import torch
from torch import Tensor

_ACROSS, _ALONG = 0x8DA6B343 - 2**32, 0x58163841


def mixed(x: Tensor) -> Tensor:
    """A hash of int32 numbers that changes half of the bits when one changes (Wellons' "lowbias32")."""
    x = x ^ ((x >> 16) & 0xFFFF)
    x = x * 0x7FEB352D
    x = x ^ ((x >> 15) & 0x1FFFF)
    x = x * (0x846CA68B - 2**32)
    return x ^ ((x >> 16) & 0xFFFF)


def unit_numbers(hashes: Tensor) -> Tensor:
    """int32 hashes to float32 in [0, 1)."""
    return ((hashes >> 8) & 0xFFFFFF).float() / 2**24


def fade(span: Tensor, frequency: float) -> Tensor:
    """exp(-pi (span f)^2): amplitude of a wave of f repeats a metre in a pixel of `span` metres; .46 at Nyquist's."""
    return (-math.pi * (span * frequency).square()).exp()


def value_noise(place: Tensor, key: Tensor, texel: float) -> Tensor:
    """Smooth noise of mean 0 in [-1, 1].

    Args:
        place: (N, 2, ...) metres.
        key: (N, ...) int32; another key, another noise.
        texel: metres between independent values.
    """
    whole, part = _split(place / texel)
    x, y = (part * part * (3 - 2 * part)).unbind(1)
    a, b, c, d = (unit_numbers(_corner(whole, key, dx, dy)) for dy in (0, 1) for dx in (0, 1))
    low, high = torch.lerp(a, b, x), torch.lerp(c, d, x)
    return torch.lerp(low, high, y) * 2 - 1


def cell_noise(place: Tensor, key: Tensor, size: float) -> Tensor:
    """Irregular cells, as of field stones or flat shapes of paint.

    Args:
        place: (N, 2, ...) metres.
        key: (N, ...) int32.
        size: metres from a cell to the next, on average.

    Returns:
        (N, 3, ...): two numbers in [-1, 1] that are constant in a cell, and the distance to the border between the
        two nearest cells, in sizes, 0 on the border.
    """
    whole, part = _split(place / size)
    x, y = part.unbind(1)
    nearest = torch.full_like(x, torch.inf)
    second = torch.full_like(x, torch.inf)
    owner = torch.zeros_like(key)
    for dx, dy in product((-1, 0, 1), repeat=2):
        hashes = _corner(whole, key, dx, dy)
        away_x = (hashes & 0xFFFF).float() / 2**16 + (dx - x)
        away_y = ((hashes >> 16) & 0xFFFF).float() / 2**16 + (dy - y)
        distance = away_x.square_().add_(away_y.square_())
        nearer = distance < nearest
        second = torch.where(nearer, nearest, torch.minimum(second, distance))
        nearest = torch.where(nearer, distance, nearest)
        owner = torch.where(nearer, hashes, owner)
    own = mixed(owner)
    values = [(own & 0xFFFF).float(), ((own >> 16) & 0xFFFF).float()]
    return torch.stack([*(value / 2**15 - 1 for value in values), second.sqrt() - nearest.sqrt()], 1)


def _split(place: Tensor) -> tuple[Tensor, Tensor]:
    whole = place.floor()
    return whole.int(), place - whole


def _corner(whole: Tensor, key: Tensor, dx: int, dy: int) -> Tensor:
    return mixed((whole[:, 0] + dx) * _ACROSS + (whole[:, 1] + dy) * _ALONG + key)
