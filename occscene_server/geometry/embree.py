"""Triangles sorted for ray casts, by Embree."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore import EmbreeDevice
from embreex.rtcore_scene import EmbreeScene
from numpy.typing import NDArray


def embree_scene(vertices: NDArray[np.float64], triangles: NDArray[np.integer[Any]]) -> EmbreeScene:
    """What rays are cast at.

    Args:
        vertices: (V, 3) in any unit; single precision counts.
        triangles: (T, 3) indices of them; none is a scene that no ray meets.
    """
    scene = EmbreeScene(_device(), robust=True)  # rays do not slip through where triangles meet
    if len(triangles):
        TriangleMesh(scene, vertices.astype(np.float32), triangles.astype(np.int32))
    return scene


@cache
def _device() -> EmbreeDevice:
    return EmbreeDevice()
