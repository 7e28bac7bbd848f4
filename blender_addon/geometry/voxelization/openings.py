"""Which bodies with holes are filled as if they were closed.

Meshes that people make rarely close to the last corner: faces miss, lie a hair apart or meet in the middle of an edge,
furniture has no bottom, pipes no caps. What such a mesh would enclose is inside all the same, while a shelf without a
front, a crate without a lid and a room that one looks into must stay open. So a body is filled where its openings are
small: up to 8 % of its surface, openings included. What a body has open below, where it stands, does not count.

Openings are measured from inside, along the world's axes: on lines that a body's bounds hold 24 x 24 of for each axis,
a point inside that nothing of the body covers towards an end of its line sees an opening there. Points are inside by
`winding`. Neither the grid nor its voxels matter. All open triangles of an object are tested together, and if they are
not filled, each connected part. Never filled are floors, walls and grounds (`SHEET_CLASSES`): they are modelled as
planes, and what they stand around is free.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .rooms import ROOM_CLASSES, WorldCorners
from .scanlines import Bools, Floats, Ints
from .watertight import OPEN, ClosedGroups, Hashes, connected_parts, scrambled, shared_edges
from .winding import Hits, inside

SHEET_CLASSES = ROOM_CLASSES | {"road", "parking", "sidewalk", "other-ground", "terrain"}
"""The names of classes that are modelled as planes."""

_LARGEST_SHARE = 0.08
"""Of the surface, that openings may have. Scans and sculpts that are meant to be solid have 1 to 5 %, a cubic crate
without a lid 17 %, a waste bin a third higher than wide 11 %; a bin three times as high as wide, 7 %, is filled."""

_LINES = 24

_BODIES_AT_ONCE = 64
"""Bodies whose openings are measured together: as many as the processor's cache holds."""

_MOST_ASTRAY = 0.16
"""Of its area, that the normals of a body may add up to sideways: twice the share, for the axes measure more area."""


@dataclass(frozen=True, eq=False)
class OpenBody:
    """Triangles that are filled although they do not close.

    Args:
        triangles: (N,) ascending.
        alternating: as in `ClosedGroups`.
    """

    triangles: Ints
    alternating: bool


def nearly_closed(
    world: WorldCorners, vertex: Hashes, owner: Ints, groups: ClosedGroups, small_openings: Bools, any_opening: Bools
) -> list[OpenBody]:
    """The bodies with openings that are filled.

    Args:
        world: all triangles.
        vertex: (3, T) hashes of their corners.
        owner: (T,) the object of each.
        groups: which of them are closed.
        small_openings: (objects,) the open bodies of the object are filled where their openings are small.
        any_opening: (objects,) all open triangles of the object are filled together, whatever their openings.
    """
    chosen = np.flatnonzero((groups.of_triangle == OPEN) & (small_openings | any_opening)[owner])
    if not len(chosen):
        return []
    objects = np.unique(owner[chosen], return_inverse=True)[1].reshape(-1)
    together = _plausible(world, vertex, chosen, objects, any_opening[owner[chosen]])
    filled = [body for body in together if any_opening[owner[body.triangles[0]]]]
    filled += _enclosing(world, [body for body in together if not any_opening[owner[body.triangles[0]]]])
    left = chosen[np.isin(chosen, np.concatenate([chosen[:0], *(body.triangles for body in filled)]), invert=True)]
    part = connected_parts(vertex[:, left] + scrambled(owner[left]))
    joined = np.bincount(part)[part] < np.bincount(owner[left])[owner[left]]  # else tested above
    border = shared_edges(vertex[:, left], part)[0]
    whole = joined & (border <= np.bincount(part))[part]  # a body has few edges of one triangle; a card has no others
    left, part = left[whole], np.unique(part[whole], return_inverse=True)[1].reshape(-1)
    parts = _plausible(world, vertex, left, part, np.zeros(len(left), bool))
    return filled + _enclosing(world, parts)


def _plausible(world: WorldCorners, vertex: Hashes, triangles: Ints, body: Ints, always: Bools) -> list[OpenBody]:
    """Those bodies that could have small openings: those whose normals, if they agree, do not point to one side.

    Args:
        world: all triangles.
        vertex: (3, T) hashes of their corners.
        triangles: (N,) whose bodies.
        body: (N,) the body of each, 0, 1, 2 ...
        always: (N,) the body is wanted in any case.
    """
    if not len(triangles):
        return []
    corners = world.of(triangles)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0], axis=0)
    areas = np.bincount(body, np.linalg.norm(normals, axis=0))
    astray = np.hypot(np.bincount(body, normals[0]), np.bincount(body, normals[1])) > _MOST_ASTRAY * areas
    flipped = shared_edges(vertex[:, triangles], body)[1]
    count = np.bincount(body)
    wanted = (count >= 3) & (flipped | ~astray) | (np.bincount(body, always) > 0)
    pieces = np.split(triangles[np.argsort(body, kind="stable")], np.cumsum(count)[:-1])
    return [OpenBody(pieces[number], bool(flipped[number])) for number in np.flatnonzero(wanted)]


def _enclosing(world: WorldCorners, bodies: Sequence[OpenBody]) -> list[OpenBody]:
    """Those bodies that have small openings."""
    enclosing: list[OpenBody] = []
    for first in range(0, len(bodies), _BODIES_AT_ONCE):
        together = bodies[first : first + _BODIES_AT_ONCE]
        is_small = _openings_are_small(
            world.of(np.concatenate([body.triangles for body in together])),
            np.repeat(np.arange(len(together)), [len(body.triangles) for body in together]),
            np.array([body.alternating for body in together]),
        )
        enclosing += [body for body, small in zip(together, is_small, strict=True) if small]
    return enclosing


def _openings_are_small(corners: Floats, body: Ints, alternating: Bools) -> Bools:
    """Which bodies (B,) enclose something and have small openings.

    Args:
        corners: (3 axes, 3 corners, T) metres, z up.
        body: (T,) the body of each triangle, ascending; all have some.
        alternating: (B,) as in `ClosedGroups`.
    """
    start = np.flatnonzero(np.diff(body, prepend=-1))
    low = np.minimum.reduceat(corners.min(axis=1), start, axis=1)
    extent = np.maximum.reduceat(corners.max(axis=1), start, axis=1) - low
    scale = _LINES / np.where(extent > 0, extent, 1)
    cells = (corners - low[:, None, body]) * scale[:, None, body]
    shape = (_LINES, _LINES, _LINES)
    hits = [Hits.along(cells, axis, shape) for axis in range(3)]
    of_hit = [body[along.triangle] for along in hits]
    within = inside(hits, of_hit, alternating, shape)
    surface, openings = np.zeros(len(start)), np.zeros(len(start))
    for along, owner in zip(hits, of_hit, strict=True):
        area = np.delete(extent, along.axis, axis=0).prod(axis=0)  # of each line, but for the same factor
        surface += area * np.bincount(owner, minlength=len(start))
        below = along.below(owner, len(start), shape, 1)
        there = np.moveaxis(within, 1 + along.axis, 0)
        openings += area * (there & (below[:-1] == below[-1])).any(axis=0).sum(axis=(1, 2))
        if along.axis != 2:  # along z that is where the body stands
            openings += area * (there & (below[:-1] == 0)).any(axis=0).sum(axis=(1, 2))
    return within.any(axis=(1, 2, 3)) & (openings <= _LARGEST_SHARE * (surface + openings))
