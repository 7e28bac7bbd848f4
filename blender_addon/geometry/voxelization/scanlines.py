"""Where rows of lines through voxel centres cut triangles: the scan conversion under the voxeliser.

Triangles are structures of arrays: `corners[axis, corner, triangle]` in voxel units. Work goes in batches that stay in
the processor's cache, which halves the time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Shape = tuple[int, int, int]

_TRIANGLES_AT_ONCE = 2**14

_ORDERS = np.array([(2, 1, 0), (2, 1, 0), (1, 2, 0), (1, 0, 2), (2, 0, 1), (0, 2, 1), (2, 1, 0), (0, 1, 2)]).T
"""Corners in rising order, by 4 (first <= second) + 2 (second <= third) + (first <= third)."""

_IS_EVEN = (_ORDERS[1] - _ORDERS[0]) % 3 == 1


@dataclass(frozen=True, eq=False)
class Sections:
    """Cuts of rows of lines along one axis through triangles; line i of a row is at i + 0.5.

    Args:
        triangle: (S,) the triangle that is cut.
        row: (S,) the row's voxel index along the first other axis.
        begin: (S,) the first line that passes through, a voxel index along the second other axis.
        count: (S,) how many lines do, at least 1.
        height: (S,) where along the axis line 0 meets the triangle's plane, voxel units.
        slope: (S,) by how much the height rises from line to line.
        upward: (S,) on which side of the triangle the lines come out. Over a line these cancel exactly when they do
            so over every edge of the mesh.
    """

    triangle: Ints
    row: Ints
    begin: Ints
    count: Ints
    height: Floats
    slope: Floats
    upward: Bools

    def lines(self, chosen: Ints) -> tuple[Ints, Floats]:
        """Every line of some sections: its voxel index, and where it meets the triangle."""
        count = self.count[chosen]
        first = self.begin[chosen] - np.cumsum(count) + count
        line = np.arange(int(count.sum())) + np.repeat(first, count)
        rise = np.repeat(self.slope[chosen], count)
        rise *= line
        rise += np.repeat(self.height[chosen], count)
        return line, rise


@dataclass(frozen=True, eq=False)
class Squares:
    """Where planes cut triangles between four voxel centres, so that no line through centres meets the cut.

    Args:
        triangle: (S,) the triangle that is cut.
        lowest: (S,) flat index of the lowest of the four voxels.
        low, high: (2, S) the cut's bounds, voxel units, along the second axis after the lines' and along theirs.
    """

    triangle: Ints
    lowest: Ints
    low: Floats
    high: Floats

    @staticmethod
    def joined(parts: Sequence[Squares]) -> Squares:
        """All cuts of several sets."""
        return Squares(
            *(np.concatenate(values, axis=-1) for values in zip(*(vars(part).values() for part in parts), strict=True))
        )


def batches(triangles: int) -> Iterator[slice]:
    """Slices of triangles to work on together."""
    return (slice(begin, begin + _TRIANGLES_AT_ONCE) for begin in range(0, triangles, _TRIANGLES_AT_ONCE))


def other_axes(axis: int) -> tuple[int, int]:
    """The two axes after `axis` (x, y, z, x ...)."""
    return (axis + 1) % 3, (axis + 2) % 3


def strides(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Flat steps to the next voxel along each axis of a grid."""
    return shape[1] * shape[2], shape[2], 1


class PlaneCuts:
    """Triangles (3, 3, T) cut by the planes through voxel centres across the axis after `axis`.

    A cut is an interval between two of the triangle's edges. In a plane lie a row of lines along `axis`, which `lines`
    follows, and lines across them; `squares` are the cuts between all of these. Where an edge meets the plane is
    computed from its lower end only, so triangles that share an edge share that number: no line slips between them
    and none meets both.
    """

    def __init__(self, corners: Floats, batch: slice, axis: int, shape: Shape) -> None:
        u_axis, v_axis = other_axes(axis)
        self._axis, self._shape = axis, shape
        u = corners[u_axis, :, batch]
        row_begin, row_end = first_center(_least(u), shape[u_axis]), first_center(_most(u), shape[u_axis])
        is_cut = row_end > row_begin
        self._met = np.flatnonzero(is_cut)
        self.above = np.where(is_cut | (row_end == shape[u_axis]), 0, row_begin).astype(np.int32)
        """(T,) the first plane above each triangle that none cuts; 0 where there is none, or no plane below."""
        row_begin, count = row_begin[self._met], (row_end - row_begin)[self._met]
        order = _order(u).take(self._met)
        self._even = _IS_EVEN.take(order)
        places = (_ORDERS * corners.shape[2]).take(order, axis=1) + (batch.start + self._met)
        u, v, h = (corners[which].reshape(-1).take(places) for which in (u_axis, v_axis, axis))

        self._triangle = np.repeat(np.arange(len(self._met)), count)
        self._row = np.arange(len(self._triangle)) + np.repeat(row_begin - np.cumsum(count) + count, count)
        self._long = _Edges(u, v, h, slice(0, 1), slice(2, 3))
        self._short = _Edges(u, v, h, slice(0, 2), slice(1, 3))  # lower ones, then upper ones
        middle = first_center(u[1], shape[u_axis])
        self._on_short = self._triangle + len(self._met) * (self._row >= middle[self._triangle])
        self._v_long = self._long.v_at(self._triangle, self._row)
        self._v_short = self._short.v_at(self._on_short, self._row)
        self._begin = first_center(np.minimum(self._v_long, self._v_short), shape[v_axis])
        self._count = first_center(np.maximum(self._v_long, self._v_short), shape[v_axis]) - self._begin

    def sections(self) -> Sections:
        """What the lines along the axis meet."""
        (cut,) = self._count.nonzero()
        triangle, row, v_long = self._triangle[cut], self._row[cut], self._v_long[cut]
        across = self._v_short[cut] - v_long
        height = self._long.h_at(triangle, row)
        slope = (self._short.h_at(self._on_short[cut], row) - height) / across
        height += (0.5 - v_long) * slope
        upward = (across > 0) == self._even[triangle]
        return Sections(self._met[triangle], row, self._begin[cut], self._count[cut], height, slope, upward)

    def squares(self) -> Squares:
        """What no line meets, as far as all four voxels and their neighbors across are in the grid."""
        u_axis, v_axis = other_axes(self._axis)
        side, lines = self._shape[self._axis], self._shape[v_axis]
        within = (self._row > 0) & (self._row < self._shape[u_axis] - 1) & (self._begin > 0) & (self._begin < lines)
        cut = np.flatnonzero((self._count == 0) & within)
        triangle, row = self._triangle[cut], self._row[cut]
        ends = self._long.h_at(triangle, row), self._short.h_at(self._on_short[cut], row)
        low, high = np.minimum(*ends), np.maximum(*ends)
        place = first_center(low, side)
        (kept,) = ((place == first_center(high, side)) & (place > 0) & (place < side)).nonzero()
        cut, stride = cut[kept], strides(self._shape)
        lowest = row[kept] * stride[u_axis] + (place[kept] - 1) * stride[self._axis]
        lowest += (self._begin[cut] - 1) * stride[v_axis]
        v = self._v_long[cut], self._v_short[cut]
        bounds = np.stack([np.minimum(*v), low[kept]]), np.stack([np.maximum(*v), high[kept]])
        return Squares(self._met[triangle[kept]], lowest, *bounds)


def sections(corners: Floats, axis: int, shape: Shape) -> Sections:
    """Cuts triangles (3, 3, T) by the lines along `axis` through the voxel centres of a grid."""
    return PlaneCuts(corners, slice(0, None), axis, shape).sections()


def first_center(place: Floats, side: int) -> Ints:
    """The first voxel whose centre is not below `place`, within 0 .. `side`."""
    center = place - 0.5
    np.ceil(center, out=center)
    np.maximum(center, 0, out=center)
    np.minimum(center, side, out=center)
    return center.astype(np.int64)


def _least(corners: Floats) -> Floats:
    return np.minimum(np.minimum(corners[0], corners[1]), corners[2])


def _most(corners: Floats) -> Floats:
    return np.maximum(np.maximum(corners[0], corners[1]), corners[2])


def _order(u: Floats) -> NDArray[np.uint8]:
    """Which of `_ORDERS` the corners (3, C) of triangles have."""
    first, second, either = (test.view(np.uint8) for test in (u[0] <= u[1], u[1] <= u[2], u[0] <= u[2]))
    return 4 * first + 2 * second + either


class _Edges:
    """Edges between sorted corners as functions of u; the edges of several pairs of corners are concatenated."""

    def __init__(self, u: Floats, v: Floats, h: Floats, starts: slice, ends: slice) -> None:
        self.u, self.v, self.h = (values[starts].reshape(-1) for values in (u, v, h))
        rise = u[ends].reshape(-1) - self.u
        rise[rise == 0] = 1.0  # such an edge meets no row
        self.v_slope = (v[ends].reshape(-1) - self.v) / rise
        self.h_slope = (h[ends].reshape(-1) - self.h) / rise

    def v_at(self, edge: Ints, row: Ints) -> Floats:
        return self.v[edge] + (row + 0.5 - self.u[edge]) * self.v_slope[edge]

    def h_at(self, edge: Ints, row: Ints) -> Floats:
        return self.h[edge] + (row + 0.5 - self.u[edge]) * self.h_slope[edge]
