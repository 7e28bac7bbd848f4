"""A scene's triangles with their objects: what mesh-exact buffers are drawn from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class TriangleMesh:
    """All triangles of a scene.

    Args:
        vertices: (V, 3) float64 world coordinates, metres.
        triangles: (T, 3) vertex indices, counter-clockwise seen from outside.
        labels: (T,) uint8 class of each triangle, never 0 (empty) nor 255 (unknown).
        object_ids: (T,) uint16 object of each triangle, as in the table of the scene's grid; 0 is none.
        surface: (V, 3) where a vertex lies in its part's own texture frame, metres; None where the mesh has none.

    Raises:
        ValueError: shapes do not fit together, or an index is out of range.
    """

    vertices: NDArray[np.float64]
    triangles: NDArray[np.integer[Any]]
    labels: NDArray[np.uint8]
    object_ids: NDArray[np.uint16]
    surface: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        count = len(self.triangles)
        if self.vertices.ndim != 2 or self.vertices.shape[1] != 3:
            raise ValueError(f"vertices has the shape {self.vertices.shape}; it must be (V, 3)")
        if self.triangles.shape != (count, 3):
            raise ValueError(f"triangles has the shape {self.triangles.shape}; it must be (T, 3)")
        for name, values in (("labels", self.labels), ("object_ids", self.object_ids)):
            if values.shape != (count,):
                raise ValueError(f"{name} has the shape {values.shape}; {count} triangles need ({count},)")
        if count and not 0 <= int(self.triangles.min()) <= int(self.triangles.max()) < len(self.vertices):
            raise ValueError(f"triangles has an index outside of the {len(self.vertices)} vertices")
        if self.surface is not None and self.surface.shape != self.vertices.shape:
            raise ValueError(f"surface has the shape {self.surface.shape}; it must be {self.vertices.shape}")
