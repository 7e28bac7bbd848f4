"""Grids as MagicaVoxel's `.vox`: a class is a row of the palette, and the row's note is its name."""

from __future__ import annotations

import zlib
from itertools import pairwise, product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from occscene.formats.byte_reader import read_bounded
from occscene.formats.materials import Material, MaterialGrid, color_key, looked_up
from occscene.formats.vox_file import (
    COLORS_PER_ROW,
    MAX_MODEL_SIDE,
    VoxModel,
    VoxScene,
    pack_vox,
    unpack_vox,
)
from occscene.formats.vox_graph import PlacedModel
from occscene.grid import EMPTY, SemanticGrid, check_grid_shape, occupied
from occscene.limits import MAX_GRID_VOXELS
from occscene.taxonomy import taxonomy_named

_TEARDOWN = (
    (1, "glass"), (9, "grass"), (25, "dirt"), (41, "rock"), (57, "wood"), (73, "concrete"), (105, "brick"),
    (121, "plaster"), (137, "weak metal"), (153, "heavy metal"), (169, "plastic"), (177, ""), (225, "unphysical"),
    (241, ""),
)  # fmt: skip
"""The first palette index of each of Teardown's materials (teardowngame.com/create, the annotated palette)."""


def write_magicavoxel(path: Path, grid: SemanticGrid) -> None:
    """Writes the occupied voxels; class i has the i-th row of the palette, with its name as the row's note.

    The grid stands on the ground in the middle of MagicaVoxel's world, z up. A grid of more than 256 voxels a side
    becomes several models that the scene graph joins. The size of a voxel, where the grid lies, unknown voxels and
    objects are not stored.

    Raises:
        ValueError: no voxel is occupied; MagicaVoxel has no empty scenes.
    """
    classes = taxonomy_named(grid.taxonomy, "taxonomy").classes[1:]
    labels = np.where(occupied(grid.labels), grid.labels, np.uint8(EMPTY))
    if not labels.any():
        raise ValueError("no voxel of the grid is occupied; there is nothing to write")
    origin = _scene_origin(grid.shape)
    models: list[VoxModel] = []
    placed: list[PlacedModel] = []
    for block in product(*(_equal_parts(side) for side in grid.shape)):
        part = labels[block]
        cells = np.argwhere(part)
        if not len(cells):
            continue  # other readers stumble over a model without voxels
        colors = 1 + COLORS_PER_ROW * (part[tuple(cells.T)].astype(np.int64) - 1)
        x, y, z = (
            cut.start + (cut.stop - cut.start) // 2 + low for cut, low in zip(block, origin, strict=True)
        )  # the pivot of a model is half its size, rounded down
        placed.append(PlacedModel(len(models), np.eye(3, dtype=np.int64), (x, y, z)))
        models.append(VoxModel(part.shape, np.column_stack([cells, colors]).astype(np.uint8)))  # type: ignore[arg-type]  # three sides
    palette = np.zeros((256, 3), np.uint8)
    palette[1 : 1 + COLORS_PER_ROW * len(classes)] = np.repeat([item.color for item in classes], COLORS_PER_ROW, axis=0)
    notes = tuple(item.name for item in classes)
    path.write_bytes(pack_vox(VoxScene(tuple(models), tuple(placed), palette, notes)))


def read_magicavoxel(path: Path, voxel_size: float) -> MaterialGrid:
    """Reads a file's visible models as one grid of colors, as large as the box around them, in MagicaVoxel's world.

    A color's name is its row's note, in Teardown's files its material. Where models overlap, the one later in
    the scene wins.

    Args:
        path: the file.
        voxel_size: metres.

    Raises:
        ValueError: not such a file, damaged, or the box is larger than a grid may be.
        OSError: the file cannot be read.
    """
    try:
        scene = unpack_vox(read_bounded(path))
        colors, low = _assembled(scene)
        used = np.zeros(256, np.bool_)
        for layer in colors:
            used[np.unique(layer)] = True
        shown = [index for index in dict.fromkeys((*scene.order, *range(1, 256))) if index and used[index]]
        places: dict[Material, int] = {}
        place_of_color = np.zeros(256, np.uint8)
        for index in shown:
            place_of_color[index] = places.setdefault(_material(scene, index), len(places) + 1)
        palette = f"vox-{zlib.crc32(scene.palette.tobytes()):08x}"
        pose = np.eye(4)
        pose[:3, 3] = np.array(low) * voxel_size
        return MaterialGrid(palette, looked_up(place_of_color, colors), tuple(places), voxel_size, pose)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _material(scene: VoxScene, index: int) -> Material:
    red, green, blue = scene.palette[index].tolist()
    key = color_key((red, green, blue))
    name = scene.note_of(index).strip()
    if not name and scene.is_teardown:
        name = [material for first, material in _TEARDOWN if first <= index][-1]
    return Material(f"{key} {name}".strip(), name, (red, green, blue), class_name=name)


def _assembled(scene: VoxScene) -> tuple[NDArray[np.uint8], tuple[int, ...]]:
    """The colors of all placed models in the box around them, and the box's lowest corner in voxels."""
    if not scene.placed:
        raise ValueError("no model is visible in the scene")
    total = sum(len(scene.models[item.model].voxels) for item in scene.placed)
    if total > MAX_GRID_VOXELS:
        raise ValueError(f"the models have {total} voxels together; the limit is {MAX_GRID_VOXELS}")
    boxes = np.array([_cells(np.array([[0, 0, 0], scene.models[i.model].size]), scene, i, 0) for i in scene.placed])
    low, high = boxes.min(axis=(0, 1)), boxes.max(axis=(0, 1))
    shape = tuple((high - low).tolist())
    check_grid_shape(shape, "the scene")
    colors = np.zeros(shape, np.uint8)
    for item in scene.placed:
        voxels = scene.models[item.model].voxels
        voxels = voxels[voxels[:, 3] > 0]
        x, y, z = (_cells(voxels[:, :3].astype(np.int64), scene, item, 1) - low).T
        colors[x, y, z] = voxels[:, 3]
    return colors, tuple(low.tolist())


def _cells(points: NDArray[np.int64], scene: VoxScene, item: PlacedModel, extent: int) -> NDArray[np.int64]:
    """Points of a model in the scene; with `extent` 1 they are voxels, known by their lowest corners."""
    pivot = np.array(scene.models[item.model].size) // 2
    doubled = 2 * (points - pivot) + extent  # twice the centres of voxels, to stay among whole numbers
    return (doubled @ item.rotation.T + 2 * np.array(item.translation) - extent) // 2


def _equal_parts(side: int) -> list[slice]:
    """A side cut into as few parts of at most 256 voxels as will do."""
    count = -(-side // MAX_MODEL_SIDE)
    ends = [side * part // count for part in range(count + 1)]
    return [slice(low, high) for low, high in pairwise(ends)]


def _scene_origin(shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """The lowest corner of a grid that stands in the middle of the world."""
    return -(shape[0] // 2), -(shape[1] // 2), 0
