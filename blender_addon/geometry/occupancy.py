"""Which object shows in which voxel: the voxeliser behind `voxelize`, in voxel units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from .closedness import OPEN, REPEATED, ClosedGroups, closed_groups, scrambled, vertex_hashes
from .crossings import Bools, Floats, Ints, Shape, batches
from .marks import Marks
from .open_filling import open_fillings
from .openings import nearly_closed
from .painting import Changes, Runs, visible_changes
from .passages import Passages, scanned
from .rooms import WorldCorners, room_groups, with_walls_between
from .slender import MARGIN, EdgePoints, Occupied, bare_points, slender_voxels

_LATTICE = 2**16
"""Places per voxel to which corners are snapped, so that what touches shares its corners to the bit."""

_NUDGE = np.array([5, 7, 11]) / _LATTICE
"""Voxels by which everything is moved: a face on voxel planes or centres then lies on one side throughout."""

_ON_BORDER = 2.0**-9
"""Voxels from the grid's border up to which a plane lies on it, and so in the outermost voxels, on either side: volumes
are fitted to single precision, and may be smaller than what they hold by a thousandth of a voxel."""

_NARROW = 0.999
"""Voxels below which an object counts as less than a voxel thick."""

_BORDER = MARGIN
"""Voxels worked on around the grid, so that what lies there is judged like what lies inside."""

_FAR = 256
"""Voxels around the grid in which the normals of what sticks out of it are compared with those inside."""

Label = TypeVar("Label", np.uint8, np.uint16)


@dataclass(frozen=True, eq=False)
class FillRules:
    """What of each object is filled.

    Args:
        surface: (objects,) nothing: its inside stays empty.
        may_be_room: (objects,) its closed bodies, unless they are rooms.
        small_openings: (objects,) bodies with small openings too.
        any_opening: (objects,) bodies with any openings.
        metres_from_voxels: (3, 3) directions in voxel units to directions in the world.
    """

    surface: Bools
    may_be_room: Bools
    small_openings: Bools
    any_opening: Bools
    metres_from_voxels: Floats


@dataclass(frozen=True, eq=False)
class Occupancy:
    """Which object shows in which voxel, in short.

    Args:
        changes, marks: the runs that fill objects, and single voxels.
        rooms: (objects,) which were taken for rooms.
    """

    changes: Changes
    marks: Marks
    rooms: Bools

    def painted(self, value_of_rank: NDArray[Label]) -> NDArray[Label]:
        """The dense grid in which every object has its value.

        Args:
            value_of_rank: (objects + 1,), beginning with the 0 of empty voxels.
        """
        grid = self.changes.painted(value_of_rank)
        grid.reshape(-1)[self.marks.voxel] = value_of_rank[self.marks.rank]
        inner = slice(_BORDER, -_BORDER)
        return np.ascontiguousarray(grid[inner, inner, inner])


def occupy(corners: Floats, owner: Ints, rules: FillRules, shape: Shape) -> Occupancy:
    """Voxelises objects of which each outranks the ones before it.

    Args:
        corners: (3 axes, 3 corners, T) in voxel units.
        owner: (T,) the object of each triangle, ascending.
        rules: what of the objects is filled.
        shape: the grid's sides.
    """
    bordered = (shape[0] + 2 * _BORDER, shape[1] + 2 * _BORDER, shape[2] + 2 * _BORDER)
    objects = len(rules.surface)
    corners, vertex = _snapped(corners, bordered)
    groups, rooms, has_room, scan = _watertight(corners, vertex, owner, rules, bordered)
    groups, open_runs, found = _open_bodies(corners, vertex, owner, groups, rules, bordered)
    hollow = rules.surface[groups.owner] | rooms
    runs = Runs.joined([_filling_runs(scan[0], groups, hollow), *open_runs])
    for axis in range(3):
        along, triangle, voxel = scan if axis == 0 else scanned(corners, groups, axis, bordered)
        if axis == 0:
            still_open = np.flatnonzero(groups.of_triangle[triangle] == OPEN)
            triangle, voxel = triangle[still_open], voxel[still_open]
        found += [(owner[triangle] + 1, voxel), *_surface_voxels(along, groups, hollow)]
    changes, marks = visible_changes(runs, bordered), Marks.joined(found)
    ranks = changes.painted(np.arange(objects + 1, dtype=np.min_scalar_type(objects)))
    visible = marks.shown_on(ranks)
    slender = _slender(corners, vertex, owner, Occupied(ranks, runs, marks)).shown_on(ranks)
    return Occupancy(changes, Marks.joined([(visible.rank, visible.voxel), (slender.rank, slender.voxel)]), has_room)


def _watertight(
    corners: Floats, vertex: NDArray[np.uint64], owner: Ints, rules: FillRules, bordered: Shape
) -> tuple[ClosedGroups, Bools, Bools, tuple[Passages, Ints, Ints]]:
    """The closed groups; which of them (G,) stay hollow as rooms; which objects have rooms; and the scan along x."""
    apart = np.zeros(len(rules.surface), bool)
    groups = closed_groups(vertex, owner, apart)
    scan = scanned(corners, groups, 0, bordered)
    outside = _far_passages(corners, owner, groups, bordered)
    apart |= _disagreeing([scan[0], outside], groups, len(apart))
    if apart.any():
        groups = closed_groups(vertex, owner, apart)
        scan = scanned(corners, groups, 0, bordered)
    world = WorldCorners(corners, rules.metres_from_voxels)
    rooms = room_groups(world, owner, groups, rules.may_be_room)
    has_room = np.zeros(len(apart), bool)
    has_room[groups.owner[rooms]] = True
    if has_room.any():
        groups = closed_groups(vertex, owner, apart | has_room)  # what stands in a room is judged on its own
        rooms = room_groups(world, owner, groups, rules.may_be_room)
        groups, rooms = with_walls_between(world, groups, rooms)
        scan = scanned(corners, groups, 0, bordered)
    return groups, rooms, has_room, scan


def _open_bodies(
    corners: Floats, vertex: NDArray[np.uint64], owner: Ints, groups: ClosedGroups, rules: FillRules, bordered: Shape
) -> tuple[ClosedGroups, list[Runs], list[tuple[Ints, Ints]]]:
    """Fills what nearly closes: the groups without its triangles, its runs, and ranks and flat indices of voxels."""
    world = WorldCorners(corners, rules.metres_from_voxels)
    bodies = nearly_closed(world, vertex, owner, groups, rules.small_openings, rules.any_opening)
    item = np.array([owner[body.triangles[0]] for body in bodies], np.int64)
    runs, voxels, of_triangle = [], [], groups.of_triangle.copy()
    for filling in open_fillings(corners, bodies, rules.surface[item], bordered):
        rank = item[filling.body] + 1
        runs.append(Runs(np.full(len(filling.column), rank), filling.column, filling.begin, filling.end))
        voxels.append((np.full(len(filling.voxel), rank), filling.voxel))
    for body in bodies:
        of_triangle[body.triangles] = REPEATED
    return replace(groups, of_triangle=of_triangle), runs, voxels


def _snapped(corners: Floats, bordered: Shape) -> tuple[Floats, NDArray[np.uint64]]:
    """Corners at places of the bordered grid that are equal where they touch, and hashes of these places.

    Triangles in the plane of the grid's border are moved off it, inwards. Of what is closed that moves nothing: no
    voxel's centre is so near.
    """
    snapped, vertex = np.empty_like(corners), np.empty(corners.shape[1:], np.uint64)
    for batch in batches(corners.shape[2]):
        lattice = np.rint(corners[:, :, batch] * _LATTICE)
        vertex[:, batch] = vertex_hashes(lattice.astype(np.int64))
        places = lattice / _LATTICE + (_NUDGE + _BORDER)[:, None, None]
        for axis, side in enumerate(bordered):
            first, second, third = places[axis]
            level = np.flatnonzero((np.abs(first - second) < _ON_BORDER) & (np.abs(first - third) < _ON_BORDER))
            kept = places[axis][:, level]
            inside = _off_border(kept, side)
            places[axis][:, level] = np.where((inside != kept).all(axis=0), inside, kept)
        snapped[:, :, batch] = places
    return snapped, vertex


def _off_border(place: Floats, side: int) -> Floats:
    """Places along an axis of the bordered grid, those on the border of the grid moved into its outermost voxels."""
    low, high = _BORDER + _ON_BORDER, side - _BORDER - _ON_BORDER
    on_low, on_high = np.abs(place - _BORDER) < _ON_BORDER, np.abs(place - (side - _BORDER)) < _ON_BORDER
    return np.where(on_low, low, np.where(on_high, high, place))


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


def _filling_runs(along_x: Passages, groups: ClosedGroups, hollow: Bools) -> Runs:
    """What fills closed groups, but for those (G,) that stay hollow."""
    group = along_x.group()
    begin, end = (np.minimum(np.maximum(places, 0), along_x.key.shape[0]) for places in (along_x.begin, along_x.end))
    filled = np.flatnonzero((begin < end) & ~hollow[group])
    y, z = along_x.key.line(along_x.enter[filled])
    return Runs(groups.owner[group[filled]] + 1, y * along_x.key.shape[2] + z, begin[filled], end[filled])


def _surface_voxels(along: Passages, groups: ClosedGroups, hollow: Bools) -> list[tuple[Ints, Ints]]:
    """Ranks and flat indices of voxels that passages show beside what is filled: thin walls and hollow groups (G,)."""
    centers = along.end - along.begin
    # one axis may see a centre a hair inside that another sees outside, so a single voxel is shown too
    single, none = np.flatnonzero(centers == 1), np.flatnonzero(centers < 1)
    middle = along.key.middle(along.enter[none], along.leave[none])
    voxel = np.floor(_off_border(middle, along.key.shape[along.key.axis])).astype(np.int64)
    found = [along.voxels(single, along.begin[single]), along.voxels(none, voxel)]
    if hollow.any():
        thick = np.flatnonzero(hollow[along.group()] & (centers > 1))
        found += [along.voxels(thick, along.begin[thick]), along.voxels(thick, along.end[thick] - 1)]
    return [(groups.owner[group] + 1, voxel) for group, voxel in found]


def _slender(corners: Floats, vertex: NDArray[np.uint64], owner: Ints, occupied: Occupied) -> Marks:
    """Voxels for what the lines missed.

    Along an axis in which an object measures less than a voxel its edges are moved to its middle, so that it does not
    show twice where it straddles two voxels.
    """
    middle, narrow = _narrow_middles(corners, owner)
    for axis, side in enumerate(occupied.ranks.shape):
        middle[axis] = _off_border(middle[axis], side)
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
