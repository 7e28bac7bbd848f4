"""Which object shows in which voxel: the voxeliser behind `voxelize`, in voxel units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from .compositing import Changes, Runs, visible_changes
from .open_filling import open_fillings
from .openings import nearly_closed
from .rooms import WorldCorners, room_groups, with_walls_between
from .scanlines import Bools, Floats, Ints, Shape, batches
from .spans import Scan, Spans, scanned
from .thin_features import Occupied, in_cubes, in_squares
from .voxel_sets import BORDER, Marks, OwnVoxels, is_level, off_border
from .watertight import OPEN, REPEATED, ClosedGroups, closed_groups, vertex_hashes

_LATTICE = 2**16
"""Places per voxel to which corners are snapped, so that what touches shares its corners to the bit."""

_NUDGE = np.array([5, 7, 11]) / _LATTICE
"""Voxels by which everything is moved: a face on voxel planes or centres then lies on one side throughout."""

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
        return grid


def occupy(corners: Floats, owner: Ints, rules: FillRules, shape: Shape) -> Occupancy:
    """Voxelises objects of which each outranks the ones before it.

    Args:
        corners: (3 axes, 3 corners, T) in voxel units.
        owner: (T,) the object of each triangle, ascending.
        rules: what of the objects is filled.
        shape: the grid's sides.
    """
    bordered = (shape[0] + 2 * BORDER, shape[1] + 2 * BORDER, shape[2] + 2 * BORDER)
    objects = len(rules.surface)
    corners, vertex = _snapped(corners, bordered)
    groups, rooms, has_room, scan = _watertight(corners, vertex, owner, rules, bordered)
    groups, open_runs, voxels = _open_bodies(corners, vertex, owner, groups, rules, bordered)
    hollow = rules.surface[groups.owner] | rooms
    runs = Runs.joined([_filling_runs(scan.spans, groups, hollow), *open_runs])
    scans = [scan, *(scanned(corners, groups, axis, bordered) for axis in (1, 2))]
    for along in scans:
        still_open = groups.of_triangle[along.open_triangle] == OPEN  # of the first scan some were filled since
        voxels.append((owner[along.open_triangle[still_open]] + 1, along.open_voxel[still_open]))
        voxels += _surface_voxels(along.spans, groups, hollow)
    changes, marks = visible_changes(runs, bordered), Marks.joined(voxels)
    ranks = changes.painted(np.arange(objects + 1, dtype=np.min_scalar_type(objects)))
    shown, own = [marks.shown_on(ranks)], OwnVoxels(runs, bordered)
    thin = in_squares([along.squares for along in scans], owner, Occupied(ranks, marks, own))
    shown.append(thin.shown_on(ranks))
    marks = Marks.joined([(marks.rank, marks.voxel), (thin.rank, thin.voxel)])
    specks = in_cubes([along.above for along in scans], corners, owner, Occupied(ranks, marks, own))
    shown.append(specks.shown_on(ranks))
    marks = Marks.joined([(one.rank, one.voxel) for one in shown])
    return Occupancy(changes.within(BORDER), marks.within(BORDER, bordered), has_room)


def _watertight(
    corners: Floats, vertex: NDArray[np.uint64], owner: Ints, rules: FillRules, bordered: Shape
) -> tuple[ClosedGroups, Bools, Bools, Scan]:
    """The closed groups; which of them (G,) stay hollow as rooms; which objects have rooms; and the scan along x."""
    apart = np.zeros(len(rules.surface), bool)
    groups = closed_groups(vertex, owner, apart)
    scan = scanned(corners, groups, 0, bordered)
    outside = _far_spans(corners, owner, groups, bordered)
    apart |= _disagreeing([scan.spans, outside], groups, len(apart))
    if apart.any():
        groups = closed_groups(vertex, owner, apart)
        scan = scanned(corners, groups, 0, bordered)
    world = WorldCorners(corners, rules.metres_from_voxels)
    rooms = room_groups(world, owner, groups, rules.may_be_room)
    has_room = np.zeros(len(apart), bool)
    has_room[groups.owner[rooms]] = True
    if has_room.any():
        groups = closed_groups(vertex, owner, apart | has_room)  # what stands in a room is classified on its own
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
        places = corners[:, :, batch] * _LATTICE
        np.rint(places, out=places)
        vertex[:, batch] = vertex_hashes(places.astype(np.int64))
        places /= _LATTICE
        places += (_NUDGE + BORDER)[:, None, None]
        for axis, side in enumerate(bordered):
            first, second, third = places[axis]
            level = np.flatnonzero(is_level(first, second) & is_level(first, third))
            kept = places[axis][:, level]
            inside = off_border(kept, side)
            places[axis][:, level] = np.where((inside != kept).all(axis=0), inside, kept)
        snapped[:, :, batch] = places
    return snapped, vertex


def _far_spans(corners: Floats, owner: Ints, groups: ClosedGroups, bordered: Shape) -> Spans:
    """The spans along x, inside and far around the grid, through objects of many parts that stick out of it."""
    far = (bordered[0] + 2 * _FAR, bordered[1] + 2 * _FAR, bordered[2] + 2 * _FAR)
    side = np.array(bordered)
    inside = corners.min(axis=(1, 2), initial=0) >= 0, corners.max(axis=(1, 2), initial=0) <= side
    chosen = np.zeros(0, np.int64)
    if not np.all(inside):
        outside = ((corners < 0) | (corners > side[:, None, None])).any(axis=(0, 1))
        chosen = np.flatnonzero((groups.of_triangle >= 0) & np.isin(owner, owner[outside]))
    chosen = chosen[groups.whole[groups.of_triangle[chosen]]]
    there = replace(groups, of_triangle=groups.of_triangle[chosen])
    return scanned(corners[:, :, chosen] + _FAR, there, 0, far).spans


def _disagreeing(along_x: Sequence[Spans], groups: ClosedGroups, objects: int) -> Bools:
    """Which objects (objects,) have solid parts of both orientations.

    Where such parts overlap their hits would cancel. A cavity is no such part: inside the outer surface nothing
    of it is solid.
    """
    either = np.zeros((2, len(groups.owner)), bool)
    for along in along_x:
        solid = np.flatnonzero(along.end > along.begin)
        either[along.upward[solid].astype(np.int64), along.group()[solid]] = True
    result = np.zeros(objects, bool)
    result[groups.owner[either.all(axis=0) & ~groups.alternating]] = True
    return result


def _filling_runs(along_x: Spans, groups: ClosedGroups, hollow: Bools) -> Runs:
    """What fills closed groups, but for those (G,) that stay hollow."""
    group = along_x.group()
    begin, end = (np.minimum(np.maximum(places, 0), along_x.key.shape[0]) for places in (along_x.begin, along_x.end))
    filled = np.flatnonzero((begin < end) & ~hollow[group])
    y, z = along_x.key.line(along_x.enter[filled])
    return Runs(groups.owner[group[filled]] + 1, y * along_x.key.shape[2] + z, begin[filled], end[filled])


def _surface_voxels(along: Spans, groups: ClosedGroups, hollow: Bools) -> list[tuple[Ints, Ints]]:
    """Ranks and flat indices of voxels that spans show besides filled ones: thin walls and hollow groups (G,)."""
    centers = along.end - along.begin
    # one axis may see a centre a hair inside that another sees outside, so a single voxel is shown too
    single, none = np.flatnonzero(centers == 1), np.flatnonzero(centers < 1)
    middle = along.key.middle(along.enter[none], along.leave[none])
    voxel = np.floor(off_border(middle, along.key.shape[along.key.axis])).astype(np.int64)
    shown = [along.voxels(single, along.begin[single]), along.voxels(none, voxel)]
    if hollow.any():
        thick = np.flatnonzero(hollow[along.group()] & (centers > 1))
        shown += [along.voxels(thick, along.begin[thick]), along.voxels(thick, along.end[thick] - 1)]
    return [(groups.owner[group] + 1, voxel) for group, voxel in shown]
