"""Drawing layouts: by seed alone, within the rules whatever the weights, and around what is given."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
import torch
from occscene.layout import Layout, LayoutRoom

from occscene_server.geometry.layout_rules import blocked_doors, outside, overlapping
from occscene_server.models.layout_sampling import LayoutSampler, SamplingOptions
from occscene_server.models.prompt_kinds import named_kinds
from tests.occscene_server.models.tiny_layouts import room, text_of, tiny_prior, vocabulary


def drawn(seed: int, tokens: int = 5, **arguments: object) -> Layout:
    sampler = LayoutSampler(tiny_prior(), text_of(tokens), torch.Generator().manual_seed(seed))
    return sampler.draw(**arguments)  # type: ignore[arg-type]


def test_the_seed_decides() -> None:
    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    assert drawn(1, tokens=0) == drawn(1, tokens=0)


@pytest.mark.parametrize("seed", range(4))
def test_untrained_weights_keep_the_rules_too(seed: int) -> None:
    layout = drawn(seed)
    assert not any(outside(layout))
    assert not any(overlapping(layout))
    assert blocked_doors(layout) == 0


def test_what_is_given_is_kept_to_the_letter() -> None:
    whole = room(3)
    given = replace(whole, objects=tuple(replace(obj, color=(0.1, 0.2, 0.3)) for obj in whole.objects[:5]))
    layout = drawn(4, given=given)
    assert layout.objects[:5] == given.objects
    assert layout.room == given.room


def test_a_room_is_drawn_around_what_is_given_without_one() -> None:
    given = Layout("indoor", None, room(3).objects[5:6])
    layout = drawn(4, given=given)
    assert layout.objects[:1] == given.objects
    assert layout.room is not None


@pytest.mark.parametrize("seed", range(3))
def test_named_kinds_are_there_and_counts_are_kept(seed: int) -> None:
    sampler = LayoutSampler(tiny_prior(), text_of(4), torch.Generator().manual_seed(seed), SamplingOptions(tries=200))
    kinds = Counter(obj.name for obj in sampler.draw({"vase": 2, "sofa": 1, "picture": 1}).objects)
    assert kinds["vase"] == 2
    assert kinds["sofa"] >= 1
    assert kinds["picture"] >= 1


def test_one_object_is_drawn_anew_and_no_other() -> None:
    layout = room(5)
    index = next(i for i, obj in enumerate(layout.objects) if obj.name not in ("door", "window"))
    sampler = LayoutSampler(tiny_prior(), text_of(3), torch.Generator().manual_seed(0), SamplingOptions(tries=64))
    changed = sampler.draw_anew(layout, index)
    assert len(changed.objects) == len(layout.objects)
    assert [a == b for a, b in zip(changed.objects, layout.objects, strict=True)].count(False) <= 1
    assert changed.objects[index].name == layout.objects[index].name


def test_too_much_or_unknown_is_refused() -> None:
    sofa = next(obj for obj in room(3).objects if obj.name == "sofa")
    with pytest.raises(ValueError, match="at most 40"):
        drawn(0, given=Layout("indoor", LayoutRoom((4.0, 4.0, 2.5)), (sofa,) * 41))
    with pytest.raises(ValueError, match="piano"):
        drawn(0, given=Layout("indoor", LayoutRoom((4.0, 4.0, 2.5)), (replace(sofa, name="piano"),)))


@pytest.mark.parametrize(
    ("prompt", "wanted"),
    [
        ("a red couch, two oak nightstands and a dresser", {"sofa": 1, "nightstand": 2, "chest of drawers": 1}),
        ("a desk with a monitor on the desk", {"desk": 1, "computer monitor": 1}),
        ("two bookshelves, an oak bookshelf beside the sofa", {"bookshelf": 3, "sofa": 1}),
        ("a TV on a tv cabinet", {"television": 1, "tv cabinet": 1}),
        ("four dining chairs around the dining table", {"dining chair": 4, "dining table": 1}),
        ("a stack of books on the coffee table, a coffee table", {"books": 1, "coffee table": 1}),
        ("a calm place, overcast", {}),
    ],
)
def test_prompts_name_kinds(prompt: str, wanted: dict[str, int]) -> None:
    assert named_kinds(prompt, vocabulary().kinds) == wanted
