"""Triangles of many objects to one semantic grid.

What becomes a voxel of an object:
- inside closed surfaces, the voxels whose centre is inside (signed hits of voxel-centre lines, in the manner of
  Schwarz and Seidel 2010, "Fast parallel surface and solid voxelization on GPUs"), unless they are rooms (`rooms`);
- inside surfaces that nearly close, the voxels whose centre is (`openings`);
- where a line along x, y or z passes through a closed surface without meeting a centre inside - a thin wall - the
  voxel at the middle of the span;
- of rooms the outermost of the voxels inside, and of open surfaces those in which such lines cross them (6-separating:
  nothing leaks through, and one voxel thin);
- where lines miss a body and planes through voxel centres do not - cables, rails, tips - or all of these do - specks -
  the voxel at the middle of what is there, so that what is connected stays so (`thin_features`).
What lies on the border of the grid is in its outermost voxels. Everything is done for all objects at once: the cost
grows with triangles and surface, not with objects times grid; what nearly closes pays for its volume too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import numpy as np
from occscene.grid import GridObject, GridVolume, SemanticGrid
from occscene.limits import MAX_OBJECTS
from occscene.rigid import invert_rigid
from occscene.taxonomy import Taxonomy

from .occupancy import FillRules, Occupancy, occupy
from .openings import SHEET_CLASSES
from .rooms import ROOM_CLASSES
from .scanlines import Floats, Ints, batches


class Fill(Enum):
    """What of an object's inside is voxelised.

    AUTOMATIC: what closed surfaces enclose, but for rooms (`rooms`), and what nearly closes (`openings`).
    SOLID: what surfaces enclose, be they rooms or open.
    SURFACE: nothing.
    """

    AUTOMATIC = "automatic"
    SOLID = "solid"
    SURFACE = "surface"


@dataclass(frozen=True, eq=False)
class TriangleObject:
    """One object to voxelise.

    Args:
        name: shown in the grid's object table.
        class_index: label in the taxonomy.
        triangles: (T, 3, 3) world coordinates in metres.
        priority: the larger wins where objects overlap; None takes the class's, 0 .. 255.
        fill: what of its inside is voxelised.
        hint: the colour that it should have, linear RGB in [0, 1].
        prompt: a description of what it looks like.
        shown: (S, 3, 3) what is seen of it, where that is not `triangles`.
    """

    name: str
    class_index: int
    triangles: Floats
    priority: int | None = None
    fill: Fill = Fill.AUTOMATIC
    hint: tuple[float, float, float] | None = None
    prompt: str = ""
    shown: Floats | None = None


def voxelize(objects: Sequence[TriangleObject], volume: GridVolume, taxonomy: Taxonomy) -> SemanticGrid:
    """Voxelises objects into a grid whose instance ids are the objects' positions counted from 1.

    Where objects overlap the higher priority wins, then the later object.

    Raises:
        ValueError: more objects than a grid can hold, or an object with corners that are not finite.
    """
    return voxelize_with_rooms(objects, volume, taxonomy)[0]


def voxelize_with_rooms(
    objects: Sequence[TriangleObject], volume: GridVolume, taxonomy: Taxonomy
) -> tuple[SemanticGrid, tuple[int, ...]]:
    """The grid of `voxelize`, and the positions of the objects that were taken for rooms, ascending.

    Raises:
        ValueError: as `voxelize`.
    """
    if len(objects) > MAX_OBJECTS:
        raise ValueError(f"{len(objects)} objects; a grid can hold at most {MAX_OBJECTS}: join some")
    classes = taxonomy.classes
    priority = [classes[item.class_index].priority if item.priority is None else item.priority for item in objects]
    # from the first overlaid to the one that always shows
    order = np.argsort(np.array(priority, np.int64), kind="stable")
    occupancy = _occupancy([objects[index] for index in order], volume, taxonomy)
    grid = SemanticGrid(
        occupancy.painted(np.array([0, *(objects[index].class_index for index in order)], np.uint8)),
        volume.voxel_size,
        volume.world_from_grid,
        taxonomy.name,
        occupancy.painted(np.concatenate([[0], order + 1]).astype(np.uint16)),
        tuple(GridObject(index + 1, item.name, item.hint, item.prompt) for index, item in enumerate(objects)),
    )
    return grid, tuple(np.sort(order[occupancy.rooms]).tolist())


def _occupancy(ranked: Sequence[TriangleObject], volume: GridVolume, taxonomy: Taxonomy) -> Occupancy:
    """Which of the objects, each outranking the ones before it, shows where."""
    corners, owner = _voxel_corners(ranked, volume)
    fill = [item.fill for item in ranked]
    names = [taxonomy.classes[item.class_index].name for item in ranked]
    rules = FillRules(
        np.array([choice is Fill.SURFACE for choice in fill], bool),
        np.array([f is Fill.AUTOMATIC and name in ROOM_CLASSES for f, name in zip(fill, names, strict=True)], bool),
        np.array([name not in SHEET_CLASSES for name in names], bool),
        np.array([choice is Fill.SOLID for choice in fill], bool),
        volume.world_from_grid[:3, :3] * volume.voxel_size,
    )
    return occupy(corners, owner, rules, volume.shape)


def _voxel_corners(objects: Sequence[TriangleObject], volume: GridVolume) -> tuple[Floats, Ints]:
    """The triangles of objects (3 axes, 3 corners, T) in voxel units of a grid, and the object of each (T,)."""
    world = np.concatenate([np.zeros((0, 3, 3)), *(item.triangles for item in objects)])
    owner = np.repeat(np.arange(len(objects)), [len(item.triangles) for item in objects])
    if not np.isfinite(world).all():
        name = objects[int(owner[~np.isfinite(world).all(axis=(1, 2))][0])].name
        raise ValueError(f"object {name!r} has corners that are not finite; clean up its mesh, or hide it")
    voxels_from_world = invert_rigid(volume.world_from_grid)[:3] / volume.voxel_size
    corners = np.empty((3, 3, len(world)))
    for batch in batches(len(world)):
        places = world[batch].reshape(-1, 3) @ voxels_from_world[:, :3].T + voxels_from_world[:, 3]
        corners[:, :, batch] = places.reshape(-1, 3, 3).transpose(2, 1, 0)
    return corners, owner
