"""What must not be in a street's layout: solid boxes in each other, in the air, or in the way of the road."""

from __future__ import annotations

from collections.abc import Sequence

from occscene.layout import Layout, LayoutObject

from occscene_server.geometry.layout_rules import flat_overlap
from occscene_server.geometry.street_layout import FOLLOWING, FRAME, GROUND

SLACK = 0.15
"""Metres by which solid boxes may reach into each other."""
_WALLS = 0.7
"""The same of two buildings, whose eaves may, and of what stands under eaves."""
_STEP = 0.45
"""Metres above the carriageway at which an object stands in the air."""
_EDGE = 0.3
"""Metres by which what stands beside a road may reach into it."""

_CARRIED = ("tree crown", "traffic sign", "traffic light", "name sign")
_ROADS = ("road", "side street")
_BESIDE_ROADS = ("building", "fence", "vegetation", "pole", "traffic-sign")


def conflict(obj: LayoutObject, others: Sequence[LayoutObject], sights: Sequence[LayoutObject] = ()) -> float:
    """How badly a box fits among others: 0 if it does, metres of overlap, 10 if it is far out or in the air.

    It is 10, too, where a box is in one of `sights`, those in front of cameras (`layout_rules.sight_of`).
    """
    if obj.name in GROUND:
        return 0.0
    if any(_overlap(obj, sight, False) > SLACK for sight in sights):
        return 10.0
    if max(abs(obj.center[0]), abs(obj.center[1])) > FRAME[0] / 2 or _floats(obj):
        return 10.0
    foot = _foot(obj)
    deepest = 0.0
    for other in others:
        slack = SLACK
        if other.name in GROUND:
            if other.name not in _ROADS or obj.class_name not in _BESIDE_ROADS:
                continue
            slack = _EDGE
        elif "building" in (obj.class_name, other.class_name):
            slack = _WALLS
        deep = _overlap(foot, _foot(other), other.name in GROUND)
        deepest = max(deepest, deep if deep > slack else 0.0)
    return deepest


def overlapping(layout: Layout) -> list[bool]:
    """For each object whether it reaches into another by more than the slack."""
    objects = [obj for obj in layout.objects if obj.name not in FOLLOWING]
    solid = [obj for obj in objects if obj.name not in GROUND]
    others = {id(obj): [other for other in objects if other is not obj] for obj in solid}
    return [0.0 < conflict(obj, others[id(obj)]) < 10.0 for obj in solid]


def floating(layout: Layout) -> list[bool]:
    """For each object whether it hangs in the air."""
    return [_floats(obj) for obj in layout.objects]


def outside(layout: Layout) -> list[bool]:
    """For each object that is no ground whether its middle is out of the frame."""
    half = FRAME[0] / 2
    return [max(abs(obj.center[0]), abs(obj.center[1])) > half for obj in layout.objects if obj.name not in GROUND]


def _floats(obj: LayoutObject) -> bool:
    return obj.name not in (*_CARRIED, *GROUND) and obj.bottom > _STEP


def _foot(obj: LayoutObject) -> LayoutObject:
    """What an object takes at the height of people: of trees and signs their trunk or post."""
    if obj.name not in _CARRIED:
        return obj
    x, y, _ = obj.center
    return LayoutObject(obj.name, obj.class_name, (x, y, 1.0), (0.3, 0.3, 2.0), obj.turn)


def _overlap(a: LayoutObject, b: LayoutObject, is_ground: bool) -> float:
    flat = flat_overlap(a, b)
    if is_ground:
        return flat
    return min(flat, min(a.top, b.top) - max(a.bottom, b.bottom))
