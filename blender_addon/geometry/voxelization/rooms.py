"""Which closed bodies are rooms: shells that are modelled without thickness, to look at from inside.

A closed body of a class that encloses rooms is a room where a camera can stand in it: where an upright cylinder,
0.8 m across and more than 1.5 m high, fits inside, and faces of 0.64 m2 or more are level, as a floor is. So walls and
pillars up to 0.8 m thick and slabs up to 1.5 m thick stay solid, and a corridor of 0.9 m and a room 1.6 m high are
rooms, whatever their normals. The world's z is up and its unit the metre; neither the grid nor its voxels matter. What
is thicker than these limits and meant to be solid, or a smaller room, the artist says (`Fill`).

Of a room only the surface is voxelised. Where rooms of one object lie in one another - a house of two nested boxes -
and no camera can stand between them, what is between them is the wall, and is filled.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .scanlines import Bools, Floats, Ints
from .spans import scanned
from .watertight import ClosedGroups

ROOM_CLASSES = frozenset({"ceiling", "floor", "wall", "window"})
"""The names of classes whose bodies may be rooms. A building outdoors is none: cameras stand in the street."""

_CELL = 0.1
"""Metres between the lines that search for free space, unless the body is so large that there would be too many."""

_MOST_CELLS = 2**23

_HEIGHT = 16
"""Cells that the cylinder is high."""

_LEVEL, _FLOOR_AREA = 0.996, 0.64
"""The cosine of the slope, 5 degrees, up to which a face is level, and the square metres of such faces in a room."""

_ALL, _LOWER, _UPPER = slice(None), slice(None, -1), slice(1, None)
_DISC = (
    *(((_LOWER, _ALL), (_UPPER, _ALL)),) * 4,
    *(((_ALL, _LOWER), (_ALL, _UPPER)),) * 4,
    *(((_LOWER, _LOWER), (_UPPER, _UPPER)),) * 2,
    *(((_LOWER, _UPPER), (_UPPER, _LOWER)),) * 2,
)
"""Neighbouring lines that must both be free, one after the other: together an octagon of 9 lines across."""


@dataclass(frozen=True, eq=False)
class WorldCorners:
    """Triangles of which few are wanted in the world, up to a shift.

    Args:
        corners: (3 axes, 3 corners, T) voxel units.
        metres_from_voxels: (3, 3).
    """

    corners: Floats
    metres_from_voxels: Floats

    def of(self, triangles: Ints) -> Floats:
        """(3 axes, 3 corners, N) metres, z up."""
        return np.tensordot(self.metres_from_voxels, self.corners[:, :, triangles], 1)


def room_groups(world: WorldCorners, owner: Ints, groups: ClosedGroups, may_be_room: Bools) -> Bools:
    """Which groups (G,) are rooms.

    Args:
        world: all triangles.
        owner: (T,) the object of each triangle, ascending.
        groups: what the triangles enclose.
        may_be_room: (objects,) the class is one of rooms, and the artist has not said what is inside.
    """
    result = np.zeros(len(groups.owner), bool)
    chosen = np.flatnonzero((groups.of_triangle >= 0) & may_be_room[owner])
    chosen = chosen[np.argsort(groups.of_triangle[chosen], kind="stable")]
    group = groups.of_triangle[chosen]
    start = np.flatnonzero(np.diff(group, prepend=-1))
    if not len(start):
        return result
    places = world.of(chosen)
    low = np.minimum.reduceat(places.min(axis=1), start, axis=1)
    high = np.maximum.reduceat(places.max(axis=1), start, axis=1)
    for place in np.flatnonzero(((high - low) > _CELL * np.array([[8], [8], [_HEIGHT - 1]])).all(axis=0)):
        number = group[start[place]]
        body = places[:, :, group == number]
        result[number] = has_standing_room(body, bool(groups.alternating[number]))
    return result


def with_walls_between(world: WorldCorners, groups: ClosedGroups, rooms: Bools) -> tuple[ClosedGroups, Bools]:
    """The groups (G,) and which are rooms, after rooms of one object became the two sides of its walls.

    Args:
        world: all triangles.
        groups: the connected parts of objects with rooms are groups of their own.
        rooms: (G,) which are rooms.
    """
    of_triangle, alternating, hollow = groups.of_triangle.copy(), groups.alternating.copy(), rooms.copy()
    for item in np.flatnonzero(np.bincount(groups.owner[rooms]) > 1):
        nested = np.flatnonzero(rooms & (groups.owner == item))
        chosen = np.flatnonzero(np.isin(of_triangle, nested))
        if not has_standing_room(world.of(chosen), alternating=True):
            of_triangle[chosen] = nested[0]
            alternating[nested[0]] = True
            hollow[nested] = False
    return replace(groups, of_triangle=of_triangle, alternating=alternating), hollow


def has_standing_room(corners: Floats, alternating: bool) -> bool:
    """Whether a camera can stand in a closed body (3 axes, 3 corners, T), metres, z up.

    Args:
        corners: its triangles.
        alternating: as in `ClosedGroups`.
    """
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0], axis=0)
    areas = np.linalg.norm(normals, axis=0) / 2
    if areas[np.abs(normals[2]) >= 2 * areas * _LEVEL].sum() < _FLOOR_AREA:
        return False
    low = corners.min(axis=(1, 2))
    extent = corners.max(axis=(1, 2)) - low
    cell = max(_CELL, float(np.cbrt(extent.prod() / _MOST_CELLS)))
    shape = tuple(int(side) + 1 for side in extent / cell)
    triangles = corners.shape[2]
    body = ClosedGroups(np.zeros(triangles, np.int64), np.zeros(1, np.int64), np.array([alternating]), np.ones(1, bool))
    up = scanned((corners - low[:, None, None]) / cell, body, 2, (shape[0], shape[1], shape[2])).spans
    begin, end = np.maximum(up.begin, 0), np.minimum(up.end, shape[2]) - (_HEIGHT - 1)
    tall = np.flatnonzero(end > begin)
    x, y = up.key.line(up.enter[tall])
    # the heights at which a stretch begins that is as high as the cylinder and inside: of a line, then of a disc
    free = np.zeros((*shape[:2], shape[2] + 1), np.int8)
    free[x, y, begin[tall]] += 1
    free[x, y, end[tall]] -= 1
    inside = np.cumsum(free, axis=2, dtype=np.int8) > 0
    for near, far in _DISC:
        inside = inside[near] & inside[far]
    return bool(inside.any())
