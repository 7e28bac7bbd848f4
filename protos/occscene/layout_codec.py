"""Layouts to messages of `occscene.v1` and back; what arrives is checked as in `occscene.codec`."""

from __future__ import annotations

import numpy as np

from occscene.field_errors import FieldError, within
from occscene.layout import PART_KINDS, Layout, LayoutObject, LayoutPart, LayoutRoom, Vector
from occscene.limits import MAX_NAME_LENGTH
from occscene.placed_layout import PlacedLayout
from occscene.v1 import grid_pb2, layout_pb2

_PART_NAMES = {kind: f"LAYOUT_PART_KIND_{kind.upper().replace(' ', '_')}" for kind in PART_KINDS}
_PART_KINDS = {layout_pb2.LayoutPartKind.Value(name): kind for kind, name in _PART_NAMES.items()}


def layout_to_message(placed: PlacedLayout) -> layout_pb2.Layout:
    """The message of a layout."""
    layout = placed.layout
    message = layout_pb2.Layout(
        taxonomy=layout.taxonomy,
        objects=[_object_to_message(obj) for obj in layout.objects],
        world_from_layout=placed.world_from_layout.ravel().tolist(),
    )
    if layout.room is not None:
        room = layout.room
        message.room.CopyFrom(
            layout_pb2.LayoutRoom(size=_vector(room.size), wall_color=room.wall_color, floor_color=room.floor_color)
        )
    return message


def layout_from_message(message: layout_pb2.Layout, field: str = "layout") -> PlacedLayout:
    """The layout of a message.

    Raises:
        FieldError: a field is outside its limits.
    """
    room = None
    if message.HasField("room"):
        sent = message.room
        for name in ("wall_color", "floor_color"):
            _check_word(getattr(sent, name), f"{field}.room.{name}")
        room = within(f"{field}.room", lambda: LayoutRoom(_numbers(sent.size), sent.wall_color, sent.floor_color))
    objects = tuple(object_from_message(item, f"{field}.objects[{i}]") for i, item in enumerate(message.objects))
    layout = within(field, lambda: Layout(message.taxonomy, room, objects))
    numbers = message.world_from_layout
    if len(numbers) not in (0, 16):
        raise FieldError(
            f"{field}.world_from_layout",
            f"has {len(numbers)} numbers; it must have 16, a row-major 4x4 matrix, or none",
        )
    pose = np.array(numbers, np.float64).reshape(4, 4) if numbers else np.eye(4)
    return within(field, lambda: PlacedLayout(layout, pose))


def object_from_message(message: layout_pb2.LayoutObject, field: str = "object") -> LayoutObject:
    """The object of a message.

    Raises:
        FieldError: as of `layout_from_message`.
    """
    _check_word(message.color_word, f"{field}.color_word")
    color = message.color
    hint = (color.red, color.green, color.blue) if message.HasField("color") else None
    parts = tuple(_part_from_message(part, f"{field}.parts[{i}]") for i, part in enumerate(message.parts))
    return within(
        field,
        lambda: LayoutObject(
            message.name,
            message.class_name,
            _numbers(message.center),
            _numbers(message.size),
            message.turn,
            message.color_word,
            hint,
            parts,
        ),
    )


def _object_to_message(obj: LayoutObject) -> layout_pb2.LayoutObject:
    message = layout_pb2.LayoutObject(
        name=obj.name,
        class_name=obj.class_name,
        center=_vector(obj.center),
        size=_vector(obj.size),
        turn=obj.turn,
        color_word=obj.color_word,
        parts=[_part_to_message(part) for part in obj.parts],
    )
    if obj.color is not None:
        red, green, blue = obj.color
        message.color.CopyFrom(grid_pb2.LinearColor(red=red, green=green, blue=blue))
    return message


def _part_to_message(part: LayoutPart) -> layout_pb2.LayoutPart:
    w, x, y, z = part.rotation
    return layout_pb2.LayoutPart(
        kind=_PART_NAMES[part.kind],
        center=_vector(part.center),
        size=_vector(part.size),
        rotation=layout_pb2.Quaternion(w=w, x=x, y=y, z=z),
        taper=part.taper,
        material=part.material,
        role=part.role,
    )


def _part_from_message(message: layout_pb2.LayoutPart, field: str) -> LayoutPart:
    turn = message.rotation
    rotation = (turn.w, turn.x, turn.y, turn.z) if message.HasField("rotation") else (1.0, 0.0, 0.0, 0.0)
    if message.kind not in _PART_KINDS:
        raise FieldError(f"{field}.kind", f"is {message.kind}; it must be 1 to {max(_PART_KINDS)}")
    taper = message.taper if message.HasField("taper") else 1.0
    return within(
        field,
        lambda: LayoutPart(
            _PART_KINDS[message.kind],
            _numbers(message.center),
            _numbers(message.size),
            rotation,
            taper,
            message.material,
            message.role,
        ),
    )


def _vector(numbers: Vector) -> layout_pb2.Vector3:
    x, y, z = numbers
    return layout_pb2.Vector3(x=x, y=y, z=z)


def _numbers(vector: layout_pb2.Vector3) -> Vector:
    return vector.x, vector.y, vector.z


def _check_word(word: str, field: str) -> None:
    if len(word) > MAX_NAME_LENGTH:
        raise FieldError(field, f"has {len(word)} characters; the limit is {MAX_NAME_LENGTH}")
