"""The bytes of MagicaVoxel's `.vox`: models of at most 256 voxels a side, a palette, and where each model stands.

Sources: `MagicaVoxel-file-format-vox.txt` and `-vox-extension.txt` (github.com/ephtracy/voxel-model) for chunks and
palette; opengametools' `ogt_vox.h` for the pivot, half of a model's size rounded down, and for `NOTE` and `IMAP`.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from occscene.formats.byte_reader import ByteReader
from occscene.formats.vox_graph import IDENTITY, PlacedModel, Vector, VoxGraph

MAX_MODEL_SIDE = 256
VERSION = 150
COLORS_PER_ROW = 8
"""Colors of a row of the palette as MagicaVoxel shows it; each row may have a note."""

_ROWS = 256 // COLORS_PER_ROW


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
class VoxScene:
    """A whole file.

    Args:
        models: in the file's order.
        placed: the visible ones, as the scene graph places them; where they overlap the later one is seen.
        palette: (256, 3) uint8 sRGB; entry 0 stands for no voxel.
        notes: the artist's notes at the palette's rows, "" where there is none.
        order: the indices of the palette as the editor shows them, row by row.
        is_teardown: whether it is one of Teardown's, which have 255 colors and fixed materials.
    """

    models: tuple[VoxModel, ...]
    placed: tuple[PlacedModel, ...]
    palette: NDArray[np.uint8]
    notes: tuple[str, ...] = ()
    order: tuple[int, ...] = tuple(range(1, 256))
    is_teardown: bool = False

    def note_of(self, index: int) -> str:
        """The note at the palette's row that holds a color."""
        row = self.order.index(index) // COLORS_PER_ROW if index in self.order else _ROWS
        return self.notes[row] if row < len(self.notes) else ""


def pack_vox(scene: VoxScene) -> bytes:
    """The file of a scene whose models are not rotated and whose palette is shown in its own order."""
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
    notes = [*scene.notes, *[""] * (_ROWS - len(scene.notes))]
    chunks.append(_chunk(b"NOTE", struct.pack("<i", _ROWS) + b"".join(map(_string, notes))))
    content = b"".join(chunks)
    return b"VOX " + struct.pack("<i", VERSION) + struct.pack("<4sii", b"MAIN", 0, len(content)) + content


def unpack_vox(data: bytes) -> VoxScene:
    """Reads a file.

    Raises:
        ValueError: not a .vox file, cut off, or against the format; the text says where.
    """
    reader = ByteReader(data)
    if reader.take(4) != b"VOX ":
        raise ValueError("not a MagicaVoxel file: it does not begin with 'VOX '")
    reader.int32()  # the version: 150, or 200 since 0.99.7; the chunks below are alike
    if reader.take(4) != b"MAIN":
        raise ValueError("the first chunk must be MAIN")
    own, nested = reader.int32(), reader.int32()
    reader.part(own)
    return _parse(reader.part(nested))


def _parse(reader: ByteReader) -> VoxScene:
    sizes: list[Vector] = []
    models: list[VoxModel] = []
    graph = VoxGraph()
    palette, is_teardown = default_palette(), False
    notes: tuple[str, ...] = ()
    order = tuple(range(1, 256))
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
            palette, is_teardown = _palette(chunk)
        elif name == b"NOTE":
            notes = tuple(chunk.text(chunk.int32()) for _ in range(chunk.count(4)))
        elif name == b"IMAP":
            order = tuple(chunk.take(256))
        else:
            graph.read(name, chunk)
    if not models:
        raise ValueError("there is no model in the file")
    if graph.is_empty:  # an older file: one model, or the frames of an animation, with its corner at the origin
        x, y, z = models[0].size
        placed: tuple[PlacedModel, ...] = (PlacedModel(0, IDENTITY, (x // 2, y // 2, z // 2)),)
    else:
        placed = tuple(graph.placed(len(models)))
    return VoxScene(tuple(models), placed, palette, notes, order, is_teardown)


def _palette(chunk: ByteReader) -> tuple[NDArray[np.uint8], bool]:
    """The palette by index, and whether it is one of Teardown's: they lack the 256th color, which is never used."""
    is_teardown = chunk.left == 255 * 4
    colors = np.zeros((256, 4), np.uint8)
    count = 255 if is_teardown else 256
    colors[:count] = np.frombuffer(chunk.take(4 * count), np.uint8).reshape(count, 4)
    return np.roll(colors[:, :3], 1, axis=0), is_teardown


def _model(chunk: ByteReader, size: Vector, number: int) -> VoxModel:
    count = chunk.count(4)
    voxels = np.frombuffer(chunk.take(4 * count), np.uint8).reshape(-1, 4)
    if (voxels[:, :3] >= size).any():
        raise ValueError(f"model {number} has a voxel outside its size {size}")
    return VoxModel(size, voxels)


def default_palette() -> NDArray[np.uint8]:
    """MagicaVoxel's palette for files without one: a cube of 6 steps without black, ramps of red, green, blue, grey."""
    steps = np.arange(255, -1, -51)
    cube = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)[:-1]
    ramp = np.array([0xEE, 0xDD, 0xBB, 0xAA, 0x88, 0x77, 0x55, 0x44, 0x22, 0x11])[:, None]
    ramps = [ramp * mask for mask in ((1, 0, 0), (0, 1, 0), (0, 0, 1), (1, 1, 1))]
    return np.concatenate([np.zeros((1, 3)), cube, *ramps]).astype(np.uint8)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack("<4sii", name, len(content), 0) + content


def _transform(node: int, child: int, translation: Vector | None) -> bytes:
    """A transform node, in layer 0 (the root in none), with one frame."""
    frame = b"" if translation is None else _string("_t") + _string(" ".join(map(str, translation)))
    head = struct.pack("<iiiiii", node, 0, child, -1, -1 if translation is None else 0, 1)
    return _chunk(b"nTRN", head + struct.pack("<i", 1 if frame else 0) + frame)


def _string(text: str) -> bytes:
    return struct.pack("<i", len(text)) + text.encode()
