"""What must not be in a layout: boxes in each other, in the air or out of the room, blocked doors and cameras."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from occscene.layout import Layout, LayoutObject, LayoutRoom, Vector

SLACK = 0.02
"""Metres by which boxes may reach into each other."""
OUTSIDE = 0.05
"""Metres by which a box may leave the room: rugs and pictures are sunk into floor and walls."""
DOORWAY = 0.6
"""Metres in front of a door that stay free."""

SIGHT = (0.6, 1.0, 0.4)
"""Width, depth and height in metres of what stays free in front of a camera."""

LEVEL = 0.06
"""Tolerance in metres for equal heights."""

_IN_WALLS = ("door", "window")
_HANGING = ("picture", "curtain", "ceiling lamp", *_IN_WALLS)
_FLAT = ("rug", *_IN_WALLS)
_SEATS = ("dining chair", "office chair", "stool")
_CLEAR_OF_DOORS = ("rug", "curtain", "picture", "ceiling lamp", *_IN_WALLS)


def overlap(a: LayoutObject, b: LayoutObject) -> float:
    """How far two boxes reach into each other, metres; 0 for what may: rugs, seats partly under tables, openings."""
    if a.name in _FLAT or b.name in _FLAT:
        return 0.0
    for seat, table in ((a, b), (b, a)):
        if seat.name in _SEATS and table.class_name == "table" and not _stands_within(seat, table):
            return 0.0
    upright = min(a.top, b.top) - max(a.bottom, b.bottom)
    return max(0.0, min(upright, flat_overlap(a, b)))


def flat_overlap(a: LayoutObject, b: LayoutObject) -> float:
    """The least way by which two turned rectangles could be parted, below 0 where they are (separating axes)."""
    offset_x, offset_y = b.center[0] - a.center[0], b.center[1] - a.center[1]
    least = math.inf
    between = b.turn - a.turn
    cosine, sine = abs(math.cos(between)), abs(math.sin(between))
    for own, other in ((a, b), (b, a)):
        c, s = math.cos(own.turn), math.sin(own.turn)
        across, forward = abs(offset_x * c + offset_y * s), abs(offset_y * c - offset_x * s)
        reach_across = (own.size[0] + cosine * other.size[0] + sine * other.size[1]) / 2
        reach_forward = (own.size[1] + sine * other.size[0] + cosine * other.size[1]) / 2
        least = min(least, reach_across - across, reach_forward - forward)
    return least


def _stands_within(obj: LayoutObject, other: LayoutObject) -> bool:
    """Whether the middle of a box lies in the plan of another."""
    x, y = obj.center[0] - other.center[0], obj.center[1] - other.center[1]
    c, s = math.cos(other.turn), math.sin(other.turn)
    return abs(x * c + y * s) < other.size[0] / 2 and abs(y * c - x * s) < other.size[1] / 2


def floats(obj: LayoutObject, others: Sequence[LayoutObject]) -> bool:
    """Whether a box hangs in the air that should stand on the floor or on something."""
    if obj.name in _HANGING or obj.bottom < LEVEL:
        return False
    return not any(abs(obj.bottom - other.top) < LEVEL and _stands_within(obj, other) for other in others)


def distance_outside(obj: LayoutObject, room: LayoutRoom) -> float:
    """How far a box leaves its room, metres; 0 for doors and windows, which are in its walls."""
    if obj.name in _IN_WALLS:
        return 0.0
    corners: NDArray[np.float64] = obj.corners
    half = np.array([room.size[0] / 2, room.size[1] / 2])
    beyond = max(float((np.abs(corners[:, :2]) - half).max()), obj.top - room.size[2], -obj.bottom)
    return max(0.0, beyond)


def blocks_door(obj: LayoutObject, door: LayoutObject) -> bool:
    """Whether a box stands in the way of a door."""
    if obj.name in _CLEAR_OF_DOORS or obj.bottom > door.top - SLACK:
        return False
    cosine, sine = math.cos(door.turn), math.sin(door.turn)
    forward = door.size[1] / 2 + DOORWAY / 2
    center = (door.center[0] - sine * forward, door.center[1] + cosine * forward, door.center[2])
    way = LayoutObject("way", door.class_name, center, (door.size[0], DOORWAY, door.size[2]), door.turn)
    return flat_overlap(obj, way) > SLACK


def sight_of(eye: Vector, forward: Vector) -> LayoutObject:
    """The box that stays free in front of a camera.

    Args:
        eye: where the camera stands.
        forward: a level or inclined direction in which it looks; only its heading counts.
    """
    heading = math.atan2(forward[1], forward[0])
    center = (eye[0] + SIGHT[1] / 2 * math.cos(heading), eye[1] + SIGHT[1] / 2 * math.sin(heading), eye[2])
    return LayoutObject("sight", "", center, SIGHT, heading - math.pi / 2)


def blocks_sight(obj: LayoutObject, sight: LayoutObject) -> bool:
    """Whether a box stands right in front of a camera or around it."""
    return obj.name not in _IN_WALLS and overlap(obj, sight) > SLACK


def conflict(
    obj: LayoutObject, others: Sequence[LayoutObject], room: LayoutRoom, sights: Sequence[LayoutObject] = ()
) -> float:
    """How badly a box fits among others: 0 if it does, metres of overlap, 10 if it is out, floats or blocks a door or
    one of `sights`."""
    if distance_outside(obj, room) > OUTSIDE or floats(obj, others):
        return 10.0
    if any(blocks_sight(obj, sight) for sight in sights):
        return 10.0
    deepest = 0.0
    for other in others:
        if other.name == "door" and blocks_door(obj, other):
            return 10.0
        if obj.name == "door" and blocks_door(other, obj):
            return 10.0
        deepest = max(deepest, overlap(obj, other))
    return deepest if deepest > SLACK else 0.0


def overlapping(layout: Layout) -> list[bool]:
    """For each object whether it reaches into another by more than the slack."""
    objects = layout.objects
    return [any(i != j and overlap(a, b) > SLACK for j, b in enumerate(objects)) for i, a in enumerate(objects)]


def floating(layout: Layout) -> list[bool]:
    """For each object whether it hangs in the air."""
    return [floats(obj, layout.objects[:i] + layout.objects[i + 1 :]) for i, obj in enumerate(layout.objects)]


def blocked_doors(layout: Layout) -> int:
    """How many doors something stands before."""
    doors = [obj for obj in layout.objects if obj.name == "door"]
    return sum(any(blocks_door(obj, door) for obj in layout.objects) for door in doors)


def outside(layout: Layout) -> list[bool]:
    """For each object whether it leaves the room."""
    room = layout.room
    return [room is not None and distance_outside(obj, room) > OUTSIDE for obj in layout.objects]
