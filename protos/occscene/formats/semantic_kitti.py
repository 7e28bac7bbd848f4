"""Voxel files of SemanticKITTI's semantic scene completion: `.label`, `.bin` and its masks, without any header.

A `.label` file holds one little-endian uint16 for each of 256 x 256 x 32 voxels of 0.2 m, x slowest, in the data set's
raw label ids; `.bin` (occupied), `.invalid` and `.occluded` hold one bit a voxel, the first voxel in the highest bit.
Sources: semantic-kitti-api's `evaluate_completion.py` (layout, bit order, and that raw ids without a class are invalid
and not empty) and `config/semantic-kitti.yaml` (ids).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from occscene.grid import UNKNOWN, GridVolume, SemanticGrid, occupied
from occscene.taxonomy import OUTDOOR

SHAPE = (256, 256, 32)
VOXEL_SIZE = 0.2
ORIGIN = (0.0, -25.6, -2.0)
"""Metres from the laser scanner, x forward, y left, z up, to the corner of the first voxel."""

_RAW_IDS = (0, 10, 11, 15, 18, 20, 30, 31, 32, 40, 44, 48, 49, 50, 51, 70, 71, 72, 80, 81)
"""The raw id of each class of the taxonomy `outdoor`."""

_FURTHER_RAW_IDS = {13: 5, 16: 5, 60: 9, 252: 1, 253: 7, 254: 6, 255: 8, 256: 5, 257: 5, 258: 4, 259: 5}
"""Raw ids that are merged into a class: buses and trains, lane markings, and what moves."""


def semantic_kitti_volume() -> GridVolume:
    """Where the data set's voxels lie, in metres from the laser scanner."""
    pose = np.eye(4)
    pose[:3, 3] = ORIGIN
    return GridVolume(SHAPE, VOXEL_SIZE, pose)


def read_semantic_kitti(path: Path) -> SemanticGrid:
    """Reads a `.label` file, with the `.invalid` mask next to it if there is one, as a grid of the taxonomy `outdoor`.

    Voxels that are invalid, or whose raw id has no class (outlier, other structure, other object), become unknown.

    Raises:
        ValueError: a file has another size than 256 x 256 x 32 voxels take.
        OSError: a file cannot be read.
    """
    class_of_raw = np.full(2**16, UNKNOWN, np.uint8)
    class_of_raw[list(_RAW_IDS)] = np.arange(len(_RAW_IDS))
    class_of_raw[list(_FURTHER_RAW_IDS)] = list(_FURTHER_RAW_IDS.values())
    labels = class_of_raw[np.frombuffer(_read(path, 2 * int(np.prod(SHAPE))), "<u2")].reshape(SHAPE)
    invalid = path.with_suffix(".invalid")
    if invalid.exists():
        labels[read_mask(invalid)] = UNKNOWN
    volume = semantic_kitti_volume()
    return SemanticGrid(labels, volume.voxel_size, volume.world_from_grid, OUTDOOR.name)


def write_semantic_kitti(path: Path, grid: SemanticGrid) -> None:
    """Writes a `.label` file, and next to it `.bin` (occupied voxels) and `.invalid` (unknown voxels).

    Where the grid lies is not stored.

    Raises:
        ValueError: the grid is not of the taxonomy `outdoor`, or not of 256 x 256 x 32 voxels.
    """
    path.write_bytes(label_bytes(grid))
    write_mask(path.with_suffix(".bin"), occupied(grid.labels))
    write_mask(path.with_suffix(".invalid"), grid.labels == UNKNOWN)


def label_bytes(grid: SemanticGrid) -> bytes:
    """What a `.label` file of a grid holds: raw ids, 0 where it is empty or unknown.

    Raises:
        ValueError: as `write_semantic_kitti`.
    """
    if grid.taxonomy != OUTDOOR.name:
        raise ValueError(f"the grid's taxonomy is {grid.taxonomy!r}; SemanticKITTI files hold {OUTDOOR.name!r}")
    if grid.shape != SHAPE:
        raise ValueError(f"the grid has {grid.shape} voxels; SemanticKITTI files hold {SHAPE}")
    raw_of_class = np.zeros(256, "<u2")
    raw_of_class[: len(_RAW_IDS)] = _RAW_IDS
    return raw_of_class[grid.labels].tobytes()


def read_mask(path: Path) -> NDArray[np.bool_]:
    """Reads a `.bin`, `.invalid` or `.occluded` file: (256, 256, 32).

    Raises:
        ValueError: the file has another size than 256 x 256 x 32 bits take.
        OSError: the file cannot be read.
    """
    packed = np.frombuffer(_read(path, int(np.prod(SHAPE)) // 8), np.uint8)
    return np.unpackbits(packed, bitorder="big").reshape(SHAPE).astype(bool)


def write_mask(path: Path, mask: NDArray[np.bool_]) -> None:
    """Writes a mask (256, 256, 32) as the data set packs it."""
    path.write_bytes(np.packbits(mask.reshape(-1), bitorder="big").tobytes())


def _read(path: Path, size: int) -> bytes:
    actual = path.stat().st_size
    if actual != size:
        raise ValueError(f"{path} has {actual} bytes; a SemanticKITTI {path.suffix} file of {SHAPE} voxels has {size}")
    return path.read_bytes()
