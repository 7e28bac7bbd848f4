"""The oriented box of an object that is known by its voxels or by its corners."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_ANGLES = np.deg2rad(np.arange(0, 90, 3))
_LESS = 0.8
"""Of the upright outline's area: what a turned one must be smaller than to be preferred; few artists turn boxes."""


@dataclass(frozen=True)
class ObjectBox:
    """A box that stands upright.

    Args:
        center, size: (3,).
        turn: radians about z, in [0, pi / 2): which of its sides is the front is not known.
    """

    center: Floats
    size: Floats
    turn: float


def box_of_voxels(voxels: NDArray[np.int64]) -> ObjectBox:
    """The box of an object's voxels (V, 3), in voxels from the grid's corner."""
    # outermost centres of a turned box lie about half a voxel inside of it, whatever the angle
    return _smallest_box(np.unique(voxels[:, :2], axis=0) + 0.5, voxels[:, 2].min(), voxels[:, 2].max() + 1, 1.0)


def box_of_points(points: Floats) -> ObjectBox:
    """The box of an object's corners (V, 3), in their own unit."""
    return _smallest_box(points[:, :2], points[:, 2].min(), points[:, 2].max(), 0.0)


def _smallest_box(columns: Floats, bottom: float, top: float, rim: float) -> ObjectBox:
    """Of all turned outlines that of the smallest area, the upright one unless another is clearly smaller.

    Args:
        columns: (C, 2) points of the outline.
        bottom, top: heights.
        rim: by how much the outline is wider than its points.
    """
    spans, middles = [], []
    for angle in _ANGLES:
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        along = columns @ turn.T
        low, high = along.min(0), along.max(0)
        spans.append(high - low + rim)
        middles.append((low + high) / 2 @ turn)
    areas = np.prod(spans, axis=1)
    best = int(np.argmin(areas))
    if areas[best] > _LESS * areas[0]:
        best = 0
    size = np.array([*spans[best], top - bottom], np.float64)
    return ObjectBox(np.array([*middles[best], (bottom + top) / 2]), size, float(_ANGLES[best]))
