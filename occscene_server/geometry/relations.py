"""What stands where, in words: relations between the boxes of a layout that follow from geometry only.

In rooms none of them knows left from right, so a layout mirrored or turned by quarters keeps its relations. In streets
they say nothing else: on which side of the road something stands, seen along the road.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from occscene.layout import Layout, LayoutObject

from occscene_server.geometry.street_layout import GROUND

CORNER = -1
"""The anchor of "in the corner", and of the sides of the road."""

RELATIONS = (
    "on", "under", "above", "in front of", "at the foot of", "at", "opposite", "beside", "in the corner", "on the left",
    "on the right",
)  # fmt: skip

_LEVEL, _TOUCH, _NEAR, _REACH = 0.06, 0.12, 0.4, 0.9
"""Metres: same height; as good as touching; near a wall or neighbour; within a step."""
_MIDDLE = 0.6
"""Metres from the middle of the road within which nothing is on a side of it."""

_SURFACES = ("table", "furn")
_FLAT = ("rug", "picture", "curtain", "door", "window", "ceiling lamp")
_SEATS = ("dining chair", "office chair", "stool")
_LOOSE = ("coffee table", "rug", "pouf", "floor cushion", "bench", "armchair", "side table", "stool")
_FRONTED = ("sofa", "armchair", "bookshelf", "wardrobe", "desk", "tv cabinet", "sideboard", "chest of drawers")
_FACED = ("sofa", "bed", "armchair")
_COMPANIONS = (
    "bed",
    "sofa",
    "armchair",
    "desk",
    "bookshelf",
    "wardrobe",
    "chest of drawers",
    "sideboard",
    "tv cabinet",
)


class Relation(NamedTuple):
    """`subject` is `name` `anchor`: indices into a layout's objects, or `CORNER` for the room's corner or the road."""

    subject: int
    name: str
    anchor: int


def relations_of(layout: Layout, only: int | None = None) -> tuple[Relation, ...]:
    """Every relation that holds in a layout, by subject; those of object `only` and to it, if one is given."""
    objects = layout.objects
    if layout.room is None:
        sides = side_relations(objects)
        return tuple(relation for relation in sides if only in (None, relation.subject))
    seen = _Boxes(objects)
    every = range(len(objects))
    relations = []
    for i in every:
        for j in every if only is None or i == only else (only,):
            name = _between(objects[i], objects[j], seen, i, j) if i != j else None
            if name is not None:
                relations.append(Relation(i, name, j))
        if layout.room is not None and only in (None, i) and _in_corner(objects[i], layout.room.size):
            relations.append(Relation(i, "in the corner", CORNER))
    return tuple(relations)


def relation_names(layout: Layout, only: int | None = None) -> set[tuple[str, str, str]]:
    """The relations that hold, as prompts have them: (kind, relation, kind of the anchor or "" for none)."""
    names = [obj.name for obj in layout.objects]
    return {
        (names[subject], name, "" if anchor == CORNER else names[anchor])
        for subject, name, anchor in relations_of(layout, only)
    }


def side_relations(objects: Sequence[LayoutObject]) -> list[Relation]:
    """On which side of the road objects stand that do not lie on the ground, seen from the nearest piece of it."""
    roads = [obj for obj in objects if obj.name == "road"]
    relations = []
    for i, obj in enumerate(objects):
        if obj.name in GROUND or not roads:
            continue
        places = [(np.array(obj.center) - road.center) @ road.axes for road in roads]
        beyond = [abs(place[0]) - road.size[0] / 2 for place, road in zip(places, roads, strict=True)]
        across = float(places[int(np.argmin(beyond))][1])
        if abs(across) > _MIDDLE:
            relations.append(Relation(i, "on the left" if across > 0 else "on the right", CORNER))
    return relations


class _Boxes:
    """For all pairs of objects: where i lies in the axes of j.

    `across`, `forward` (N, N) are the middle of i; `half` (N, N, 2) half of what i takes along j's axes; metres.
    """

    def __init__(self, objects: tuple[LayoutObject, ...]) -> None:
        center = np.array([obj.center[:2] for obj in objects]).reshape(-1, 2)
        size = np.array([obj.size[:2] for obj in objects]).reshape(-1, 2)
        turn = np.array([obj.turn for obj in objects])
        offset = center[:, None] - center[None]
        cosine, sine = np.cos(turn), np.sin(turn)
        self.across: NDArray[np.float64] = offset[..., 0] * cosine + offset[..., 1] * sine
        self.forward: NDArray[np.float64] = offset[..., 1] * cosine - offset[..., 0] * sine
        between = turn[:, None] - turn[None]
        c, s = np.abs(np.cos(between)), np.abs(np.sin(between))
        self.half: NDArray[np.float64] = (
            np.stack([c * size[:, None, 0] + s * size[:, None, 1], s * size[:, None, 0] + c * size[:, None, 1]], -1) / 2
        )
        self.facing: NDArray[np.float64] = np.cos(between)


def _between(a: LayoutObject, b: LayoutObject, boxes: _Boxes, i: int, j: int) -> str | None:
    """The relation of a to b, the most telling one."""
    across, forward = abs(float(boxes.across[i, j])), float(boxes.forward[i, j])
    half_across, half_forward = (float(value) for value in boxes.half[i, j])
    width, depth = b.size[0] / 2, b.size[1] / 2
    inside = across < width and abs(forward) < depth
    gap_across, gap_front = across - width - half_across, forward - depth - half_forward
    standing = a.name not in _FLAT and a.bottom < _LEVEL
    if b.name == "window":
        under = standing and a.size[0] > 0.35 and across < width and a.top < b.bottom + _TOUCH
        return "under" if under and forward > 0 and gap_front < _NEAR else None
    if b.name == "door":
        beside = standing and gap_across < _NEAR and across > width and -depth < forward and gap_front < _NEAR
        return "beside" if beside else None
    if b.name in _FLAT or b.bottom > _LEVEL:
        return None
    if inside and a.bottom > 0.2 and abs(a.bottom - b.top) < _LEVEL and b.class_name in _SURFACES:
        return "on"
    if a.name == "rug":
        # the middle of b on the rug: seen from the rug
        on_rug = abs(boxes.across[j, i]) < a.size[0] / 2 and abs(boxes.forward[j, i]) < a.size[1] / 2
        if on_rug and b.name in ("coffee table", "dining table", "bed"):
            return "under"
        ahead = b.name == "sofa" and across < width and depth < forward < depth + 1.6
        return "in front of" if ahead else None
    if a.name == "ceiling lamp":
        return "above" if inside and b.class_name == "table" else None
    if a.name == "picture":
        over = abs(boxes.across[j, i]) < boxes.half[j, i, 0] and boxes.forward[j, i] > 0
        near = boxes.forward[j, i] - boxes.half[j, i, 1] < _NEAR
        return "above" if over and near and a.bottom > b.top - _LEVEL and b.size[0] > 0.6 else None
    if not standing:
        return None
    if a.name in _SEATS and b.name in ("desk", "dining table"):
        toward = boxes.forward[j, i] > 0 and abs(boxes.across[j, i]) < boxes.half[j, i, 0]
        close = max(gap_across, abs(forward) - depth - half_forward) < 0.3
        return "at" if toward and close else None
    if b.name == "bed" and across < width and -_TOUCH < gap_front < _REACH:
        return "at the foot of" if a.name in ("bench", "pouf", "stool", "toy box") else None
    if a.name in _LOOSE and b.name in _FRONTED and across < width and -_TOUCH < gap_front < _REACH:
        return "in front of"
    opposite = boxes.facing[i, j] < -0.9 and gap_front > 0.8 and across < max(width, 0.5)
    if b.name in _FACED and a.name in ("tv cabinet", "bookshelf", "sideboard", "armchair", "sofa") and opposite:
        return "opposite"
    level = abs(forward) < depth + _TOUCH
    if b.name in _COMPANIONS and level and -_TOUCH < gap_across < _NEAR and across > width:
        return "beside"
    return None


def _in_corner(obj: LayoutObject, room: tuple[float, float, float]) -> bool:
    if obj.name in _FLAT or obj.bottom > _LEVEL:
        return False
    corners = obj.corners[:, :2]
    gaps = np.minimum(corners.min(0) + np.array(room[:2]) / 2, np.array(room[:2]) / 2 - corners.max(0))
    return bool((gaps < _NEAR).all())
