"""Layouts as whole numbers, for a network that draws them one at a time.

Each domain has its own steps and ranges (`Ranges`). Lengths come in steps of half a voxel indoors and of a voxel in
streets, turns in 32 steps, colours as words. Where a box stands is said as seen from its
own nearest quarter turn: how far its back is from the wall behind it, and where its middle is along that wall. A
wardrobe at any wall then says the same numbers, and what stands against a wall says that exactly. A street is said as
its plan (`geometry.street_layout`) in a frame of one size, and by its bend.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from occscene.layout import Layout, LayoutObject, LayoutRoom

from occscene_server.geometry.course import Course
from occscene_server.geometry.street_layout import FRAME, street_layout

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STEP = 0.04
"""Metres: half an indoor voxel."""
TURNS = 32
STREET_STEP = 0.2
"""Metres: an outdoor voxel."""

GEOMETRY = {"turn": TURNS, "width": 80, "depth": 80, "height": 80, "bottom": 72, "back": 120, "along": 120}
"""Numbers of an object's box in the order in which they are drawn, and how many values each has."""

ROOM_SIZES = {"room_width": 128, "room_depth": 128, "room_height": 80}

_FIRST_BOTTOM = -1
_LEAST_ROOM = 20
"""Steps: no room is smaller."""
_INNER = 0.02
"""Metres: rooms are 2 cm wider than a multiple of the step, as their walls stand 1 cm behind a voxel's face."""

_BENDS, _BEND_STEP = 33, 0.0014
"""Curvatures, the middle one straight, and 1/metres between them."""
_FIRST_START, _BEND_LENGTH = -18.0, 2.0
"""Metres where the first bend begins, and the step of where bends begin and of how long they are."""


@dataclass(frozen=True)
class Ranges:
    """A domain's steps and ranges.

    Args:
        taxonomy: of its classes.
        step: metres.
        geometry: numbers of an object's box in the order in which they are drawn, and how many values each has.
        scene: the same of what the objects are in: of a room its sizes, of a street its bend.
        first_back, first_along: steps that the first value of each stands for.
        period: metres after which distances between objects repeat, in the network's own units.
        most: objects of a layout.
    """

    taxonomy: str
    step: float
    geometry: Mapping[str, int]
    scene: Mapping[str, int]
    first_back: int
    first_along: int
    period: float
    most: int

    @property
    def unit(self) -> float:
        """Metres of one of the network's units: it sees boxes as if each step were `STEP`."""
        return self.step / STEP

    def frame(self, scene: Ints) -> Floats:
        """Width, depth and height (..., 3) in metres of where a room's or a street's objects are."""
        return decode_room(scene) if self.taxonomy == "indoor" else np.broadcast_to(np.array(FRAME), scene.shape)

    def encode_scene(self, scene: Floats) -> Ints:
        """The size of a room, or the curvature, start and length of a street's bend (..., 3), as numbers."""
        return encode_room(scene) if self.taxonomy == "indoor" else _encode_bend(scene)


RANGES = {
    "indoor": Ranges("indoor", STEP, GEOMETRY, ROOM_SIZES, -4, -60, 9.6, 40),
    "outdoor": Ranges(
        "outdoor",
        STREET_STEP,
        {"turn": TURNS, "width": 320, "depth": 320, "height": 128, "bottom": 72, "back": 360, "along": 320},
        {"bend": _BENDS, "start": 16, "length": 24},
        -40, -160, 12.8, 80,
    ),
}  # fmt: skip
"""By taxonomy. Indoors distances repeat after twice what a room can measure, outdoors after a street's frame."""


@dataclass(frozen=True)
class Vocabulary:
    """What the numbers of kinds and colours mean.

    Args:
        kinds: names of objects.
        classes: of the kinds, in the taxonomy.
        colors: colour words of objects; the first is "", none.
        surfaces: colour words of walls and floors; of streets their kinds and seasons.
        sizes: width, depth, height of each kind on average, metres.
        taxonomy: of the classes.
    """

    kinds: tuple[str, ...]
    classes: tuple[str, ...]
    colors: tuple[str, ...]
    surfaces: tuple[str, ...]
    sizes: tuple[tuple[float, float, float], ...]
    taxonomy: str = "indoor"

    def __post_init__(self) -> None:
        if not len(self.kinds) == len(self.classes) == len(self.sizes) or self.colors[0]:
            raise ValueError("a vocabulary has a class and a size for each kind, and its first colour is no colour")

    @property
    def ranges(self) -> Ranges:
        """Of the numbers."""
        return RANGES[self.taxonomy]

    def kind_of(self, obj: LayoutObject) -> int | None:
        """The kind of an object that anybody named: by its name, else the most alike in size of its class."""
        name = obj.name.lower().replace("_", " ").rstrip(" .0123456789")
        if name in self.kinds:
            return self.kinds.index(name)
        rows = [row for row, class_name in enumerate(self.classes) if class_name == obj.class_name]
        named = [row for row in rows if re.search(rf"\b{re.escape(self.kinds[row])}\b", name)]
        if named:
            return max(named, key=lambda row: len(self.kinds[row]))
        return min(
            rows, key=lambda row: float(np.abs(np.log(np.array(obj.size) / self.sizes[row])).sum()), default=None
        )


def quadrant_of(turn: Ints) -> Ints:
    """The quarter turn 0 .. 3 nearest to a turn in steps."""
    return (turn + TURNS // 8) // (TURNS // 4) % 4


def seen_from(quadrant: Ints, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """A point along and towards, in axes turned by a quadrant: (x, y), (y, -x), (-x, -y), (-y, x)."""
    odd, sign = quadrant % 2 == 1, np.where(quadrant < 2, 1.0, -1.0)
    return sign * np.where(odd, y, x), sign * np.where(odd, -x, y)


def upright_halves(turn: Floats, width: Floats, depth: Floats) -> tuple[Floats, Floats]:
    """Half of what a box turned by `turn` radians takes along and across the axes."""
    cosine, sine = np.abs(np.cos(turn)), np.abs(np.sin(turn))
    return (cosine * width + sine * depth) / 2, (sine * width + cosine * depth) / 2


def encode_room(size: Floats) -> Ints:
    """Inner sizes (..., 3) in metres to the numbers of `ROOM_SIZES`."""
    steps = np.rint((size - (_INNER, _INNER, 0.0)) / STEP).astype(np.int64)
    return np.clip(steps, _LEAST_ROOM, np.array(list(ROOM_SIZES.values())) - 1)


def decode_room(numbers: Ints) -> Floats:
    """The inverse of `encode_room`, metres."""
    size: Floats = np.maximum(numbers, _LEAST_ROOM) * STEP + (_INNER, _INNER, 0.0)
    return size


def _encode_bend(bend: Floats) -> Ints:
    curvature, start, length = np.moveaxis(bend, -1, 0)
    steps = np.rint(
        np.stack([curvature / _BEND_STEP, (start - _FIRST_START) / _BEND_LENGTH, length / _BEND_LENGTH], -1)
    )
    numbers = steps.astype(np.int64)
    numbers[..., 0] += _BENDS // 2
    # of a straight street one way to say so
    numbers[numbers[..., 0] == _BENDS // 2, 1:] = 0
    return np.clip(numbers, 0, np.array(list(RANGES["outdoor"].scene.values())) - 1)


def course_of(scene: Ints) -> Course:
    """The course that the numbers of a street's bend (3,) stand for."""
    bend, start, length = scene.tolist()
    if bend == _BENDS // 2:
        return Course()
    return Course((bend - _BENDS // 2) * _BEND_STEP, _FIRST_START + start * _BEND_LENGTH, length * _BEND_LENGTH)


def encode_boxes(boxes: Floats, room: Floats, ranges: Ranges = RANGES["indoor"]) -> Ints:
    """Boxes to the numbers of `Ranges.geometry`.

    Args:
        boxes: (N, 7) middle, size, turn; the room's middle is the origin.
        room: (N, 3) inner size of each one's room, or `Ranges.frame`, metres.
        ranges: of the domain.

    Returns:
        (N, 7); what is out of range is moved into it.
    """
    x, y, z, width, depth, height, angle = boxes.T
    turn = np.rint(angle / (2 * np.pi) * TURNS).astype(np.int64) % TURNS
    quadrant = quadrant_of(turn)
    along, towards = seen_from(quadrant, x, y)
    _, half = upright_halves(angle - quadrant * np.pi / 2, width, depth)
    back = towards - half + np.where(quadrant % 2 == 0, room[:, 1], room[:, 0]) / 2
    values = np.stack(
        [
            turn,
            *(_steps(length, ranges) - 1 for length in (width, depth, height)),
            _steps(z - height / 2, ranges) - _FIRST_BOTTOM,
            _steps(back, ranges) - ranges.first_back,
            _steps(along, ranges) - ranges.first_along,
        ],
        axis=1,
    )
    return np.clip(values, 0, np.array(list(ranges.geometry.values())) - 1)


def decode_boxes(numbers: Ints, room: Floats, ranges: Ranges = RANGES["indoor"]) -> Floats:
    """The inverse of `encode_boxes`: (N, 7) of numbers and (N, 3) sizes of rooms to (N, 7) boxes."""
    turn, width, depth, height, bottom, back, along = numbers.T
    quadrant = quadrant_of(turn)
    angle = turn * (2 * np.pi / TURNS)
    width, depth, height = ((length + 1) * ranges.step for length in (width, depth, height))
    _, half = upright_halves(angle - quadrant * np.pi / 2, width, depth)
    behind = np.where(quadrant % 2 == 0, room[:, 1], room[:, 0]) / 2
    towards = (back + ranges.first_back) * ranges.step + half - behind
    x, y = seen_from((4 - quadrant) % 4, (along + ranges.first_along) * ranges.step, towards)
    z = (bottom + _FIRST_BOTTOM) * ranges.step + height / 2
    return np.stack([x, y, z, width, depth, height, angle], axis=1)


def candidates(name: str, ranges: Ranges = RANGES["indoor"]) -> Floats:
    """The lengths in the network's units that the values of "back" or "along" stand for."""
    first = {"back": ranges.first_back, "along": ranges.first_along}[name]
    return (np.arange(ranges.geometry[name]) + first) * STEP


def _steps(length: Floats, ranges: Ranges) -> Ints:
    # a hair below a half goes up with it: equal lengths that rounding made unequal get the same number
    return np.floor(length / ranges.step + 0.5 + 1e-4).astype(np.int64)


def turned_boxes(boxes: Floats, mirror: bool, quarters: int) -> Floats:
    """Boxes (N, 7) mirrored across x and then turned by quarters about Z."""
    boxes = boxes.copy()
    if mirror:
        boxes[:, 0], boxes[:, 6] = -boxes[:, 0], -boxes[:, 6]
    x, y = boxes[:, 0].copy(), boxes[:, 1].copy()
    cosine, sine = ((1, 0), (0, 1), (-1, 0), (0, -1))[quarters % 4]
    boxes[:, 0], boxes[:, 1] = cosine * x - sine * y, sine * x + cosine * y
    boxes[:, 6] += quarters * np.pi / 2
    return boxes


def layout_numbers(layout: Layout, vocabulary: Vocabulary) -> tuple[Ints, Ints]:
    """A layout as numbers: room (5,), and objects (N, 9): kind, colour, then those of `Ranges.geometry`.

    A street counts as straight, and its own words are left open.

    Raises:
        ValueError: the layout is of another domain, a room's layout has no room, or an object has a class of which the
            vocabulary has no kind.
    """
    ranges, room = vocabulary.ranges, layout.room
    if layout.taxonomy != vocabulary.taxonomy:
        raise ValueError(f"the layout is {layout.taxonomy}; this prior knows {vocabulary.taxonomy} ones only")
    if room is None and layout.taxonomy == "indoor":
        raise ValueError("the layout has no room; this prior knows rooms only")
    kinds = [vocabulary.kind_of(obj) for obj in layout.objects]
    if None in kinds:
        index = kinds.index(None)
        raise ValueError(
            f"objects[{index}].class is {layout.objects[index].class_name!r}; this prior knows objects of the classes "
            f"{', '.join(sorted(set(vocabulary.classes)))}"
        )
    scene = ranges.encode_scene(np.zeros(3) if room is None else np.array(room.size))
    said = ("", "") if room is None else (room.wall_color, room.floor_color)
    surfaces = [_index(word, vocabulary.surfaces) for word in said]
    boxes = np.array([(*obj.center, *obj.size, obj.turn) for obj in layout.objects]).reshape(-1, 7)
    colors = [_index(obj.color_word, vocabulary.colors) for obj in layout.objects]
    names = list(zip(kinds, colors, strict=True))
    size = np.broadcast_to(ranges.frame(scene), (len(boxes), 3))
    numbers = np.concatenate([np.array(names, np.int64).reshape(-1, 2), encode_boxes(boxes, size, ranges)], axis=1)
    return np.concatenate([scene, surfaces]), numbers


def _index(word: str, words: Sequence[str]) -> int:
    return words.index(word) if word in words else 0


def layout_of_numbers(room: Ints, objects: Ints, vocabulary: Vocabulary, albedo: Floats) -> Layout:
    """The inverse of `layout_numbers`; of a street its plan.

    Args:
        room: (5,).
        objects: (N, 9).
        vocabulary: of both.
        albedo: (kinds, colours, 3) mean albedo of what has a kind and a colour word, linear RGB.
    """
    ranges = vocabulary.ranges
    size = ranges.frame(room[:3])
    boxes = decode_boxes(objects[:, 2:], np.broadcast_to(size, (len(objects), 3)), ranges)
    placed = []
    for (kind, color), box in zip(objects[:, :2].tolist(), boxes.tolist(), strict=True):
        rgb = albedo[kind, color].tolist()
        placed.append(
            LayoutObject(
                vocabulary.kinds[kind], vocabulary.classes[kind], (box[0], box[1], box[2]), (box[3], box[4], box[5]),
                box[6], vocabulary.colors[color], (rgb[0], rgb[1], rgb[2]),
            )
        )  # fmt: skip
    return Layout(vocabulary.taxonomy, room_of_numbers(room, vocabulary), tuple(placed))


def room_of_numbers(room: Ints, vocabulary: Vocabulary) -> LayoutRoom | None:
    """The room that numbers (5,) stand for; None outdoors."""
    if vocabulary.taxonomy != "indoor":
        return None
    size = decode_room(room[:3])
    walls, floor = (vocabulary.surfaces[int(word)] for word in room[3:])
    return LayoutRoom((float(size[0]), float(size[1]), float(size[2])), walls, floor)


def placed_layout(plan: Layout, room: Ints) -> Layout:
    """A layout as it stands: a street's plan along its bend, a room's layout as it is.

    Args:
        plan: as of `layout_of_numbers`.
        room: (5,) numbers.
    """
    return plan if plan.taxonomy == "indoor" else street_layout(plan.objects, course_of(room[:3]))
