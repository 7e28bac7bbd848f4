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
MAX_LAYERS = 6
"""Of more faces than one more than this in one place rounding decides."""
_MOST_PAIRS = 20_000
"""Pairs of objects in which near triangles are looked for."""
_MOST_COMPARISONS = 1_000_000
"""Of boxes of faces: no scene that is not made to be slow comes near."""
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

    Where closed objects touch, their faces are towards each other and neither is seen.

    Args:
        corners: (T, 3, 3) metres.
        normal: (T, 3) unit, outward.
        order: (T,) of the object; the higher is shown.
    """
    covered, layer = np.zeros(len(corners), np.bool_), np.zeros(len(corners), np.int64)
    if not len(corners):
        return Contested(covered, layer)
    low, high = corners.min(1) - SAME_PLACE, corners.max(1) + SAME_PLACE
    near = _near_others(low, high, order)
    if len(near):
        found = _contested(corners[near], normal[near], order[near], low[near], high[near])
        covered[near], layer[near] = found.covered, found.layer
    return Contested(covered, layer)


def _near_others(low: Floats, high: Floats, order: Ints) -> Ints:
    """The rows of triangles, ascending, whose boxes overlap that of an object other than their own: few of most scenes.

    Of a scene in which very many objects overlap, all rows.

    Args:
        low, high: (T, 3) of the triangles.
        order: (T,) of their objects.
    """
    rows = np.argsort(order, kind="stable")
    starts = np.flatnonzero(np.diff(order[rows], prepend=-1))
    lows, highs = np.minimum.reduceat(low[rows], starts), np.maximum.reduceat(high[rows], starts)
    ends = np.append(starts[1:], len(rows))
    chosen, compared = [np.zeros(0, np.int64)], 0
    for number, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        touching = (lows < highs[number]).all(1) & (lows[number] < highs).all(1)
        touching[number] = False
        own, is_near = rows[start:end], np.zeros(end - start, np.bool_)
        for other in np.flatnonzero(touching).tolist():
            is_near |= (low[own] < highs[other]).all(1) & (lows[other] < high[own]).all(1)
            compared += 1
            if is_near.all():
                break
        if compared > _MOST_PAIRS:  # looking for what is near would take longer than comparing all
            return np.arange(len(order))
        chosen.append(own[is_near])
    return np.sort(np.concatenate(chosen))


def _contested(corners: Floats, normal: Floats, order: Ints, low: Floats, high: Floats) -> Contested:
    covered, layer = np.zeros(len(corners), np.bool_), np.zeros(len(corners), np.int64)
    offset = (corners[:, 0] * normal).sum(1) / _OFFSET_BIN
    plane = np.rint(normal * _NORMAL_BINS).astype(np.int64) @ (1 << np.array([40, 45, 50]))
    # planes on both sides of a bin's border share one of the bins that lie half a bin further
    for shift in (0.0, 0.5):
        group = np.floor(offset + shift).astype(np.int64) + plane
        rows = np.lexsort((order, group))
        new_group = np.diff(group[rows], prepend=group[rows[0]] - 1) != 0
        starts = np.flatnonzero(new_group | (np.diff(order[rows], prepend=-1) != 0))
        # faces of one object in one plane, by plane and then by order
        pairs = _overlapping(
            np.cumsum(new_group)[starts],
            np.minimum.reduceat(low[rows], starts),
            np.maximum.reduceat(high[rows], starts),
        )
        layers = np.zeros(len(starts), np.int64)
        beneath = np.zeros(len(starts), np.bool_)
        beneath[pairs[:, 0]] = True
        for _ in range(MAX_LAYERS):
            np.maximum.at(layers, pairs[:, 1], layers[pairs[:, 0]] + 1)
        face = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(rows))))
        covered[rows] |= beneath[face]
        layer[rows] = np.maximum(layer[rows], layers[face])
    return Contested(covered, layer)


def _overlapping(group: Ints, low: Floats, high: Floats) -> Ints:
    """(P, 2) rows, the first the lower, of the same group whose boxes (F, 3) overlap."""
    overlapping = [np.zeros((0, 2), np.int64)]
    # swept along the axis that the faces are spread along most
    axis = int(np.argmax(np.ptp(low, axis=0)))
    sweep = np.lexsort((low[:, axis], group))
    group, low, high = group[sweep], low[sweep], high[sweep]
    first, compared = np.arange(len(group)), 0
    for distance in range(1, len(group)):
        first = first[first + distance < len(group)]
        second = first + distance
        near = (group[first] == group[second]) & (low[second, axis] < high[first, axis])
        first, second = first[near], second[near]
        compared += len(first)
        if not len(first) or compared > _MOST_COMPARISONS:
            break
        overlap = ((low[first] < high[second]) & (low[second] < high[first])).all(1)
        overlapping.append(np.stack([sweep[first[overlap]], sweep[second[overlap]]], axis=1))
    return np.sort(np.concatenate(overlapping), axis=1)
