"""The bytes of MagicaVoxel's `.vox`: models of at most 256 voxels a side, a palette, and where each model stands.

Sources: `MagicaVoxel-file-format-vox.txt` and `-vox-extension.txt` (github.com/ephtracy/voxel-model) for chunks,
palette, scene graph and rotations; opengametools' `ogt_vox.h` for the pivot, half of a model's size rounded down.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

MAX_MODEL_SIDE = 256
VERSION = 150

_MAX_DEPTH = 64
_MAX_NODES = 2**14
"""Visits of scene-graph nodes; a graph may name a node again and again."""

_IDENTITY = np.eye(3, dtype=np.int64)

Vector = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class VoxModel:
    """One model.

    Args:
        size: voxels along x, y and z (up).
        voxels: (N, 4) uint8: x, y, z and the palette's index, 1 .. 255.
    """

    size: Vector
    voxels: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class PlacedModel:
    """One model in the scene.

    Args:
        model: its place in `VoxScene.models`.
        rotation: (3, 3), a permutation of the axes with signs, about the model's pivot.
        translation: of the pivot, in voxels.
    """

    model: int
    rotation: NDArray[np.int64]
    translation: Vector


@dataclass(frozen=True, eq=False)
class VoxScene:
    """A whole file.

    Args:
        models: in the file's order.
        placed: the visible ones, as the scene graph places them.
        palette: (256, 3) uint8 sRGB; entry 0 stands for no voxel.
    """

    models: tuple[VoxModel, ...]
    placed: tuple[PlacedModel, ...]
    palette: NDArray[np.uint8]


def pack_vox(scene: VoxScene) -> bytes:
    """The file of a scene whose models are not rotated."""
    chunks = []
    for model in scene.models:
        chunks.append(_chunk(b"SIZE", struct.pack("<3i", *model.size)))
        chunks.append(_chunk(b"XYZI", struct.pack("<i", len(model.voxels)) + model.voxels.tobytes()))
    shapes = [(2 + 2 * position, placed) for position, placed in enumerate(scene.placed)]
    chunks.append(_transform(0, 1, None))
    children = struct.pack(f"<{len(shapes)}i", *(node for node, _ in shapes))
    chunks.append(_chunk(b"nGRP", struct.pack("<iii", 1, 0, len(shapes)) + children))
    for node, placed in shapes:
        chunks.append(_transform(node, node + 1, placed.translation))
        chunks.append(_chunk(b"nSHP", struct.pack("<iiiii", node + 1, 0, 1, placed.model, 0)))
    colors = np.full((256, 4), 255, np.uint8)
    colors[:, :3] = np.roll(scene.palette, -1, axis=0)  # the file's first colour is the palette's index 1
    chunks.append(_chunk(b"RGBA", colors.tobytes()))
    content = b"".join(chunks)
    return b"VOX " + struct.pack("<i", VERSION) + struct.pack("<4sii", b"MAIN", 0, len(content)) + content


def unpack_vox(data: bytes) -> VoxScene:
    """Reads a file.

    Raises:
        ValueError: not a .vox file, cut off, or against the format; the text says where.
    """
    reader = _Reader(data)
    if reader.take(4) != b"VOX ":
        raise ValueError("not a MagicaVoxel file: it does not begin with 'VOX '")
    reader.int32()  # the version: 150, or 200 since 0.99.7; the chunks below are alike
    if reader.take(4) != b"MAIN":
        raise ValueError("the first chunk must be MAIN")
    own, nested = reader.int32(), reader.int32()
    reader.part(own)
    return _parse(reader.part(nested))


@dataclass
class _Graph:
    """The scene graph's nodes by id."""

    transforms: dict[int, tuple[int, bool, NDArray[np.int64], Vector]] = field(default_factory=dict)
    groups: dict[int, list[int]] = field(default_factory=dict)
    shapes: dict[int, list[int]] = field(default_factory=dict)


def _parse(reader: _Reader) -> VoxScene:
    sizes: list[Vector] = []
    models: list[VoxModel] = []
    graph = _Graph()
    palette = default_palette()
    while reader.left:
        name, own, nested = reader.take(4), reader.int32(), reader.int32()
        chunk = reader.part(own)
        reader.part(nested)
        if name == b"SIZE":
            sizes.append((chunk.int32(), chunk.int32(), chunk.int32()))
            if not all(1 <= side <= MAX_MODEL_SIDE for side in sizes[-1]):
                raise ValueError(f"model {len(models)} has {sizes[-1]} voxels; a side has 1 to {MAX_MODEL_SIDE}")
        elif name == b"XYZI":
            if len(sizes) != len(models) + 1:
                raise ValueError(f"model {len(models)} has voxels but no size before them")
            models.append(_model(chunk, sizes[-1], len(models)))
        elif name == b"RGBA":
            colors = np.frombuffer(chunk.take(1024), np.uint8).reshape(256, 4)
            palette = np.roll(colors[:, :3], 1, axis=0)
        elif name == b"nTRN":
            _read_transform(chunk, graph)
        elif name == b"nGRP":
            node, _ = chunk.int32(), chunk.strings()
            graph.groups[node] = [chunk.int32() for _ in range(chunk.count(4))]
        elif name == b"nSHP":
            node, _ = chunk.int32(), chunk.strings()
            graph.shapes[node] = [(chunk.int32(), chunk.strings())[0] for _ in range(chunk.count(8))]
    if not models:
        raise ValueError("there is no model in the file")
    if graph.transforms:
        placed = tuple(_placed(graph, len(models)))
    else:  # an older file: one model, or the frames of an animation, with its corner at the origin
        x, y, z = models[0].size
        placed = (PlacedModel(0, _IDENTITY, (x // 2, y // 2, z // 2)),)
    return VoxScene(tuple(models), placed, palette)


def _model(chunk: _Reader, size: Vector, number: int) -> VoxModel:
    count = chunk.count(4)
    voxels = np.frombuffer(chunk.take(4 * count), np.uint8).reshape(-1, 4)
    if (voxels[:, :3] >= size).any():
        raise ValueError(f"model {number} has a voxel outside its size {size}")
    return VoxModel(size, voxels)


def _read_transform(chunk: _Reader, graph: _Graph) -> None:
    node, attributes, child = chunk.int32(), chunk.strings(), chunk.int32()
    chunk.take(8)  # a reserved number and the layer
    frames = chunk.count(4)
    frame = chunk.strings() if frames else {}  # of an animation the first frame
    try:
        translation = tuple(int(step) for step in frame.get("_t", "0 0 0").split())
        rotation = _rotation(int(frame.get("_r", "4")))
    except ValueError as error:
        raise ValueError(f"scene node {node}: {error}") from error
    if len(translation) != 3 or max(map(abs, translation)) > 2**20:
        raise ValueError(
            f"scene node {node} is moved by {frame['_t'][:50]!r}; it must be three numbers below a million"
        )
    x, y, z = translation
    graph.transforms[node] = (child, attributes.get("_hidden") == "1", rotation, (x, y, z))


def _rotation(packed: int) -> NDArray[np.int64]:
    """The matrix of a rotation byte: the column of the entry in rows 0 and 1, then the sign of each row."""
    first, second = packed & 3, packed >> 2 & 3
    if not 0 <= packed < 128 or 3 in (first, second) or first == second:
        raise ValueError(f"rotation is {packed}, which is no rotation of axes")
    matrix = np.zeros((3, 3), np.int64)
    for row, column in enumerate((first, second, 3 - first - second)):
        matrix[row, column] = -1 if packed >> (4 + row) & 1 else 1
    return matrix


def _placed(graph: _Graph, models: int) -> Iterator[PlacedModel]:
    """Walks the graph from its root, which is the one node that no other has as a child."""
    children = {child for child, *_ in graph.transforms.values()}
    children.update(child for group in graph.groups.values() for child in group)
    pending = [(root, _IDENTITY, np.zeros(3, np.int64), 0) for root in sorted(set(graph.transforms) - children)]
    visits = 0
    while pending:
        node, rotation, translation, depth = pending.pop()
        visits += 1
        if visits > _MAX_NODES or depth > _MAX_DEPTH:
            raise ValueError(f"the scene graph is deeper than {_MAX_DEPTH} or has more than {_MAX_NODES} nodes")
        if node in graph.transforms:
            child, hidden, turn, step = graph.transforms[node]
            if not hidden:
                pending.append((child, rotation @ turn, translation + rotation @ np.array(step), depth + 1))
        elif node in graph.groups:
            pending.extend((child, rotation, translation, depth + 1) for child in graph.groups[node])
        for model in graph.shapes.get(node, ())[:1]:  # more than one are the frames of an animation
            if not 0 <= model < models:
                raise ValueError(f"scene node {node} shows model {model}; the file has {models}")
            x, y, z = translation.tolist()
            yield PlacedModel(model, rotation, (x, y, z))


def default_palette() -> NDArray[np.uint8]:
    """MagicaVoxel's palette for files without one: a cube of 6 steps without black, ramps of red, green, blue, grey."""
    steps = np.arange(255, -1, -51)
    cube = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)[:-1]
    ramp = np.array([0xEE, 0xDD, 0xBB, 0xAA, 0x88, 0x77, 0x55, 0x44, 0x22, 0x11])[:, None]
    ramps = [ramp * mask for mask in ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1))]
    return np.concatenate([np.zeros((1, 3)), cube, *ramps]).astype(np.uint8)


class _Reader:
    """Reads little-endian values, and never beyond the end."""

    def __init__(self, data: bytes | memoryview) -> None:
        self._data = memoryview(data)
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, size: int) -> bytes:
        return bytes(self._next(size))

    def part(self, size: int) -> _Reader:
        """A reader of the next bytes, which are not copied."""
        return _Reader(self._next(size))

    def _next(self, size: int) -> memoryview:
        if not 0 <= size <= self.left:
            raise ValueError(f"the file is damaged or cut off: {size} bytes are announced where {self.left} are left")
        self._at += size
        return self._data[self._at - size : self._at]

    def int32(self) -> int:
        value: int = struct.unpack("<i", self.take(4))[0]
        return value

    def count(self, least_size: int) -> int:
        """A number of items of at least `least_size` bytes each that follow."""
        count = self.int32()
        if not 0 <= count * least_size <= self.left:
            raise ValueError(f"the file is damaged or cut off: {count} items are announced, {self.left} bytes are left")
        return count

    def strings(self) -> dict[str, str]:
        """A dictionary of strings."""
        pairs = [(self._string(), self._string()) for _ in range(self.count(8))]
        return dict(pairs)

    def _string(self) -> str:
        return self.take(self.int32()).decode("utf-8", "replace")


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack("<4sii", name, len(content), 0) + content


def _transform(node: int, child: int, translation: Vector | None) -> bytes:
    """A transform node, in layer 0 (the root in none), with one frame."""
    frame = b"" if translation is None else _string("_t") + _string(" ".join(map(str, translation)))
    head = struct.pack("<iiiiii", node, 0, child, -1, -1 if translation is None else 0, 1)
    return _chunk(b"nTRN", head + struct.pack("<i", 1 if frame else 0) + frame)


def _string(text: str) -> bytes:
    return struct.pack("<i", len(text)) + text.encode()
