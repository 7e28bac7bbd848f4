"""Bytes of requests: what parses parses alike, and what would take much memory or time is not parsed."""

from __future__ import annotations

import pytest
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from occscene.v1 import scene_service_pb2

from occscene_server.api.wire import MalformedError, RepeatedTooOftenError, parse
from tests.occscene_server.hostile import field, hostile_submissions, scene, varint
from tests.occscene_server.requests import generate_request, predict_request

Request = scene_service_pb2.SubmitJobRequest
MIB = 2**20


@settings(max_examples=150, deadline=None)
@given(hostile_submissions())
def test_whatever_is_given_once_parses_as_it_is(request_: Request) -> None:
    data = request_.SerializeToString(deterministic=True)
    assert parse(Request, data).SerializeToString(deterministic=True) == data


@settings(max_examples=500, deadline=None)
@given(st.data())
def test_no_bytes_parse_otherwise_than_by_protobuf(data: st.DataObject) -> None:
    """Right messages with bytes changed, cut or added, and bytes of no meaning."""
    whole = bytearray(data.draw(st.sampled_from([generate_request, predict_request]))().SerializeToString())
    for _ in range(data.draw(st.integers(0, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(whole[: data.draw(st.integers(1, len(whole)))]) + data.draw(st.binary(max_size=20))
    raw = data.draw(st.sampled_from([cut, data.draw(st.binary(max_size=60))]))
    try:
        parsed = parse(Request, raw)
    except RepeatedTooOftenError:
        return
    except MalformedError:
        try:
            Request.FromString(raw)
        except DecodeError:
            return
        assert any(byte & 7 in (3, 4) for byte in raw)  # a group: protobuf knows them, the contract has none
        return
    assert parsed.SerializeToString() == Request.FromString(raw).SerializeToString()


@pytest.mark.parametrize(
    ("data", "path", "text"),
    [
        (scene(field(4, b"") * (8 * MIB - 10)), "generate_scene.cameras", "more than 1,000 entries; the limit is 16"),
        (scene(field(5, b"a") * (5 * MIB)), "generate_scene.prompt", "given more than once"),
        (field(1, b"") * (8 * MIB), "request_id", "given more than once"),
        (scene(b"") * (8 * MIB), "generate_scene", "given more than once"),
        (field(3, field(1, b"") * 65_535), "predict_occupancy.images", "the limit is 16"),
        (field(3, field(2, b"") * 65_535), "predict_occupancy.cameras", "the limit is 16"),
        (scene(field(1, field(5, b"") * 65_536)), "generate_scene.grid.objects", "more than 65,535 entries"),
        (scene(field(1, field(5, field(3, b"") * 2))), "generate_scene.grid.objects[0].hint", "more than once"),
        (scene(field(2, field(5, bytes(8 * 1001)))), "generate_scene.volume.world_from_grid", "the limit is 16"),
        (scene(field(4, b"") + field(4, (b"\x41" + bytes(8)) * 1001)), "generate_scene.cameras[1].world_from_camera",
         "the limit is 16"),
        (scene(field(7, b"") * (8 * MIB - 10)), "", "1,000 fields that this server does not know"),
        ((varint(15 << 3) + b"\x01") * (8 * MIB), "", "1,000 fields that this server does not know"),
    ],
)  # fmt: skip
def test_field_that_is_given_too_often_is_named(data: bytes, path: str, text: str) -> None:
    with pytest.raises(RepeatedTooOftenError) as caught:
        parse(Request, data)
    assert caught.value.field == path
    assert text in caught.value.description


def test_as_much_as_the_limits_allow_is_parsed() -> None:
    request = generate_request()
    for number in range(65_535):
        request.generate_scene.grid.objects.add(id=number + 1, name="o")
    request.generate_scene.cameras.extend([request.generate_scene.cameras[0]] * 200)
    of_a_newer_client = b"".join(field(100 + number, b"more") for number in range(900))
    data = request.SerializeToString() + of_a_newer_client
    assert len(parse(Request, data).generate_scene.grid.objects) == 65_535


@pytest.mark.parametrize(
    "data",
    [
        b"\x0a",  # a text without a length
        b"\x0a\x05abc",  # and one that is longer than the message
        scene(b"\x2a\x7f"),  # a text that is longer than the message that it lies in, but not than the whole
        b"\xff" * 100,  # a number of too many bytes
        b"\x0a\x02\xff\xff",  # no UTF-8
        b"\x0b\x0c",  # a group
        b"\x00\x00",  # field number 0
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_bytes_that_are_no_message_are_told_so(data: bytes) -> None:
    with pytest.raises(MalformedError, match=r"no occscene\.v1\.SubmitJobRequest"):
        parse(Request, data)
