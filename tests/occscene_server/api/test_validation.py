"""Wrong requests: every violation is named at once, hostile ones end in an error and nothing else."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import given, settings
from hypothesis import strategies as st
from occscene.codec import volume_to_message
from occscene.grid import GridVolume
from occscene.v1 import scene_service_pb2

from occscene_server.api.validation import check_request
from tests.occscene_server.requests import generate_request, predict_request, sample_grid, text_request

MODEL = scene_service_pb2.ModelInfo(name="compact-indoor", taxonomies=["indoor"], image_multiple=32)
Request = scene_service_pb2.SubmitJobRequest


@pytest.mark.parametrize("request_", [generate_request(), text_request(), predict_request()])
def test_right_requests_pass(request_: Request) -> None:
    assert check_request(request_, MODEL) == []


def _own_volume(request: Request) -> None:
    request.generate_scene.volume.CopyFrom(volume_to_message(GridVolume((4, 4, 4), 0.1, sample_grid().world_from_grid)))


def _turn_away(request: Request) -> None:
    request.generate_scene.cameras[1].world_from_camera[7] = 50.0


@pytest.mark.parametrize(
    ("field", "change"),
    [
        ("request_id", lambda r: setattr(r, "request_id", "../../etc/passwd")),
        ("task", lambda r: r.ClearField("generate_scene")),
        ("generate_scene.prompt", lambda r: setattr(r.generate_scene, "prompt", "x" * 2001)),
        ("generate_scene.negative_prompt", lambda r: setattr(r.generate_scene, "negative_prompt", "x" * 2001)),
        ("generate_scene.steps", lambda r: setattr(r.generate_scene, "steps", 0)),
        ("generate_scene.steps", lambda r: setattr(r.generate_scene, "steps", 2**31)),
        ("generate_scene.text_guidance_scale", lambda r: setattr(r.generate_scene, "text_guidance_scale", math.nan)),
        (
            "generate_scene.occupancy_guidance_scale",
            lambda r: setattr(r.generate_scene, "occupancy_guidance_scale", -1),
        ),
        ("generate_scene.cameras", lambda r: r.generate_scene.ClearField("cameras")),
        ("generate_scene.cameras", lambda r: r.generate_scene.cameras.extend(list(r.generate_scene.cameras) * 8)),
        ("generate_scene.cameras", lambda r: setattr(r.generate_scene.cameras[1], "name", "camera 0")),
        ("generate_scene.cameras[1].fx", lambda r: setattr(r.generate_scene.cameras[1], "fx", math.inf)),
        ("generate_scene.cameras[1]", lambda r: setattr(r.generate_scene.cameras[1], "width", 96)),
        ("generate_scene.cameras[0].width", lambda r: [setattr(c, "width", 68) for c in r.generate_scene.cameras]),
        ("generate_scene.cameras[0].width", lambda r: [setattr(c, "width", 72) for c in r.generate_scene.cameras]),
        ("generate_scene.cameras[0].height", lambda r: [setattr(c, "height", 2048) for c in r.generate_scene.cameras]),
        ("generate_scene.cameras[1].world_from_camera", lambda r: r.generate_scene.cameras[1].world_from_camera.pop()),
        ("generate_scene.cameras[1]", _turn_away),
        ("generate_scene.volume", _own_volume),
        ("generate_scene.taxonomy", lambda r: setattr(r.generate_scene, "taxonomy", "outdoor")),
        ("generate_scene.taxonomy", lambda r: r.generate_scene.ClearField("grid")),
        ("generate_scene.grid.volume.size", lambda r: setattr(r.generate_scene.grid.volume, "size_x", 513)),
        ("generate_scene.grid.labels", lambda r: setattr(r.generate_scene.grid.labels, "raw_size", 2**60)),
        ("predict_occupancy.images", lambda r: r.MergeFrom(predict_request()) or r.predict_occupancy.images.pop()),
        (
            "predict_occupancy.images[0].data",
            lambda r: r.CopyFrom(predict_request()) or setattr(r.predict_occupancy.images[0], "data", b"\x89PNG"),
        ),
        (
            "predict_occupancy.images[0]",
            lambda r: r.CopyFrom(predict_request()) or setattr(r.predict_occupancy.images[0], "width", 128),
        ),
    ],
)
def test_wrong_field_is_named(field: str, change: Callable[[Request], object]) -> None:
    request = generate_request()
    change(request)
    violations = check_request(request, MODEL)
    assert field in [violation.field for violation in violations], violations
    assert all(violation.description for violation in violations)


def test_all_violations_are_told_at_once() -> None:
    request = generate_request()
    request.request_id = "no uuid"
    task = request.generate_scene
    task.prompt, task.steps, task.grid.labels.crc32 = "x" * 3000, 500, 1
    task.cameras[0].fy = -1
    task.cameras[1].world_from_camera[0] = math.nan
    assert {violation.field for violation in check_request(request)} == {
        "request_id",
        "generate_scene.prompt",
        "generate_scene.steps",
        "generate_scene.grid.labels",
        "generate_scene.cameras[0].fy",
        "generate_scene.cameras[1].world_from_camera",
    }


_NUMBERS = {
    FieldDescriptor.TYPE_DOUBLE: st.floats() | st.floats(-2, 2),
    FieldDescriptor.TYPE_FLOAT: st.floats(width=32),
    FieldDescriptor.TYPE_UINT32: st.integers(0, 2**32 - 1) | st.integers(0, 70),
    FieldDescriptor.TYPE_UINT64: st.integers(0, 2**64 - 1) | st.integers(0, 200),
    FieldDescriptor.TYPE_FIXED32: st.integers(0, 2**32 - 1),
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_STRING: st.text(max_size=8) | st.sampled_from(["indoor", "outdoor"]),
    FieldDescriptor.TYPE_BYTES: st.binary(max_size=40),
    FieldDescriptor.TYPE_ENUM: st.integers(0, 5),
}


def _spoil(draw: st.DrawFn, message: Message, depth: int = 0) -> None:
    """Overwrites some fields of a message with values that its descriptor allows, whatever they mean."""
    for field in message.DESCRIPTOR.fields:
        if draw(st.integers(0, 3)) or depth > 4:
            continue
        repeated = field.is_repeated
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            if not repeated:
                child = getattr(message, field.name)
                child.SetInParent()
            else:
                children = getattr(message, field.name)
                child = children[0] if children and draw(st.booleans()) else children.add()
            _spoil(draw, child, depth + 1)
        elif not repeated:
            setattr(message, field.name, draw(_NUMBERS[field.type]))
        elif values := getattr(message, field.name):
            values[draw(st.integers(0, len(values) - 1))] = draw(_NUMBERS[field.type])


@st.composite
def hostile_requests(draw: st.DrawFn) -> Request:
    """Right requests, spoilt by the descriptors."""
    request = draw(st.sampled_from([generate_request, text_request, predict_request]))()
    _spoil(draw, request)
    return request


@settings(max_examples=150, deadline=None)
@given(hostile_requests())
def test_hostile_messages_end_in_violations_alone(request_: Request) -> None:
    for violation in check_request(Request.FromString(request_.SerializeToString()), MODEL):
        assert violation.field
        assert violation.description
