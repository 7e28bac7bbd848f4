"""A layout: a room as named, coloured, oriented boxes, and its JSON, which `occscene.placed_layout` keeps in files.

It is an object with `"format": "occscene.layout"`, `"version": 1`, `"taxonomy"`, `"room"` and
`"objects"`. `room` has `size` (inner width, depth, height), `wall_color` and `floor_color`; it is null where there is
none, as in a street. An object has `name`, `class`, `center`, `size`, `turn`, `color_word` and `color` (linear RGB,
or null), and may have `parts`: a list of what it is made of, each with `kind` (of `PART_KINDS`), `center`, `size`,
`rotation`, `taper`, `material` and `role`, along the object's own axes about the middle of its box. Lengths are metres
and angles radians in the world's axes: Z is up, the room is centred on the origin along x
and y, and its floor's top is z = 0. Readers refuse versions that they do not know and ignore unknown fields.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from occscene.field_errors import FieldError, within
from occscene.limits import MAX_NAME_LENGTH, MAX_OBJECTS
from occscene.part_shapes import BOX_CORNERS
from occscene.taxonomy import TAXONOMIES

FORMAT, VERSION = "occscene.layout", 1
MAX_LENGTH = 10_000.0
"""Metres: of any coordinate or size."""

Vector = tuple[float, float, float]

PART_KINDS = (
    "box", "rounded box", "cushion", "ellipsoid", "cylinder", "rod", "blade", "curtain", "window wall", "facade",
    "shop front",
)  # fmt: skip
"""What a part can be; cylinders and rods stand along their own z axis, walls with windows look along their own y."""
MAX_PARTS = 1024
"""Of one object."""


@dataclass(frozen=True)
class LayoutPart:
    """A primitive that an object is made of, along the object's own axes about the middle of its box.

    Args:
        kind: one of `PART_KINDS`.
        center: metres.
        size: extent along the part's own axes in metres.
        rotation: quaternion w, x, y, z from the part's axes to the object's; its length does not matter.
        taper: width of a cylinder's or rod's upper end over that of its lower.
        material: kind of material, "wood"; "" for none.
        role: which of the object's materials, so that parts of one role are coloured alike.

    Raises:
        ValueError: a field is outside its limits; the message names the field, the value and the limit.
    """

    kind: str
    center: Vector
    size: Vector
    rotation: tuple[float, float, float, float] = (1.0, 0.0, 0.0, 0.0)
    taper: float = 1.0
    material: str = ""
    role: int = 0

    def __post_init__(self) -> None:
        if self.kind not in PART_KINDS:
            raise FieldError("kind", f"is {self.kind!r}; it must be one of {', '.join(PART_KINDS)}")
        _check_box(self.center, self.size)
        length = math.hypot(*self.rotation)
        if not (1e-6 <= length <= 1e6):
            raise FieldError("rotation", f"is {self.rotation}; it must be a finite quaternion w, x, y, z other than 0")
        if not 0.01 <= self.taper <= 100:
            raise FieldError("taper", f"is {self.taper}; it must be 0.01 to 100")
        if len(self.material) > MAX_NAME_LENGTH:
            raise FieldError("material", f"has {len(self.material)} characters; the limit is {MAX_NAME_LENGTH}")
        if not 0 <= self.role <= 255:
            raise FieldError("role", f"is {self.role}; it must be 0 to 255")


@dataclass(frozen=True)
class LayoutObject:
    """One object of a layout.

    Args:
        name: what a person calls it, lower case, singular: "sofa".
        class_name: a class of the layout's taxonomy.
        center: middle of the box in metres.
        size: width, depth, height in metres along the object's own axes; its front faces +y of them.
        turn: radians about +Z from the world's axes to the object's.
        color_word: the word that a prompt would have for its colour or wood, "" for none.
        color: its mean albedo, linear RGB in [0, 1]; None leaves it to the prompt.
        parts: what it is made of; none where it is its box.

    Raises:
        ValueError: a field is outside its limits; the message names the field, the value and the limit.
    """

    name: str
    class_name: str
    center: Vector
    size: Vector
    turn: float = 0.0
    color_word: str = ""
    color: Vector | None = None
    parts: tuple[LayoutPart, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= len(self.name) <= MAX_NAME_LENGTH:
            raise FieldError("name", f"has {len(self.name)} characters; it must have 1 to {MAX_NAME_LENGTH}")
        _check_box(self.center, self.size)
        if len(self.parts) > MAX_PARTS:
            raise FieldError("parts", f"has {len(self.parts)} entries; the limit is {MAX_PARTS}")
        if not math.isfinite(self.turn):
            raise FieldError("turn", f"is {self.turn}; it must be finite radians")
        if self.color is not None and not all(0.0 <= value <= 1.0 for value in self.color):
            raise FieldError("color", f"is {self.color}; it must be three linear RGB values in [0, 1]")

    @property
    def axes(self) -> NDArray[np.float64]:
        """(3, 3) rotation from the object's axes to the world's."""
        cosine, sine = math.cos(self.turn), math.sin(self.turn)
        return np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])

    @property
    def corners(self) -> NDArray[np.float64]:
        """(8, 3) world corners in metres, z fastest."""
        corners: NDArray[np.float64] = (BOX_CORNERS * self.size) @ self.axes.T + self.center
        return corners

    @property
    def bottom(self) -> float:
        """Height of its underside in metres."""
        return self.center[2] - self.size[2] / 2

    @property
    def top(self) -> float:
        """Height of its upper side in metres."""
        return self.center[2] + self.size[2] / 2


def _check_box(center: Vector, size: Vector) -> None:
    if not all(abs(value) <= MAX_LENGTH for value in center):
        raise FieldError("center", f"is {center}; it must be finite and within {MAX_LENGTH:g} m of the origin")
    if not all(0 < value <= MAX_LENGTH for value in size):
        raise FieldError("size", f"is {size}; each length must be above 0 and at most {MAX_LENGTH:g} m")


@dataclass(frozen=True)
class LayoutRoom:
    """The room around a layout: inner width (x), depth (y) and height in metres, and plain colour words."""

    size: Vector
    wall_color: str = ""
    floor_color: str = ""

    def __post_init__(self) -> None:
        if not all(0 < value <= MAX_LENGTH for value in self.size):
            raise FieldError("size", f"is {self.size}; each length must be above 0 and at most {MAX_LENGTH:g} m")


@dataclass(frozen=True)
class Layout:
    """A scene as boxes; its room is centred on the origin along x and y, with the floor's top at z = 0.

    Args:
        taxonomy: name of the classes.
        room: None where there is none.
        objects: doors and windows included, walls, floor and ceiling not.

    Raises:
        ValueError: an unknown taxonomy or class, or too many objects.
    """

    taxonomy: str
    room: LayoutRoom | None
    objects: tuple[LayoutObject, ...]

    def __post_init__(self) -> None:
        if self.taxonomy not in TAXONOMIES:
            raise FieldError("taxonomy", f"is {self.taxonomy!r}; it must be one of {', '.join(TAXONOMIES)}")
        if len(self.objects) > MAX_OBJECTS:
            raise FieldError("objects", f"has {len(self.objects)} entries; the limit is {MAX_OBJECTS}")
        known = {entry.name for entry in TAXONOMIES[self.taxonomy].classes[1:]}
        for index, obj in enumerate(self.objects):
            if obj.class_name not in known:
                raise FieldError(
                    f"objects[{index}].class", f"is {obj.class_name!r}; {self.taxonomy} has {', '.join(sorted(known))}"
                )


def layout_to_json(layout: Layout) -> dict[str, Any]:
    """The layout as the JSON object of the module's docstring."""
    room = layout.room
    return {
        "format": FORMAT,
        "version": VERSION,
        "taxonomy": layout.taxonomy,
        "room": room and {"size": room.size, "wall_color": room.wall_color, "floor_color": room.floor_color},
        "objects": [
            {
                "name": obj.name,
                "class": obj.class_name,
                "center": obj.center,
                "size": obj.size,
                "turn": obj.turn,
                "color_word": obj.color_word,
                "color": obj.color,
                **({"parts": [asdict(part) for part in obj.parts]} if obj.parts else {}),
            }
            for obj in layout.objects
        ],
    }


def layout_from_json(data: Any) -> Layout:
    """The layout of a JSON object, checked.

    Raises:
        ValueError: not a layout, or of a later version; the message names the field and what it must be.
    """
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ValueError(f'not a layout: it must be an object with "format": "{FORMAT}"')
    if data.get("version") != VERSION:
        raise FieldError(
            "version", f"is {data.get('version')!r}; this program reads {VERSION}: update it, or save anew"
        )
    room = data.get("room")
    parsed = None
    if room is not None:
        size = _vector(room, "size", "room")
        parsed = within("room", lambda: LayoutRoom(size, _text(room, "wall_color"), _text(room, "floor_color")))
    rows = data.get("objects")
    if not isinstance(rows, list):
        raise ValueError("objects must be a list")
    return Layout(str(data.get("taxonomy")), parsed, tuple(_object(row, f"objects[{i}]") for i, row in enumerate(rows)))


def _object(row: Any, where: str) -> LayoutObject:
    center, size = (_vector(row, field, where) for field in ("center", "size"))
    color = None if row.get("color") is None else _vector(row, "color", where)
    turn = _number(row, "turn", 0.0, where)
    name, class_name, word = (_text(row, field) for field in ("name", "class", "color_word"))
    rows = row.get("parts", [])
    if not isinstance(rows, list):
        raise ValueError(f"{where}.parts must be a list")
    parts = tuple(_part(part, f"{where}.parts[{i}]") for i, part in enumerate(rows))
    return within(where, lambda: LayoutObject(name, class_name, center, size, turn, word, color, parts))


def _part(row: Any, where: str) -> LayoutPart:
    center, size = (_vector(row, field, where) for field in ("center", "size"))
    rotation = _floats(row, "rotation", where, 4) if "rotation" in row else (1.0, 0.0, 0.0, 0.0)
    taper, role = _number(row, "taper", 1.0, where), _number(row, "role", 0, where)
    if role != int(role):
        raise FieldError(f"{where}.role", f"is {role}; it must be a whole number")
    kind, material = _text(row, "kind"), _text(row, "material")
    return within(where, lambda: LayoutPart(kind, center, size, rotation, taper, material, int(role)))


def _number(row: dict[str, Any], field: str, default: float, where: str) -> float:
    value = row.get(field, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise FieldError(f"{where}.{field}", f"is {value!r}; it must be a finite number")
    return float(value)


def _vector(row: Any, field: str, where: str) -> Vector:
    x, y, z = _floats(row, field, where, 3)
    return x, y, z


def _floats(row: Any, field: str, where: str, count: int) -> Any:
    value = row.get(field) if isinstance(row, dict) else None
    if not (
        isinstance(value, list)
        and len(value) == count
        and all(isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(v) for v in value)
    ):
        words = {3: "three", 4: "four"}[count]
        raise FieldError(f"{where}.{field}", f"is {value!r}; it must be a list of {words} finite numbers")
    return tuple(map(float, value))


def _text(row: dict[str, Any], field: str) -> str:
    value = row.get(field, "")
    if not isinstance(value, str):
        raise FieldError(field, f"is {value!r}; it must be text")
    return value
