"""Grids as MagicaVoxel's `.vox`: a class is a colour of the palette, in both directions."""

from __future__ import annotations

from itertools import pairwise, product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from occscene.formats.vox_file import MAX_MODEL_SIDE, PlacedModel, VoxModel, VoxScene, pack_vox, unpack_vox
from occscene.grid import EMPTY, SemanticGrid, check_grid_shape, occupied
from occscene.limits import MAX_GRID_VOXELS
from occscene.rigid import Float64Array
from occscene.taxonomy import Taxonomy

_MAX_FILE_BYTES = 2**28


def write_magicavoxel(path: Path, grid: SemanticGrid, taxonomy: Taxonomy) -> None:
    """Writes the occupied voxels; a class's palette index is its label, its colour the taxonomy's.

    The grid stands on the ground in the middle of MagicaVoxel's world, z up. A grid of more than 256 voxels a side
    becomes several models that the scene graph joins. The size of a voxel, where the grid lies, unknown voxels and
    objects are not stored.

    Raises:
        ValueError: no voxel is occupied; MagicaVoxel has no empty scenes.
    """
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
        voxels = np.column_stack([cells, part[tuple(cells.T)]]).astype(np.uint8)
        x, y, z = (
            cut.start + (cut.stop - cut.start) // 2 + low for cut, low in zip(block, origin, strict=True)
        )  # the pivot of a model is half its size, rounded down
        placed.append(PlacedModel(len(models), np.eye(3, dtype=np.int64), (x, y, z)))
        models.append(VoxModel(part.shape, voxels))  # type: ignore[arg-type]  # three sides
    palette = np.zeros((256, 3), np.uint8)
    palette[: len(taxonomy)] = [entry.color for entry in taxonomy.classes]
    path.write_bytes(pack_vox(VoxScene(tuple(models), tuple(placed), palette)))


def read_magicavoxel(
    path: Path, taxonomy: Taxonomy, voxel_size: float, world_from_grid: Float64Array | None = None
) -> SemanticGrid:
    """Reads a file's visible models as one grid, as large as the box around them.

    Each colour of the palette becomes the class whose colour is the nearest (Euclid in sRGB), at the same distance the
    one whose label is the colour's index; so what `write_magicavoxel` wrote is read exactly. Where models overlap, the
    one later in the scene wins.

    Args:
        path: the file.
        taxonomy: whose classes the colours become.
        voxel_size: metres.
        world_from_grid: where the grid's corner lies; None keeps MagicaVoxel's world, scaled to metres.

    Raises:
        ValueError: not such a file, damaged, or the box is larger than a grid may be.
        OSError: the file cannot be read.
    """
    size = path.stat().st_size
    if size > _MAX_FILE_BYTES:
        raise ValueError(f"{path} has {size} bytes; the limit of a .vox file is {_MAX_FILE_BYTES}")
    try:
        scene = unpack_vox(path.read_bytes())
        labels, low = _assembled(scene, _class_of_color(scene.palette, taxonomy))
        if world_from_grid is None:
            world_from_grid = np.eye(4)
            world_from_grid[:3, 3] = np.array(low) * voxel_size
        return SemanticGrid(labels, voxel_size, world_from_grid, taxonomy.name)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _assembled(scene: VoxScene, class_of_color: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], tuple[int, ...]]:
    """The labels of all placed models in the box around them, and the box's lowest corner in voxels."""
    if not scene.placed:
        raise ValueError("no model is visible in the scene")
    total = sum(len(scene.models[item.model].voxels) for item in scene.placed)
    if total > MAX_GRID_VOXELS:
        raise ValueError(f"the models have {total} voxels together; the limit is {MAX_GRID_VOXELS}")
    boxes = np.array([_cells(np.array([[0, 0, 0], scene.models[i.model].size]), scene, i, 0) for i in scene.placed])
    low, high = boxes.min(axis=(0, 1)), boxes.max(axis=(0, 1))
    shape = tuple((high - low).tolist())
    check_grid_shape(shape, "the scene")
    labels = np.zeros(shape, np.uint8)
    for item in scene.placed:
        voxels = scene.models[item.model].voxels
        x, y, z = (_cells(voxels[:, :3].astype(np.int64), scene, item, 1) - low).T
        labels[x, y, z] = class_of_color[voxels[:, 3]]
    return labels, tuple(low.tolist())


def _cells(points: NDArray[np.int64], scene: VoxScene, item: PlacedModel, extent: int) -> NDArray[np.int64]:
    """Points of a model in the scene; with `extent` 1 they are voxels, known by their lowest corners."""
    pivot = np.array(scene.models[item.model].size) // 2
    doubled = 2 * (points - pivot) + extent  # twice the centres of voxels, to stay among whole numbers
    return (doubled @ item.rotation.T + 2 * np.array(item.translation) - extent) // 2


def _class_of_color(palette: NDArray[np.uint8], taxonomy: Taxonomy) -> NDArray[np.uint8]:
    """The label of each palette index (256,)."""
    colors = np.array([entry.color for entry in taxonomy.classes[1:]], np.int64)
    distance = ((palette[:, None].astype(np.int64) - colors) ** 2).sum(axis=2) * 2
    same = np.arange(1, len(taxonomy))
    distance[same, same - 1] -= 1  # breaks a tie
    labels = distance.argmin(axis=1).astype(np.uint8) + np.uint8(1)
    labels[0] = EMPTY
    return labels


def _equal_parts(side: int) -> list[slice]:
    """A side cut into as few parts of at most 256 voxels as will do."""
    count = -(-side // MAX_MODEL_SIDE)
    ends = [side * part // count for part in range(count + 1)]
    return [slice(low, high) for low, high in pairwise(ends)]


def _scene_origin(shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """The lowest corner of a grid that stands in the middle of the world."""
    return -(shape[0] // 2), -(shape[1] // 2), 0
