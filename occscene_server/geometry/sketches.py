"""Meshes that artists block out streets with: a few boxes, or a ball, cone or cylinder."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from occscene.part_shapes import BOX_CORNERS
from scipy.spatial import ConvexHull, QhullError

Floats = NDArray[np.float64]

_FEW_CORNERS = 24
"""Those of three boxes: a house and its roof, a car and its cabin."""
_MOST_CORNERS = 1000
"""Of a ball; a mesh of more counts as modelled, and is not compared with its hull."""
_ON_HULL = 0.01
"""Of its longest side, up to which a mesh's corners may lie within its hull."""


def is_sketch(points: Floats) -> bool:
    """Whether an object's corners (N, 3) are those of at most three boxes, or of one ball, cone or cylinder."""
    corners = _distinct(points)
    return len(corners) <= _FEW_CORNERS or (len(corners) <= _MOST_CORNERS and _are_convex(corners))


def are_several_boxes(points: Floats) -> bool:
    """Whether a sketch with the corners (N, 3) is made of more than a box, and of no ball."""
    return len(BOX_CORNERS) < len(_distinct(points)) <= _FEW_CORNERS


def _are_convex(points: Floats) -> bool:
    """Whether all points (N, 3) lie on the hull around them, as those of a ball do but not those of a modelled tree."""
    try:
        hull = ConvexHull(points)
    except QhullError:  # flat
        return False
    inside = -(hull.equations[:, :3] @ points.T + hull.equations[:, 3:]).max(0)  # metres to the nearest side
    return bool(inside.max() <= _ON_HULL * np.ptp(points, axis=0).max())


def _distinct(points: Floats) -> Floats:
    """The points (N, 3) that lie apart, to the millimetre."""
    return np.unique(points.round(3), axis=0)
