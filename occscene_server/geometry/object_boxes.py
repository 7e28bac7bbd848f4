"""The oriented box of an object that is known by its voxels or by its corners."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from occscene_server.geometry.kept import Kept, content_key

Floats = NDArray[np.float64]

_ANGLES = np.deg2rad(np.arange(0, 90, 3))
_LESS = 0.8
"""Of the upright outline's area: what a turned one must be smaller than to be preferred; few artists turn boxes."""

_BOX_FILL = 0.98
"""Share of an outline that its points' hull fills from which on the outline is a box's own, however it is turned."""

_SAME = 1e-3
"""Share of the upright outline's area that coordinates' rounding can make a turned one smaller by."""


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


_boxes: Kept[ObjectBox] = Kept(1000)


def box_of_voxels(voxels: NDArray[np.int64]) -> ObjectBox:
    """The box of an object's voxels (V, 3), in voxels from the grid's corner."""
    # outermost centres of a turned box lie about half a voxel inside of it, whatever the angle
    columns = np.unique(voxels[:, :2], axis=0) + 0.5
    return _smallest_box(columns, voxels[:, 2].min(), voxels[:, 2].max() + 1, _ANGLES, 1.0)


def box_of_points(points: Floats) -> ObjectBox:
    """The box of an object's corners (V, 3), in their own unit; exact where they are those of an upright box."""
    from scipy.spatial import ConvexHull, QhullError  # slow to import, and only parts need it

    outline, angles, area = points[:, :2], _ANGLES, 0.0
    try:
        hull = ConvexHull(outline)
    except QhullError:  # they lie on a line, as a plane's that stands upright
        along = outline - outline[0]
        x, y = along[np.argmax((along**2).sum(1))].tolist()
        angles = np.array([0.0, np.arctan2(y, x) % (np.pi / 2)])
    else:
        outline, area = outline[hull.vertices], hull.volume
        x, y = (np.roll(outline, -1, axis=0) - outline).T
        angles = np.concatenate([[0.0], np.arctan2(y, x) % (np.pi / 2)])  # one side of the smallest lies on the hull
    return _smallest_box(outline, points[:, 2].min(), points[:, 2].max(), angles, 0.0, area)


def kept_box(points: Floats) -> ObjectBox:
    """`box_of_points` for corners (V, 3) among which some are there several times; kept, for most objects stay."""
    return _boxes.get(content_key(points), lambda: box_of_points(np.unique(points, axis=0)))


def _smallest_box(
    columns: Floats, bottom: float, top: float, angles: Floats, rim: float, area: float = 0.0
) -> ObjectBox:
    """Of some turned outlines that of the smallest area, the upright one unless another is clearly smaller.

    Args:
        columns: (C, 2) points of the outline.
        bottom, top: heights.
        angles: that are tried, the first 0.
        rim: by how much the outline is wider than its points.
        area: of the points' hull; where it fills the smallest outline, that is the one.
    """
    spans, middles = [], []
    for angle in angles:
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        along = columns @ turn.T
        low, high = along.min(0), along.max(0)
        spans.append(high - low + rim)
        middles.append((low + high) / 2 @ turn)
    areas = np.prod(spans, axis=1)
    best = int(np.argmin(areas))
    is_box = area >= _BOX_FILL * areas[best] and areas[best] < (1 - _SAME) * areas[0]
    if not is_box and areas[best] > _LESS * areas[0]:
        best = 0
    size = np.array([*spans[best], top - bottom], np.float64)
    return ObjectBox(np.array([*middles[best], (bottom + top) / 2]), size, float(angles[best]))
