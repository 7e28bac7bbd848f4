"""Minecraft's schematics: Sponge's `.schem` (versions 2 and 3) and Litematica's `.litematic`.

Minecraft's x is east, y up and z south; in a grid x is east, y north and z up, and a block is a metre. Sources:
Sponge's schematic specification (github.com/SpongePowered/Schematic-Specification), Litematica's packed block states.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from occscene.formats.byte_reader import read_bounded
from occscene.formats.materials import Material, MaterialGrid
from occscene.formats.nbt import read_nbt, write_nbt
from occscene.grid import EMPTY, SemanticGrid, check_grid_shape, occupied
from occscene.taxonomy import taxonomy_named

BLOCK_SIZE = 1.0
"""Metres."""

_AIR = {"air", "cave_air", "void_air", "structure_void", "structure_block", "light", "barrier"}
"""Invisible blocks."""

_UNUSED = (
    "BlockEntities", "Entities", "TileEntities", "PendingBlockTicks", "PendingFluidTicks", "Biomes", "BiomeData",
    "BiomePalette",
)  # fmt: skip

_DATA_VERSION = 2975
"""Of Minecraft 1.18.2, which has all blocks that are written."""

_VOXEL_SIZE_KEY, _CLASSES_KEY = "OccSceneVoxelSize", "OccSceneClasses"
"""What OccScene's own files say in their metadata: metres, and the class of each block."""

_PART = 2**20  # blocks unpacked together

_BLOCKS = {
    "indoor": {
        "ceiling": "smooth_quartz", "floor": "oak_planks", "wall": "white_concrete", "window": "glass",
        "chair": "oak_stairs", "bed": "red_wool", "sofa": "purple_wool", "table": "crafting_table",
        "tvs": "black_concrete", "furn": "bookshelf", "objs": "lantern",
    },
    "outdoor": {
        "car": "blue_concrete", "bicycle": "light_blue_concrete", "motorcycle": "cyan_concrete",
        "truck": "purple_concrete", "other-vehicle": "magenta_concrete", "person": "red_wool",
        "bicyclist": "pink_wool", "motorcyclist": "magenta_wool", "road": "gray_concrete",
        "parking": "light_gray_concrete", "sidewalk": "dirt_path", "other-ground": "gravel", "building": "bricks",
        "fence": "oak_fence", "vegetation": "oak_leaves", "trunk": "oak_log", "terrain": "grass_block",
        "pole": "iron_bars", "traffic-sign": "red_concrete",
    },
}  # fmt: skip
"""The block that each class is written as: a different one for each, as near as Minecraft has it."""


def read_schematic(path: Path) -> MaterialGrid:
    """Reads a `.schem` or `.litematic` file as a grid of blocks, with its lowest corner at the origin.

    Blocks are distinguished by their names; states such as a stair's direction are left out.

    Raises:
        ValueError: not such a file, damaged, or larger than a grid may be.
        OSError: the file cannot be read.
    """
    try:
        root = read_nbt(read_bounded(path), _UNUSED)
        names = _Names()
        own: dict[str, Any] = {}
        if "Regions" in root:
            blocks = _litematic(root, names)
        else:
            schematic = _field(root, "Schematic", dict) if "Schematic" in root else root
            blocks = _sponge(schematic, names)
            own = _field(schematic, "Metadata", dict) if "Metadata" in schematic else {}
        voxel_size = _field(own, _VOXEL_SIZE_KEY, float) if _VOXEL_SIZE_KEY in own else BLOCK_SIZE
        classes = _field(own, _CLASSES_KEY, dict) if _CLASSES_KEY in own else {}
        indices = np.ascontiguousarray(blocks[:, ::-1].transpose(2, 1, 0))  # y z x to x, north, up
        return MaterialGrid("minecraft", indices, names.materials(classes), voxel_size, np.eye(4))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def write_schematic(path: Path, grid: SemanticGrid) -> None:
    """Writes a `.schem` file of version 2: a block for each occupied voxel, of a kind for each class.

    Where the grid lies, unknown voxels and objects are not stored.

    Raises:
        ValueError: no voxel is occupied.
    """
    taxonomy = taxonomy_named(grid.taxonomy, "taxonomy")
    labels = np.where(occupied(grid.labels), grid.labels, np.uint8(EMPTY))
    if not labels.any():
        raise ValueError("no voxel of the grid is occupied; there is nothing to write")
    block_of = {name: f"minecraft:{block}" for name, block in _BLOCKS[taxonomy.name].items()}
    blocks = ["minecraft:air", *(block_of[item.name] for item in taxonomy.classes[1:])]
    x, y, z = grid.shape
    root = {
        "Version": 2,
        "DataVersion": _DATA_VERSION,
        "Width": np.int16(x),
        "Height": np.int16(z),
        "Length": np.int16(y),
        "Metadata": {
            _VOXEL_SIZE_KEY: float(grid.voxel_size),
            _CLASSES_KEY: {block: name for name, block in block_of.items()},
        },
        "PaletteMax": len(blocks),
        "Palette": {block: number for number, block in enumerate(blocks)},
        # numbers below 128 are their own variable-length form
        "BlockData": np.ascontiguousarray(labels.transpose(2, 1, 0)[:, ::-1]).reshape(-1),
    }
    path.write_bytes(write_nbt("Schematic", root))


class _Names:
    """Numbers for blocks' names: 0 is air, the others are counted from 1 as they appear."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def table(self, states: list[str]) -> NDArray[np.uint16]:
        """The number of each entry of a palette."""
        numbers = []
        for state in states:
            block = state.split("[")[0]
            is_air = block.removeprefix("minecraft:") in _AIR
            numbers.append(0 if is_air else self._numbers.setdefault(block, len(self._numbers) + 1))
        if len(self._numbers) >= 2**16:
            raise ValueError(f"the palettes have {len(self._numbers)} blocks; the limit is {2**16 - 1}")
        return np.array(numbers, np.uint16)

    def materials(self, classes: dict[str, Any]) -> tuple[Material, ...]:
        return tuple(
            Material(block, block.split(":")[-1], class_name=str(classes.get(block, ""))) for block in self._numbers
        )


def _sponge(root: dict[str, Any], names: _Names) -> NDArray[np.uint16]:
    """The numbers of a .schem file's blocks (height, length, width)."""
    width, height, length = (_field(root, name, int) & 0xFFFF for name in ("Width", "Height", "Length"))
    check_grid_shape((width, length, height), "the schematic")
    blocks = _field(root, "Blocks", dict) if "Blocks" in root else root  # version 3 nests them
    palette = _field(blocks, "Palette", dict)
    data = _field(blocks, "Data" if "Blocks" in root else "BlockData", np.ndarray)
    states = [""] * len(palette)
    for state, number in palette.items():
        if not (isinstance(number, int) and 0 <= number < len(states)):
            raise ValueError(f"the palette numbers {state[:50]!r} as {number!r}; it must be 0 to {len(states) - 1}")
        states[number] = state
    numbers = _variable_length(data.view(np.uint8), width * height * length)
    return _looked_up(names.table(states), numbers).reshape(height, length, width)


def _variable_length(data: NDArray[np.uint8], count: int) -> NDArray[np.uint16]:
    """Numbers of seven bits a byte, the lowest first; all but a number's last byte have their highest bit set."""
    last = np.flatnonzero(data < 128)
    if len(last) != count or (data.size and data[-1] >= 128):
        raise ValueError(f"the file is damaged or cut off: it has {len(last)} blocks, and its size takes {count}")
    result = np.zeros(count, np.uint16)
    starts = np.concatenate([[0], last[:-1] + 1])
    lengths = last - starts + 1
    if lengths.max() > 3:
        raise ValueError("the file is damaged: it numbers a block beyond 65535")
    for place in range(lengths.max()):
        has = lengths > place
        bits = (data[starts[has] + place] & 127).astype(np.uint32) << (7 * place)
        if bits.max() >= 2**16:
            raise ValueError("the file is damaged: it numbers a block beyond 65535")
        result[has] |= bits.astype(np.uint16)
    return result


def _litematic(root: dict[str, Any], names: _Names) -> NDArray[np.uint16]:
    """The numbers of all regions' blocks (y, z, x) in the box around them; of overlapping ones the later wins."""
    regions = [_region(region, name) for name, region in _field(root, "Regions", dict).items()]
    if not regions:
        raise ValueError("there is no region in the file")
    low = np.min([corner for corner, _, _ in regions], axis=0)
    high = np.max([corner + shape for corner, shape, _ in regions], axis=0)
    x, y, z = (high - low).tolist()
    check_grid_shape((x, z, y), "the schematic")
    result = np.zeros((y, z, x), np.uint16)
    for corner, shape, unpack in regions:
        blocks = unpack(names)
        x, y, z = (slice(a, b) for a, b in zip(corner - low, corner - low + shape, strict=True))
        part = result[y, z, x]
        part[...] = np.where(blocks > 0, blocks, part)
    return result


def _region(region: Any, name: str) -> tuple[NDArray[np.int64], NDArray[np.int64], Callable[..., Any]]:
    """A region's lowest corner and shape along Minecraft's x, y and z, and what unpacks its blocks."""
    if not isinstance(region, dict):
        raise ValueError(f"region {name[:50]!r} is no compound")
    position, size = (
        np.array([_field(_field(region, key, dict), axis, int) for axis in "xyz"]) for key in ("Position", "Size")
    )
    x, y, z = np.abs(size).tolist()
    check_grid_shape((x, z, y), f"region {name[:50]!r}")
    corner = position + np.where(size < 0, size + 1, 0)
    states = [_field(entry, "Name", str) for entry in _field(region, "BlockStatePalette", list)]
    packed = _field(region, "BlockStates", np.ndarray)
    bits = max(2, (len(states) - 1).bit_length())

    def unpack(names: _Names) -> NDArray[np.uint16]:
        return _looked_up(names.table(states), _unpacked_bits(packed, bits, x * y * z)).reshape(y, z, x)

    return corner, np.abs(size), unpack


def _unpacked_bits(packed: NDArray[Any], bits: int, count: int) -> NDArray[np.uint16]:
    """Numbers of `bits` bits each, lowest first, one after the other through 64-bit words."""
    words = packed.astype(np.uint64) if packed.dtype.itemsize == 8 else np.zeros(0, np.uint64)
    needed = -(-count * bits // 64)
    if len(words) < needed or bits > 16:
        raise ValueError(f"the file is damaged or cut off: {count} blocks take {needed} words, it has {len(words)}")
    words = np.append(words, np.uint64(0))
    result = np.empty(count, np.uint16)
    for start in range(0, count, _PART):
        first = np.arange(start, min(start + _PART, count), dtype=np.uint64) * np.uint64(bits)
        word, shift = first >> np.uint64(6), first & np.uint64(63)
        low = words[word] >> shift
        # a shift by 64 is undefined, so the next word is shifted in two steps
        high = words[word + np.uint64(1)] << np.uint64(1) << (np.uint64(63) - shift)
        result[start : start + len(first)] = (low | high) & np.uint64(2**bits - 1)
    return result


def _looked_up(table: NDArray[np.uint16], numbers: NDArray[np.uint16]) -> NDArray[np.uint16]:
    if numbers.max(initial=0) >= len(table):
        raise ValueError(f"a block has the number {numbers.max()}; the palette has 0 to {len(table) - 1}")
    result = np.empty(numbers.shape, np.uint16)
    for start in range(0, numbers.size, _PART):
        result[start : start + _PART] = table[numbers[start : start + _PART]]
    return result


def _field(compound: Any, name: str, kind: type) -> Any:
    value = compound.get(name) if isinstance(compound, dict) else None
    if not isinstance(value, kind):
        raise ValueError(f"{name} is missing or of another kind; this is no schematic that can be read")
    return value
