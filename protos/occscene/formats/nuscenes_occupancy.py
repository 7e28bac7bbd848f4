"""`.npy` files of nuScenes-Occupancy (OpenOccupancy) and SurroundOcc: a row for each occupied voxel.

nuScenes-Occupancy: rows `z y x class`, 512 x 512 x 40 voxels of 0.2 m from (-51.2, -51.2, -5) on. SurroundOcc: rows
`x y z class`, 200 x 200 x 16 voxels of 0.5 m from (-50, -50, -5) on. Classes are 1 .. 16 of nuScenes-lidarseg, 0 is
noise, that is unknown. Sources: both projects' `LoadOccupancy` and configurations.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from occscene.formats.occ3d import OUTDOOR_OF_LIDARSEG
from occscene.grid import EMPTY, UNKNOWN, SemanticGrid
from occscene.npz import read_npy
from occscene.taxonomy import OUTDOOR

_SHAPE, _VOXEL_SIZE, _ORIGIN = (512, 512, 40), 0.2, (-51.2, -51.2, -5.0)
_SURROUND_SHAPE, _SURROUND_VOXEL_SIZE, _SURROUND_ORIGIN = (200, 200, 16), 0.5, (-50.0, -50.0, -5.0)

_MAX_BYTES = 2**27
"""Of a file: four million rows of int64."""


def read_nuscenes_occupancy(path: Path) -> SemanticGrid:
    """Reads either file as a grid of the taxonomy `outdoor`; the height distinguishes the two.

    Raises:
        ValueError: not such a file.
        OSError: the file cannot be read.
    """
    rows = read_npy(path, "iuf", _MAX_BYTES)
    if rows.ndim != 2 or rows.shape[1] < 4 or not len(rows):
        raise ValueError(f"{path} has the shape {rows.shape}; rows of place and class have (N, 4)")
    with np.errstate(invalid="ignore"):  # what is no number becomes a negative one
        cells, classes = rows[:, :3].astype(np.int64), rows[:, -1]
    if (cells < 0).any() or not ((classes >= 0) & (classes <= 16)).all():
        raise ValueError(f"{path}: places are from 0 on and classes 0 to 16; it has {cells.min()} and {classes.max()}")
    shape, size, origin = _SHAPE, _VOXEL_SIZE, _ORIGIN
    upright = cells[:, ::-1]
    if (upright >= shape).any():
        shape, size, origin, upright = _SURROUND_SHAPE, _SURROUND_VOXEL_SIZE, _SURROUND_ORIGIN, cells
    if (upright >= shape).any():
        raise ValueError(
            f"{path} has a voxel outside {_SHAPE} (nuScenes-Occupancy) and {_SURROUND_SHAPE} (SurroundOcc)"
        )
    label_of = np.array([UNKNOWN, *map(OUTDOOR.index_of, OUTDOOR_OF_LIDARSEG.values())], np.uint8)
    labels = np.full(shape, EMPTY, np.uint8)
    labels[tuple(upright.T)] = label_of[classes.astype(np.int64)]
    pose = np.eye(4)
    pose[:3, 3] = origin
    return SemanticGrid(labels, size, pose, OUTDOOR.name)
