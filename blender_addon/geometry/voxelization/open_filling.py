"""Voxels of bodies that are filled although they do not close."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .openings import OpenBody
from .scanlines import Bools, Floats, Ints, Shape
from .winding import Hits, inside

_MOST_VOXELS = 2**22
"""Voxels that are worked on at once: what is larger is cut into layers."""


@dataclass(frozen=True, eq=False)
class OpenFilling:
    """What a body, or a layer of one, occupies of a grid.

    Args:
        body: its place among the bodies.
        column, begin, end: the runs along x that fill it, as in `Runs`.
        voxel: flat indices of where its surface shows in addition: sheets, and what is thinner than a voxel.
    """

    body: int
    column: Ints
    begin: Ints
    end: Ints
    voxel: Ints


def open_fillings(corners: Floats, bodies: Sequence[OpenBody], hollow: Bools, shape: Shape) -> list[OpenFilling]:
    """Fills bodies.

    Args:
        corners: (3 axes, 3 corners, T) of all triangles, voxel units.
        bodies: whose inside is filled.
        hollow: (bodies,) of what is filled only the outermost voxels are wanted.
        shape: the grid's sides.
    """
    if not bodies:
        return []
    count = [len(body.triangles) for body in bodies]
    places = corners[:, :, np.concatenate([body.triangles for body in bodies])]
    start = np.cumsum(count) - count
    low = np.minimum.reduceat(np.floor(places.min(axis=1)), start, axis=1).astype(np.int64) - 1
    high = np.maximum.reduceat(np.floor(places.max(axis=1)), start, axis=1).astype(np.int64) + 2
    low, high = np.maximum(low, 0), np.minimum(high, np.array(shape)[:, None])
    hits = [Hits.along(places, axis, shape) for axis in range(3)]
    body = np.repeat(np.arange(len(bodies)), count)
    of_body = [_gathered(body[along.triangle], len(bodies)) for along in hits]
    fillings = []
    for number in np.flatnonzero((low < high).all(axis=0)):
        bottom, top = int(low[2, number]), int(high[2, number])
        height = max(1, _MOST_VOXELS // int((high - low)[:2, number].prod()))
        for layer in range(bottom, top, height):
            first, last = low[:, number].copy(), high[:, number].copy()
            first[2], last[2] = layer, min(layer + height, top)
            own = [along.at(chosen[number]) for along, chosen in zip(hits, of_body, strict=True)]
            within, bare = _layer(own, bodies[number].alternating, first, last, shape)
            if hollow[number]:
                within &= ~_core(within)
            change = np.diff(within[1:-1, 1:-1, 1:-1].astype(np.int8), axis=0, prepend=0, append=0).transpose(1, 2, 0)
            y, z, begin = np.nonzero(change > 0)
            end = np.nonzero(change < 0)[2]
            column = (y + first[1]) * shape[2] + z + first[2]
            fillings.append(OpenFilling(int(number), column, begin + first[0], end + first[0], bare))
    return fillings


def _layer(hits: Sequence[Hits], alternating: bool, first: Ints, last: Ints, shape: Shape) -> tuple[Bools, Ints]:
    """What of the voxels from `first` to `last`, and one more to all sides, is inside; and flat voxels of bare hits.

    Args:
        hits: along x, y and z, of one body.
        alternating: as in `ClosedGroups`.
        first, last: (3,) a box of voxels, the last ones excluded.
        shape: the grid's sides.
    """
    x, y, z = (int(side) + 2 for side in last - first)
    near = [along.moved(first - 1) for along in hits]
    near = [along if along.axis == 2 else along.at((along.column >= 0) & (along.column < z)) for along in near]
    of_hit = [np.zeros(len(along.row), np.int64) for along in near]
    within = inside(near, of_hit, np.array([alternating]), (x, y, z))[0]
    voxels = np.concatenate([_bare_hits(along, within) for along in near], axis=1)
    kept = voxels[:, ((voxels > 0) & (voxels < np.array([[x], [y], [z]]) - 1)).all(axis=0)] + (first - 1)[:, None]
    return within, (kept[0] * shape[1] + kept[1]) * shape[2] + kept[2]


def _bare_hits(hits: Hits, within: Bools) -> Ints:
    """Voxels (3, N) of those hits that have no filled voxel's centre next to them on their line.

    Hits between the same two centres show the voxel in their middle, as a thin wall does.
    """
    axis = hits.axis
    along = np.pad(np.moveaxis(within, axis, 0), ((1, 1), (0, 0), (0, 0)))
    center = hits.next_center(within.shape[axis])
    (bare,) = (~(along[center, hits.row, hits.column] | along[center + 1, hits.row, hits.column])).nonzero()
    bare = bare[np.lexsort([hits.height[bare], center[bare], hits.column[bare], hits.row[bare]])]
    place = np.stack([hits.row[bare], hits.column[bare], center[bare]])
    (first,) = (np.diff(place, axis=1, prepend=-1) != 0).any(axis=0).nonzero()
    last = np.append(first[1:], len(bare)) - 1
    middle = np.floor((hits.height[bare[first]] + hits.height[bare[last[: len(first)]]]) / 2).astype(np.int64)
    return np.insert(place[:2, first], axis, middle, axis=0)


def _core(within: Bools) -> Bools:
    """The voxels whose six neighbors are filled."""
    padded = np.pad(within, 1)
    core = within.copy()
    for axis in range(3):
        for step in (-1, 1):
            core &= np.roll(padded, step, axis)[1:-1, 1:-1, 1:-1]
    return core


def _gathered(body: Ints, bodies: int) -> list[Ints]:
    """The places of each body's members among all."""
    return np.split(np.argsort(body, kind="stable"), np.cumsum(np.bincount(body, minlength=bodies))[:-1])
