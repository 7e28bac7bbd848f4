"""Noise on surfaces: against plain references, and as random as it says."""

from __future__ import annotations

import math

import numpy as np
import torch

from occscene_server.geometry.surface_noise import cell_noise, fade, mixed, unit_numbers, value_noise


def places(count: int, reach: float = 30.0) -> torch.Tensor:
    return (torch.rand(1, 2, count, generator=torch.Generator().manual_seed(0)) - 0.5) * 2 * reach


def test_hashes_spread() -> None:
    numbers = torch.arange(-50_000, 50_000, dtype=torch.int32)
    hashes = mixed(numbers)
    assert len(hashes.unique()) == len(numbers)
    changed = (hashes ^ mixed(numbers ^ (1 << 9))).numpy().view(np.uint32)
    assert abs(np.unpackbits(changed.view(np.uint8)).mean() - 0.5) < 0.01
    values = unit_numbers(hashes)
    assert 0 <= float(values.min()) <= float(values.max()) < 1
    assert np.allclose(np.histogram(values.numpy(), 10, (0, 1))[0] / len(values), 0.1, atol=0.005)
    assert abs(float(torch.corrcoef(torch.stack([values[:-1], values[1:]]))[0, 1])) < 0.01


def test_value_noise_is_its_lattice_and_smooth_between() -> None:
    key = torch.zeros(1, 40_000, dtype=torch.int32)
    lattice = value_noise(places(40_000).div(0.125).round() * 0.125, key, 0.125)
    assert abs(float(lattice.mean())) < 0.02
    assert abs(float(lattice.std()) - 1 / math.sqrt(3)) < 0.02  # uniform on [-1, 1]
    place = places(40_000)
    step = (
        value_noise(place + torch.tensor([1e-3, 0.0]).view(1, 2, 1), key, 0.125) - value_noise(place, key, 0.125)
    ).abs()
    assert float(step.max()) < 2 * 1.5 * 1e-3 / 0.125 * 1.1  # two values differ by 2 at most; smoothstep's slope is 1.5


def test_other_keys_and_sizes_are_other_noise() -> None:
    place, key = places(20_000), torch.zeros(1, 20_000, dtype=torch.int32)
    kinds = [value_noise(place, key + offset, 0.125) for offset in (0, 1, 12345, -7)]
    kinds += [value_noise(place, key, 0.0625), *cell_noise(place, key, 0.25)[0, :2, None]]
    together = torch.corrcoef(torch.stack([kind.flatten() for kind in kinds])) - torch.eye(len(kinds))
    assert float(together.abs().max()) < 0.03
    assert torch.equal(value_noise(place, key, 0.125), kinds[0])


def test_cells_are_those_of_the_nearest_point() -> None:
    place, key = places(300, 3.0), torch.full((1, 300), 77, dtype=torch.int32)
    first, second, border = cell_noise(place, key, 0.25)[0]
    # the plain reference: all points of all lattice cells around, sorted by distance
    whole = torch.stack(torch.meshgrid(torch.arange(-16, 17), torch.arange(-16, 17), indexing="ij"), -1).view(-1, 2)
    whole = whole.int()
    hashes = mixed(whole[:, 0] * (0x8DA6B343 - 2**32) + whole[:, 1] * 0x58163841 + 77)
    points = whole + torch.stack([hashes & 0xFFFF, (hashes >> 16) & 0xFFFF], 1) / 2**16
    away = torch.cdist(place[0].T / 0.25, points)
    near = away.topk(2, largest=False)
    torch.testing.assert_close(border, near.values[:, 1] - near.values[:, 0], atol=1e-3, rtol=0)
    own = mixed(hashes[near.indices[:, 0]])
    torch.testing.assert_close(first, (own & 0xFFFF) / 2**15 - 1)
    torch.testing.assert_close(second, ((own >> 16) & 0xFFFF) / 2**15 - 1)


def test_what_a_pixel_cannot_show_is_gone() -> None:
    spans = torch.tensor([0.0, 0.25, 0.5, 1.0, 3.0, torch.inf])
    left = fade(spans, 1.0)
    assert float(left[0]) == 1
    assert 0.4 < float(left[2]) < 0.5  # two pixels a wave
    assert float(left[3]) < 0.05
    assert float(left[4]) < 1e-9
    assert float(left[5]) == 0
