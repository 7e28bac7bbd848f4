"""Bytes of a request before they are parsed: how often each field occurs, and whether they are a valid message.

Parsing allocates an object for each element of a list: two bytes can become a hundred, and one call that parses
millions of them holds Python's lock for seconds. So the wire format is walked first: linear, in nothing but a count for
each field, and it ends at the first field that is given too often.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message
from occscene.layout import MAX_PARTS
from occscene.limits import MAX_OBJECTS, MAX_VIEWS

Kind = TypeVar("Kind", bound=Message)

_MOST = {
    "cameras": MAX_VIEWS, "images": MAX_VIEWS, "objects": MAX_OBJECTS, "parts": MAX_PARTS, "redraw": MAX_OBJECTS,
    "world_from_grid": 16, "world_from_camera": 16, "world_from_layout": 16,
}  # fmt: skip
"""What may be repeated how often, by the field's name; else `MAX_OBJECTS` times."""

_LENIENCE = 1000
"""Elements beyond the limit of a short list that are still parsed, so that all its violations can be reported."""

_MAX_UNKNOWN = 1000  # fields of a newer client that this server passes over

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5  # wire types
_SIZES = {
    FieldDescriptor.TYPE_DOUBLE: (_FIXED64, 8),
    FieldDescriptor.TYPE_FIXED64: (_FIXED64, 8),
    FieldDescriptor.TYPE_SFIXED64: (_FIXED64, 8),
    FieldDescriptor.TYPE_FLOAT: (_FIXED32, 4),
    FieldDescriptor.TYPE_FIXED32: (_FIXED32, 4),
    FieldDescriptor.TYPE_SFIXED32: (_FIXED32, 4),
}
"""Wire type and bytes of one element, by the field's type; other numbers are varints of one byte or more."""

_NESTED = (FieldDescriptor.TYPE_MESSAGE, FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES)


class MalformedError(ValueError):
    """The bytes are no message of their kind."""


class RepeatedTooOftenError(ValueError):
    """A field is given too often.

    Args:
        field: its path from the request's root; "" for the request itself.
        description: what is wrong and what the limit is.
    """

    def __init__(self, field: str, description: str) -> None:
        super().__init__(field, description)
        self.field = field
        self.description = description


@dataclass(slots=True)
class _Field:
    name: str
    repeated: bool
    most: int
    """Elements, or times that a field is given that is no list."""
    element: int
    """Bytes of one element at least, where elements may be packed; else 0."""
    fields: dict[int, _Field] | None
    """Of the message that the field holds, by tag: the field's number and wire type."""


def parse(kind: type[Kind], data: bytes) -> Kind:
    """The message, parsed only if no field of it is given too often.

    Raises:
        RepeatedTooOftenError: one is.
        MalformedError: the bytes are no such message.
    """
    walk = _Walk(data)
    try:
        walk.message(0, len(data), _fields(kind.DESCRIPTOR))
        return kind.FromString(data)
    except (IndexError, DecodeError):
        raise MalformedError(
            f"the request is no {kind.DESCRIPTOR.full_name}: its bytes are damaged, or a text in it is not UTF-8"
        ) from None


class _Walk:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._unknown = 0

    def message(self, position: int, end: int, fields: dict[int, _Field]) -> None:
        """Counts the fields of the message from `position` to `end`.

        Raises:
            RepeatedTooOftenError: a field is given too often.
            IndexError: the bytes are no message.
        """
        data = self._data
        counts: dict[str, int] = {}
        while position < end:
            tag = data[position]
            position += 1
            if tag > 0x7F:
                tag, position = self._varint(position - 1)
            wire = tag & 7
            if wire == _BYTES:
                size = data[position]
                position += 1
                if size > 0x7F:
                    size, position = self._varint(position - 1)
                stop = position + size
            elif wire == _VARINT:
                stop = position + 1
                if data[position] > 0x7F:
                    _, stop = self._varint(position)
            elif wire == _FIXED32:
                stop = position + 4
            elif wire == _FIXED64:
                stop = position + 8
            else:
                raise IndexError("a group stands there, which proto3 does not have")
            if stop > end:
                raise IndexError("a field ends after its message")
            field = fields.get(tag)
            if field is None:
                self._pass_over()
            else:
                count = counts.get(field.name, 0)
                counts[field.name] = now = count + (size // field.element if wire == _BYTES and field.element else 1)
                if now > field.most:
                    raise _too_often(field)
                if field.fields is not None:
                    try:
                        self.message(position, stop, field.fields)
                    except RepeatedTooOftenError as error:
                        raise _within(field, count, error) from None
            position = stop

    def _varint(self, position: int) -> tuple[int, int]:
        """The number that stands there, and where it ends."""
        value, shift = 0, 0
        while True:
            byte = self._data[position]
            position += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value, position
            shift += 7
            if shift > 63:
                raise IndexError("a number has more than 64 bits")

    def _pass_over(self) -> None:
        self._unknown += 1
        if self._unknown > _MAX_UNKNOWN:
            text = f"the request has more than {_MAX_UNKNOWN:,} fields that this server does not know"
            raise RepeatedTooOftenError("", f"{text}; use a client of the server's version")


def _too_often(field: _Field) -> RepeatedTooOftenError:
    if not field.repeated:
        return RepeatedTooOftenError(field.name, f"{field.name} is given more than once; give it once")
    limit = _MOST.get(field.name, MAX_OBJECTS)
    return RepeatedTooOftenError(
        field.name, f"{field.name} has more than {field.most:,} entries; the limit is {limit:,}"
    )


def _within(field: _Field, index: int, error: RepeatedTooOftenError) -> RepeatedTooOftenError:
    name = f"{field.name}[{index}]" if field.repeated else field.name
    return RepeatedTooOftenError(f"{name}.{error.field}" if error.field else "", error.description)


@cache
def _fields(descriptor: Descriptor) -> dict[int, _Field]:
    """The fields of a message by tag; a list of numbers has two, packed and not."""
    fields = {}
    for known in descriptor.fields:
        nested = _fields(known.message_type) if known.type == FieldDescriptor.TYPE_MESSAGE else None
        wire, element = (_BYTES, 0) if known.type in _NESTED else _SIZES.get(known.type, (_VARINT, 1))
        if not known.is_repeated:
            element = 0
        most = max(_MOST.get(known.name, MAX_OBJECTS), _LENIENCE) if known.is_repeated else 1
        field = _Field(known.name, known.is_repeated, most, element, nested)
        fields[known.number << 3 | wire] = field
        if element:
            fields[known.number << 3 | _BYTES] = field
    return fields
