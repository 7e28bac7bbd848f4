"""Streets as numbers, and drawn from a prior with random weights: in place, as asked, the same for the same seed."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
import torch
from occscene.layout import Layout, LayoutObject, LayoutRoom

from occscene_server.geometry.relations import relation_names
from occscene_server.geometry.street_layout import FRAME
from occscene_server.geometry.street_rules import conflict
from occscene_server.models.layout_prior import LayoutPrior
from occscene_server.models.layout_sampling import LayoutSampler, SamplingOptions
from occscene_server.models.layout_tokens import (
    RANGES,
    STREET_STEP,
    TURNS,
    Vocabulary,
    course_of,
    decode_boxes,
    encode_boxes,
    layout_numbers,
)
from occscene_server.models.prompt_reading import read_prompt

RANGE = RANGES["outdoor"]
WORDS = Vocabulary(
    ("road", "house", "car", "person"), ("road", "building", "car", "person"), ("", "red"), ("", "summer", "village"),
    ((64.0, 6.0, 0.2), (10.0, 9.0, 8.0), (1.8, 4.4, 1.5), (0.5, 0.5, 1.8)), "outdoor",
)  # fmt: skip
TEXT_DIM = 16


@cache
def tiny_prior() -> LayoutPrior:
    """Random weights that draw boxes of a few metres on the ground."""
    torch.manual_seed(0)
    prior = LayoutPrior(
        list(WORDS.kinds), list(WORDS.classes), list(WORDS.colors), list(WORDS.surfaces),
        [list(size) for size in WORDS.sizes], 32, 1, 2, TEXT_DIM, "outdoor",
    ).eval()  # fmt: skip
    with torch.no_grad():
        for name in ("width", "depth", "height", "bottom"):
            bias = prior.object_heads.heads[name][-1].bias
            bias.copy_(torch.arange(len(bias)) * -0.1)
        prior.next_kind[-1].bias[-1] = math.log(len(WORDS.kinds) / 40)
    return prior


def sampler(seed: int = 0) -> LayoutSampler:
    text = torch.randn(5, TEXT_DIM, generator=torch.Generator().manual_seed(1))
    return LayoutSampler(tiny_prior(), text, torch.Generator().manual_seed(seed), SamplingOptions(tries=16))


def test_boxes_come_back_within_half_a_step() -> None:
    rng = np.random.default_rng(0)
    count = 400
    boxes = np.concatenate(
        [rng.uniform(-28, 28, (count, 2)), np.zeros((count, 1)), rng.uniform(0.3, 12.0, (count, 3)),
         rng.integers(0, 4, (count, 1)) * np.pi / 2], 1
    )  # fmt: skip
    boxes[:, 2] = boxes[:, 5] / 2
    frame = np.broadcast_to(np.array(FRAME), (count, 3))
    found = decode_boxes(encode_boxes(boxes, frame, RANGE), frame, RANGE)
    assert (np.abs(found[:, 3:6] - boxes[:, 3:6]) < STREET_STEP / 2 * 1.01).all()
    # the middle follows from the back and the size, each a half step off
    assert (np.abs(found[:, :2] - boxes[:, :2]) < STREET_STEP * 0.76).all()
    assert (np.abs(np.angle(np.exp(1j * (found[:, 6] - boxes[:, 6])))) <= np.pi / TURNS).all()


@pytest.mark.parametrize("bend", [(1 / 45, -16.0, 31.0), (-1 / 140, 7.0, 42.0), (0.0, 3.0, 20.0)])
def test_bends_come_back(bend: tuple[float, float, float]) -> None:
    course = course_of(RANGE.encode_scene(np.array(bend)))
    if bend[0] == 0.0:
        assert (course.bend, course.length) == (0.0, 0.0)
        return
    assert course.bend == pytest.approx(bend[0], abs=0.0008)
    assert (course.start, course.length) == pytest.approx(bend[1:], abs=1.01)


@pytest.mark.slow
def test_drawn_streets_hold_to_the_rules_and_their_seed() -> None:
    first, same, other = (sampler(seed).draw() for seed in (3, 3, 4))
    assert first == same
    assert first != other
    assert first.taxonomy == "outdoor"
    assert first.room is None
    standing = [obj for obj in first.objects if obj.name != "road"]
    assert len(standing) > 2
    for index, obj in enumerate(standing):
        assert conflict(obj, standing[:index]) < 1.0, "the world's bend moves boxes a little"


@pytest.mark.slow
def test_what_is_given_stays_and_asks_for_a_straight_street() -> None:
    house = LayoutObject("my house", "building", (5.0, 12.0, 4.0), (9.0, 8.0, 8.0), math.pi, "red")
    drawn = sampler(5).draw(given=Layout("outdoor", None, (house,)))
    assert drawn.objects[0] == house
    assert len(drawn.objects) > 1
    steps = [obj.turn / (2 * math.pi) * TURNS for obj in drawn.objects[1:]]
    assert steps == pytest.approx(np.rint(steps))
    layout = Layout("outdoor", None, drawn.objects)
    several = [sampler(seed).draw_anew(layout, 0) for seed in range(6, 14)]
    assert any(anew.objects[0] != house for anew in several)
    for anew in several:
        assert anew.objects[0].name == "my house"
        assert anew.objects[1:] == drawn.objects[1:]


def test_layouts_of_the_other_domain_are_refused() -> None:
    with pytest.raises(ValueError, match="indoor; this prior knows outdoor"):
        layout_numbers(Layout("indoor", LayoutRoom((4.0, 4.0, 2.6)), ()), WORDS)


@pytest.mark.slow
def test_sides_are_read_and_held() -> None:
    reading = read_prompt(
        "three red cars parked on the left, a house on the right and two people", WORDS.kinds, ("red",)
    )
    assert reading.least() == {"car": 3, "house": 1, "person": 2}
    assert set(reading.relations) == {("car", "on the left", ""), ("house", "on the right", "")}
    assert read_prompt("a lamp on the left", ("floor lamp",), (), "x").relations == ()
    road = LayoutObject("road", "road", (0.0, 0.0, -0.1), (64.0, 6.0, 0.2))
    held = 0
    for seed in range(4):
        drawn = sampler(seed).draw(reading, Layout("outdoor", None, (road,)))
        names = relation_names(drawn)
        held += len(names & set(reading.relations))
        assert sum(obj.name == "car" for obj in drawn.objects) >= 1
    assert held >= 6
