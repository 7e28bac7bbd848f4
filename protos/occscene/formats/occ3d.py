"""Files of Occ3D: 200 x 200 x 16 voxels of 0.4 m around a car.

`labels.npz` of Occ3D-nuScenes has the arrays `semantics` (uint8, 0 .. 16 the classes of nuScenes-lidarseg, 17 free),
`mask_lidar` and `mask_camera` (0 where the voxel was not observed). `*_04.npz` of Occ3D-Waymo has `voxel_label` (0 ..
14 classes, 15 or 23 free) and `origin_voxel_state` (0 where the laser did not observe it). Sources: the data set's
README and its loaders, which know 23.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from occscene.grid import EMPTY, UNKNOWN, SemanticGrid
from occscene.npz import NpzReader
from occscene.taxonomy import OUTDOOR

SHAPE = (200, 200, 16)
VOXEL_SIZE = 0.4
ORIGIN = (-40.0, -40.0, -1.0)
"""Metres from the car's own origin, x forward, y left, z up, to the corner of the first voxel."""

FREE = 17

OUTDOOR_OF_LIDARSEG = {
    "barrier": "fence",
    "bicycle": "bicycle",
    "bus": "other-vehicle",
    "car": "car",
    "construction_vehicle": "other-vehicle",
    "motorcycle": "motorcycle",
    "pedestrian": "person",
    "traffic_cone": "traffic-sign",
    "trailer": "other-vehicle",
    "truck": "truck",
    "driveable_surface": "road",
    "other_flat": "other-ground",
    "sidewalk": "sidewalk",
    "terrain": "terrain",
    "manmade": "building",
    "vegetation": "vegetation",
}
"""nuScenes-lidarseg's classes 1 .. 16 in order, and the class of `outdoor` that each becomes; 0 becomes unknown."""

_WAYMO_FREE = (15, 23)
_OUTDOOR_OF_WAYMO = (
    "", "car", "person", "traffic-sign", "bicyclist", "traffic-sign", "pole", "other-ground", "bicycle", "motorcycle",
    "building", "vegetation", "trunk", "road", "sidewalk",
)  # fmt: skip
"""The class of `outdoor` of each of Waymo's; the first, general objects, becomes unknown."""

_OCC3D_OF_OUTDOOR = {
    "car": "car",
    "bicycle": "bicycle",
    "motorcycle": "motorcycle",
    "truck": "truck",
    "other-vehicle": "bus",
    "person": "pedestrian",
    "bicyclist": "bicycle",
    "motorcyclist": "motorcycle",
    "road": "driveable_surface",
    "parking": "driveable_surface",
    "sidewalk": "sidewalk",
    "other-ground": "other_flat",
    "building": "manmade",
    "fence": "barrier",
    "vegetation": "vegetation",
    "trunk": "vegetation",
    "terrain": "terrain",
    "pole": "manmade",
    "traffic-sign": "manmade",
}


@dataclass(frozen=True, eq=False)
class Occ3DFrame:
    """One frame.

    Args:
        grid: of the taxonomy `outdoor`; what the laser did not observe is unknown.
        mask_lidar: (200, 200, 16), the voxels that the laser observed.
        mask_camera: (200, 200, 16), the voxels that the cameras observed.
    """

    grid: SemanticGrid
    mask_lidar: NDArray[np.bool_]
    mask_camera: NDArray[np.bool_]


def read_occ3d(path: Path) -> Occ3DFrame:
    """Reads a `labels.npz`; a mask that is missing counts as observed throughout.

    Raises:
        ValueError: not such a file.
        OSError: the file cannot be read.
    """
    with NpzReader(path) as members:
        members.require("semantics")
        semantics = _read(members, path, "semantics", "u")
        lidar, camera = (
            _read(members, path, name, "ub").astype(bool) if name in members else np.ones(SHAPE, bool)
            for name in ("mask_lidar", "mask_camera")
        )
    if semantics.max() > FREE:
        raise ValueError(f"{path}: semantics has the label {semantics.max()}; Occ3D-nuScenes has 0 to {FREE}")
    class_of_occ3d = np.array([UNKNOWN, *map(OUTDOOR.index_of, OUTDOOR_OF_LIDARSEG.values()), EMPTY], np.uint8)
    labels = np.where(lidar, class_of_occ3d[semantics], np.uint8(UNKNOWN))
    pose = np.eye(4)
    pose[:3, 3] = ORIGIN
    return Occ3DFrame(SemanticGrid(labels, VOXEL_SIZE, pose, OUTDOOR.name), lidar, camera)


def write_occ3d(path: Path, grid: SemanticGrid, mask_camera: NDArray[np.bool_] | None = None) -> None:
    """Writes a `labels.npz`; unknown voxels become free ones that the laser did not observe.

    Occ3D has fewer classes: parking becomes road, riders what they ride, trunks vegetation, poles and signs buildings.

    Args:
        path: the file.
        grid: of the taxonomy `outdoor` and 200 x 200 x 16 voxels; where it lies is not stored.
        mask_camera: the voxels that cameras observe; None takes those that are not unknown.

    Raises:
        ValueError: another taxonomy or another shape.
    """
    if grid.taxonomy != OUTDOOR.name:
        raise ValueError(f"the grid's taxonomy is {grid.taxonomy!r}; Occ3D files are written from {OUTDOOR.name!r}")
    if grid.shape != SHAPE:
        raise ValueError(f"the grid has {grid.shape} voxels; Occ3D-nuScenes files hold {SHAPE}")
    names = list(OUTDOOR_OF_LIDARSEG)
    occ3d_of_class = np.full(256, FREE, np.uint8)
    for entry in OUTDOOR.classes[1:]:
        occ3d_of_class[entry.index] = 1 + names.index(_OCC3D_OF_OUTDOOR[entry.name])
    observed = grid.labels != UNKNOWN
    with path.open("wb") as file:
        np.savez_compressed(
            file,
            semantics=occ3d_of_class[grid.labels],
            mask_lidar=observed.astype(np.uint8),
            mask_camera=(observed if mask_camera is None else mask_camera).astype(np.uint8),
        )


def read_occ3d_waymo(path: Path) -> SemanticGrid:
    """Reads a `*_04.npz` file of Occ3D-Waymo as a grid of the taxonomy `outdoor`; what the laser missed is unknown.

    Raises:
        ValueError: not such a file, or one of 1600 x 1600 x 64 voxels, which are not cubes.
        OSError: the file cannot be read.
    """
    with NpzReader(path) as members:
        members.require("voxel_label")
        if members.shape("voxel_label") == (1600, 1600, 64):
            raise ValueError(f"{path} has voxels of 0.1 x 0.1 x 0.2 m; open the file of 0.4 m (*_04.npz)")
        classes = _read(members, path, "voxel_label", "u")
        name = "origin_voxel_state"
        observed = _read(members, path, name, "ub").astype(bool) if name in members else np.ones(SHAPE, bool)
    label_of = np.full(256, UNKNOWN, np.uint8)
    label_of[1 : len(_OUTDOOR_OF_WAYMO)] = [OUTDOOR.index_of(item) for item in _OUTDOOR_OF_WAYMO[1:]]
    label_of[list(_WAYMO_FREE)] = EMPTY
    known = np.isin(classes, [*range(len(_OUTDOOR_OF_WAYMO)), *_WAYMO_FREE])
    if not known.all():
        raise ValueError(f"{path}: voxel_label has the label {classes[~known][0]}; Occ3D-Waymo has 0 to 15 and 23")
    labels = np.where(observed, label_of[classes], np.uint8(UNKNOWN))
    pose = np.eye(4)
    pose[:3, 3] = ORIGIN
    return SemanticGrid(labels, VOXEL_SIZE, pose, OUTDOOR.name)


def _read(members: NpzReader, path: Path, name: str, kinds: str) -> NDArray[np.uint8]:
    if members.shape(name) != SHAPE:
        raise ValueError(f"{path}: {name} has the shape {members.shape(name)}; Occ3D has {SHAPE}")
    return members.read(name, kinds, int(np.prod(SHAPE)))
