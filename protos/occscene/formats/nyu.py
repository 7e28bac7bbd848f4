"""Voxels of NYUv2 as semantic scene completion uses them: SSCNet's `.bin`, and DDRNet's `.npz` of the same.

A `.bin` file holds the corner of the volume (3 float32), the camera's pose (16 float32) and run lengths: pairs of
uint32, a class (0 .. 36, 255 unknown) and how many voxels in a row have it, of 240 x 144 x 240 voxels of 2 cm; the
first axis is the world's x, the second its z (up), the third its y. It becomes the 60 x 60 x 36 voxels of 8 cm that
papers compare. An `.npz` holds them as `target_lr` (60, 36, 60), with the 12 classes and without a place. Source: the
loaders of SSCNet, DDRNet and MonoScene (classes, axes, the rule that a block of 4^3 voxels is empty where 95 % are).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from occscene.grid import EMPTY, UNKNOWN, SemanticGrid, check_labels
from occscene.npz import NpzReader
from occscene.taxonomy import INDOOR

_FINE = (240, 144, 240)
_COARSE = (60, 36, 60)
_BLOCK = 4
_FINE_SIZE = 0.02
_MOST_EMPTY = 0.95 * _BLOCK**3
_HEAD = 4 * (3 + 16)
_MAX_BYTES = 2**26

_CLASS_OF_37 = (
    0, 1, 2, 3, 4, 11, 5, 6, 7, 8, 8, 10, 10, 10, 11, 11, 9, 8, 11, 11, 11, 11, 11, 11, 11, 11, 11, 10, 10, 11, 8, 10,
    11, 9, 11, 11, 11,
)  # fmt: skip
"""The class of `indoor` of each of the data set's 37."""


def read_nyu_bin(path: Path) -> SemanticGrid:
    """Reads a `.bin` file of SSCNet as a grid of the taxonomy `indoor`.

    Raises:
        ValueError: not such a file.
        OSError: the file cannot be read.
    """
    size = path.stat().st_size
    if size <= _HEAD or (size - _HEAD) % 8 or size > _MAX_BYTES:
        raise ValueError(f"{path} has {size} bytes, which no NYUv2 file has. {_OTHER_BIN}")
    data = path.read_bytes()
    corner = np.frombuffer(data, "<f4", 3).astype(np.float64)
    runs = np.frombuffer(data, "<u4", offset=_HEAD).reshape(-1, 2)
    total = int(runs[:, 1].sum(dtype=np.uint64))
    if total != np.prod(_FINE):
        raise ValueError(f"{path}: its runs have {total} voxels; NYUv2 has {np.prod(_FINE)}. {_OTHER_BIN}")
    wrong = (runs[:, 0] >= len(_CLASS_OF_37)) & (runs[:, 0] != UNKNOWN)
    if wrong.any():
        raise ValueError(f"{path} has the class {runs[wrong, 0][0]}; NYUv2 has 0 to {len(_CLASS_OF_37) - 1}")
    class_of = np.full(256, UNKNOWN, np.uint8)
    class_of[: len(_CLASS_OF_37)] = _CLASS_OF_37
    labels = _coarse(np.repeat(class_of[runs[:, 0]], runs[:, 1]).reshape(_FINE))
    pose = np.eye(4)
    pose[:3, 3] = corner
    return SemanticGrid(_upright(labels), _FINE_SIZE * _BLOCK, pose, INDOOR.name)


def read_nyu_npz(path: Path) -> SemanticGrid:
    """Reads an `.npz` file of DDRNet as a grid of the taxonomy `indoor`, with its corner at the origin.

    Raises:
        ValueError: not such a file.
        OSError: the file cannot be read.
    """
    with NpzReader(path) as members:
        members.require("target_lr")
        if members.shape("target_lr") != _COARSE:
            raise ValueError(f"{path}: target_lr has the shape {members.shape('target_lr')}; NYUv2 has {_COARSE}")
        values = members.read("target_lr", "iu", 8 * int(np.prod(_COARSE)))
    labels = values.astype(np.uint8)
    if not (labels == values).all():
        raise ValueError(f"{path}: target_lr is {values.min()} to {values.max()}; it must be 0 to {UNKNOWN}")
    check_labels(labels, INDOOR, f"{path}: target_lr")
    return SemanticGrid(_upright(labels), _FINE_SIZE * _BLOCK, np.eye(4), INDOOR.name)


def _upright(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """From x, up, y to x, y, up."""
    return np.ascontiguousarray(labels.transpose(0, 2, 1))


def _coarse(fine: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """One voxel for each block of 4^3: the most frequent class, or empty or unknown where nearly all are."""
    x, y, z = _COARSE
    blocks = fine.reshape(x, _BLOCK, y, _BLOCK, z, _BLOCK).transpose(0, 2, 4, 1, 3, 5).reshape(x * y * z, -1)
    counts = np.stack([(blocks == label).sum(axis=1, dtype=np.uint8) for label in range(len(INDOOR))], axis=1)
    empty, unknown = counts[:, EMPTY], (blocks == UNKNOWN).sum(axis=1, dtype=np.uint8)
    full = counts[:, 1:].argmax(axis=1).astype(np.uint8) + np.uint8(1)
    nothing = np.where(empty > unknown, np.uint8(EMPTY), np.uint8(UNKNOWN))
    hollow = empty.astype(np.int64) + unknown > _MOST_EMPTY
    return np.where(hollow, nothing, full).reshape(_COARSE)


_OTHER_BIN = "A .bin file of SemanticKITTI is a mask: open the .label file of the same name"
