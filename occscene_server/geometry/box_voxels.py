"""Boxes to voxels in closed form: the same voxels as the extension's voxeliser gives for their triangles.

The extension follows lines through voxel centres along axes (`blender_addon.geometry.voxelization`). Of a box that is
rotated about Z only, such lines meet a rectangle in the plane and an interval in height, so that a few rows of numbers
say everything. Rules, along each axis: inside a solid box the centres are kept; of a hollow one the first and the last;
where a line passes through without meeting a centre, the voxel in the middle. A box that every line misses is kept
where its longest middle line runs. Of plates thinner than a voxel that stand askew the extension keeps the tips too.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

LATTICE = 2**16
NUDGE = np.array([5, 7, 11]) / LATTICE
"""Corners are snapped and moved as the extension does it, so that a face on voxel planes or centres falls alike."""

MARGIN = 3
"""Voxels around the grid in which a box counts as found."""

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def box_voxels(corners: Floats, shape: tuple[int, int, int], shell_only: bool = False) -> tuple[Ints, Bools]:
    """The voxels of a box that stands upright.

    Args:
        corners: (8, 3) in voxel units of the grid, z fastest, y next, as `LayoutObject.corners` has them.
        shape: of the grid.
        shell_only: keep only the surface.

    Returns:
        The lowest voxel (3,) of a block within the grid, and what of the block (X, Y, Z) is kept.
    """
    snapped = np.rint(corners * LATTICE) / LATTICE + NUDGE
    limit = np.array(shape)
    low = np.clip(np.floor(snapped.min(0)), -MARGIN, limit + MARGIN).astype(np.int64)
    high = np.clip(np.floor(snapped.max(0)) + 1, low, limit + MARGIN).astype(np.int64)
    if (high == low).any():
        return low, np.zeros((0, 0, 0), bool)
    outline = snapped[[0, 2, 6, 4], :2]
    bottom, top = snapped[0, 2], snapped[1, 2]
    across_x, across_y = (_intervals(outline, axis) for axis in (0, 1))
    # lines along x pass at rows of y, lines along y at rows of x, lines along z through the outline
    flat_x = line_voxels(*across_x(low[1], high[1]), low[0], high[0], shell_only).T  # (X, Y)
    flat_y = line_voxels(*across_y(low[0], high[0]), low[1], high[1], shell_only)  # (X, Y)
    level = _inside(np.full(1, bottom), np.full(1, top), low[2], high[2])[0]
    stack = line_voxels(np.full(1, bottom), np.full(1, top), low[2], high[2], shell_only)[0]
    begin, end = across_y(low[0], high[0])
    within = _inside(begin, end, low[1], high[1])
    block = ((flat_x | flat_y)[:, :, None] & level) | (within[:, :, None] & stack)
    if not block.any():
        block = _middle_line(snapped, low, high)
    begin_in, end_in = np.maximum(low, 0), np.minimum(high, limit)
    inner = tuple(slice(a, max(a, b)) for a, b in zip(begin_in - low, end_in - low, strict=True))
    return begin_in, block[inner]


def _intervals(outline: Floats, axis: int) -> Callable[[int, int], tuple[Floats, Floats]]:
    """Where lines along an axis pass a convex outline (4, 2): a function of rows first .. end to begin and end (R,)."""
    along, row = outline[:, axis], outline[:, 1 - axis]

    def of_rows(first: int, end: int) -> tuple[Floats, Floats]:
        places = np.arange(first, end) + 0.5
        begin, finish = np.full(len(places), np.inf), np.full(len(places), -np.inf)
        for i in range(4):
            j = (i + 1) % 4
            a, b = (i, j) if row[i] <= row[j] else (j, i)
            met = (places >= row[a]) & (places < row[b])
            slope = (along[b] - along[a]) / (row[b] - row[a]) if row[b] > row[a] else 0.0
            height = along[a] + (places - row[a]) * slope
            begin = np.where(met, np.minimum(begin, height), begin)
            finish = np.where(met, np.maximum(finish, height), finish)
        return begin, finish

    return of_rows


def _inside(begin: Floats, end: Floats, first: int, last: int) -> Bools:
    """Which voxels first .. last (R, N) have their centre inside an interval each."""
    centers = np.arange(first, last) + 0.5
    inside: Bools = (centers >= begin[:, None]) & (centers < end[:, None])
    return inside


def line_voxels(begin: Floats, end: Floats, first: int, last: int, shell_only: bool) -> Bools:
    """Which voxels (R, N) lines show that pass through from begin to end; rows that miss have end below begin."""
    inside = _inside(begin, end, first, last)
    met = end > begin
    where = np.arange(first, last)
    start, stop = (np.ceil(np.where(met, side, 0.0) - 0.5).astype(np.int64) for side in (begin, end))
    if shell_only:
        inside &= (where == start[:, None]) | (where == stop[:, None] - 1)
    thin = met & (stop <= start)
    middle = np.floor((np.where(thin, begin, 0.0) + np.where(thin, end, 0.0)) / 2).astype(np.int64)
    shown: Bools = inside | (thin[:, None] & (where == middle[:, None]))
    return shown


def _middle_line(corners: Floats, low: Ints, high: Ints) -> Bools:
    """The voxels along the longest of the three middle lines of a box."""
    middle = corners.mean(0)
    ends = [corners[[i for i in range(8) if i & bit]].mean(0) for bit in (4, 2, 1)]
    reach = max((end - middle for end in ends), key=lambda offset: float(np.abs(offset).max()))
    steps = np.linspace(-1.0, 1.0, 2 + int(4 * np.abs(reach).max()))
    places = np.floor(middle + steps[:, None] * reach).astype(np.int64)
    places = places[((places >= low) & (places < high)).all(1)] - low
    block = np.zeros(tuple(high - low), bool)
    block[tuple(places.T)] = True
    return block
