"""Sharpness of images whose spectrum and edges are known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from occscene_server.metrics.view_detail import (
    distance_to,
    edge_distance,
    gradient_energy,
    gray,
    high_frequency_power,
    image_edges,
    object_borders,
)


def test_gradient_of_a_ramp() -> None:
    ramp = torch.arange(40.0)[None, None] * 0.01 + torch.arange(30.0)[None, :, None] * 0.02
    assert gradient_energy(ramp) == pytest.approx(0.03, rel=1e-4)


def test_gray_of_white_is_one() -> None:
    assert gray(torch.full((1, 2, 2, 3), 255, dtype=torch.uint8)).max() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(("frequency", "passes"), [(0.04, False), (0.1, False), (0.16, True), (0.4, True)])
@pytest.mark.parametrize("angle", [0.0, 0.6, math.pi / 2])
def test_power_of_a_wave_counts_above_a_quarter_of_nyquist(frequency: float, passes: bool, angle: float) -> None:
    y, x = torch.meshgrid(torch.arange(96.0), torch.arange(120.0), indexing="ij")
    wave = 0.5 + 0.2 * torch.sin(2 * math.pi * frequency * (x * math.cos(angle) + y * math.sin(angle)))
    assert high_frequency_power(wave[None]) == pytest.approx(0.02 if passes else 0, abs=0.0008)


def square(size: int, low: float, high: float, angle: float) -> tuple[Tensor, Tensor]:
    """A square turned by an angle, drawn with smooth edges, and the distance of every pixel from its outline."""
    y, x = torch.meshgrid(torch.arange(size) + 0.5, torch.arange(size) + 0.5, indexing="ij")
    x, y = x - size / 2, y - size / 2
    u, v = x * math.cos(angle) + y * math.sin(angle), y * math.cos(angle) - x * math.sin(angle)
    signed = torch.maximum(u.abs(), v.abs()) - size / 4
    inside = (0.5 - signed).clamp(0, 1)
    return (low + (high - low) * inside)[None], signed[None]


@pytest.mark.parametrize("angle", [0.0, 0.3, math.pi / 4, 1.2])
@pytest.mark.parametrize(("low", "high"), [(0.1, 0.9), (0.8, 0.2)])
def test_edges_are_thin_and_on_the_outline(angle: float, low: float, high: float) -> None:
    image, signed = square(96, low, high, angle)
    edges = image_edges(image)
    corners = 6  # Gauss rounds them
    assert (signed.abs()[edges] < 1.5 + corners).all()
    assert signed.abs()[edges].mean() < 0.8
    assert 0.7 < edges.sum() / (4 * 48) < 1.7
    assert not image_edges(torch.full((1, 20, 20), 0.5)).any()


def test_distance_is_that_of_scipy() -> None:
    marks = np.random.default_rng(0).random((3, 37, 53)) < 0.004
    marks[2] = False
    known = [distance_transform_edt(~view) if view.any() else np.full(view.shape, np.inf) for view in marks]
    found = distance_to(torch.from_numpy(marks), 9).numpy()
    np.testing.assert_allclose(found, np.minimum(known, 10), atol=1e-5)


def test_distances_grow_with_shift_and_blur() -> None:
    image, signed = square(256, 0.2, 0.8, 0.3)
    edge = torch.zeros(1, 256, 256, dtype=torch.bool)
    inside = signed < 0
    edge[..., :, :-1] |= inside[..., :, :-1] != inside[..., :, 1:]
    edge[..., :-1, :] |= inside[..., :-1, :] != inside[..., 1:, :]
    borders = object_borders(edge)
    exact = edge_distance(image, borders)
    shifted = edge_distance(image.roll((3, 3), (1, 2)), borders)
    flat = edge_distance(torch.full_like(image, 0.5), borders)
    assert exact[0] is not None
    assert shifted[0] is not None
    assert exact[0] < 0.3 < exact[0] + 1 < shifted[0]
    assert exact[1] < 0.8 < exact[1] + 1 < shifted[1]
    assert flat == (None, 8.0)
    noise = torch.rand(1, 256, 256, generator=torch.Generator().manual_seed(0))
    by_chance = edge_distance(noise, borders)
    assert by_chance[0] == pytest.approx(3.5, abs=0.7)
