"""Layout files: written and read back, hand-written ones understood, wrong ones refused with the field's name."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from occscene.layout import (
    Layout,
    LayoutObject,
    LayoutPart,
    LayoutRoom,
    layout_from_json,
    layout_to_json,
)
from occscene.placed_layout import PlacedLayout, load_layout, save_layout

numbers = st.floats(-50, 50)
lengths = st.floats(0.001, 50)
shares = st.floats(0, 1)
objects = st.builds(
    LayoutObject,
    name=st.text(min_size=1, max_size=20),
    class_name=st.sampled_from(["sofa", "objs", "wall"]),
    center=st.tuples(numbers, numbers, numbers),
    size=st.tuples(lengths, lengths, lengths),
    turn=st.floats(-10, 10),
    color_word=st.text(max_size=8),
    color=st.none() | st.tuples(shares, shares, shares),
)


@given(st.lists(objects, max_size=4), st.booleans())
def test_json_gives_back_what_was_written(items: list[LayoutObject], walled: bool) -> None:
    room = LayoutRoom((3.5, 4.0, 2.5), "white", "brown") if walled else None
    layout = Layout("indoor", room, tuple(items))
    assert layout_from_json(json.loads(json.dumps(layout_to_json(layout)))) == layout


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    layout = Layout("outdoor", None, (LayoutObject("bus", "other-vehicle", (1, 2, 3), (2.5, 9.0, 3.0), 0.5),))
    pose = np.eye(4)
    pose[:2, :2], pose[:3, 3] = [[0.6, -0.8], [0.8, 0.6]], (1.0, -2.5, 0.25)
    save_layout(tmp_path / "layout.json", PlacedLayout(layout, pose), ["a note"])
    read = load_layout(tmp_path / "layout.json")
    assert read.layout == layout
    np.testing.assert_array_equal(read.world_from_layout, pose)
    assert json.loads((tmp_path / "layout.json").read_text())["notes"] == ["a note"]


def test_a_file_without_a_pose_lies_in_the_world(tmp_path: Path) -> None:
    layout = Layout("indoor", LayoutRoom((3.5, 4.0, 2.5)), ())
    (tmp_path / "layout.json").write_text(json.dumps(layout_to_json(layout)))
    read = load_layout(tmp_path / "layout.json")
    assert read.layout == layout
    np.testing.assert_array_equal(read.world_from_layout, np.eye(4))


def test_parts_are_kept_and_may_be_short() -> None:
    leg = LayoutPart("rod", (0.4, -0.2, -0.1), (0.04, 0.04, 0.3), (0.99, 0.1, 0.0, -0.1), 0.65, "metal", 2)
    seat = LayoutPart("box", (0, 0, 0), (2, 1, 0.5))
    sofa = LayoutObject("sofa", "sofa", (0, 0, 0.4), (2, 1, 0.8), parts=(leg, seat))
    data = json.loads(json.dumps(layout_to_json(Layout("indoor", None, (sofa,)))))
    assert layout_from_json(data).objects == (sofa,)
    data["objects"][0]["parts"] = [{"kind": "box", "center": [0, 0, 0], "size": [1, 1, 1], "gloss": 3}]
    assert layout_from_json(data).objects[0].parts == (LayoutPart("box", (0, 0, 0), (1, 1, 1)),)
    del data["objects"][0]["parts"]
    assert layout_from_json(data).objects[0].parts == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "torus"}, "kind is 'torus'; it must be one of box, rounded box"),
        ({"kind": 3}, "kind is 3"),
        ({"size": [1, 1, 0]}, r"parts\[1\].size"),
        ({"center": [1, 1, 1e9]}, r"parts\[1\].center"),
        ({"rotation": [0, 0, 0, 0]}, "rotation"),
        ({"rotation": [1, 0, 0]}, "four finite numbers"),
        ({"rotation": [1, 0, 0, math.inf]}, "four finite numbers"),
        ({"taper": 0}, "taper is 0"),
        ({"taper": "wide"}, r"parts\[1\].taper is 'wide'"),
        ({"role": -1}, "role is -1"),
        ({"role": 1.5}, "role is 1.5"),
    ],
)
def test_what_is_wrong_with_a_part_is_named(change: dict[str, Any], message: str) -> None:
    part = {"kind": "box", "center": [0, 0, 0], "size": [1, 1, 1]}
    sofa = {"name": "sofa", "class": "sofa", "center": [0, 0, 0.4], "size": [2, 1, 0.8], "parts": [part, part | change]}
    data = {"format": "occscene.layout", "version": 1, "taxonomy": "indoor", "room": None, "objects": [sofa]}
    with pytest.raises(ValueError, match=message):
        layout_from_json(data)
    for wrong in ({}, [3], "box"):
        sofa["parts"] = wrong
        with pytest.raises(ValueError, match=r"objects\[0\].parts"):
            layout_from_json(data)


def test_a_short_file_by_hand_is_read_and_unknown_fields_pass() -> None:
    data = {
        "format": "occscene.layout", "version": 1, "taxonomy": "indoor", "room": None, "made_by": "hand",
        "objects": [{"name": "Sofa", "class": "sofa", "center": [0, 0, 0.4], "size": [2, 1, 0.8]}],
    }  # fmt: skip
    (sofa,) = layout_from_json(data).objects
    assert (sofa.turn, sofa.color, sofa.color_word) == (0.0, None, "")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "version is 2"),
        ({"format": "gltf"}, "not a layout"),
        ({"taxonomy": "space"}, "taxonomy is 'space'"),
        ({"objects": {}}, "objects must be a list"),
        ({"objects": [{"name": "a", "class": "piano", "center": [0, 0, 0], "size": [1, 1, 1]}]}, "piano"),
        ({"objects": [{"name": "a", "class": "sofa", "center": [0, 0], "size": [1, 1, 1]}]}, r"objects\[0\].center"),
        ({"objects": [{"name": "a", "class": "sofa", "center": [0, 0, 0], "size": [1, 0, 1]}]}, r"objects\[0\].size"),
        ({"objects": [{"name": "a", "class": "sofa", "center": [0, 0, math.nan], "size": [1, 1, 1]}]}, "finite"),
        ({"objects": ["sofa"]}, r"objects\[0\]"),
        ({"room": {"size": [4, 4, -2.5]}}, "room.size"),
    ],
)
def test_what_is_wrong_is_named(change: dict[str, Any], message: str) -> None:
    data = {"format": "occscene.layout", "version": 1, "taxonomy": "indoor", "room": None, "objects": []}
    with pytest.raises(ValueError, match=message):
        layout_from_json(data | change)


def test_what_is_no_json_is_refused_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("[" * 100_000)
    with pytest.raises(ValueError, match=r"x\.json"):
        load_layout(tmp_path / "x.json")


def test_corners_turn_with_the_object() -> None:
    sofa = LayoutObject("sofa", "sofa", (1.0, 2.0, 0.4), (2.0, 1.0, 0.8), math.pi / 2)
    low, high = sofa.corners.min(0), sofa.corners.max(0)
    np.testing.assert_allclose([low, high], [(0.5, 1.0, 0.0), (1.5, 3.0, 0.8)])
    assert (sofa.bottom, sofa.top) == pytest.approx((0.0, 0.8))
