"""Surfaces of semantic grids as polygons, whoever makes them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.uint8]

UNIT_HEADINGS = np.array(
    [
        [2 * first + 1, 2 * second + 1, 2 * first, 2 * second]
        for axis in range(3)
        for first, second in (((axis + 2) % 3, (axis + 1) % 3), ((axis + 1) % 3, (axis + 2) % 3))
    ],
    np.uint8,
)
"""(6, 4) for rectangles that face each direction: where the edges that leave their corners lead."""

_UV_AXES = np.array([(1, 2), (1, 2), (0, 2), (0, 2), (0, 1), (0, 1)])
_UV_SIGNS = np.array([(-1, 1), (1, 1), (1, 1), (-1, 1), (1, -1), (1, 1)], np.float32)
"""Which coordinates are U and V on faces of each direction: seen from in front U leads right and V up."""


@dataclass(frozen=True, eq=False)
class PolygonSurface:
    """Polygons between voxels of different labels; unknown voxels and the outside count as empty.

    Directions are 0 to 5: -x, +x, -y, +y, -z, +z.

    Args:
        vertices: (V, 3) float32, metres in the grid's own frame (apply `world_from_grid` for the world); shared.
        corners: (C,) int32 vertex indices, polygon after polygon, counter-clockwise seen from the side in front.
        sizes: (F,) int32, the corners of each polygon; 4 where nothing is merged.
        classes: (F,) uint8, the label of the voxel behind the polygon, never empty.
        fronts: (F,) uint8, the label of the voxel in front: empty, or a class where the surface was made with
            `between_classes`.
        sides: (F,) uint8, the direction that its voxels' faces have.
        headings: (C,) uint8, the direction of the voxels' edges that lead from each corner to the next.
    """

    vertices: NDArray[np.float32]
    corners: NDArray[np.int32]
    sizes: NDArray[np.int32]
    classes: Labels
    fronts: Labels
    sides: Labels
    headings: Labels

    @property
    def quads(self) -> NDArray[np.int32]:
        """(F, 4) vertex indices, of a surface of quads only."""
        return self.corners.reshape(-1, 4)

    def only(self, chosen: NDArray[np.bool_]) -> PolygonSurface:
        """The chosen polygons (F,), with the vertices that they use."""
        kept = np.repeat(chosen, self.sizes)
        corners = self.corners[kept]
        used = np.zeros(len(self.vertices), bool)
        used[corners] = True
        number = np.cumsum(used, dtype=np.int32) - np.int32(1)
        return PolygonSurface(
            self.vertices[used],
            number[corners],
            self.sizes[chosen],
            self.classes[chosen],
            self.fronts[chosen],
            self.sides[chosen],
            self.headings[kept],
        )

    def turned(self, chosen: NDArray[np.bool_]) -> PolygonSurface:
        """The same surface, whose chosen polygons (F,) are seen from behind."""
        flip, size = np.repeat(chosen, self.sizes), np.repeat(self.sizes, self.sizes)
        start = np.repeat(np.cumsum(self.sizes) - self.sizes, self.sizes)
        place = np.arange(len(self.corners)) - start
        corner = start + np.where(flip, (size - place) % size, place)
        edge = start + np.where(flip, size - place - 1, place)
        return PolygonSurface(
            self.vertices,
            self.corners[corner],
            self.sizes,
            np.where(chosen, self.fronts, self.classes),
            np.where(chosen, self.classes, self.fronts),
            self.sides ^ chosen,
            self.headings[edge] ^ flip,
        )

    def uv(self) -> NDArray[np.float32]:
        """(C, 2) texture coordinates of the corners in metres: the grid's own, as a face's direction shows them."""
        side = np.repeat(self.sides, self.sizes)
        places = self.vertices[self.corners]
        return np.take_along_axis(places, _UV_AXES[side], axis=1) * _UV_SIGNS[side]
