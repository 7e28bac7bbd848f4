"""Objects in views are given the colors that their words name, and nothing else is touched."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from occscene_server.geometry.pixel_values import linear_from_srgb, srgb_from_linear
from occscene_server.metrics.color_words import nearest_color_word
from occscene_server.metrics.palette import COLORS
from occscene_server.pipelines.named_colors import MOST_BRIGHTENED, one_color, with_named_colors


def shaded(color: tuple[float, float, float], light: tuple[float, float, float]) -> Tensor:
    """Two views (2, 3, 8, 8) of a surface with a grain, the second darker by a third, as a light shows them."""
    grain = 0.8 + 0.4 * torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    seen = torch.tensor(color)[:, None, None] * torch.tensor(light)[:, None, None] * grain
    seen = seen * torch.tensor([1.0, 0.67])[:, None, None, None]
    return 2 * srgb_from_linear(seen.clamp(0, 1)) - 1


def linear(views: Tensor) -> Tensor:
    return linear_from_srgb((views + 1) / 2)


def named(*phrases: str) -> Tensor:
    return one_color(phrases, torch.zeros(len(phrases) + 1, 4))


WARM = (0.85, 0.7, 0.5)


@pytest.mark.parametrize("word", COLORS)
def test_an_object_under_warm_light_has_the_color_that_its_word_names(word: str) -> None:
    views = shaded(COLORS[word], WARM)
    objects = torch.ones(2, 8, 8, dtype=torch.int64)
    colored = with_named_colors(views, objects, named(f"a {word} sofa"))
    mean = linear(colored).mean((0, 2, 3))
    allowed = {word, "beige"} if word == "cream" else {word}  # darker cream is beige
    assert nearest_color_word(mean) in allowed


def test_texture_and_agreement_between_views_stay() -> None:
    views = shaded((0.5, 0.45, 0.4), WARM)
    colored = with_named_colors(views, torch.ones(2, 8, 8, dtype=torch.int64), named("a teal armchair"))
    factors = linear(colored) / linear(views)
    for channel in factors.unbind(1):
        assert torch.allclose(channel, channel[0, 0, 0].expand_as(channel), rtol=1e-3), "one factor for all pixels"


def test_what_names_no_color_or_several_stays_to_the_bit() -> None:
    views = shaded((0.5, 0.45, 0.4), WARM)
    objects = torch.arange(4).repeat_interleave(2).expand(2, 8, 8).clone()
    colored = with_named_colors(views, objects, named("a sofa", "a red and white rug", "a blue bed"))
    same = (colored == views).all(1)
    assert same[objects != 3].all()
    assert not same[objects == 3].any()
    assert torch.equal(with_named_colors(views, objects, named("a sofa", "", "a lamp")), views)


def test_a_hint_stands_above_words() -> None:
    hints = torch.tensor([[0.0, 0.0, 0.0, 0.0], [0.1, 0.2, 0.3, 1.0], [0.0, 0.0, 0.0, 0.0]])
    assert one_color(["a red sofa", "a red sofa"], hints)[:, 3].tolist() == [0, 0, 1]


def test_dusk_stays_dusk() -> None:
    views = shaded((0.8, 0.8, 0.8), (0.04, 0.05, 0.08))
    colored = with_named_colors(views, torch.ones(2, 8, 8, dtype=torch.int64), named("a white wall"))
    assert linear(colored).mean() <= MOST_BRIGHTENED * 1.3 * linear(views).mean()
    assert linear(colored).mean() < 0.15
