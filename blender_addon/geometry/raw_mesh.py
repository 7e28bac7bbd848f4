"""Meshes as Blender keeps them, which it hands over at once, and as triangles, which takes longer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class RawMesh:
    """The faces of a mesh.

    Args:
        positions: (V, 3) float32 of the vertices, local.
        corners: (C,) the vertex of each corner, face by face.
        faces: (T,) the face of each triangle; a face of N corners has N - 2 triangles. Empty where `corners` are those
            of the triangles themselves.
        slots: the material slot of each face, or of each triangle where there are no faces; empty where all are 0.
    """

    positions: NDArray[np.float32]
    corners: Ints
    faces: Ints
    slots: Ints

    @property
    def arrays(self) -> tuple[NDArray[np.generic], ...]:
        """All of it, in the order of the fields."""
        return self.positions, self.corners, self.faces, self.slots

    def equals(self, other: RawMesh | None) -> bool:
        """Whether both have the same faces."""
        return other is not None and all(map(np.array_equal, self.arrays, other.arrays))

    def triangles(self) -> tuple[NDArray[np.float64], Ints]:
        """Corners (T, 3, 3) and material slots (T,) of the triangles; faces become fans around their first corners."""
        slots = self.slots
        if not len(self.faces):
            corners = self.corners.reshape(-1, 3)
        else:
            counts = np.bincount(self.faces)
            begins = np.cumsum(counts + 2) - (counts + 2)
            place = np.arange(len(self.faces)) - (np.cumsum(counts) - counts)[self.faces]
            first = begins[self.faces]
            corners = self.corners[np.stack([first, first + place + 1, first + place + 2], axis=1)]
            slots = slots[self.faces] if len(slots) else slots
        if not len(slots):
            slots = np.zeros(len(corners), np.int32)
        return self.positions[corners].astype(np.float64), slots
