"""Objects that a prompt names and a prior does not know are listed; known ones, and what is no object, are not."""

from __future__ import annotations

import pytest

from occscene_server.models.layout_prior import LayoutPrior
from occscene_server.models.unknown_objects import unknown_objects
from occscene_server.studio.layouts import room_record
from occscene_server.weights import default_layout_prior

pytestmark = pytest.mark.weights
STUDIO = LayoutPrior.from_pretrained(default_layout_prior()).vocabulary
KINDS = ("dining table", "dining chair", "floor lamp", "sofa", "bookshelf", "bed", "plant", "rug")
COLORS = ("red", "oak", "white", "grey")


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("", []),
        ("a room with a piano", ["piano"]),
        ("A Room With A Grand Piano, and two aquariums by the door", ["grand piano", "aquariums"]),
        ("a washing machine under a small red and white shower curtain rail", ["washing machine"]),
        ("a shiny red fridge; an oven under the window", ["fridge", "oven"]),
        ("a red shiny fridge", ["shiny fridge"]),
        ("a cosy living room with a red couch, a lamp and three chairs, white walls, an oak floor", []),
        ("a bedroom in soft morning light, a calm mood", []),
        ("bed, plants, carpet", []),
        ("a fireplace and a fireplace", ["fireplace"]),
        ("an open-plan loft with a billiard table", []),  # a table, whatever is played on it
        ("ein Klavier", []),
        ("a statue of a horse on a stack of books", ["statue"]),
    ],
)
def test_unknown_objects(prompt: str, expected: list[str]) -> None:
    assert unknown_objects(prompt, KINDS, COLORS) == expected


@pytest.mark.parametrize("seed", range(50000, 50016))
def test_the_studio_s_prompts_name_nothing_unknown(seed: int) -> None:
    for prompt in room_record(seed).prompts:
        assert unknown_objects(prompt.text, STUDIO.kinds, (*STUDIO.colors, *STUDIO.surfaces)) == [], prompt.text
