"""Swatches: the patterns that phrases name, where the studio's materials have them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from occscene.taxonomy import INDOOR

from occscene_server.models.guided_decoder import GuidedDecoder
from occscene_server.models.object_words import LIGHT
from occscene_server.models.pixel_features import FEATURES
from occscene_server.models.text import load_minilm
from occscene_server.training.decoder_losses import swatch_loss
from occscene_server.training.phrasebook import Phrasebook
from occscene_server.training.swatches import COUNT, PATTERNS, SIDE, Swatches

ITEMS = [
    ("rug", "floor", "a mustard and white checked rug"),
    ("rug 2", "floor", "a green and white striped rug"),
    ("east wall", "wall", "red damask wallpaper walls"),
    ("sofa", "sofa", "a grey velvet sofa"),
]


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Phrasebook:
    said = [LIGHT, "rug", "east wall", "sofa", *(phrase for _, _, phrase in ITEMS)]
    return Phrasebook(tmp_path_factory.mktemp("book") / "text", said, *load_minilm())


def swatches(book: Phrasebook, *kept: int) -> Swatches:
    items = [{"id": 1, "name": n, "class": c, "phrase": p, "share": 0.1} for n, c, p in ITEMS]
    return Swatches([items[index] for index in kept], book)


def test_patterns_are_those_of_the_phrases_and_the_same_for_a_seed(book: Phrasebook) -> None:
    drawn = swatches(book, 0, 1, 2, 3)
    geometry = torch.randn(2, FEATURES, 8, 8, generator=torch.Generator().manual_seed(0))
    one, two = (drawn.draw(geometry, np.random.default_rng(3)) for _ in range(2))
    assert one is not None
    assert two is not None
    assert one.features.shape == (COUNT, FEATURES, SIDE, SIDE)
    assert torch.equal(one.features, two.features)
    assert torch.equal(one.second, two.second)
    assert set(one.classes.tolist()) == {INDOOR.index_of("floor"), INDOOR.index_of("wall")}
    assert swatches(book, 3).draw(geometry, np.random.default_rng(0)) is None


@pytest.mark.parametrize("name", PATTERNS)
def test_patterns_repeat_in_the_room_and_are_shares(name: str) -> None:
    x, y = torch.rand(2, 4000, generator=torch.Generator().manual_seed(0)) * 6 - 3
    second = PATTERNS[name](x, y)
    assert 0 <= float(second.min()) < float(second.max()) <= 1
    assert 0.01 < float(second.mean()) < 0.7
    # floating point moves what lies on a border
    assert float((PATTERNS[name](x + 2, y + 2) - second).abs().mean()) < 0.02


@pytest.mark.slow
def test_a_decoder_learns_stripes_from_swatches(book: Phrasebook) -> None:
    torch.manual_seed(0)
    decoder, drawn, rng = GuidedDecoder(widths=(8, 8, 16, 16)), swatches(book, 1), np.random.default_rng(0)
    optimizer = torch.optim.AdamW(decoder.parameters(), 5e-3)
    losses = []
    for _ in range(40):
        batch = drawn.draw(torch.zeros(1, FEATURES, 4, 4), rng)
        assert batch is not None
        loss = swatch_loss(decoder, batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])
