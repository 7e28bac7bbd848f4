"""Messages that parse, whatever they mean: Hypothesis strategies over the contract's descriptors, and bytes by hand."""

from __future__ import annotations

from typing import TypeVar

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import strategies as st
from occscene.v1 import scene_service_pb2

from tests.occscene_server.requests import generate_request, mesh_request, predict_request, text_request

Kind = TypeVar("Kind", bound=Message)

_VALUES = {
    FieldDescriptor.TYPE_DOUBLE: st.floats() | st.floats(-2, 2),
    FieldDescriptor.TYPE_FLOAT: st.floats(width=32),
    FieldDescriptor.TYPE_UINT32: st.integers(0, 2**32 - 1) | st.integers(0, 70),
    FieldDescriptor.TYPE_UINT64: st.integers(0, 2**64 - 1) | st.integers(0, 200),
    FieldDescriptor.TYPE_INT32: st.integers(-(2**31), 2**31 - 1) | st.integers(-5, 5),
    FieldDescriptor.TYPE_INT64: st.integers(-(2**63), 2**63 - 1) | st.integers(-5, 200),
    FieldDescriptor.TYPE_FIXED32: st.integers(0, 2**32 - 1),
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_STRING: st.text(max_size=8) | st.sampled_from(["indoor", "outdoor", "../..", "x" * 5000]),
    FieldDescriptor.TYPE_BYTES: st.binary(max_size=40),
    FieldDescriptor.TYPE_ENUM: st.integers(0, 5),
}


def _corrupt(draw: st.DrawFn, message: Message, depth: int = 0) -> None:
    """Overwrites some fields of a message with values that its descriptor allows, and adds to its lists."""
    for field in message.DESCRIPTOR.fields:
        if draw(st.integers(0, 3)) or depth > 4:
            continue
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            child = getattr(message, field.name)
            if field.is_repeated:
                child = child[0] if child and draw(st.booleans()) else child.add()
            else:
                child.SetInParent()
            _corrupt(draw, child, depth + 1)
        elif not field.is_repeated:
            setattr(message, field.name, draw(_VALUES[field.type]))
        else:
            values = getattr(message, field.name)
            if values and draw(st.booleans()):
                values[draw(st.integers(0, len(values) - 1))] = draw(_VALUES[field.type])
            else:
                values.append(draw(_VALUES[field.type]))


def varint(number: int) -> bytes:
    """A number as the wire format has it."""
    data = b""
    while number > 0x7F:
        data, number = data + bytes([number & 0x7F | 0x80]), number >> 7
    return data + bytes([number])


def field(number: int, data: bytes) -> bytes:
    """A field of bytes, text or a message."""
    return varint(number << 3 | 2) + varint(len(data)) + data


def scene(data: bytes) -> bytes:
    """A request whose `generate_scene` is `data`."""
    return field(2, data)


@st.composite
def hostile_submissions(draw: st.DrawFn) -> scene_service_pb2.SubmitJobRequest:
    """Valid submissions, corrupted."""
    request = draw(st.sampled_from([generate_request, mesh_request, text_request, predict_request]))()
    _corrupt(draw, request)
    return request


@st.composite
def hostile_messages(draw: st.DrawFn, kind: type[Kind]) -> Kind:
    """Any message of a kind."""
    message = kind()
    _corrupt(draw, message)
    return message
