"""Relations in words: by hand, and the same whichever way a room is turned."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from occscene.layout import Layout, LayoutObject, LayoutRoom

from occscene_server.geometry.layout_rules import (
    blocked_doors,
    conflict,
    floats,
    outside,
    overlap,
    overlapping,
    sight_of,
)
from occscene_server.geometry.relations import CORNER, Relation, relations_of
from occscene_server.models.layout_tokens import turned_boxes
from occscene_server.studio.indoor import build_room
from occscene_server.studio.layouts import room_layout

ROOM = LayoutRoom((4.0, 4.0, 2.5))


def layout_object(name: str, class_name: str, x: float, y: float, size: tuple[float, float, float], turn: float = 0.0,
          bottom: float = 0.0) -> LayoutObject:  # fmt: skip
    return LayoutObject(name, class_name, (x, y, bottom + size[2] / 2), size, turn)


SOFA = layout_object("sofa", "sofa", 0.0, -1.5, (2.0, 0.9, 0.8))
TABLE = layout_object("coffee table", "table", 0.0, -0.3, (1.0, 0.5, 0.4))
VASE = layout_object("vase", "objs", 0.2, -0.3, (0.2, 0.2, 0.3), bottom=0.4)
RUG = layout_object("rug", "floor", 0.0, -0.3, (2.0, 1.5, 0.04), bottom=-0.03)
LAMP = layout_object("floor lamp", "objs", 1.25, -1.7, (0.3, 0.3, 1.5))
TV = layout_object("tv cabinet", "furn", 0.0, 1.75, (1.4, 0.4, 0.5), math.pi)
DOOR = layout_object("door", "wall", 2.0, 0.8, (0.84, 0.06, 2.0), math.pi / 2)
DESK = layout_object("desk", "table", -1.65, 0.5, (1.2, 0.6, 0.74), -math.pi / 2)
WINDOW = layout_object("window", "window", -2.05, 0.5, (1.4, 0.1, 1.2), -math.pi / 2, bottom=0.9)
CHAIR = layout_object("office chair", "chair", -1.1, 0.5, (0.6, 0.6, 1.0), math.pi / 2)
PICTURE = layout_object("picture", "objs", 0.3, -2.0, (0.6, 0.06, 0.5), bottom=1.4)
PLANT = layout_object("plant", "objs", 1.7, -1.7, (0.4, 0.4, 1.0), 0.7)


def test_a_living_room_in_words() -> None:
    objects = (SOFA, TABLE, VASE, RUG, LAMP, TV, DESK, WINDOW, CHAIR, PICTURE, PLANT)
    names = [obj.name for obj in objects]
    found = {
        (names[r.subject], r.name, "" if r.anchor == CORNER else names[r.anchor])
        for r in relations_of(Layout("indoor", ROOM, objects))
    }
    assert found >= {
        ("coffee table", "in front of", "sofa"), ("vase", "on", "coffee table"), ("rug", "under", "coffee table"),
        ("rug", "in front of", "sofa"), ("floor lamp", "beside", "sofa"), ("tv cabinet", "opposite", "sofa"),
        ("desk", "under", "window"), ("office chair", "at", "desk"), ("picture", "above", "sofa"),
        ("plant", "in the corner", ""),
    }  # fmt: skip
    assert not {pair for pair in found if pair[0] == "sofa" and pair[2] == "coffee table"}


def test_what_is_moved_away_no_longer_holds() -> None:
    far = replace(TABLE, center=(0.0, 1.0, 0.2))
    assert not [r for r in relations_of(Layout("indoor", ROOM, (SOFA, far))) if r.name == "in front of"]
    assert relations_of(Layout("indoor", ROOM, (SOFA, TABLE))) == (Relation(1, "in front of", 0),)


@pytest.mark.parametrize("seed", range(8))
def test_turning_and_mirroring_a_room_changes_nothing(seed: int) -> None:
    layout = room_layout(build_room(seed))
    assert layout.room is not None
    boxes = np.array([(*obj.center, *obj.size, obj.turn) for obj in layout.objects])
    wanted, deep = relations_of(layout), overlapping(layout)
    for symmetry in range(1, 8):
        mirror, quarters = symmetry >= 4, symmetry % 4
        width, depth, height = layout.room.size
        size = (depth, width, height) if quarters % 2 else layout.room.size
        moved = [
            replace(obj, center=tuple(row[:3]), turn=float(row[6]))
            for obj, row in zip(layout.objects, turned_boxes(boxes, mirror, quarters).tolist(), strict=True)
        ]
        turned = replace(layout, room=LayoutRoom(size), objects=tuple(moved))
        assert relations_of(turned) == wanted
        assert overlapping(turned) == deep
        assert blocked_doors(turned) == 0


def test_overlaps_count_but_for_what_may() -> None:
    inside = replace(TABLE, center=(0.0, -1.2, 0.2))
    assert overlap(SOFA, inside) == pytest.approx(0.4, abs=1e-6)
    assert overlap(RUG, TABLE) == 0
    assert overlap(VASE, TABLE) == 0
    assert overlap(CHAIR, DESK) == 0
    assert overlap(replace(CHAIR, center=(-1.6, 0.5, 0.5)), DESK) > 0.3
    askew = layout_object("plant", "objs", 1.25, -0.95, (0.4, 0.4, 1.0), math.pi / 4)
    assert overlap(SOFA, askew) == 0, "upright bounds of the turned box touch, the boxes do not"


def test_nothing_is_put_right_in_front_of_a_camera() -> None:
    looks_at_the_middle = sight_of((1.6, -1.6, 1.5), (-1.0, 1.0, -0.3))
    wardrobe = layout_object("wardrobe", "furn", 1.2, -1.2, (1.2, 0.6, 2.0))
    for obj, badness in ((wardrobe, 10), (replace(wardrobe, center=(-1.2, -1.2, 1.0)), 0), (TABLE, 0), (PLANT, 0)):
        assert conflict(obj, (), ROOM, [looks_at_the_middle]) == badness
    assert conflict(wardrobe, (), ROOM) == 0


def test_doors_are_blocked_by_what_stands_there_alone() -> None:
    before = replace(TABLE, center=(1.5, 0.8, 0.2))
    assert conflict(before, (DOOR,), ROOM) == 10
    assert conflict(replace(RUG, center=(1.0, 0.8, 0.0)), (DOOR,), ROOM) == 0
    assert conflict(DOOR, (before,), ROOM) == 10
    assert blocked_doors(Layout("indoor", ROOM, (DOOR, before))) == 1
    assert blocked_doors(Layout("indoor", ROOM, (DOOR, TABLE))) == 0


def test_what_stands_on_nothing_floats() -> None:
    assert not floats(VASE, (TABLE,))
    assert floats(VASE, (SOFA,))
    assert floats(replace(VASE, center=(0.9, -0.3, 0.55)), (TABLE,))
    assert not floats(PICTURE, ())


def test_outside_is_outside() -> None:
    layout = Layout(
        "indoor", ROOM, (SOFA, replace(SOFA, center=(1.2, 0.0, 0.4)), DOOR, replace(LAMP, size=(0.3, 0.3, 4.0)))
    )
    assert outside(layout) == [False, True, False, True]
