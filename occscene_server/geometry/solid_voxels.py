"""Parts to voxels by formula, after the same rules as `box_voxels`: what the extension finds for their triangles.

A part is convex, so a line through voxel centres meets it in one interval, which half-spaces give at once.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from occscene_server.geometry.box_voxels import LATTICE, MARGIN, NUDGE, Bools, Floats, Ints, line_voxels
from occscene_server.geometry.solid_meshes import face_planes
from occscene_server.geometry.solids import Solids

_PARALLEL = 1e-9
_SLENDER = 2.0
"""Voxels across which lines can miss a part."""
_AROUND = np.array([-0.75, -0.25, 0.25, 0.75, 1.25, 1.75])
"""Where denser points lie around a missed one and its two neighbours, in steps from its number."""
_NEIGHBORS = np.array([(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)])


def solid_voxels(solids: Solids, grid_from_object: Floats, shape: tuple[int, int, int]) -> tuple[Ints, Bools]:
    """The voxels of an object's parts.

    Args:
        solids: about the middle of the object's box.
        grid_from_object: (3, 4) from there to voxel units: rotation times scale, and place.
        shape: of the grid.

    Returns:
        The lowest voxel (3,) of a block within the grid, and what of the block (X, Y, Z) is kept.
    """
    scale = float(np.linalg.norm(grid_from_object[:, 0]))
    turn = grid_from_object[:, :3] / scale
    axes = np.einsum("ij,pjk->pik", turn, solids.axes)
    centers = solids.center @ grid_from_object[:, :3].T + grid_from_object[:, 3] + NUDGE
    sizes = solids.size * scale
    placed = replace(solids, center=centers, size=sizes, axes=axes)
    reach = placed.reach + 1 / LATTICE
    limit = np.array(shape)
    lows = np.clip(np.floor(centers - reach), -MARGIN, limit + MARGIN).astype(np.int64)
    highs = np.clip(np.floor(centers + reach) + 1, lows, limit + MARGIN).astype(np.int64)
    low, high = lows.min(0), highs.max(0)
    block = np.zeros(tuple(high - low), bool)
    there = np.nonzero((highs > lows).all(1))[0]
    planes = {}
    for row in there.tolist():
        normal, offset = face_planes(int(solids.kind[row]), sizes[row], float(solids.taper[row]))
        normal = normal @ axes[row].T
        planes[row] = normal, offset + normal @ centers[row]
    for axis in range(3):
        intervals = [_intervals(*planes[row], axis, lows[row], highs[row], low, high) for row in planes]
        if intervals:
            line, begin, end = (np.concatenate(values) for values in zip(*intervals, strict=True))
            _mark(block, axis, *_merged(line, begin, end), low)
    slender = np.nonzero(((sizes < _SLENDER).sum(1) >= 2) & (highs > lows).all(1))[0]
    if len(slender):
        _add_missed(block, replace(placed, center=centers - low).take(slender))
    begin, end = np.clip(low, 0, limit), np.clip(high, 0, limit)
    inner = tuple(slice(a, max(a, b)) for a, b in zip(begin - low, end - low, strict=True))
    return begin, block[inner]


def _intervals(
    normal: Floats, offset: Floats, axis: int, low: Ints, high: Ints, first: Ints, last: Ints
) -> tuple[Ints, Floats, Floats]:
    """Where lines along an axis meet an intersection of half-spaces: lines numbered in the block first .. last."""
    u, v = (axis + 1) % 3, (axis + 2) % 3
    across = np.arange(low[u], high[u]), np.arange(low[v], high[v])
    rest = offset[:, None] - normal[:, u, None] * (across[0] + 0.5)
    rest = rest[:, :, None] - (normal[:, v, None] * (across[1] + 0.5))[:, None, :]
    slope = normal[:, axis]
    falling, rising = slope < -_PARALLEL, slope > _PARALLEL
    begin = (rest[falling] / slope[falling, None, None]).max(0)
    end = (rest[rising] / slope[rising, None, None]).min(0)
    met = (rest[~(falling | rising)] >= 0).all(0) & (end > begin)
    line = (across[0] - first[u])[:, None] * int(last[v] - first[v]) + (across[1] - first[v])
    return line[met], begin[met], end[met]


def _merged(line: Ints, begin: Floats, end: Floats) -> tuple[Ints, Floats, Floats]:
    """Intervals of several parts, those of one line that meet made one."""
    if not len(line):
        return line, begin, end
    order = np.lexsort((begin, line))
    line, begin, end = line[order], begin[order], end[order]
    # lines one after the other on one axis
    far = line * (4.0 * (np.abs(end).max() + np.abs(begin).max() + 1.0))
    reached = np.maximum.accumulate(end + far)
    new = np.ones(len(line), bool)
    new[1:] = begin[1:] + far[1:] > reached[:-1]
    first = np.nonzero(new)[0]
    return line[first], begin[first], np.maximum.reduceat(end, first)


def _mark(block: Bools, axis: int, line: Ints, begin: Floats, end: Floats, low: Ints) -> None:
    """Marks what intervals along an axis show."""
    turned = np.moveaxis(block, ((axis + 1) % 3, (axis + 2) % 3, axis), (0, 1, 2))
    hit = line_voxels(begin, end, int(low[axis]), int(low[axis]) + turned.shape[2], False)
    row, place = np.nonzero(hit)
    u, v = np.divmod(line[row], turned.shape[1])
    turned[u, v, place] = True


def _add_missed(block: Bools, solids: Solids) -> None:
    """Adds what lines missed of poles: along their middles, where no voxel around is kept."""
    row, longest = np.arange(len(solids)), solids.size.argmax(1)
    along = solids.axes[row, :, longest] * solids.size[row, longest, None]
    start = solids.center - along / 2
    count = np.maximum(np.ceil(np.abs(along).max(1)), 1).astype(np.int64)
    edge = np.repeat(row, count)
    number = np.arange(len(edge)) - np.repeat(count.cumsum() - count, count)
    bare = _bare(block, start[edge] + along[edge] * ((number + 0.5) / count[edge])[:, None])
    place = ((number[bare, None] + _AROUND) / count[edge[bare], None]).reshape(-1)
    edge = np.repeat(edge[bare], len(_AROUND))
    points = (start[edge] + along[edge] * place[:, None])[(place > 0) & (place < 1)]
    inside = np.floor(points[_bare(block, points)]).astype(np.int64)
    inside = inside[((inside >= 0) & (inside < block.shape)).all(1)]
    block[tuple(inside.T)] = True


def _bare(block: Bools, points: Floats) -> Bools:
    """Which points (P, 3) have no kept voxel among the eight around them."""
    padded = np.pad(block, 1)
    around = np.floor(points + 0.5).astype(np.int64)[:, None] + _NEIGHBORS
    around = np.clip(around, 0, np.array(padded.shape) - 1)
    return ~padded[tuple(around.transpose(2, 0, 1))].any(1)
