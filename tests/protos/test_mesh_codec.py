"""Meshes travel within a sixteenth of a millimetre; what is damaged ends in a ValueError that names the field."""

from __future__ import annotations

import random
import tracemalloc
import zlib
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import zstandard
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from occscene import codec
from occscene.grid import GridVolume
from occscene.mesh import TriangleMesh
from occscene.mesh_codec import STEPS_PER_METER, delta_coded, delta_decoded, mesh_from_message, mesh_to_message
from occscene.taxonomy import INDOOR
from occscene.v1 import grid_pb2, mesh_pb2

from tests.fuzz_codecs import MAX_BYTES, mutated
from tests.protos.test_codec import poses

IDS = (1, 7, 65535)
VOLUME = GridVolume((6, 5, 4), 0.08, np.eye(4))


@st.composite
def meshes(draw: st.DrawFn) -> TriangleMesh:
    """Soups: vertices that nothing uses, indices twice in a triangle, coordinates between a micrometre and 100 km."""
    count = draw(st.integers(1, 12))
    scale = draw(st.sampled_from([1e-6, 1e-3, 1.0, 37.0, 1e5]))
    vertices = draw(hnp.arrays(np.float64, (count, 3), elements=st.floats(-1, 1))) * scale
    many = draw(st.integers(1, 20))
    triangles = draw(hnp.arrays(np.int64, (many, 3), elements=st.integers(0, count - 1)))
    labels = draw(hnp.arrays(np.uint8, many, elements=st.integers(1, len(INDOOR) - 1)))
    return TriangleMesh(
        vertices, triangles, labels, draw(hnp.arrays(np.uint16, many, elements=st.sampled_from((0, *IDS))))
    )


def sample() -> TriangleMesh:
    """A tetrahedron of two objects."""
    vertices = np.array([[0.0, 0, 0], [0.25, 0, 0], [0, 0.25, 0], [0, 0, 0.125]])
    triangles = np.array([[0, 2, 1], [0, 1, 3], [1, 2, 3], [0, 3, 2]])
    return TriangleMesh(vertices, triangles, np.array([3, 3, 5, 3], np.uint8), np.array([7, 7, 1, 7], np.uint16))


def read(message: mesh_pb2.TriangleMesh, volume: GridVolume = VOLUME) -> TriangleMesh:
    arrived = mesh_pb2.TriangleMesh.FromString(message.SerializeToString())
    return mesh_from_message(arrived, volume, INDOOR, IDS, "task.mesh")


def rows(mesh: TriangleMesh) -> list[tuple[object, ...]]:
    """Triangles with what they are, in any order."""
    values = zip(mesh.triangles.tolist(), mesh.labels.tolist(), mesh.object_ids.tolist(), strict=True)
    return sorted((tuple(corners), label, id_) for corners, label, id_ in values)


@settings(max_examples=100, deadline=None)
@given(meshes(), poses())
def test_what_is_sent_arrives(mesh: TriangleMesh, pose: np.ndarray) -> None:
    back = read(mesh_to_message(mesh, volume := GridVolume((6, 5, 4), 0.08, pose)), volume)
    assert rows(back) == rows(mesh)
    half = np.sqrt(3) / 2 / STEPS_PER_METER  # of a step along each axis, and the rounding of large coordinates
    np.testing.assert_allclose(back.vertices, mesh.vertices, rtol=1e-12, atol=1.001 * half)


def test_a_pose_that_is_only_nearly_rigid_loses_nothing() -> None:
    pose = np.eye(4)
    pose[0, 1] = 9e-4  # within what a grid may have
    volume = GridVolume((6, 5, 4), 0.08, pose)
    mesh = replace(sample(), vertices=sample().vertices + 50.0)
    back = read(mesh_to_message(mesh, volume), volume)
    np.testing.assert_allclose(back.vertices, mesh.vertices, atol=1e-4)


def test_what_artists_type_stays_exact() -> None:
    mesh = sample()
    np.testing.assert_array_equal(read(mesh_to_message(mesh, VOLUME)).vertices, mesh.vertices)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(-(2**31), 2**31 - 1), max_size=20))
def test_delta_coding_is_what_the_contract_says(values: list[int]) -> None:
    coded = []
    for before, value in zip([0, *values], values, strict=False):
        difference = (value - before + 2**31) % 2**32 - 2**31
        coded.append(((difference << 1) ^ (difference >> 31)) % 2**32)
    planes = [[number >> 8 * place & 255 for number in coded] for place in range(4)]
    array = np.array(values, np.int64)
    np.testing.assert_array_equal(delta_coded(array).reshape(4, -1), np.array(planes, np.uint8).reshape(4, -1))
    np.testing.assert_array_equal(delta_decoded(delta_coded(array)).view(np.int32), array)


def test_zlib_where_zstandard_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "zstandard", None)
    message = mesh_to_message(sample(), VOLUME)
    assert message.vertices.compression == grid_pb2.COMPRESSION_ZLIB
    assert rows(read(message)) == rows(sample())


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32), st.booleans())
def test_damaged_bytes_are_read_or_refused(seed: int, inside: bool) -> None:
    """Damage of the whole message, or of one block's unpacked numbers under a checksum that is right again."""
    message = mesh_to_message(sample(), VOLUME)
    rng = random.Random(seed)
    if inside:
        block = rng.choice([message.vertices, message.triangles])
        raw = mutated(zstandard.decompress(block.data), rng)
        block.data, block.raw_size, block.crc32 = zstandard.compress(raw), len(raw), zlib.crc32(raw)
    else:
        try:
            message = mesh_pb2.TriangleMesh.FromString(mutated(message.SerializeToString(), rng))
        except DecodeError:  # the server refuses these before
            return
    refusal = ""
    try:
        mesh = read(message)
    except ValueError as error:
        refusal = str(error)
    if refusal:
        assert refusal.startswith("task.mesh.")
        return
    assert np.isfinite(mesh.vertices).all()
    assert mesh.triangles.max() < len(mesh.vertices)
    assert set(mesh.object_ids.tolist()) <= {0, *IDS}


def _repack(block: grid_pb2.VoxelBlock, numbers: list[int]) -> None:
    block.CopyFrom(codec.pack_block(delta_coded(np.array(numbers, np.int64))))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            lambda m: m.ClearField("vertices"),
            r"^task\.mesh\.vertices\.raw_size is 0; .* each of 1 to 2,000,000 vertices",
        ),
        (lambda m: m.ClearField("triangles"), r"^task\.mesh\.triangles\.raw_size is 0"),
        (lambda m: m.ClearField("runs"), r"^task\.mesh\.triangles has 4 triangles, but runs have 0"),
        (lambda m: setattr(m.vertices, "raw_size", 47), r"^task\.mesh\.vertices\.raw_size is 47"),
        (lambda m: setattr(m.triangles, "raw_size", 2**60), r"^task\.mesh\.triangles\.raw_size is 1152921504606846976"),
        (lambda m: setattr(m.triangles, "raw_size", 12 * 2_000_001), r"^task\.mesh\.triangles\.raw_size is 24000012"),
        (
            lambda m: setattr(m.triangles, "raw_size", 60),
            r"^task\.mesh\.triangles cannot be unpacked: data unpacks to only 48",
        ),
        (lambda m: setattr(m.triangles, "crc32", 1), r"^task\.mesh\.triangles cannot be unpacked: crc32 is 0x00000001"),
        (
            lambda m: setattr(m.vertices, "compression", 9),
            r"^task\.mesh\.vertices cannot be unpacked: compression is 9",
        ),
        (lambda m: setattr(m.runs[0], "label", 0), r"^task\.mesh\.runs\[0\]\.label is 0; .* has 1 to 11"),
        (lambda m: setattr(m.runs[1], "label", 255), r"^task\.mesh\.runs\[1\]\.label is 255"),
        (lambda m: setattr(m.runs[1], "label", 12), r"^task\.mesh\.runs\[1\]\.label is 12"),
        (lambda m: setattr(m.runs[1], "object_id", 2), r"^task\.mesh\.runs\[1\]\.object_id is 2, which"),
        (lambda m: setattr(m.runs[0], "triangles", 0), r"^task\.mesh\.runs\[0\]\.triangles is 0"),
        (lambda m: setattr(m.runs[1], "triangles", 2**32 - 1), r"^task\.mesh\.runs\[1\]\.triangles is 4294967295"),
        (lambda m: setattr(m.runs[1], "triangles", 5), r"^task\.mesh\.triangles has 4 triangles, but runs have 6"),
        (
            lambda m: _repack(m.triangles, [0, 1, 4] * 4),
            r"^task\.mesh\.triangles has the index 4; there are 4 vertices",
        ),
        (lambda m: _repack(m.triangles, [0, 1, -1] * 4), r"^task\.mesh\.triangles has the index 4294967295"),
    ],
)
def test_each_wrong_field_is_named(change: Callable[[mesh_pb2.TriangleMesh], object], text: str) -> None:
    message = mesh_to_message(sample(), VOLUME)
    change(message)
    with pytest.raises(ValueError, match=text):
        read(message)


def test_runs_that_promise_too_much_take_no_memory() -> None:
    message = mesh_to_message(sample(), VOLUME)
    for _ in range(65535 - len(message.runs)):
        message.runs.add(object_id=1, label=3, triangles=2**32 - 1)
    tracemalloc.start()
    with pytest.raises(ValueError, match="all together at most 2,000,000"):
        mesh_from_message(message, VOLUME, INDOOR, IDS)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2**20


def test_the_largest_mesh_takes_no_more_memory_than_a_reader_may() -> None:
    count = 2_000_000
    corners, triangles = np.zeros((count, 3)), np.zeros((count, 3), np.uint32)
    mesh = TriangleMesh(corners, triangles, np.ones(count, np.uint8), np.zeros(count, np.uint16))
    message = mesh_to_message(mesh, VOLUME)
    assert message.ByteSize() < 2**16
    del mesh, corners, triangles
    tracemalloc.start()
    assert len(read(message).triangles) == count
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MAX_BYTES


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf, 3e5, -1e300])
def test_vertices_that_are_nowhere_are_refused_before_they_are_sent(number: float) -> None:
    mesh = sample()
    mesh.vertices[2, 1] = number
    with pytest.raises(ValueError, match="not finite, or further than 262,143 m"):
        mesh_to_message(mesh, VOLUME)


@pytest.mark.parametrize(("corners", "text"), [((2_000_001, 4), "triangles"), ((4, 2_000_001), "vertices")])
def test_what_is_too_large_is_not_sent(corners: tuple[int, int], text: str) -> None:
    count, vertices = corners
    mesh = TriangleMesh(
        np.zeros((vertices, 3)), np.zeros((count, 3), np.uint32), np.ones(count, np.uint8), np.zeros(count, np.uint16)
    )
    assert mesh.is_too_large
    with pytest.raises(ValueError, match=f"has 2,000,001 {text}; the limit is 2,000,000"):
        mesh_to_message(mesh, VOLUME)


def test_objects_of_a_mesh() -> None:
    found = sample().object_vertices()
    assert {id_: len(vertices) for id_, vertices in found.items()} == {7: 4, 1: 3}
    np.testing.assert_array_equal(found[1], sample().vertices[1:])
