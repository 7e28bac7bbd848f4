"""Messages carry value types without loss, and hostile messages end in a ValueError that names the field."""

from __future__ import annotations

import gc
import resource
import tracemalloc
import zlib
from collections.abc import Callable

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from occscene import codec
from occscene.camera import PinholeCamera
from occscene.grid import GridObject, GridVolume, SemanticGrid
from occscene.taxonomy import INDOOR
from occscene.v1 import grid_pb2

sides = st.integers(1, 9)
shapes = st.tuples(sides, sides, sides)


@st.composite
def poses(draw: st.DrawFn) -> np.ndarray:
    """A random rotation (QR of a random matrix, made proper) and translation."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    pose = np.eye(4)
    pose[:3, :3] = q * np.sign(np.linalg.det(q))
    pose[:3, 3] = rng.uniform(-100, 100, 3)
    return pose


hints = st.none() | st.tuples(*[st.floats(0, 1, width=32)] * 3)


@st.composite
def grids(draw: st.DrawFn) -> SemanticGrid:
    shape = draw(shapes)
    labels = draw(hnp.arrays(np.uint8, shape, elements=st.sampled_from([*range(len(INDOOR)), 255])))
    instances, objects = None, ()
    if draw(st.booleans()):
        ids = draw(st.lists(st.integers(1, 65535), min_size=1, max_size=4, unique=True))
        instances = draw(hnp.arrays(np.uint16, shape, elements=st.sampled_from([0, *ids])))
        objects = tuple(GridObject(i, draw(st.text(max_size=20)), draw(hints), draw(st.text(max_size=20))) for i in ids)
    return SemanticGrid(labels, draw(st.floats(0.01, 10)), draw(poses()), "indoor", instances, objects)


@pytest.fixture
def grid() -> SemanticGrid:
    rng = np.random.default_rng(0)
    return SemanticGrid(rng.integers(0, 12, (6, 5, 4), np.uint8), 0.08, np.eye(4), "indoor")


@settings(max_examples=50, deadline=None)
@given(grids())
def test_grid_roundtrip(grid: SemanticGrid) -> None:
    message = grid_pb2.SemanticGrid.FromString(codec.grid_to_message(grid).SerializeToString())
    back = codec.grid_from_message(message)
    np.testing.assert_array_equal(back.labels, grid.labels)
    np.testing.assert_array_equal(back.world_from_grid, grid.world_from_grid)
    assert (back.voxel_size, back.taxonomy, back.objects) == (grid.voxel_size, grid.taxonomy, grid.objects)
    assert (back.instances is None) == (grid.instances is None)
    if grid.instances is not None:
        np.testing.assert_array_equal(back.instances, grid.instances)


@settings(max_examples=30, deadline=None)
@given(poses(), st.integers(64, 1024), st.floats(1, 1e4), st.text(min_size=1, max_size=20))
def test_camera_roundtrip(pose: np.ndarray, width: int, focal: float, name: str) -> None:
    camera = PinholeCamera(name, width, 64, focal, focal * 2, width / 2, 31.5, pose)
    back = codec.camera_from_message(codec.camera_to_message(camera))
    np.testing.assert_array_equal(back.world_from_camera, pose)
    fields = ("name", "width", "height", "fx", "fy", "cx", "cy")
    assert [getattr(back, f) for f in fields] == [getattr(camera, f) for f in fields]


def test_volume_roundtrip() -> None:
    volume = GridVolume((3, 4, 5), 0.2, np.eye(4))
    back = codec.volume_from_message(codec.volume_to_message(volume))
    assert (back.shape, back.voxel_size) == (volume.shape, volume.voxel_size)


@pytest.mark.parametrize("compression", [grid_pb2.COMPRESSION_NONE, grid_pb2.COMPRESSION_ZLIB])
def test_other_compressions_are_read(grid: SemanticGrid, compression: int) -> None:
    message = codec.grid_to_message(grid)
    raw = grid.labels.tobytes()
    message.labels.compression = compression
    message.labels.data = raw if compression == grid_pb2.COMPRESSION_NONE else zlib.compress(raw)
    np.testing.assert_array_equal(codec.grid_from_message(message).labels, grid.labels)


def test_zlib_where_zstandard_is_missing(grid: SemanticGrid, monkeypatch: pytest.MonkeyPatch) -> None:
    zstd_message = codec.grid_to_message(grid)
    monkeypatch.setattr(codec, "zstandard", None)
    message = codec.grid_to_message(grid)
    assert message.labels.compression == grid_pb2.COMPRESSION_ZLIB
    np.testing.assert_array_equal(codec.grid_from_message(message).labels, grid.labels)
    with pytest.raises(ValueError, match="install the package zstandard"):
        codec.grid_from_message(zstd_message)


@pytest.mark.parametrize(
    ("compression", "pack"),
    [
        (grid_pb2.COMPRESSION_NONE, lambda raw: raw),
        (grid_pb2.COMPRESSION_ZLIB, lambda raw: zlib.compress(raw, 9)),
        (grid_pb2.COMPRESSION_ZSTD, lambda raw: zstandard.ZstdCompressor().compress(raw)),
        (
            grid_pb2.COMPRESSION_ZSTD,
            lambda raw: zstandard.ZstdCompressor(write_content_size=False).compress(raw),
        ),
    ],
)
@pytest.mark.parametrize("size", [0, 119, 121, 2**24])
def test_lying_size_is_refused(grid: SemanticGrid, compression: int, pack: object, size: int) -> None:
    """Also the bombs: 16 MiB of zeros where 120 bytes are declared."""
    message = codec.grid_to_message(grid)
    message.labels.compression = compression
    message.labels.data = pack(bytes(size))
    with pytest.raises(ValueError, match=r"^grid\.labels: data unpacks to"):
        codec.grid_from_message(message)


def peak_bytes(work: Callable[[], object]) -> int:
    """The most memory that `work` held beyond what was held before, as Python, numpy and zstd allocate it."""
    gc.collect()
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("compression", "declared_size"),
    [(grid_pb2.COMPRESSION_ZLIB, False), (grid_pb2.COMPRESSION_ZSTD, False), (grid_pb2.COMPRESSION_ZSTD, True)],
)
def test_a_bomb_takes_no_more_memory_than_the_grid_it_claims_to_be(compression: int, declared_size: bool) -> None:
    """64 MiB of zeros where 4 MiB are declared."""
    zeros = bytes(2**20)
    if compression == grid_pb2.COMPRESSION_ZLIB:
        packer = zlib.compressobj()
        data = b"".join(packer.compress(zeros) for _ in range(64)) + packer.flush()
    else:
        writer = zstandard.ZstdCompressor().compressobj(size=2**26 if declared_size else -1)
        data = b"".join(writer.compress(zeros) for _ in range(64)) + writer.flush()
    block = grid_pb2.VoxelBlock(compression=compression, data=data, raw_size=2**22, crc32=0)

    def unpack() -> None:
        with pytest.raises(ValueError, match=r"data unpacks to more|not a zstd frame"):
            codec.unpack_block(block, (256, 256, 64), np.uint8)

    assert peak_bytes(unpack) < 2**22 + 2**21 + 3 * len(data)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unpack()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16 * 2**10  # KiB; a zstd window is untraced


def test_a_whole_grid_takes_its_own_size_and_little_more() -> None:
    labels = np.random.default_rng(0).integers(0, 12, (256, 256, 64), np.uint8)
    block = codec.pack_block(labels)
    assert (
        peak_bytes(lambda: codec.unpack_block(block, labels.shape, np.uint8)) < labels.nbytes + len(block.data) + 2**20
    )


def test_a_frame_may_not_ask_for_a_larger_window_than_its_grid() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=26)
    writer = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    data = writer.compress(bytes(120)) + writer.flush()
    block = grid_pb2.VoxelBlock(
        compression=grid_pb2.COMPRESSION_ZSTD, data=data, raw_size=120, crc32=zlib.crc32(bytes(120))
    )
    with pytest.raises(ValueError, match=r"not a zstd frame: .*memory"):
        codec.unpack_block(block, (6, 5, 4), np.uint8)


def test_arrays_can_be_written_to(grid: SemanticGrid) -> None:
    back = codec.grid_from_message(codec.grid_to_message(grid))
    back.labels[0] = 3
    assert (back.labels[0] == 3).all()


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda m: setattr(m.labels, "raw_size", 2**40), "grid.labels: raw_size is"),
        (lambda m: setattr(m.labels, "crc32", m.labels.crc32 ^ 1), "grid.labels: crc32 is"),
        (lambda m: setattr(m.labels, "data", m.labels.data[:-4]), "grid.labels: data"),
        (lambda m: setattr(m.labels, "compression", 0), "grid.labels: compression is 0"),
        (lambda m: setattr(m.labels, "compression", 77), "grid.labels: compression is 77"),
        (lambda m: setattr(m.volume, "size_x", 0), "grid.volume.size has 0 voxels along x"),
        (lambda m: setattr(m.volume, "size_y", 2**31), "grid.volume.size has 2147483648 voxels along y"),
        (lambda m: setattr(m.volume, "voxel_size", float("nan")), "grid.volume.voxel_size is nan"),
        (lambda m: m.volume.world_from_grid.append(0), "grid.volume.world_from_grid has 17 numbers"),
        (lambda m: m.volume.world_from_grid.__setitem__(3, float("inf")), "grid.volume.world_from_grid has NaN"),
        (lambda m: m.volume.world_from_grid.__setitem__(0, -1), "grid.volume.world_from_grid is not rigid"),
        (
            lambda m: m.volume.world_from_grid.__setitem__(slice(0, 8), [1e200, 1e200, 0, 0, 1e200, -1e200, 0, 0]),
            "grid.volume.world_from_grid is not rigid",
        ),
        (lambda m: setattr(m, "taxonomy", "x" * 1000), "grid.taxonomy is"),
        (lambda m: m.objects.add(id=1, name="sofa"), "grid: objects has 1 entries"),
        (lambda m: m.objects.add(id=70000), "grid.objects[0]: object id is 70000"),
        (lambda m: m.labels.CopyFrom(codec.pack_block(np.full((6, 5, 4), 12, np.uint8))), "grid.labels has the class"),
        (
            lambda m: m.instances.CopyFrom(codec.pack_block(np.full((6, 5, 4), 7, np.uint16))),
            "grid: instances uses id 7",
        ),
        (
            lambda m: m.objects.add(id=1, hint=grid_pb2.LinearColor(red=float("nan"))),
            "grid.objects[0]: object 1: hint",
        ),
    ],
)
def test_wrong_field_is_named(grid: SemanticGrid, change: object, text: str) -> None:
    message = codec.grid_to_message(grid)
    change(message)
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the text is compared below
        codec.grid_from_message(message)
    assert str(caught.value).startswith(text)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([1, 2, 3]), st.booleans())
def test_random_bytes_are_refused(data: bytes, compression: int, magic: bool) -> None:
    data = zstandard.FRAME_HEADER + data if magic else data
    block = grid_pb2.VoxelBlock(compression=compression, data=data, raw_size=120, crc32=1)
    with pytest.raises(ValueError):  # noqa: PT011 - any of them
        codec.unpack_block(block, (6, 5, 4), np.uint8)
