"""Cameras that stand in filled voxels: their pictures would show nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from occscene.camera import PinholeCamera
from occscene.grid import EMPTY, UNKNOWN, SemanticGrid
from occscene.rigid import invert_rigid
from occscene.taxonomy import TAXONOMIES


@dataclass(frozen=True)
class Standing:
    """A camera in a filled voxel.

    Args:
        camera: its name.
        class_name: the voxel's class.
        object_name: the voxel's object; "" in a grid without objects.
        is_buried: all voxels around it are filled too, so that it sees nothing whatever the voxels are rounded to.
    """

    camera: str
    class_name: str
    object_name: str
    is_buried: bool


def standing_cameras(grid: SemanticGrid, cameras: Sequence[PinholeCamera]) -> tuple[Standing, ...]:
    """Which of the cameras stand in filled voxels of a grid; outside of it nothing is filled."""
    filled = np.pad((grid.labels != EMPTY) & (grid.labels != UNKNOWN), 1)
    classes = TAXONOMIES[grid.taxonomy].classes
    names = {entry.id: entry.name for entry in grid.objects}
    grid_from_world = invert_rigid(grid.world_from_grid)
    standing = []
    for camera in cameras:
        place = grid_from_world[:3, :3] @ camera.world_from_camera[:3, 3] + grid_from_world[:3, 3]
        x, y, z = np.floor(place / grid.voxel_size).astype(int)
        if not (np.array((x, y, z)) >= (0, 0, 0)).all() or not (np.array((x, y, z)) < grid.shape).all():
            continue
        if filled[x + 1, y + 1, z + 1]:
            name = "" if grid.instances is None else names.get(int(grid.instances[x, y, z]), "")
            is_buried = bool(filled[x : x + 3, y : y + 3, z : z + 3].all())
            standing.append(Standing(camera.name, classes[int(grid.labels[x, y, z])].name, name, is_buried))
    return tuple(standing)
