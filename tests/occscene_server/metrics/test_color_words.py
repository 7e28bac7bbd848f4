"""Colours of objects, and the words that name them."""

from __future__ import annotations

import pytest
import torch

from occscene_server.metrics.color_words import color_word, colors_as_named, has_color, mean_colors
from occscene_server.metrics.palette import COLORS


@pytest.mark.parametrize(
    ("phrase", "word"),
    [
        ("a pink knitted armchair", "pink"),
        ("a round teal and white checked rug", None),
        ("a purple bed with a brown linen blanket", None),
        ("a pine door", None),
        ("beige damask wallpaper walls", "beige"),
        ("a tan sofa", None),
        ("greyish curtains", None),
        ("a red chair on a red cushion", "red"),
        ("", None),
    ],
)
def test_word_of_a_phrase(phrase: str, word: str | None) -> None:
    assert color_word(phrase) == word


def test_every_color_is_its_own() -> None:
    for word, color in COLORS.items():
        assert has_color(torch.tensor(color), word)
        assert not has_color(torch.tensor(color), "green" if word != "green" else "navy")
    assert has_color(0.8 * torch.tensor(COLORS["red"]), "red")
    assert has_color(torch.tensor([0.25, 0.26, 0.25]), "grey")


def test_means_are_of_the_objects_own_pixels() -> None:
    objects = torch.zeros(2, 10, 10, dtype=torch.long)
    objects[0, :5], objects[1, 8:], objects[0, 9, 9] = 1, 2, 7
    views = torch.rand(2, 10, 10, 3, generator=torch.Generator().manual_seed(0))
    views[objects == 2] = torch.tensor(COLORS["teal"])
    found = mean_colors(views, objects, least=0.05)
    assert set(found) == {1, 2}
    torch.testing.assert_close(found[1], views[0, :5].reshape(-1, 3).mean(0))
    named = colors_as_named(found, {1: "a stack of books", 2: "a teal vase", 7: "a red ball"})
    assert named == {2: True}
    assert colors_as_named(found, {2: "a blue vase"}) == {2: False}
