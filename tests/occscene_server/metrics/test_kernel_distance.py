"""Kernel distance of rooms: against a plain double loop, and on sets whose distance is known to be nothing."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from occscene_server.metrics.kernel_distance import distance_between_halves, kernel_distance


def rooms(count: int, seed: int) -> Tensor:
    """Features of rooms whose views are much alike, (count, 4, 8)."""
    generator = torch.Generator().manual_seed(seed)
    own = torch.randn(count, 1, 8, generator=generator)
    return own + 0.3 * torch.randn(count, 4, 8, generator=generator)


def plain_distance(real: Tensor, generated: Tensor, omitted: int = -1) -> float:
    flat = real.flatten(0, 1)
    first, second = ((one - flat.mean(0)) / flat.std(0) for one in (real, generated))

    def kernel(a: Tensor, b: Tensor) -> float:
        return float(torch.stack([(x @ y / 8 + 1) ** 3 for x in a for y in b]).mean())

    pairs = [pair for pair in itertools.permutations(range(len(real)), 2) if omitted not in pair]
    return sum(
        kernel(first[i], first[j]) + kernel(second[i], second[j]) - 2 * kernel(first[i], second[j]) for i, j in pairs
    ) / len(pairs)


def test_distance_is_that_of_a_plain_loop() -> None:
    real, generated = rooms(6, 0), rooms(6, 1) * 1.5 + 0.2
    found = kernel_distance(real, generated)
    assert found.value == pytest.approx(plain_distance(real, generated), rel=1e-4)


def test_deviation_is_that_of_leaving_rooms_out() -> None:
    real, generated = rooms(6, 0), rooms(6, 1) + 0.5
    found = kernel_distance(real, generated)
    values = torch.tensor([plain_distance(real, generated, omitted) for omitted in range(6)])
    jackknife = ((values - values.mean()).square().sum() * 5 / 6) ** 0.5
    assert found.deviation == pytest.approx(float(jackknife), rel=1e-3)


def test_equal_distributions_are_nothing_apart_on_average() -> None:
    found = [kernel_distance(rooms(16, seed), rooms(16, 1000 + seed)) for seed in range(60)]
    values = torch.tensor([one.value for one in found])
    assert abs(float(values.mean())) < 3 * float(values.std()) / 60**0.5
    spread = sum(one.deviation for one in found) / len(found)
    assert 0.5 < spread / float(values.std()) < 2


def test_halves_are_nothing_apart_and_shifts_are_seen() -> None:
    real = rooms(40, 5)
    halves = distance_between_halves(real)
    assert abs(halves.value) < 0.1 * halves.deviation + 0.01
    assert halves == distance_between_halves(real)
    shifted = kernel_distance(real, rooms(40, 6) + 1)
    assert shifted.value > 0.5
    assert shifted.value > 5 * halves.deviation
    paired = kernel_distance(real, real.clone())
    assert abs(paired.value) < 1e-6
