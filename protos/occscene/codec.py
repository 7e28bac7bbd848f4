"""Value types to messages of `occscene.v1` and back.

Every `*_from_message` treats its message as hostile: sizes are compared with the limits before memory is allocated, a
packed block is never unpacked beyond the size it declares, and a wrong field is a ValueError whose text begins with the
field's path.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from occscene.camera import PinholeCamera
from occscene.grid import (
    UNKNOWN,
    GridObject,
    GridVolume,
    SemanticGrid,
    check_grid_shape,
    check_voxel_size,
)
from occscene.limits import MAX_GRID_VOXELS, MAX_OBJECTS
from occscene.rigid import Float64Array, rigid_transform
from occscene.taxonomy import TAXONOMIES, Taxonomy
from occscene.v1 import camera_pb2, grid_pb2

try:
    import zstandard
except ImportError:  # some builds of Blender lack it; zlib is in every Python
    zstandard = None  # type: ignore[assignment]

ZSTD_LEVEL = 3
ZLIB_LEVEL = 6
_ZSTD_WINDOW = 2 * MAX_GRID_VOXELS  # bytes: a frame may not ask the reader for more memory than the largest block has

Value = TypeVar("Value")
Scalar = TypeVar("Scalar", bound=np.generic)


def pack_block(values: NDArray[np.generic]) -> grid_pb2.VoxelBlock:
    """Packs an array of any shape in C order, little-endian: zstd where it is installed, else zlib."""
    raw = np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes()
    if zstandard is not None:
        compression, data = grid_pb2.COMPRESSION_ZSTD, zstandard.ZstdCompressor(level=ZSTD_LEVEL).compress(raw)
    else:
        compression, data = grid_pb2.COMPRESSION_ZLIB, zlib.compress(raw, ZLIB_LEVEL)
    return grid_pb2.VoxelBlock(compression=compression, data=data, raw_size=len(raw), crc32=zlib.crc32(raw))


def unpack_block(block: grid_pb2.VoxelBlock, shape: tuple[int, int, int], dtype: type[Scalar]) -> NDArray[Scalar]:
    """Unpacks a block into a new array of `shape` and `dtype`, reading at most one byte more than that needs.

    Raises:
        ValueError: the declared size, the true size or the checksum is wrong, or the data is not what it says.
    """
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    if block.raw_size != size:
        raise ValueError(f"raw_size is {block.raw_size}; a grid of {shape} voxels has {size} bytes")
    raw = _unpack(block.compression, block.data, size)
    if len(raw) != size:
        more = "more" if len(raw) > size else "only"
        raise ValueError(f"data unpacks to {more} {min(len(raw), size)} bytes; raw_size says {size}")
    if zlib.crc32(raw) != block.crc32:
        raise ValueError(f"crc32 is {block.crc32:#010x} but the data's is {zlib.crc32(raw):#010x}: it was damaged")
    return np.frombuffer(raw, np.dtype(dtype).newbyteorder("<")).astype(dtype).reshape(shape)


def _unpack(compression: int, data: bytes, size: int) -> bytes:
    """At most `size` + 1 bytes of what `data` holds."""
    if compression == grid_pb2.COMPRESSION_NONE:
        return data[: size + 1]
    if compression == grid_pb2.COMPRESSION_ZLIB:
        try:
            return zlib.decompressobj().decompress(data, size + 1)
        except zlib.error as error:
            raise ValueError(f"data is not a zlib stream: {error}") from error
    if compression != grid_pb2.COMPRESSION_ZSTD:
        raise ValueError(f"compression is {compression}; it must be NONE (1), ZSTD (2) or ZLIB (3)")
    if zstandard is None:
        raise ValueError("data is packed with zstd, which this Python lacks: install the package zstandard")
    try:
        # `decompress(max_output_size=...)` ignores its limit when a frame declares its size; a bounded read does not.
        with zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW).stream_reader(data) as reader:
            return bytes(reader.read(size + 1))
    except zstandard.ZstdError as error:
        raise ValueError(f"data is not a zstd frame: {error}") from error


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
    pose = _pose(message.world_from_grid, f"{field}.world_from_grid")
    return GridVolume(shape, message.voxel_size, pose)


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
    _check_labels(labels, taxonomy, f"{field}.labels")
    instances = None
    if message.HasField("instances"):
        instances = _at(f"{field}.instances", lambda: unpack_block(message.instances, volume.shape, np.uint16))
    return _at(
        field,
        lambda: SemanticGrid(labels, volume.voxel_size, volume.world_from_grid, taxonomy.name, instances, objects),
    )


def taxonomy_named(name: str, field: str) -> Taxonomy:
    """The taxonomy of that name.

    Raises:
        ValueError: there is none.
    """
    if name not in TAXONOMIES:
        raise ValueError(f"{field} is {name[:50]!r}; it must be one of {', '.join(sorted(TAXONOMIES))}")
    return TAXONOMIES[name]


def _check_labels(labels: NDArray[np.uint8], taxonomy: Taxonomy, field: str) -> None:
    wrong = labels[(labels >= len(taxonomy)) & (labels != UNKNOWN)]
    if wrong.size:
        raise ValueError(
            f"{field} has the class {wrong.min()}; taxonomy {taxonomy.name!r} has 0 to {len(taxonomy) - 1}, and "
            f"{UNKNOWN} for unknown"
        )


def object_to_message(item: GridObject) -> grid_pb2.GridObject:
    """The message of an object."""
    message = grid_pb2.GridObject(id=item.id, name=item.name)
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
    return _at(field, lambda: GridObject(message.id, message.name, hint))


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
    pose = _pose(message.world_from_camera, f"{field}.world_from_camera")
    return _at(
        field,
        lambda: PinholeCamera(
            message.name, message.width, message.height, message.fx, message.fy, message.cx, message.cy, pose
        ),
        joint=".",
    )


def _pose(numbers: object, field: str) -> Float64Array:
    values = np.array(numbers, np.float64)
    if values.size != 16:
        raise ValueError(f"{field} has {values.size} numbers; it must have 16, a row-major 4x4 matrix")
    return rigid_transform(values.reshape(4, 4), field)


def _at(field: str, build: Callable[[], Value], joint: str = ": ") -> Value:
    """Runs `build` and puts the field's path before the text of its ValueError."""
    try:
        return build()
    except ValueError as error:
        raise ValueError(f"{field}{joint}{error}") from error
