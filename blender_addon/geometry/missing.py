"""Which objects show nowhere in their grid, and why."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

import numpy as np
from occscene.grid import SemanticGrid
from occscene.rigid import invert_rigid

from .voxelization.scanlines import Bools
from .voxelization.voxelize import TriangleObject


class Absence(Enum):
    """Why an object has no voxel."""

    NO_FACES = "no faces"
    OUTSIDE = "outside the volume"
    COVERED = "covered by others"


def absences(
    grid: SemanticGrid, objects: Sequence[TriangleObject], sources: Sequence[str], faceless: Sequence[str]
) -> dict[str, Absence]:
    """The sources that have no voxel, by name.

    Args:
        grid: its instance ids are the positions of `objects` counted from 1.
        objects: what was voxelised.
        sources: the name of what each comes from; several may come from one.
        faceless: names of what has a class but nothing to voxelise.
    """
    assert grid.instances is not None  # as of all that `voxelize` returns
    shows = np.bincount(grid.instances.reshape(-1), minlength=len(objects) + 1)[1:] > 0
    shown = {source for source, is_shown in zip(sources, shows, strict=True) if is_shown}
    result = dict.fromkeys((name for name in faceless if name not in shown), Absence.NO_FACES)
    hidden = np.flatnonzero(~shows)
    meets = _meet(grid, [objects[index] for index in hidden])
    for index, is_inside in zip(hidden, meets, strict=True):
        if sources[index] not in shown and result.get(sources[index]) is not Absence.COVERED:
            result[sources[index]] = Absence.COVERED if is_inside else Absence.OUTSIDE
    return result


def _meet(grid: SemanticGrid, objects: Sequence[TriangleObject]) -> Bools:
    """Which objects have a triangle whose bounds meet the grid's."""
    grid_from_world = invert_rigid(grid.world_from_grid)
    end = np.array(grid.shape) * grid.voxel_size
    result = np.zeros(len(objects), bool)
    for index, item in enumerate(objects):
        places = item.triangles @ grid_from_world[:3, :3].T + grid_from_world[:3, 3]
        result[index] = ((places.max(axis=1) > 0) & (places.min(axis=1) < end)).all(axis=1).any()
    return result
