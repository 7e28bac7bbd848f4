"""Triangles of many objects to one semantic grid.

What becomes a voxel of an object:
- inside closed surfaces, the voxels whose centre is inside (signed crossings of voxel-centre lines, in the manner of
  Schwarz and Seidel 2010, "Fast parallel surface and solid voxelization on GPUs");
- where a line along x, y or z passes through a closed surface without meeting a centre inside - a thin wall - the
  voxel at the middle of the passage;
- of open surfaces, the voxels in which such lines cross them (6-separating: nothing leaks through, and one voxel thin);
- what all lines miss - poles, spikes, specks - along the triangles' edges (`slender`).
Everything is done for all objects at once: the cost grows with triangles and surface, not with objects times grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from occscene.grid import GridObject, GridVolume, SemanticGrid
from occscene.limits import MAX_OBJECTS
from occscene.rigid import invert_rigid
from occscene.taxonomy import Taxonomy

from .closedness import ClosedGroups, closed_groups, scrambled, vertex_hashes
from .crossings import Bools, Floats, Ints, Shape, batches
from .marks import Marks
from .painting import Changes, Runs, visible_changes
from .passages import Passages, scanned
from .slender import MARGIN, EdgePoints, Occupied, bare_points, slender_voxels

_LATTICE = 2**16
"""Places per voxel to which corners are snapped, so that what touches shares its corners to the bit."""

_NUDGE = np.array([5, 7, 11]) / _LATTICE
"""Voxels by which everything is moved: a face on voxel planes or centres then lies on one side throughout."""

_NARROW = 0.999
"""Voxels below which an object counts as less than a voxel thick."""

_BORDER = MARGIN
"""Voxels worked on around the grid, so that what lies there is judged like what lies inside."""

_FAR = 256
"""Voxels around the grid in which the normals of what sticks out of it are compared with those inside."""

Label = TypeVar("Label", np.uint8, np.uint16)


@dataclass(frozen=True, eq=False)
class TriangleObject:
    """One object to voxelise.

    Args:
        name: shown in the grid's object table.
        class_index: label in the taxonomy.
        triangles: (T, 3, 3) world coordinates in metres.
        priority: 0 .. 255, the larger wins where objects overlap; None takes the class's.
        shell_only: keep the surface, do not fill.
        hint: the colour that it should have, linear RGB in [0, 1].
    """

    name: str
    class_index: int
    triangles: Floats
    priority: int | None = None
    shell_only: bool = False
    hint: tuple[float, float, float] | None = None


def voxelize(objects: Sequence[TriangleObject], volume: GridVolume, taxonomy: Taxonomy) -> SemanticGrid:
    """Voxelises objects into a grid whose instance ids are the objects' positions counted from 1.

    Where objects overlap the higher priority wins, then the later object.

    Raises:
        ValueError: more objects than a grid can tell apart, or an object with corners that are not finite.
    """
    if len(objects) > MAX_OBJECTS:
        raise ValueError(f"{len(objects)} objects; a grid tells at most {MAX_OBJECTS} apart: join some")
    classes = taxonomy.classes
    priority = [classes[item.class_index].priority if item.priority is None else item.priority for item in objects]
    order = np.argsort(
        np.array(priority, np.int64), kind="stable"
    )  # from the first overlaid to the one that always shows
    ranked = [objects[index] for index in order]
    occupancy = occupy(
        *_voxel_corners(ranked, volume), np.array([item.shell_only for item in ranked], bool), volume.shape
    )
    return SemanticGrid(
        occupancy.painted(np.array([0, *(item.class_index for item in ranked)], np.uint8)),
        volume.voxel_size,
        volume.world_from_grid,
        taxonomy.name,
        occupancy.painted(np.concatenate([[0], order + 1]).astype(np.uint16)),
        tuple(GridObject(index + 1, item.name, item.hint) for index, item in enumerate(objects)),
    )


@dataclass(frozen=True, eq=False)
class Occupancy:
    """Which object shows in which voxel, in short."""

    changes: Changes
    marks: Marks

    def painted(self, value_of_rank: NDArray[Label]) -> NDArray[Label]:
        """The dense grid in which every object has its value.

        Args:
            value_of_rank: (objects + 1,), beginning with the 0 of empty voxels.
        """
        grid = self.changes.painted(value_of_rank)
        grid.reshape(-1)[self.marks.voxel] = value_of_rank[self.marks.rank]
        inner = slice(_BORDER, -_BORDER)
        return np.ascontiguousarray(grid[inner, inner, inner])


def occupy(corners: Floats, owner: Ints, shell_only: Bools, shape: Shape) -> Occupancy:
    """Voxelises objects of which each outranks the ones before it.

    Args:
        corners: (3 axes, 3 corners, T) in voxel units.
        owner: (T,) the object of each triangle, ascending.
        shell_only: (objects,) whose insides stay empty.
        shape: the grid's sides.
    """
    bordered = (shape[0] + 2 * _BORDER, shape[1] + 2 * _BORDER, shape[2] + 2 * _BORDER)
    corners, vertex = _snapped(corners)
    groups = closed_groups(vertex, owner, np.zeros(len(shell_only), bool))
    scan = scanned(corners, groups, 0, bordered)
    outside = _far_passages(corners, owner, groups, bordered)
    disagreeing = _disagreeing([scan[0], outside], groups, len(shell_only))
    if disagreeing.any():
        groups = closed_groups(vertex, owner, disagreeing)
        scan = scanned(corners, groups, 0, bordered)
    runs = _filling_runs(scan[0], groups, shell_only)
    found = []
    for axis in range(3):
        along, triangle, voxel = scan if axis == 0 else scanned(corners, groups, axis, bordered)
        found += [(owner[triangle] + 1, voxel), *_surface_voxels(along, groups, shell_only)]
    changes, marks = visible_changes(runs, bordered), Marks.joined(found)
    ranks = changes.painted(np.arange(len(shell_only) + 1, dtype=np.min_scalar_type(len(shell_only))))
    visible = marks.shown_on(ranks)
    slender = _slender(corners, vertex, owner, Occupied(ranks, runs, marks)).shown_on(ranks)
    return Occupancy(changes, Marks.joined([(visible.rank, visible.voxel), (slender.rank, slender.voxel)]))


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


def _snapped(corners: Floats) -> tuple[Floats, NDArray[np.uint64]]:
    """Corners at places of the bordered grid that are equal where they touch, and hashes of these places."""
    snapped, vertex = np.empty_like(corners), np.empty(corners.shape[1:], np.uint64)
    for batch in batches(corners.shape[2]):
        lattice = np.rint(corners[:, :, batch] * _LATTICE)
        vertex[:, batch] = vertex_hashes(lattice.astype(np.int64))
        snapped[:, :, batch] = lattice / _LATTICE + (_NUDGE + _BORDER)[:, None, None]
    return snapped, vertex


def _far_passages(corners: Floats, owner: Ints, groups: ClosedGroups, bordered: Shape) -> Passages:
    """The passages along x, inside and far around the grid, through objects of many parts that stick out of it."""
    far = (bordered[0] + 2 * _FAR, bordered[1] + 2 * _FAR, bordered[2] + 2 * _FAR)
    outside = ((corners < 0) | (corners > np.array(bordered)[:, None, None])).any(axis=(0, 1))
    chosen = np.flatnonzero((groups.of_triangle >= 0) & np.isin(owner, owner[outside]))
    chosen = chosen[groups.whole[groups.of_triangle[chosen]]]
    there = replace(groups, of_triangle=groups.of_triangle[chosen])
    return scanned(corners[:, :, chosen] + _FAR, there, 0, far)[0]


def _disagreeing(along_x: Sequence[Passages], groups: ClosedGroups, objects: int) -> Bools:
    """Which objects (objects,) have solid parts of both orientations.

    Where such parts overlap their crossings would cancel. A cavity is no such part: inside the outer surface nothing
    of it is solid.
    """
    either = np.zeros((2, len(groups.owner)), bool)
    for along in along_x:
        solid = np.flatnonzero(along.end > along.begin)
        either[along.upward[solid].astype(np.int64), along.group()[solid]] = True
    result = np.zeros(objects, bool)
    result[groups.owner[either.all(axis=0) & ~groups.alternating]] = True
    return result


def _filling_runs(along_x: Passages, groups: ClosedGroups, shell_only: Bools) -> Runs:
    """What fills closed groups."""
    owner = groups.owner[along_x.group()]
    begin, end = (np.minimum(np.maximum(places, 0), along_x.key.shape[0]) for places in (along_x.begin, along_x.end))
    filled = np.flatnonzero((begin < end) & ~shell_only[owner])
    y, z = along_x.key.line(along_x.enter[filled])
    return Runs(owner[filled] + 1, y * along_x.key.shape[2] + z, begin[filled], end[filled])


def _surface_voxels(along: Passages, groups: ClosedGroups, shell_only: Bools) -> list[tuple[Ints, Ints]]:
    """Ranks and flat indices of voxels that passages show beside what is filled: thin walls and hollow objects."""
    centers = along.end - along.begin
    # one axis may see a centre a hair inside that another sees outside, so a single voxel is shown too
    single, none = np.flatnonzero(centers == 1), np.flatnonzero(centers < 1)
    middle = along.key.middle(along.enter[none], along.leave[none])
    found = [along.voxels(single, along.begin[single]), along.voxels(none, middle)]
    if shell_only.any():
        hollow = np.flatnonzero(shell_only[groups.owner[along.group()]] & (centers > 1))
        found += [along.voxels(hollow, along.begin[hollow]), along.voxels(hollow, along.end[hollow] - 1)]
    return [(groups.owner[group] + 1, voxel) for group, voxel in found]


def _slender(corners: Floats, vertex: NDArray[np.uint64], owner: Ints, occupied: Occupied) -> Marks:
    """Voxels for what the lines missed.

    Along an axis in which an object measures less than a voxel its edges are moved to its middle, so that it does not
    show twice where it straddles two voxels.
    """
    middle, narrow = _narrow_middles(corners, owner)
    found = []
    for batch in batches(len(owner)):
        flat, places = narrow[:, batch], corners[:, :, batch]
        if flat.any():
            places = np.where(flat[:, None], middle[:, None, batch], places)
        start, triangle = _longest_edges(corners[:, :, batch], vertex[:, batch], owner[batch])
        edges = places[:, start, triangle], places[:, (start + 1) % 3, triangle]
        found.append(bare_points(*edges, owner[batch][triangle] + 1, occupied))
    return Marks.joined([slender_voxels(EdgePoints.joined(found), occupied)] if found else [])


def _longest_edges(corners: Floats, vertex: NDArray[np.uint64], owner: Ints) -> tuple[Ints, Ints]:
    """The longest edges of triangles, each edge of an object once: first corner and triangle."""
    side = np.roll(corners, -1, axis=1) - corners
    length = side[0] * side[0] + side[1] * side[1] + side[2] * side[2]
    longest = np.maximum(np.maximum(length[0], length[1]), length[2])
    start, triangle = np.nonzero((length == longest) & (length > 0))
    key = vertex[start, triangle] + vertex[(start + 1) % 3, triangle] + scrambled(owner)[triangle]
    order = np.argsort(key)  # several times as fast as numpy.unique with indices
    key = key[order]
    once = order[np.concatenate([key[1:] != key[:-1], np.ones(min(1, len(key)), bool)])]
    return start[once], triangle[once]


def _narrow_middles(corners: Floats, owner: Ints) -> tuple[Floats, Bools]:
    """Per axis and triangle (3, T) the middle of its object, and whether the object measures less than a voxel."""
    if not len(owner):
        return np.zeros((3, 0)), np.zeros((3, 0), bool)
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    low = np.minimum.reduceat(corners.min(axis=1), first, axis=1)
    high = np.maximum.reduceat(corners.max(axis=1), first, axis=1)
    triangles = np.diff(first, append=len(owner))
    return np.repeat((low + high) / 2, triangles, axis=1), np.repeat(high - low < _NARROW, triangles, axis=1)
