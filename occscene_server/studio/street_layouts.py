"""Streets as layouts: the boxes of their plans, with sides, prompts and parts, without rendering."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from occscene.layout import Layout, LayoutObject

from occscene_server.data.layouts import PROMPT_VERSION, LayoutRecord, Parts
from occscene_server.geometry.course import Course
from occscene_server.geometry.relations import relations_of
from occscene_server.geometry.street_layout import FOLLOWING, FRAME, planned
from occscene_server.models.layout_tokens import RANGES
from occscene_server.studio.room import Item
from occscene_server.studio.street_parts import street_parts
from occscene_server.studio.streets.layout_prompt import street_layout_prompts, street_word
from occscene_server.studio.streets.plan import Plan, Side
from occscene_server.studio.streets.street import HALF_VOLUME, Actor, Street, build_street

_ORDER = (
    "building", "traffic-sign", "pole", "truck", "other-vehicle", "car", "bicyclist", "motorcyclist", "bicycle",
    "motorcycle", "person", "fence", "vegetation",
)  # fmt: skip
"""Of the classes in a plan, after the ground; bushes come last."""
_PEOPLE = ("man", "woman", "child")
_SLIM = {"street lamp": 0.25, "power pole": 0.25}
"""Metres: what an artist's box of a pole is wide, its arm left out."""
_ROUND = ("tree crown", "bush", "bollard")
"""What looks alike from all sides, and is turned as the street."""
_MOST = {
    "traffic sign": 4, "bollard": 4, "person": 8, "bicycle": 6, "motorcycle": 4, "bicyclist": 4, "motorcyclist": 3,
    "bush": 4, "fence": 5, "hedge": 5, "garden wall": 5, "tree crown": 16,
}  # fmt: skip
"""Of a kind: rendered streets are fuller than real ones, so that what is rare is learnt from them."""
_FAR = 0.5 * FRAME[0] - 1.0
_REACH = 1.0
"""Metres by which a building has to reach into the volume."""

Placed = tuple[LayoutObject, Item | None, str, str]
"""An object of a plan, what it was made from, its phrase, and its role."""


def street_record(seed: int) -> LayoutRecord:
    """The street of a seed as a layout data set holds it."""
    street = build_street(seed)
    course = replace(street.plan.course, slope=0.0)
    placed = [*_ground(street), *_standing(street)]
    objects = tuple(obj for obj, _, _, _ in placed)
    phrases = tuple(phrase for _, _, phrase, _ in placed)
    layout = Layout("outdoor", None, objects)
    relations = relations_of(layout)
    rng = np.random.default_rng([seed, 29, PROMPT_VERSION])
    prompts = street_layout_prompts(street, objects, phrases, [role for *_, role in placed], relations, rng)
    surface = {item.name: item.phrase for item in street.items if item.extent is None}
    words = (
        street.plan.kind, street.season, street.weather, surface.get("pavement", ""), surface.get("road", "")
    )  # fmt: skip
    parts = tuple(_parts(street, obj, item) for obj, item, _, _ in placed)
    return LayoutRecord(seed, layout, words, phrases, relations, prompts, parts, course)


def _parts(street: Street, obj: LayoutObject, item: Item | None) -> Parts:
    """What an object is made of; nothing of the ground."""
    if item is not None:
        assert item.pose is not None
        up = float(item.pose[2, 3]) - street.plan.course.slope * float(item.pose[0, 3])
        return street_parts(item, obj, up, street.materials)
    return Parts(
        (), (), np.zeros((0, 6), np.int16), np.zeros((0, 4), np.float16), np.zeros(0, np.float16),
        np.zeros(0, np.uint8), np.zeros((0, 3), np.uint8),
    )  # fmt: skip


def _ground(street: Street) -> Iterator[Placed]:
    """What the street lies on, its carriageways, bays, pavements and yards."""
    known = {item.class_name: item for item in street.items if item.extent is None}
    of_name = {item.name: item for item in known.values()}
    # the first slab of a class spans everything if all else lies on it
    base = next(item for item in known.values() if np.ptp(item.parts[0].vertices[:, 1]) > 2 * FRAME[1])
    end = FRAME[0] / 2
    for name, class_name, (low, high), (right, left) in [
        (base.name, base.class_name, (-end, end), (-end, end)),
        *_strips(street.plan, base.class_name, end),
    ]:
        item = known.get(class_name, base)
        low, high = max(low, -end), min(high, end)
        if high - low > 0.5 and left - right > 0.5:
            middle = ((low + high) / 2, (right + left) / 2, -0.1)
            size = (high - low, left - right, 0.2)
            phrase = of_name[name].phrase if name in of_name else item.phrase
            yield (
                LayoutObject(name, class_name, middle, size, 0.0, street_word(phrase), item.color), None, phrase, ""
            )  # fmt: skip


Strip = tuple[str, str, tuple[float, float], tuple[float, float]]
"""Name, class, and from where to where along and across the street, metres."""


def _strips(plan: Plan, base: str, end: float) -> Iterator[Strip]:
    half = plan.width / 2
    yield "road", "road", (-end, end), (-half, half)
    for side in plan.sides:
        kerb, back, verge, _ = side.edges(half)
        for span in plan.runs(side.sign):
            if side.parking:
                yield "parking bays", "parking", span, _across(side, half, kerb)
            if side.pavement:
                yield "pavement", "sidewalk", span, _across(side, kerb, back)
            if side.verge and base != "terrain":
                yield "lawn", "terrain", span, _across(side, back, verge)
    if plan.junction is not None:
        junction = plan.junction
        low, high = junction.at - junction.width / 2, junction.at + junction.width / 2
        for side in plan.sides:
            if side.sign not in junction.sides:
                continue
            yield "side street", "road", (low, high), _across(side, half, end)
            if side.pavement:
                far = _across(side, side.edges(half)[1], end)
                yield "pavement", "sidewalk", (low - junction.pavement, low), far
                yield "pavement", "sidewalk", (high, high + junction.pavement), far
    if plan.square is not None:
        low, high, sign = plan.square
        side = plan.left if sign > 0 else plan.right
        back = side.edges(half)[1]
        yield "yard", "other-ground", (low, high), _across(side, back, back + 15.0)


def _across(side: Side, near: float, far: float) -> tuple[float, float]:
    return (near, far) if side.sign > 0 else (-far, -near)


def _standing(street: Street) -> list[Placed]:
    """What stands in the volume, in the order of plans, but not too many of a kind."""
    course = street.plan.course
    rng = np.random.default_rng([street.seed, 37])
    placed = []
    for actor in street.actors:
        item = street.items[actor.index]
        if item.name not in FOLLOWING and _is_inside(item):
            obj = _planned(item, actor, course)
            if max(abs(obj.center[0]), abs(obj.center[1])) < _FAR and obj.top > 0.0:
                placed.append((obj, item, item.phrase, actor.role))
    places: dict[str, list[int]] = {}
    for index, (obj, *_) in enumerate(placed):
        places.setdefault(obj.name, []).append(index)
    kept = []
    for name, rows in places.items():
        chosen = rng.permutation(len(rows))[: _MOST.get(name, len(rows))]
        kept += [placed[rows[int(row)]] for row in chosen]
    trees = sorted((one for one in kept if one[0].class_name == "vegetation"), key=lambda one: -abs(one[0].center[1]))
    spare = len(kept) + len(list(_ground(street))) - RANGES["outdoor"].most
    dropped = {id(one) for one in trees[: max(0, spare)]}
    return sorted(
        (one for one in kept if id(one) not in dropped),
        key=lambda one: (
            one[0].name == "bush", _ORDER.index(one[0].class_name), one[0].name, one[0].center[1] < 0, one[0].center[0]
        ),
    )  # fmt: skip


def _is_inside(item: Item) -> bool:
    """Whether the middle of an item is in the volume; of a building, whether it reaches into it."""
    box = item.extent
    if box is None:
        return False
    reach = 0.0
    if item.class_name == "building":
        cosine, sine = abs(math.cos(box.angle)), abs(math.sin(box.angle))
        reach = min(cosine * box.size[0] + sine * box.size[1], sine * box.size[0] + cosine * box.size[1]) / 2 - _REACH
    return max(abs(box.center[0]), abs(box.center[1])) < HALF_VOLUME + reach


def _planned(item: Item, actor: Actor, course: Course) -> LayoutObject:
    """An item in the street's axes; of what goes into the ground only what is above it."""
    box = item.extent
    assert box is not None
    assert item.pose is not None
    center, size = box.center, box.size
    if item.name in _SLIM:
        center = (float(item.pose[0, 3]), float(item.pose[1, 3]), center[2])
        size = (_SLIM[item.name], _SLIM[item.name], size[2])
    name = "person" if item.name in _PEOPLE else item.name
    turn = box.angle if item.name not in _ROUND else float(course.heading(actor.s))
    obj = LayoutObject(name, item.class_name, center, size, turn, street_word(item.phrase), item.color)
    obj = planned(obj, actor.s, actor.d, course)
    low, high = max(obj.bottom, 0.0), max(obj.top, 0.1)
    if obj.bottom > 0.0 or obj.name == "tree crown":
        return obj
    return replace(obj, center=(*obj.center[:2], (low + high) / 2), size=(*obj.size[:2], high - low))
