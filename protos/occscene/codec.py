"""Value types to messages of `occscene.v1` and back.

Every `*_from_message` treats its message as hostile: sizes are compared with the limits before memory is allocated, a
packed block is never unpacked beyond the size it declares, and a wrong field is a ValueError whose text begins with the
field's path.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from occscene.camera import PinholeCamera
from occscene.grid import (
    GridObject,
    GridVolume,
    SemanticGrid,
    check_grid_shape,
    check_labels,
    check_voxel_size,
)
from occscene.limits import MAX_OBJECTS
from occscene.rigid import Float64Array
from occscene.taxonomy import taxonomy_named
from occscene.v1 import camera_pb2, grid_pb2

try:
    import zstandard
except ImportError:  # some builds of Blender lack it; zlib is in every Python
    zstandard = None  # type: ignore[assignment]

ZSTD_LEVEL = 3
ZLIB_LEVEL = 6
_ZSTD_LEAST_WINDOW = 2**23  # bytes: RFC 8878, section 3.1.1.1.2, recommends that every decoder supports it
_ZLIB_PART = 2**18  # bytes unpacked at a time

Value = TypeVar("Value")
Scalar = TypeVar("Scalar", bound=np.generic)


def pack_block(values: NDArray[np.generic]) -> grid_pb2.VoxelBlock:
    """Packs an array of any shape in C order, little-endian: zstd where it is installed, else zlib."""
    raw = np.ascontiguousarray(values, values.dtype.newbyteorder("<")).reshape(-1).view(np.uint8).data
    if zstandard is not None:
        compression, data = grid_pb2.COMPRESSION_ZSTD, zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(raw)
    else:
        compression, data = grid_pb2.COMPRESSION_ZLIB, zlib.compress(raw, ZLIB_LEVEL)
    return grid_pb2.VoxelBlock(compression=compression, data=data, raw_size=len(raw), crc32=zlib.crc32(raw))


def unpack_block(block: grid_pb2.VoxelBlock, shape: tuple[int, int, int], dtype: type[Scalar]) -> NDArray[Scalar]:
    """Unpacks a block into a new array of `shape` and `dtype`, never writing beyond it.

    Raises:
        ValueError: the declared size, the true size or the checksum is wrong, or the data is not what it says.
    """
    expected = math.prod(shape) * np.dtype(dtype).itemsize
    if block.raw_size != expected:
        raise ValueError(f"raw_size is {block.raw_size}; a grid of {shape} voxels has {expected} bytes")
    return unpack_bytes(block).view(np.dtype(dtype).newbyteorder("<")).reshape(shape).astype(dtype, copy=False)


def unpack_bytes(block: grid_pb2.VoxelBlock) -> NDArray[np.uint8]:
    """Unpacks a block whose `raw_size` has been checked into a new array of that many bytes, never writing beyond it.

    Raises:
        ValueError: the true size or the checksum is wrong, or the data is not what it says.
    """
    array = np.empty(block.raw_size, np.uint8)
    raw = array.data
    size = _UNPACK.get(block.compression, _unpack_unknown)(block, raw)
    if size != len(raw):
        more = "more than" if size > len(raw) else "only"
        raise ValueError(f"data unpacks to {more} {min(size, len(raw))} bytes; raw_size says {len(raw)}")
    crc32 = zlib.crc32(raw)
    if crc32 != block.crc32:
        raise ValueError(f"crc32 is {block.crc32:#010x} but the data's is {crc32:#010x}: it was damaged")
    return array


def _unpack_none(block: grid_pb2.VoxelBlock, raw: memoryview) -> int:
    """Copies the bytes and returns how many there are; so do the other `_unpack_*`, at most one more than fit."""
    data = memoryview(block.data)
    count = min(len(data), len(raw))
    raw[:count] = data[:count]
    return len(data)


def _unpack_zlib(block: grid_pb2.VoxelBlock, raw: memoryview) -> int:
    stream = zlib.decompressobj()
    filled, waiting = 0, block.data
    try:
        while filled < len(raw):
            part = stream.decompress(waiting, min(len(raw) - filled, _ZLIB_PART))
            if not part:
                return filled
            raw[filled : filled + len(part)] = part
            filled, waiting = filled + len(part), stream.unconsumed_tail
        return filled + len(stream.decompress(waiting, 1))
    except zlib.error as error:
        raise ValueError(f"data is not a zlib stream: {error}") from error


def _unpack_zstd(block: grid_pb2.VoxelBlock, raw: memoryview) -> int:
    if zstandard is None:
        raise ValueError("data is packed with zstd, which this Python lacks: install the package zstandard")
    # `decompress(max_output_size=...)` ignores its limit when a frame declares its size; reading into a buffer does
    # not. A frame may ask for a window no larger than what it should unpack to, or what every decoder must allow.
    window = max(_ZSTD_LEAST_WINDOW, 1 << max(len(raw) - 1, 1).bit_length())
    try:
        with zstandard.ZstdDecompressor(max_window_size=window).stream_reader(block.data) as reader:
            filled = 0
            while filled < len(raw) and (count := reader.readinto(raw[filled:])):
                filled += count
            return filled + len(reader.read(1))
    except zstandard.ZstdError as error:
        raise ValueError(f"data is not a zstd frame: {error}") from error


def _unpack_unknown(block: grid_pb2.VoxelBlock, raw: memoryview) -> int:
    raise ValueError(f"compression is {block.compression}; it must be NONE (1), ZSTD (2) or ZLIB (3)")


_UNPACK: dict[int, Callable[[grid_pb2.VoxelBlock, memoryview], int]] = {
    grid_pb2.COMPRESSION_NONE: _unpack_none,
    grid_pb2.COMPRESSION_ZLIB: _unpack_zlib,
    grid_pb2.COMPRESSION_ZSTD: _unpack_zstd,
}


def volume_to_message(volume: GridVolume) -> grid_pb2.GridVolume:
    """The message of a volume."""
    x, y, z = volume.shape
    return grid_pb2.GridVolume(
        size_x=x,
        size_y=y,
        size_z=z,
        voxel_size=volume.voxel_size,
        world_from_grid=volume.world_from_grid.ravel().tolist(),
    )


def volume_from_message(message: grid_pb2.GridVolume, field: str = "volume") -> GridVolume:
    """The volume of a message.

    Raises:
        ValueError: a field is outside its limits.
    """
    shape = (message.size_x, message.size_y, message.size_z)
    check_grid_shape(shape, f"{field}.size")
    check_voxel_size(message.voxel_size, f"{field}.voxel_size")
    pose = _matrix(message.world_from_grid, f"{field}.world_from_grid")
    return _at(field, lambda: GridVolume(shape, message.voxel_size, pose), joint=".")


def grid_to_message(grid: SemanticGrid) -> grid_pb2.SemanticGrid:
    """The message of a grid, packed."""
    message = grid_pb2.SemanticGrid(
        volume=volume_to_message(grid.volume), taxonomy=grid.taxonomy, labels=pack_block(grid.labels)
    )
    if grid.instances is not None:
        message.instances.CopyFrom(pack_block(grid.instances))
        message.objects.extend(object_to_message(item) for item in grid.objects)
    return message


def grid_from_message(message: grid_pb2.SemanticGrid, field: str = "grid") -> SemanticGrid:
    """The grid of a message, unpacked.

    Raises:
        ValueError: a field is outside its limits, a label is not of the taxonomy, an instance is not in the table.
    """
    volume = volume_from_message(message.volume, f"{field}.volume")
    taxonomy = taxonomy_named(message.taxonomy, f"{field}.taxonomy")
    if len(message.objects) > MAX_OBJECTS:
        raise ValueError(f"{field}.objects has {len(message.objects)} entries; the limit is {MAX_OBJECTS}")
    objects = tuple(object_from_message(item, f"{field}.objects[{i}]") for i, item in enumerate(message.objects))
    labels = _at(f"{field}.labels", lambda: unpack_block(message.labels, volume.shape, np.uint8))
    check_labels(labels, taxonomy, f"{field}.labels")
    instances = None
    if message.HasField("instances"):
        instances = _at(f"{field}.instances", lambda: unpack_block(message.instances, volume.shape, np.uint16))
    return _at(
        field,
        lambda: SemanticGrid(labels, volume.voxel_size, volume.world_from_grid, taxonomy.name, instances, objects),
    )


def object_to_message(item: GridObject) -> grid_pb2.GridObject:
    """The message of an object."""
    message = grid_pb2.GridObject(id=item.id, name=item.name, prompt=item.prompt)
    if item.hint is not None:
        red, green, blue = item.hint
        message.hint.CopyFrom(grid_pb2.LinearColor(red=red, green=green, blue=blue))
    return message


def object_from_message(message: grid_pb2.GridObject, field: str = "object") -> GridObject:
    """The object of a message.

    Raises:
        ValueError: a field is outside its limits.
    """
    hint = (message.hint.red, message.hint.green, message.hint.blue) if message.HasField("hint") else None
    return _at(field, lambda: GridObject(message.id, message.name, hint, message.prompt))


def camera_to_message(camera: PinholeCamera) -> camera_pb2.PinholeCamera:
    """The message of a camera."""
    return camera_pb2.PinholeCamera(
        name=camera.name,
        width=camera.width,
        height=camera.height,
        fx=camera.fx,
        fy=camera.fy,
        cx=camera.cx,
        cy=camera.cy,
        world_from_camera=camera.world_from_camera.ravel().tolist(),
    )


def camera_from_message(message: camera_pb2.PinholeCamera, field: str = "camera") -> PinholeCamera:
    """The camera of a message.

    Raises:
        ValueError: a field is outside its limits.
    """
    pose = _matrix(message.world_from_camera, f"{field}.world_from_camera")
    return _at(
        field,
        lambda: PinholeCamera(
            message.name, message.width, message.height, message.fx, message.fy, message.cx, message.cy, pose
        ),
        joint=".",
    )


def _matrix(numbers: Sequence[float], field: str) -> Float64Array:
    if len(numbers) != 16:
        raise ValueError(f"{field} has {len(numbers)} numbers; it must have 16, a row-major 4x4 matrix")
    return np.array(numbers, np.float64).reshape(4, 4)


def _at(field: str, build: Callable[[], Value], joint: str = ": ") -> Value:
    """Runs `build` and puts the field's path before the text of its ValueError."""
    try:
        return build()
    except ValueError as error:
        raise ValueError(f"{field}{joint}{error}") from error
