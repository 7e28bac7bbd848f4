"""The bundled layout prior: it holds what prompts name, and the rules; small enough to ship."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace

import pytest
from occscene.grid import SemanticGrid
from occscene.layout import Layout
from occscene.volumes import default_volume

from occscene_server.geometry.layout_grid import layout_grid
from occscene_server.geometry.layout_rules import blocked_doors, outside, overlapping
from occscene_server.pipelines.text_to_layout import TextToLayout
from occscene_server.weights import default_layout_prior

pytestmark = [pytest.mark.weights, pytest.mark.slow]
PROMPTS = {
    "a scandinavian living room with a red sofa, two grey armchairs and a tv cabinet opposite the sofa, white walls": {
        "sofa": 1, "armchair": 2, "tv cabinet": 1,
    },
    "a study, an oak desk under the window, a bookcase, a plant in the corner": {"desk": 1, "bookshelf": 1, "plant": 1},
    "bedroom with a blue bed, two nightstands beside the bed and a wardrobe, green walls, overcast": {
        "bed": 1, "nightstand": 2, "wardrobe": 1,
    },
    "a dining room with four teal dining chairs around a walnut dining table": {"dining chair": 4, "dining table": 1},
    "a calm place to read": {},
}  # fmt: skip


@pytest.fixture(scope="module")
def writer() -> TextToLayout:
    return TextToLayout.from_pretrained(default_layout_prior())


def test_it_is_small() -> None:
    assert sum(path.stat().st_size for path in default_layout_prior().iterdir()) < 10_000_000


@pytest.mark.parametrize("prompt", PROMPTS)
def test_what_is_named_is_there_and_nothing_is_outside(writer: TextToLayout, prompt: str) -> None:
    layout = writer(prompt, seed=3)
    kinds = Counter(obj.name for obj in layout.objects)
    for kind, count in PROMPTS[prompt].items():
        assert kinds[kind] >= 1, kind
        assert count == 1 or kinds[kind] <= count, kind
    assert not any(outside(layout))
    assert blocked_doors(layout) == 0
    assert sum(overlapping(layout)) <= 2
    assert 5 <= len(layout.objects) <= 40
    assert kinds["door"] >= 1


def test_the_seed_decides_and_seeds_differ(writer: TextToLayout) -> None:
    prompt = next(iter(PROMPTS))
    assert writer(prompt, seed=1) == writer(prompt, seed=1)
    assert writer(prompt, seed=1) != writer(prompt, seed=2)


def test_a_half_finished_room_is_completed(writer: TextToLayout) -> None:
    whole = writer("a bedroom with a bed", seed=5)
    some = replace(whole, objects=tuple(obj for obj in whole.objects if obj.name in ("door", "window", "bed")))
    layout = writer("a bedroom with a wardrobe", seed=6, given=some)
    assert layout.objects[: len(some.objects)] == some.objects
    assert layout.room == some.room
    assert any(obj.name == "wardrobe" for obj in layout.objects)


def test_rooms_are_closed_and_furnished_as_grids(writer: TextToLayout) -> None:
    layout: Layout = writer("a living room with a sofa", seed=2)
    grid: SemanticGrid = layout_grid(layout, default_volume("indoor"))
    share = float((grid.labels > 0).mean())
    assert 0.1 < share < 0.4
    assert layout.room is not None
    assert all(3.0 < side < 4.8 for side in layout.room.size[:2])
    assert math.isclose(layout.room.size[2], 2.54, abs_tol=0.3)
