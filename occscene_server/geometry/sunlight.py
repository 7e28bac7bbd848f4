"""Where the sun shines directly: on streets whatever nothing hides, in rooms what sees it through a window.

An artist's walls are seldom cut where windows are, and panes are closed boxes. So in a room the sun shines on a
place where a ray from it to the sun meets a window first.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

SUNLIGHT = 2
"""Maps of sunlight: whether it is known where the sun is, and how much of its light falls on what is seen, 0 to 1."""
_OFF = 0.01
"""Metres from a surface to where the ray to the sun begins."""

Rays = NDArray[np.float32]


def sunlight(
    points: Rays, normals: Rays, direction: Rays, hides: Callable[[Rays, Rays], NDArray[np.bool_]]
) -> NDArray[np.float32]:
    """How much of the sun's light falls on points: the cosine to its direction, 0 in the shade.

    Args:
        points, normals: (N, 3) each, the normals towards the camera.
        direction: (3,) unit vector towards the sun.
        hides: of rays, their beginnings (M, 3) and directions (M, 3), whether the sun is hidden from there.
    """
    light: NDArray[np.float32] = np.maximum(normals @ direction, 0)
    towards = np.flatnonzero(light > 0)
    if len(towards):
        starts = points[towards] + _OFF * normals[towards]
        rays = np.ascontiguousarray(np.broadcast_to(direction, starts.shape))
        light[towards[hides(starts, rays)]] = 0
    return light
