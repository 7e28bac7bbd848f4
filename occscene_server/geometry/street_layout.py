"""A street's layout from its plan: the same boxes as along a straight street, put along one that bends.

A plan has all objects in the street's own axes: x along the centre line, y to its left, z above the carriageway, in
metres. A network learns plans, in which cars are parallel to kerbs and houses stand in rows wherever the street bends.
What follows from an object is not part of it: the trunk of a tree, the post of a sign.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import numpy as np
from occscene.layout import Layout, LayoutObject

from occscene_server.geometry.course import Course

FRAME = (64.0, 64.0, 25.6)
"""Metres along, across and up that a plan may fill; the volume of 51.2 m is in its middle."""

GROUND = {
    "field": (-0.05, 0.25), "lawn": (-0.05, 0.25), "yard": (-0.04, 0.25), "road": (0.0, 0.3), "side street": (0.0, 0.3),
    "parking bays": (0.012, 0.3), "pavement": (0.13, 0.3),
}  # fmt: skip
"""What the ground is made of: height of its top above the carriageway, and its thickness, metres."""

FOLLOWING = ("tree trunk", "sign post", "signal post", "sign posts")
"""What stands under another object of the plan."""

_SIGNS = {
    "traffic sign": ("sign post", 0.1), "traffic light": ("signal post", 0.15), "name sign": ("sign posts", 1.3)
}  # fmt: skip
_TRUNK = 0.35
_NEAR = 0.5
"""Metres from where it would stand within which a trunk is an object's."""
_SAGITTA = 0.1
"""Metres by which a straight piece may leave the bend."""
_WHOLE = 50.0
"""Metres from which on a piece of ground is what all else lies on, and does not bend."""


def street_layout(plan: Iterable[LayoutObject], course: Course) -> Layout:
    """The layout of a plan: ground in straight pieces along the course, and trunks and posts beside what they carry.

    Args:
        plan: in the street's axes.
        course: level; where the street runs in the layout's axes.
    """
    objects: list[LayoutObject] = []
    for obj in plan:
        if obj.name in GROUND:
            objects += _pieces(obj, course)
        else:
            objects.append(stood(obj, course))
            if (below := _below(objects[-1])) is not None:
                objects.append(below)
    return Layout("outdoor", None, tuple(objects))


def followed(objects: list[LayoutObject], before: LayoutObject, after: LayoutObject) -> None:
    """Moves the trunk or post that stands under an object, if it is among the objects, to where the object went."""
    old, new = _below(replace(before, name=after.name)), _below(after)
    if old is None or new is None:
        return
    for index, obj in enumerate(objects):
        if obj.class_name == old.class_name and math.dist(obj.center[:2], old.center[:2]) < _NEAR:
            size = (*obj.size[:2], new.size[2])
            objects[index] = replace(obj, center=new.center, size=size, turn=new.turn)
            return


def stood(obj: LayoutObject, course: Course) -> LayoutObject:
    """An object of a plan where it stands in the layout's axes."""
    x, y, z, heading = course.stand(obj.center[0], obj.center[1], obj.center[2])
    return replace(obj, center=(x, y, z), turn=obj.turn + heading)


def planned(obj: LayoutObject, s: float, d: float, course: Course) -> LayoutObject:
    """The inverse of `stood` for an object whose foot is at the place (s, d), metres."""
    x, y, z, heading = course.stand(s, d)
    across, up = obj.center[0] - x, obj.center[1] - y
    cosine, sine = math.cos(heading), math.sin(heading)
    # a box stands on the slope where its foot does
    center = (s + cosine * across + sine * up, d + cosine * up - sine * across, obj.center[2] - z)
    return replace(obj, center=center, turn=obj.turn - heading)


def _pieces(obj: LayoutObject, course: Course) -> list[LayoutObject]:
    """Ground at its own height, in straight pieces."""
    top, thick = GROUND[obj.name]
    s, d = obj.center[:2]
    flat = replace(obj, center=(s, d, top - thick / 2), size=(*obj.size[:2], thick))
    low, high = s - obj.size[0] / 2, s + obj.size[0] / 2
    if course.bend == 0.0 or min(obj.size[:2]) > _WHOLE:
        return [flat]
    begin, end = (min(max(value, low), high) for value in (course.start, course.start + course.length))
    longest = math.sqrt(8 * _SAGITTA / abs(course.bend))
    count = math.ceil((end - begin) / longest)
    ends = [low, *np.linspace(begin, end, count + 1).tolist(), high]
    pieces = []
    for first, last in pairwise(ends):
        if last - first > 1e-6:
            # along the outer side of a bend they would come apart: as long as the arc is there
            outer = 1.0 - course.bend * (d - math.copysign(obj.size[1] / 2, course.bend))
            long = (last - first) * (max(outer, 1.0) if begin <= first and last <= end else 1.0)
            part = replace(flat, center=((first + last) / 2, d, flat.center[2]), size=(long, obj.size[1], thick))
            pieces.append(stood(part, course))
    return pieces


def _below(obj: LayoutObject) -> LayoutObject | None:
    """The trunk of a tree or the post of a sign, from the ground to what it carries."""
    x, y, _ = obj.center
    if obj.name == "tree crown":
        high = obj.bottom + 0.3 * obj.size[2]
        return LayoutObject("tree trunk", "trunk", (x, y, high / 2), (_TRUNK, _TRUNK, high), obj.turn, obj.color_word)
    if obj.name not in _SIGNS or obj.top <= 0.2:
        return None
    name, wide = _SIGNS[obj.name]
    # behind the sign, not in it
    back = obj.size[1] / 2 + 0.05
    place = (x + math.sin(obj.turn) * back, y - math.cos(obj.turn) * back, obj.top / 2)
    return LayoutObject(name, "pole", place, (wide, 0.1, obj.top), obj.turn)
