"""Faces of several objects in one place: a window in its wall, a carpet flush with its floor.

Which of two such faces a ray meets first is a matter of rounding. Shown is the object that the voxeliser would show,
the one with the higher paint priority of class, of equals the smaller, of equals the later.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SAME_PLACE = 0.001
"""Metres between faces that are taken to be in one place."""
_NORMAL_BINS = 8
_OFFSET_BIN = 4 * SAME_PLACE


@dataclass(frozen=True, eq=False)
class Contested:
    """Triangles that may be in one place with those of another object.

    Args:
        covered: (T,) whether there may be a triangle to be shown in place of this one.
        layer: (T,) 0 for triangles that are shown in place of none, else 1 more than the highest layer that one covers.
    """

    covered: Bools
    layer: Ints


def find_contested(corners: Floats, normal: Floats, order: Ints) -> Contested:
    """Finds triangles that lie in one plane with others, look the same way and whose box they overlap.

    Where closed objects touch, their faces look at each other and neither is seen.

    Args:
        corners: (T, 3, 3) metres.
        normal: (T, 3) unit, outward.
        order: (T,) of the object; the higher is shown.
    """
    covered, layer = np.zeros(len(corners), np.bool_), np.zeros(len(corners), np.int64)
    if not len(corners) or (order == order[0]).all():
        return Contested(covered, layer)
    offset = (corners[:, 0] * normal).sum(1) / _OFFSET_BIN
    low, high = corners.min(1) - SAME_PLACE, corners.max(1) + SAME_PLACE
    plane = np.rint(normal * _NORMAL_BINS).astype(np.int64) @ (1 << np.array([40, 45, 50]))
    # planes on both sides of a bin's border share one of the bins that lie half a bin further
    for shift in (0.0, 0.5):
        group = np.floor(offset + shift).astype(np.int64) + plane
        for rows in _shared(group, order):
            _mark(rows, order[rows], low[rows], high[rows], covered, layer)
    return Contested(covered, layer)


def _shared(group: Ints, order: Ints) -> list[Ints]:
    """The triangles of each group that has several objects."""
    by_group = np.lexsort((order, group))
    starts = np.flatnonzero(np.diff(group[by_group], prepend=group[by_group[0]] - 1))
    ends = np.append(starts[1:], len(group)) - 1
    several = order[by_group[starts]] != order[by_group[ends]]
    return [by_group[a : b + 1] for a, b in zip(starts[several].tolist(), ends[several].tolist(), strict=True)]


def _mark(rows: Ints, order: Ints, low: Floats, high: Floats, covered: Bools, layer: Ints) -> None:
    """Marks the triangles `rows` of one group, which are sorted by their objects, as covered and covering."""
    starts = np.flatnonzero(np.diff(order, prepend=order[0] - 1))
    lows, highs = np.minimum.reduceat(low, starts), np.maximum.reduceat(high, starts)
    overlap = ((lows[:, None] < highs) & (lows < highs[:, None])).all(2)
    lengths = np.diff(np.append(starts, len(rows)))
    layers = np.zeros(len(starts), np.int64)
    for index in range(1, len(starts)):
        layers[index] = np.max(layers[:index] + 1, where=overlap[index, :index], initial=0)
    beneath = np.triu(overlap, 1).any(1)
    covered[rows] |= np.repeat(beneath, lengths)
    layer[rows] = np.maximum(layer[rows], np.repeat(layers, lengths))
