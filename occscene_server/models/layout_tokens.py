"""Layouts as whole numbers, for a network that draws them one at a time.

Lengths come in steps of half a voxel, turns in 32 steps, colours as words. Where a box stands is said as seen from its
own nearest quarter turn: how far its back is from the wall behind it, and where its middle is along that wall. A
wardrobe at any wall then says the same numbers, and what stands against a wall says that exactly.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from occscene.layout import Layout, LayoutObject, LayoutRoom

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

STEP = 0.04
"""Metres: half an indoor voxel."""
TURNS = 32

GEOMETRY = {"turn": TURNS, "width": 80, "depth": 80, "height": 80, "bottom": 72, "back": 120, "along": 120}
"""Numbers of an object's box in the order in which they are drawn, and how many values each has."""

ROOM_SIZES = {"room_width": 128, "room_depth": 128, "room_height": 80}

_FIRST_BOTTOM, _FIRST_BACK, _FIRST_ALONG = -1, -4, -60
_LEAST_ROOM = 20
"""Steps: no room is smaller."""
_INNER = 0.02
"""Metres: rooms are 2 cm wider than a multiple of the step, as their walls stand 1 cm behind a voxel's face."""


@dataclass(frozen=True)
class Vocabulary:
    """What the numbers of kinds and colours mean.

    Args:
        kinds: names of objects.
        classes: of the kinds, in the taxonomy.
        colors: colour words of objects; the first is "", none.
        surfaces: colour words of walls and floors.
        sizes: width, depth, height of each kind on average, metres.
    """

    kinds: tuple[str, ...]
    classes: tuple[str, ...]
    colors: tuple[str, ...]
    surfaces: tuple[str, ...]
    sizes: tuple[tuple[float, float, float], ...]

    def __post_init__(self) -> None:
        if not len(self.kinds) == len(self.classes) == len(self.sizes) or self.colors[0]:
            raise ValueError("a vocabulary has a class and a size for each kind, and its first colour is no colour")

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


def encode_boxes(boxes: Floats, room: Floats) -> Ints:
    """Boxes to the numbers of `GEOMETRY`.

    Args:
        boxes: (N, 7) middle, size, turn; the room's middle is the origin.
        room: (N, 3) inner size of each one's room, metres.

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
            *(_steps(length) - 1 for length in (width, depth, height)),
            _steps(z - height / 2) - _FIRST_BOTTOM,
            _steps(back) - _FIRST_BACK,
            _steps(along) - _FIRST_ALONG,
        ],
        axis=1,
    )
    return np.clip(values, 0, np.array(list(GEOMETRY.values())) - 1)


def decode_boxes(numbers: Ints, room: Floats) -> Floats:
    """The inverse of `encode_boxes`: (N, 7) of numbers and (N, 3) sizes of rooms to (N, 7) boxes."""
    turn, width, depth, height, bottom, back, along = numbers.T
    quadrant = quadrant_of(turn)
    angle = turn * (2 * np.pi / TURNS)
    width, depth, height = ((length + 1) * STEP for length in (width, depth, height))
    _, half = upright_halves(angle - quadrant * np.pi / 2, width, depth)
    behind = np.where(quadrant % 2 == 0, room[:, 1], room[:, 0]) / 2
    towards = (back + _FIRST_BACK) * STEP + half - behind
    x, y = seen_from((4 - quadrant) % 4, (along + _FIRST_ALONG) * STEP, towards)
    z = (bottom + _FIRST_BOTTOM) * STEP + height / 2
    return np.stack([x, y, z, width, depth, height, angle], axis=1)


def candidates(name: str) -> Floats:
    """The lengths in metres that the values of "back" or "along" stand for."""
    first = {"back": _FIRST_BACK, "along": _FIRST_ALONG}[name]
    return (np.arange(GEOMETRY[name]) + first) * STEP


def _steps(length: Floats) -> Ints:
    # a hair below a half goes up with it: equal lengths that rounding made unequal get the same number
    return np.floor(length / STEP + 0.5 + 1e-4).astype(np.int64)


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
    """A layout as numbers: room (5,), and objects (N, 9): kind, colour, then those of `GEOMETRY`.

    Raises:
        ValueError: the layout has no room, or an object of a class of which the vocabulary has no kind.
    """
    if layout.room is None:
        raise ValueError("the layout has no room; this prior knows rooms only")
    kinds = [vocabulary.kind_of(obj) for obj in layout.objects]
    if None in kinds:
        index = kinds.index(None)
        raise ValueError(
            f"objects[{index}].class is {layout.objects[index].class_name!r}; this prior knows objects of the classes "
            f"{', '.join(sorted(set(vocabulary.classes)))}"
        )
    room = encode_room(np.array(layout.room.size))
    surfaces = [_index(word, vocabulary.surfaces) for word in (layout.room.wall_color, layout.room.floor_color)]
    boxes = np.array([(*obj.center, *obj.size, obj.turn) for obj in layout.objects]).reshape(-1, 7)
    colors = [_index(obj.color_word, vocabulary.colors) for obj in layout.objects]
    names = list(zip(kinds, colors, strict=True))
    size = np.broadcast_to(decode_room(room), (len(boxes), 3))
    numbers = np.concatenate([np.array(names, np.int64).reshape(-1, 2), encode_boxes(boxes, size)], axis=1)
    return np.concatenate([room, surfaces]), numbers


def _index(word: str, words: Sequence[str]) -> int:
    return words.index(word) if word in words else 0


def layout_of_numbers(room: Ints, objects: Ints, vocabulary: Vocabulary, albedo: Floats) -> Layout:
    """The inverse of `layout_numbers`.

    Args:
        room: (5,).
        objects: (N, 9).
        vocabulary: of both.
        albedo: (kinds, colours, 3) mean albedo of what has a kind and a colour word, linear RGB.
    """
    size = decode_room(room[:3])
    boxes = decode_boxes(objects[:, 2:], np.broadcast_to(size, (len(objects), 3)))
    placed = []
    for (kind, color), box in zip(objects[:, :2].tolist(), boxes.tolist(), strict=True):
        rgb = albedo[kind, color].tolist()
        placed.append(
            LayoutObject(
                vocabulary.kinds[kind], vocabulary.classes[kind], (box[0], box[1], box[2]), (box[3], box[4], box[5]),
                box[6], vocabulary.colors[color], (rgb[0], rgb[1], rgb[2]),
            )
        )  # fmt: skip
    walls, floor = (vocabulary.surfaces[int(word)] for word in room[3:])
    return Layout("indoor", LayoutRoom((float(size[0]), float(size[1]), float(size[2])), walls, floor), tuple(placed))
