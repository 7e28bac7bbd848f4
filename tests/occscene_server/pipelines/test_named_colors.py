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


def test_hints_are_followed_where_asked_and_stand_above_words() -> None:
    hints = torch.zeros(4, 4)
    hints[1] = torch.tensor([0.1, 0.2, 0.6, 1.0])
    hints[2] = torch.tensor([0.5, 0.1, 0.1, 1.0])
    phrases = ["a red house", "a red and white awning", "a teal car"]
    assert one_color(phrases, hints)[:, 3].tolist() == [0, 0, 0, 1]
    moved = one_color(phrases, hints, moved_to_hints=True)
    assert torch.equal(moved[1], hints[1])
    assert moved[:, 3].tolist() == [0, 1, 0, 1], "two colors are a pattern's"


def test_the_light_that_many_objects_share_stays() -> None:
    """Six objects at dusk, all but one as hinted: only that one changes much."""
    dusk = torch.tensor([0.3, 0.22, 0.25])
    hints = torch.rand(7, 4, generator=torch.Generator().manual_seed(3)) * 0.5 + 0.2
    hints[:, 3], hints[0] = 1.0, 0.0
    seen = hints[1:, :3] * dusk
    seen[5] = torch.tensor([0.05, 0.2, 0.05])  # an object that came out green
    objects = torch.arange(1, 7).repeat_interleave(8).view(1, 6, 8).expand(2, 6, 8)
    pixels = seen[objects - 1].movedim(-1, 1)
    views = 2 * srgb_from_linear(pixels) - 1
    kept, plain = (linear(with_named_colors(views, objects, hints, keeps_light=keeps)) for keeps in (True, False))
    brightness = [float(changed[:, :, :5].mean() / pixels[:, :, :5].mean()) for changed in (kept, plain)]
    assert brightness[0] == pytest.approx(1, abs=0.1)
    assert brightness[1] > 1.4, "else dusk becomes day"
    wanted, before, after = (color / color.sum() for color in (hints[6, :3], pixels[0, :, 5, 0], kept[0, :, 5, 0]))
    assert (after - wanted).abs().max() < (before - wanted).abs().max() / 2
