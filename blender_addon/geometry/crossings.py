"""Where rows of lines through voxel centres cut triangles: the scan conversion under the voxeliser.

Triangles are structures of arrays: `corners[axis, corner, triangle]` in voxel units. Work goes in batches that stay in
the processor's cache, which halves the time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Shape = tuple[int, int, int]

_TRIANGLES_AT_ONCE = 2**14


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
        return line, np.repeat(self.height[chosen], count) + line * np.repeat(self.slope[chosen], count)


def batches(triangles: int) -> Iterator[slice]:
    """Slices of triangles to work on together."""
    return (slice(begin, begin + _TRIANGLES_AT_ONCE) for begin in range(0, triangles, _TRIANGLES_AT_ONCE))


def other_axes(axis: int) -> tuple[int, int]:
    """The two axes that are not `axis`, ascending."""
    return (1, 2) if axis == 0 else (0, 2) if axis == 1 else (0, 1)


def sections(corners: Floats, axis: int, shape: Shape) -> Sections:
    """Cuts triangles (3, 3, T) by the lines along `axis` through the voxel centres of a grid.

    A triangle's section with a row is an interval between two of its edges. Where an edge meets the row is computed
    from its lower end alone, so triangles that share an edge share that number: no line slips between them and none
    meets both.
    """
    u_axis, v_axis = other_axes(axis)
    u, v, h = corners[u_axis], corners[v_axis], corners[axis]
    row_begin, row_end = _first_center(_least(u), shape[u_axis]), _first_center(_most(u), shape[u_axis])
    low, high = _first_center(_least(v), shape[v_axis]), _first_center(_most(v), shape[v_axis])
    met = np.flatnonzero((row_end > row_begin) & (high > low))
    row_begin, count = row_begin[met], (row_end - row_begin)[met]
    u, v, h, even = _sorted_by_first(u, v, h, met)

    triangle = np.repeat(np.arange(len(met)), count)
    row = np.arange(len(triangle)) + np.repeat(row_begin - np.cumsum(count) + count, count)
    long = _Edges(u, v, h, [0], [2])
    short = _Edges(u, v, h, [0, 1], [1, 2])  # lower ones, then upper ones
    on_short = triangle + len(met) * (row >= _first_center(u[1], shape[u_axis])[triangle])
    v_long, v_short = long.v_at(triangle, row), short.v_at(on_short, row)
    begin = _first_center(np.minimum(v_long, v_short), shape[v_axis])
    count = _first_center(np.maximum(v_long, v_short), shape[v_axis]) - begin

    cut = np.flatnonzero(count)
    triangle, row, v_long = triangle[cut], row[cut], v_long[cut]
    across = v_short[cut] - v_long
    height = long.h_at(triangle, row)
    slope = (short.h_at(on_short[cut], row) - height) / across
    height += (0.5 - v_long) * slope
    return Sections(met[triangle], row, begin[cut], count[cut], height, slope, (across > 0) == even[triangle])


def _first_center(place: Floats, side: int) -> Ints:
    """The first voxel whose centre is not below `place`, within 0 .. `side`."""
    return np.minimum(np.maximum(np.ceil(place - 0.5), 0), side).astype(np.int64)


def _least(corners: Floats) -> Floats:
    return np.minimum(np.minimum(corners[0], corners[1]), corners[2])


def _most(corners: Floats) -> Floats:
    return np.maximum(np.maximum(corners[0], corners[1]), corners[2])


def _sorted_by_first(u: Floats, v: Floats, h: Floats, chosen: Ints) -> tuple[Floats, Floats, Floats, Bools]:
    """Corners (3, C) of chosen triangles in the order of rising u, and whether that order is an even permutation."""
    a, b, c = u[0, chosen], u[1, chosen], u[2, chosen]
    first = np.where(a <= b, np.where(a <= c, 0, 2), np.where(b <= c, 1, 2))
    last = np.where(c >= b, np.where(c >= a, 2, 0), np.where(b >= a, 1, 0))
    middle = 3 - first - last
    places = np.stack([first, middle, last]) * len(chosen) + np.arange(len(chosen))
    u, v, h = (values.take(chosen, axis=1).reshape(-1).take(places) for values in (u, v, h))
    return u, v, h, (middle - first) % 3 == 1


class _Edges:
    """Edges between sorted corners as functions of u; the edges of several pairs of corners are concatenated."""

    def __init__(self, u: Floats, v: Floats, h: Floats, starts: list[int], ends: list[int]) -> None:
        self.u, self.v, self.h = (values[starts].reshape(-1) for values in (u, v, h))
        rise = u[ends].reshape(-1) - self.u
        rise[rise == 0] = 1.0  # such an edge meets no row
        self.v_slope = (v[ends].reshape(-1) - self.v) / rise
        self.h_slope = (h[ends].reshape(-1) - self.h) / rise

    def v_at(self, edge: Ints, row: Ints) -> Floats:
        return self.v[edge] + (row + 0.5 - self.u[edge]) * self.v_slope[edge]

    def h_at(self, edge: Ints, row: Ints) -> Floats:
        return self.h[edge] + (row + 0.5 - self.u[edge]) * self.h_slope[edge]
