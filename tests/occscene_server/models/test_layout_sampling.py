"""Drawing layouts: by seed only, within the rules whatever the weights, and around what is given."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
import torch
from occscene.layout import Layout, LayoutRoom

from occscene_server.geometry.layout_rules import blocked_doors, blocks_sight, floating, outside, overlapping, sight_of
from occscene_server.geometry.relations import relations_of
from occscene_server.models.layout_sampling import LayoutSampler, SamplingOptions
from occscene_server.models.prompt_reading import Reading, RequestedObject, phrases_of, read_prompt
from occscene_server.studio.layouts import room_record
from tests.occscene_server.models.tiny_layouts import room, text_of, tiny_prior, vocabulary


def drawn(seed: int, objects: int = 10, **arguments: object) -> Layout:
    few = SamplingOptions(tries=3, related_tries=3)
    sampler = LayoutSampler(tiny_prior(0, objects), text_of(5), torch.Generator().manual_seed(seed), few)
    return sampler.draw(**arguments)  # type: ignore[arg-type]


@pytest.mark.slow
def test_the_seed_decides() -> None:
    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)


@pytest.mark.parametrize("seed", range(2))
def test_untrained_weights_keep_the_rules_too(seed: int) -> None:
    layout = drawn(seed, objects=40)
    assert len(layout.objects) >= 10
    assert not any(outside(layout))
    assert not any(overlapping(layout))
    assert not any(floating(layout))
    assert blocked_doors(layout) == 0


@pytest.mark.slow
def test_what_cameras_look_through_stays_free() -> None:
    sights = [sight_of((x, y, 1.5), (-x, -y, 0.0)) for x in (-1.2, 1.2) for y in (-1.2, 1.2)]
    few = SamplingOptions(tries=3, related_tries=3)

    def blocking(**arguments: object) -> int:
        generator = torch.Generator().manual_seed(0)
        layout = LayoutSampler(tiny_prior(0, 40), text_of(5), generator, few, **arguments).draw()  # type: ignore[arg-type]
        return sum(blocks_sight(obj, sight) for obj in layout.objects for sight in sights)

    assert blocking() > 0
    assert blocking(sights=sights) == 0


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
def test_counts_and_colors_that_are_asked_for_are_kept(seed: int) -> None:
    sampler = LayoutSampler(tiny_prior(0, 4), text_of(4), torch.Generator().manual_seed(seed))
    wanted = ("picture", "red", 2), ("curtain", "", 1), ("ceiling lamp", "", 1)
    reading = Reading(tuple(RequestedObject(*one) for one in wanted))
    layout = sampler.draw(reading)
    kinds = Counter(obj.name for obj in layout.objects)
    assert kinds["picture"] == 2
    assert kinds["curtain"]
    assert kinds["ceiling lamp"]
    assert {obj.color_word for obj in layout.objects if obj.name == "picture"} == {"red"}


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
    beam = replace(sofa, name="beam", class_name="ceiling")
    with pytest.raises(ValueError, match="ceiling"):
        drawn(0, given=Layout("indoor", LayoutRoom((4.0, 4.0, 2.5)), (beam,)))


def test_of_boxes_that_fit_those_are_taken_that_stand_where_they_are_said_to() -> None:
    asked = Reading((RequestedObject("plant", "", 1),), (("plant", "in the corner", ""),))
    held: Counter[bool] = Counter()
    for seed in range(4):
        for reading in (asked, replace(asked, relations=())):
            few = SamplingOptions(related_tries=200)
            layout = LayoutSampler(tiny_prior(0, 4), text_of(4), torch.Generator().manual_seed(seed), few).draw(reading)
            names = [obj.name for obj in layout.objects]
            held[bool(reading.relations)] += ("plant", "in the corner") in {
                (names[r.subject], r.name) for r in relations_of(layout)
            }
    assert held[True] >= 3
    assert held[True] > held[False]


@pytest.mark.parametrize(
    ("prompt", "least", "colors", "relations"),
    [
        (
            "a red couch, two oak nightstands and a dresser", {"sofa": 1, "nightstand": 2, "chest of drawers": 1},
            {"sofa": ["red"], "nightstand": ["oak", "oak"]}, [],
        ),
        (
            "a desk with a monitor on the desk", {"desk": 1, "computer monitor": 1}, {},
            [("computer monitor", "on", "desk")],
        ),
        (
            "two bookshelves, an oak bookshelf beside the red sofa", {"bookshelf": 3, "sofa": 1},
            {"bookshelf": ["oak"], "sofa": ["red"]}, [("bookshelf", "beside", "sofa")],
        ),
        ("a TV on a tv cabinet", {"television": 1, "tv cabinet": 1}, {}, [("television", "on", "tv cabinet")]),
        (
            "four dining chairs around the dining table", {"dining chair": 4, "dining table": 1}, {},
            [("dining chair", "at", "dining table")],
        ),
        ("a stack of books on the coffee table, a coffee table", {"books": 1, "coffee table": 1}, {},
         [("books", "on", "coffee table")]),
        (
            "a green plant in a brown pot in the corner, a gray and white striped rug under the bed",
            {"plant": 1, "rug": 1, "bed": 1}, {"plant": ["green"], "rug": ["grey"]},
            [("plant", "in the corner", ""), ("rug", "under", "bed")],
        ),
        ("a calm place with white walls, overcast", {}, {}, []),
    ],
)  # fmt: skip
def test_prompts_are_read(
    prompt: str, least: dict[str, int], colors: dict[str, list[str]], relations: list[tuple[str, str, str]]
) -> None:
    reading = read_prompt(prompt, vocabulary().kinds, vocabulary().colors)
    assert reading.least() == least
    assert {kind: reading.colors(kind) for kind in least if reading.colors(kind)} == colors
    assert list(reading.relations) == relations


def test_the_studio_s_prompts_are_read_as_they_were_meant() -> None:
    right = total = 0
    for seed in range(12):
        for prompt in room_record(seed).prompts:
            reading = read_prompt(prompt.text, vocabulary().kinds, vocabulary().colors)
            right += set(reading.relations) == set(prompt.relations)
            total += 1
            assert set(reading.least()) >= {mention.kind for mention in prompt.mentions}
    assert right / total > 0.95


def test_phrases_are_what_a_prompt_says_of_each_kind() -> None:
    kinds = ("sofa", "coffee table", "nightstand", "rug", "bookshelf")
    prompt = "A study, two oak nightstands, a mustard velvet sofa and a round teak coffee table; a bookcase, bright day"
    assert phrases_of(prompt, kinds) == {
        "nightstand": ["two oak nightstands"] * 2,
        "sofa": ["a mustard velvet sofa"],
        "coffee table": ["a round teak coffee table"],
        "bookshelf": ["a bookcase"],
    }
    assert phrases_of("", kinds) == {}


def test_a_round_table_is_as_deep_as_it_is_wide() -> None:
    prompt = "a dining room with a round oak table and four chairs"
    words = vocabulary()
    reading = read_prompt(prompt, words.kinds, words.colors, prompt)
    assert reading.least() == {"dining table": 1, "dining chair": 4}
    assert reading.round_kinds == {"dining table"}
    sampler = LayoutSampler(tiny_prior(0, 4), text_of(4), torch.Generator().manual_seed(0))
    tables = [obj for obj in sampler.draw(reading).objects if obj.name == "dining table"]
    assert tables
    assert all(obj.size[0] == obj.size[1] for obj in tables)


def test_mere_names_are_of_whole_prompts_alone() -> None:
    kinds = vocabulary().kinds
    for prompt, kind in (("a study, a chair", "office chair"), ("a lounge, a table", "coffee table")):
        assert read_prompt(prompt, kinds, (), prompt).least() == {kind: 1}
    assert read_prompt("table", kinds, ()).objects == ()  # of an object of that name the size says what it is
