"""The first guess: of the mean until trained, of each view by itself, from words, classes and places on surfaces."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from occscene_server.geometry.guidance import Guidance, guidance_channels
from occscene_server.models.first_guess import FirstGuess
from occscene_server.models.surfaces import WAVELENGTHS, SurfaceEncoder

CLASSES, TEXT, LATENTS, CELLS, SIDE = 5, 16, 4, 2, 8


@pytest.fixture
def first_guess() -> FirstGuess:
    torch.manual_seed(0)
    return FirstGuess(CLASSES, LATENTS, TEXT, CELLS, widths=(16, 16, 16)).requires_grad_(False).eval()


@pytest.fixture
def trained(first_guess: FirstGuess) -> FirstGuess:
    nn.init.normal_(first_guess.outlet[-1].weight)
    return first_guess


@pytest.fixture
def guidance() -> Guidance:
    """Two scenes of three views, random."""
    generator = torch.Generator().manual_seed(1)
    shape = (2, 3, 1, CELLS * SIDE, CELLS * SIDE)

    def maps(channels: int) -> Tensor:
        return torch.rand((*shape[:2], channels, *shape[3:]), generator=generator)

    flat = torch.zeros(shape)[:, :, 0]
    return Guidance(maps(guidance_channels(CLASSES)), maps(3), maps(2), flat.long(), flat.long(), flat)


def guessed(network: FirstGuess, guidance: Guidance, text: Tensor, kind: int = 2) -> Tensor:
    seen = torch.zeros(2, 3, CLASSES, SIDE, SIDE)
    seen[:, :, kind] = 1.0
    return network(network.encode_guidance(guidance), seen, text, torch.ones(text.shape[:2], dtype=torch.bool))


@pytest.fixture
def text() -> Tensor:
    return torch.randn(2, 6, TEXT, generator=torch.Generator().manual_seed(2))


def test_untrained_it_guesses_the_mean(first_guess: FirstGuess, guidance: Guidance, text: Tensor) -> None:
    guess = guessed(first_guess, guidance, text)
    assert guess.shape == (2, 3, LATENTS, SIDE, SIDE)
    assert not guess.any()


def test_words_classes_and_what_is_seen_decide(trained: FirstGuess, guidance: Guidance, text: Tensor) -> None:
    guess = guessed(trained, guidance, text)
    assert not torch.allclose(guessed(trained, guidance, text.flip(0)), guess, atol=1e-3)
    assert not torch.allclose(guessed(trained, guidance, text, kind=3), guess, atol=1e-3)
    for part in ("channels", "points", "surface"):
        other = Guidance(**(vars(guidance) | {part: 1 - getattr(guidance, part)}))
        assert not torch.allclose(guessed(trained, other, text), guess, atol=1e-3), part


def test_each_view_is_guessed_by_itself(trained: FirstGuess, guidance: Guidance, text: Tensor) -> None:
    turned = Guidance(*(part.flip(1) for part in vars(guidance).values()))
    torch.testing.assert_close(
        guessed(trained, turned, text), guessed(trained, guidance, text).flip(1), rtol=1e-4, atol=1e-4
    )


def test_surfaces_repeat_with_the_longest_wave_alone() -> None:
    torch.manual_seed(0)
    encoder = SurfaceEncoder(2, 8)
    surface = torch.rand(1, 2, 8, 8)
    features = encoder(surface)
    assert features.shape == (1, 8, 4, 4)
    torch.testing.assert_close(encoder(surface + max(WAVELENGTHS)), features, rtol=1e-3, atol=1e-3)
    assert not torch.allclose(encoder(surface + max(WAVELENGTHS) / 2), features, atol=1e-2)
