"""Layouts travel without loss, say where they lie, and hostile ones end in a ValueError that names the field."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from occscene.layout import PART_KINDS, Layout, LayoutObject, LayoutPart, LayoutRoom
from occscene.layout_codec import layout_from_message, layout_to_message
from occscene.placed_layout import PlacedLayout, moved, room_pose
from occscene.v1 import layout_pb2
from occscene.volumes import default_volume

numbers = st.floats(-50, 50)
lengths = st.floats(0.001, 50)
shares = st.floats(0, 1, width=32)
parts = st.builds(
    LayoutPart,
    kind=st.sampled_from(PART_KINDS),
    center=st.tuples(numbers, numbers, numbers),
    size=st.tuples(lengths, lengths, lengths),
    rotation=st.tuples(st.floats(0.1, 1), *[st.floats(-1, 1)] * 3),
    taper=st.floats(0.01, 100),
    material=st.text(max_size=8),
    role=st.integers(0, 255),
)
objects = st.builds(
    LayoutObject,
    name=st.text(min_size=1, max_size=20),
    class_name=st.sampled_from(["sofa", "objs", "wall"]),
    center=st.tuples(numbers, numbers, numbers),
    size=st.tuples(lengths, lengths, lengths),
    turn=st.floats(-10, 10),
    color_word=st.text(max_size=8),
    color=st.none() | st.tuples(shares, shares, shares),
    parts=st.lists(parts, max_size=3).map(tuple),
)


def upright(angle: float, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> np.ndarray:
    pose = np.eye(4)
    pose[:2, :2] = [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    pose[:3, 3] = x, y, z
    return pose


@settings(deadline=None, max_examples=60)
@given(st.lists(objects, max_size=4), st.booleans(), st.floats(-4, 4), numbers)
def test_a_message_gives_back_what_was_sent(items: list[LayoutObject], walled: bool, angle: float, x: float) -> None:
    room = LayoutRoom((3.5, 4.0, 2.5), "white", "brown") if walled else None
    sent = PlacedLayout(Layout("indoor", room, tuple(items)), upright(angle, x))
    message = layout_pb2.Layout.FromString(layout_to_message(sent).SerializeToString())
    got = layout_from_message(message)
    assert got.layout == sent.layout
    np.testing.assert_array_equal(got.world_from_layout, sent.world_from_layout)


def test_a_layout_without_a_pose_lies_in_the_world_and_what_is_absent_has_its_default() -> None:
    part = layout_pb2.LayoutPart(kind=layout_pb2.LAYOUT_PART_KIND_ROD, size=layout_pb2.Vector3(x=1, y=1, z=1))
    obj = layout_pb2.LayoutObject(name="lamp", class_name="objs", size=layout_pb2.Vector3(x=1, y=1, z=1), parts=[part])
    got = layout_from_message(layout_pb2.Layout(taxonomy="indoor", objects=[obj]))
    np.testing.assert_array_equal(got.world_from_layout, np.eye(4))
    (lamp,) = got.layout.objects
    assert lamp.parts == (LayoutPart("rod", (0, 0, 0), (1, 1, 1)),)
    assert (lamp.center, lamp.color, got.layout.room) == ((0.0, 0.0, 0.0), None, None)


def sound() -> layout_pb2.Layout:
    bed = LayoutObject("bed", "bed", (0, 0, 0.3), (1.6, 2, 0.6), parts=(LayoutPart("box", (0, 0, 0), (1, 1, 0.2)),))
    return layout_to_message(PlacedLayout(Layout("indoor", LayoutRoom((4, 4, 2.5)), (bed,))))


def _leaning(message: layout_pb2.Layout) -> None:
    message.world_from_layout[:] = [1, 0, 0, 0, 0, 0, -1, 0, 0, 1, 0, 0, 0, 0, 0, 1]


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda m: setattr(m, "taxonomy", "space"), "layout.taxonomy is 'space'"),
        (lambda m: setattr(m.room.size, "z", math.inf), r"layout.room.size is \(4.0, 4.0, inf\)"),
        (lambda m: setattr(m.room, "wall_color", "x" * 201), "layout.room.wall_color has 201 characters"),
        (lambda m: setattr(m.objects[0], "name", ""), r"layout.objects\[0\].name has 0 characters"),
        (lambda m: setattr(m.objects[0], "class_name", "piano"), r"layout.objects\[0\].class is 'piano'"),
        (lambda m: setattr(m.objects[0].center, "x", math.nan), r"layout.objects\[0\].center is \(nan"),
        (lambda m: setattr(m.objects[0].size, "y", -1.0), r"layout.objects\[0\].size is .* must be above 0"),
        (lambda m: setattr(m.objects[0], "turn", math.nan), r"layout.objects\[0\].turn is nan"),
        (lambda m: setattr(m.objects[0], "color_word", "x" * 201), r"layout.objects\[0\].color_word has 201"),
        (lambda m: setattr(m.objects[0].color, "red", 2.0), r"layout.objects\[0\].color is \(2.0"),
        (lambda m: setattr(m.objects[0].parts[0], "kind", 99), r"layout.objects\[0\].parts\[0\].kind is 99"),
        (lambda m: setattr(m.objects[0].parts[0].rotation, "w", 0.0), r"parts\[0\].rotation is \(0.0"),
        (lambda m: setattr(m.objects[0].parts[0], "role", 256), r"parts\[0\].role is 256"),
        (lambda m: m.objects[0].parts.extend([m.objects[0].parts[0]] * 1024), r"objects\[0\].parts has 1025"),
        (lambda m: m.world_from_layout.pop(), "layout.world_from_layout has 15 numbers"),
        (_leaning, "layout.world_from_layout leans"),
    ],
)
def test_what_is_wrong_is_told_with_its_path(spoil: Callable[[layout_pb2.Layout], object], fault: str) -> None:
    message = sound()
    spoil(message)
    with pytest.raises(ValueError, match=fault):
        layout_from_message(message)


@given(st.floats(-4, 4), numbers, numbers, numbers, objects)
def test_an_object_moves_as_its_corners_do(angle: float, x: float, y: float, z: float, obj: LayoutObject) -> None:
    pose = upright(angle, x, y, z)
    expected = obj.corners @ pose[:3, :3].T + pose[:3, 3]
    np.testing.assert_allclose(moved(obj, pose).corners, expected, atol=1e-9)


def test_the_room_of_the_default_volume_stands_on_the_worlds_origin() -> None:
    np.testing.assert_allclose(room_pose(default_volume("indoor")), np.eye(4), atol=1e-12)
    turned = replace(default_volume("indoor"), world_from_grid=upright(0.5, 3, 4, 5))
    corner = np.linalg.inv(turned.world_from_grid) @ room_pose(turned)[:, 3]
    np.testing.assert_allclose(corner, (2.4, 2.4, 0.08, 1), atol=1e-12)
