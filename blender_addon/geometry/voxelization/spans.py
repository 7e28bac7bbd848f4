"""Spans: the stretches of voxel-centre lines that lie inside closed groups of triangles."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .scanlines import Bools, Floats, Ints, PlaneCuts, Shape, Squares, batches, other_axes, strides
from .voxel_sets import off_border
from .watertight import OPEN, ClosedGroups

_MOST_FRACTION_BITS = 20
"""Binary digits of a height below one voxel, as far as the sorting key has room for them."""


@dataclass(frozen=True)
class HitKey:
    """One integer for a hit, that sorts by group, row, column, height and direction, in this order.

    numpy sorts integers many times as fast as records. From the lowest: a bit for the direction, `height_bits` for the
    height in units of 2**-fraction_bits voxels from one voxel before the grid, then column, row and group.
    """

    axis: int
    shape: Shape
    column_bits: int
    height_bits: int
    fraction_bits: int

    @staticmethod
    def along(axis: int, shape: Shape, groups: int) -> HitKey:
        """The key for lines along an axis."""
        u_axis, v_axis = other_axes(axis)
        voxel_bits, column_bits = (shape[axis] + 2).bit_length(), shape[v_axis].bit_length()
        spare = 62 - groups.bit_length() - shape[u_axis].bit_length() - column_bits - voxel_bits
        fraction_bits = min(_MOST_FRACTION_BITS, spare)
        return HitKey(axis, shape, column_bits, voxel_bits + fraction_bits, fraction_bits)

    @property
    def row_bits(self) -> int:
        """Bits of a row."""
        return self.shape[other_axes(self.axis)[0]].bit_length()

    def of_scanline(self, group: Ints, row: Ints, upward: Bools) -> Ints:
        """The part of a key that the hits of one scanline share."""
        return (((group << self.row_bits) | row) << (self.column_bits + self.height_bits + 1)) | upward

    def of_line(self, column: Ints, height: Floats) -> Ints:
        """The part of a key that is each hit's own."""
        bounded = np.maximum(height, -1.0)
        np.minimum(bounded, self.shape[self.axis] + 1.0, out=bounded)
        bounded += 1.0
        bounded *= 1 << self.fraction_bits
        result = np.rint(bounded, out=bounded).astype(np.int64)
        result <<= 1
        result |= column << (self.height_bits + 1)
        return result

    def group(self, key: Ints) -> Ints:
        """The group of hits."""
        return key >> (self.row_bits + self.column_bits + self.height_bits + 1)

    def first_center(self, key: Ints) -> Ints:
        """The first voxel along the axis whose centre is not below a hit."""
        return ((self._height(key) + (1 << self.fraction_bits >> 1) - 1) >> self.fraction_bits) - 1

    def middle(self, key: Ints, other: Ints) -> Floats:
        """The place along the axis in the middle between two hits."""
        return (self._height(key) + self._height(other)) / (2 << self.fraction_bits) - 1

    def line(self, key: Ints) -> tuple[Ints, Ints]:
        """Row and column of hits."""
        line = key >> (self.height_bits + 1)
        return (line >> self.column_bits) & ((1 << self.row_bits) - 1), line & ((1 << self.column_bits) - 1)

    def _height(self, key: Ints) -> Ints:
        return (key >> 1) & ((1 << self.height_bits) - 1)


@dataclass(frozen=True, eq=False)
class Spans:
    """Stretches inside closed groups along lines of one axis, sorted by group.

    Args:
        key: how hits are written as integers.
        enter: (P,) the hit that leads in.
        leave: (P,) the hit that leads out.
        begin: (P,) the first voxel along the axis whose centre lies inside.
        end: (P,) the first voxel behind; not above `begin` where the span meets no centre.
        upward: (P,) the way in is an upward hit; over the outside of one surface all ways in are alike.
    """

    key: HitKey
    enter: Ints
    leave: Ints
    begin: Ints
    end: Ints
    upward: Bools

    def group(self) -> Ints:
        """(P,) the groups."""
        return self.key.group(self.enter)

    def voxels(self, span: Ints, place: Ints) -> tuple[Ints, Ints]:
        """Groups and flat voxel indices of spans' places along the axis, as far as these are in the grid."""
        inside = np.flatnonzero((place >= 0) & (place < self.key.shape[self.key.axis]))
        hit = self.enter[span[inside]]
        row, column = self.key.line(hit)
        return self.key.group(hit), _flat_voxel(self.key.axis, row, column, place[inside], self.key.shape)


@dataclass(frozen=True, eq=False)
class Scan:
    """What the voxel-centre lines along an axis, and the planes across the next, meet of triangles (T,).

    Args:
        spans: through closed groups.
        open_triangle, open_voxel: (N,) where lines cross open surfaces: the triangle and the voxel's flat index.
        squares: what the planes cut between lines.
        above: (T,) the first plane above each triangle that none cuts, else 0.
    """

    spans: Spans
    open_triangle: Ints
    open_voxel: Ints
    squares: Squares
    above: Ints


def scanned(corners: Floats, groups: ClosedGroups, axis: int, shape: Shape) -> Scan:
    """Follows the lines along an axis through triangles (3, 3, T)."""
    key = HitKey.along(axis, shape, len(groups.owner))
    corners = np.ascontiguousarray(corners)
    none = np.zeros(0, np.int64)
    keys, open_triangles, open_voxels, above = [none], [none], [none], [none.astype(np.int32)]
    squares = [Squares(none, none, np.zeros((2, 0)), np.zeros((2, 0)))]
    for batch in batches(corners.shape[2]):
        planes = PlaneCuts(corners, batch, axis, shape)
        above.append(planes.above)
        between = planes.squares()
        squares.append(replace(between, triangle=batch.start + between.triangle))
        cut = planes.sections()
        group = groups.of_triangle[batch][cut.triangle]
        closed, bare = np.flatnonzero(group >= 0), np.flatnonzero(group == OPEN)
        column, height = cut.lines(closed)
        scanline = key.of_scanline(group[closed], cut.row[closed], cut.upward[closed])
        keys.append(np.repeat(scanline, cut.count[closed]) + key.of_line(column, height))
        if len(bare):
            column, height = cut.lines(bare)
            height = off_border(height, shape[axis])
            triangle, row = (np.repeat(values[bare], cut.count[bare]) for values in (cut.triangle, cut.row))
            inside = np.flatnonzero((height >= 0) & (height < shape[axis]))
            place = height[inside].astype(np.int64)
            open_triangles.append(batch.start + triangle[inside])
            open_voxels.append(_flat_voxel(axis, row[inside], column[inside], place, shape))
    spans = _spans(_sorted(np.concatenate(keys), key.height_bits + 1), key, groups)
    opened = np.concatenate(open_triangles), np.concatenate(open_voxels)
    return Scan(spans, *opened, Squares.joined(squares), np.concatenate(above))


def _sorted(keys: Ints, bits: int) -> Ints:
    """The keys of hits in order, of which those on one line differ only in the lowest bits.

    Most lines of one large mesh cross it twice: their two hits find their places by counting, in half the time.
    """
    line = keys >> bits
    lines = int(line.max(initial=0)) + 1
    if lines > 4 * len(keys):
        return np.sort(keys)
    count = np.bincount(line, minlength=lines)
    start = np.cumsum(count) - count
    number, one_of = np.arange(len(keys)), np.empty(lines, np.int64)
    one_of[line] = number
    result = np.empty_like(keys)
    result[start[line] + (one_of[line] != number)] = keys
    first = start[count == 2]
    pair = result[first], result[first + 1]
    result[first], result[first + 1] = np.minimum(*pair), np.maximum(*pair)
    more = count > 2
    result[np.repeat(more, count)] = np.sort(keys[more[line]])
    return result


def _spans(keys: Ints, key: HitKey, groups: ClosedGroups) -> Spans:
    """The spans between sorted hits."""
    step = 2 * (keys & 1) - 1
    if groups.alternating.any():
        flips = np.flatnonzero(groups.alternating[key.group(keys)])
        step[flips] = 1 - 2 * (flips & 1)  # every line before crossed its group an even number of times
    outside = np.cumsum(step) == 0  # after each line too, for its hits cancel
    outside[:-1] &= (keys[1:] ^ keys[:-1]) > 1  # what leaves and enters at one place has not left, in either direction
    (last,) = outside.nonzero()
    first = np.concatenate([np.zeros(1, np.int64), last[:-1] + 1])[: len(last)]
    enter, leave = keys[first], keys[last]
    return Spans(key, enter, leave, key.first_center(enter), key.first_center(leave), step[first] > 0)


def _flat_voxel(axis: int, row: Ints, column: Ints, along: Ints, shape: Shape) -> Ints:
    """Flat index of voxels on lines of an axis."""
    u_axis, v_axis = other_axes(axis)
    stride = strides(shape)
    return row * stride[u_axis] + column * stride[v_axis] + along * stride[axis]
