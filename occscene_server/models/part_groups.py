"""Recorded pieces as training samples: equal parts mirrored in one another are one group, rows of books one part.

Four legs are then said once, and what is drawn is as symmetric as what was recorded.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from occscene.layout import PART_KINDS

from occscene_server.geometry.solids import BOX, WALLS, Floats, Ints, Solids

SINGLE, MIRRORED_X, MIRRORED_Y, MIRRORED_BOTH = range(4)
BOOKS = len(PART_KINDS)
"""A row of standing books, in addition to the kinds of `PART_KINDS`."""

_SAME = 0.004
"""Metres within which parts are alike."""
_GAP = 0.17
"""Metres between books of one row at most."""


def grouped(solids: Solids) -> tuple[Solids, Ints]:
    """One part of each group, that towards +x and +y, in order of appearance, and each one's symmetry (G,)."""
    solids = _rows_of_books(solids)
    mirrors = (np.array([-1.0, 1.0, 1.0]), np.array([1.0, -1.0, 1.0]), np.array([-1.0, -1.0, 1.0]))
    partner_x, partner_y, partner_both = (_partners(solids, mirror) for mirror in mirrors)
    done = np.zeros(len(solids), bool)
    kept: list[int] = []
    symmetry: list[int] = []
    for row in range(len(solids)):
        if done[row]:
            continue
        x, y, both = (_free(partner[row], row, done) for partner in (partner_x, partner_y, partner_both))
        members, kind = [row], SINGLE
        if x >= 0 and y >= 0 and both >= 0 and len({x, y, both}) == 3:
            members, kind = [row, x, y, both], MIRRORED_BOTH
        elif x >= 0:
            members, kind = [row, x], MIRRORED_X
        elif y >= 0:
            members, kind = [row, y], MIRRORED_Y
        done[members] = True
        weights = np.array([1.0 if kind in (MIRRORED_X, MIRRORED_BOTH) else 0.0, 0.0, 0.0])
        weights[1] = 1.0 if kind in (MIRRORED_Y, MIRRORED_BOTH) else 0.0
        kept.append(max(members, key=lambda member: float(solids.center[member] @ weights)))
        symmetry.append(kind)
    return solids.take(kept), np.array(symmetry, np.int64)


def _free(partners: Ints, row: int, done: NDArray[np.bool_]) -> int:
    """The first of the rows that match which is neither `row` nor in a group; -1 for none."""
    return next((other for other in partners.tolist() if other != row and not done[other]), -1)


def _partners(solids: Solids, mirror: Floats) -> list[Ints]:
    """For each part the parts that are its mirror image."""
    shape = np.einsum("pij,pj,pkj->pik", solids.axes, solids.size**2, solids.axes)
    near = np.abs((solids.center * mirror)[:, None] - solids.center[None]).max(2) < _SAME
    alike = np.abs(np.sqrt(np.abs(shape[:, None] * np.outer(mirror, mirror))) - np.sqrt(np.abs(shape))).max((2, 3))
    signs = ((shape[:, None] * np.outer(mirror, mirror)) * shape[None] > -1e-5).all((2, 3))
    material = np.array(solids.material)
    same = (solids.kind[:, None] == solids.kind) & (material[:, None] == material)
    same &= solids.role[:, None] == solids.role
    match = near & (alike < 2 * _SAME) & signs & same
    return [np.nonzero(row)[0] for row in match]


def _rows_of_books(solids: Solids) -> Solids:
    """With neighbouring books that stand on one board made one part each row."""
    paper = np.array([word == "paper" for word in solids.material]) & (solids.kind == BOX)
    low, high = solids.center - solids.size / 2, solids.center + solids.size / 2
    follows = np.zeros(len(solids), bool)
    follows[1:] = (
        paper[1:]
        & paper[:-1]
        & (np.abs(low[1:, 2] - low[:-1, 2]) < _SAME)
        & (low[1:, 0] > high[:-1, 0] - _SAME)
        & (low[1:, 0] < high[:-1, 0] + _GAP)
    )
    if not follows.any():
        return solids
    row = np.cumsum(~follows) - 1
    first = np.nonzero(~follows)[0]
    several = np.bincount(row) > 1
    kept = solids.take(first)
    kind = np.where(several, BOOKS, kept.kind)
    lowest, highest = np.minimum.reduceat(low, first), np.maximum.reduceat(high, first)
    size = np.where(several[:, None], highest - lowest, kept.size)
    center = np.where(several[:, None], (lowest + highest) / 2, kept.center)
    role = np.where(several, kept.role.clip(max=1), kept.role)
    return Solids(kind, center, size, kept.axes, kept.taper, kept.material, role)


def ungrouped(solids: Solids, symmetry: Ints, rng: np.random.Generator) -> Solids:
    """The inverse of `grouped`: every part, books drawn anew for each row."""
    several = []
    for row, kind in enumerate(symmetry.tolist()):
        own = _books(solids.take([row]), rng) if solids.kind[row] == BOOKS else solids.take([row])
        if kind in (MIRRORED_X, MIRRORED_BOTH):
            own = Solids.joined([own, _mirrored(own, 0)])
        if kind in (MIRRORED_Y, MIRRORED_BOTH):
            own = Solids.joined([own, _mirrored(own, 1)])
        several.append(own)
    return Solids.joined(several)


def _mirrored(solids: Solids, axis: int) -> Solids:
    mirror = np.ones(3)
    mirror[axis] = -1.0
    # mirroring a shape that is symmetric along its own axes: mirror the frame, and turn one of its axes round
    # (a wall's outside stays outside: it is turned round along itself)
    own = np.ones((len(solids), 3))
    own[np.arange(len(solids)), np.where(np.isin(solids.kind, WALLS), 0, axis)] = -1.0
    axes = mirror[None, :, None] * solids.axes * own[:, None, :]
    return Solids(solids.kind, solids.center * mirror, solids.size, axes, solids.taper, solids.material, solids.role)


def _books(row: Solids, rng: np.random.Generator) -> Solids:
    """Books side by side that fill a row; they are as high and deep as it at most, and their spines are aligned."""
    center, (width, depth, height) = row.center[0], row.size[0].tolist()
    count = max(1, round(width / 0.039))
    edges = np.concatenate([[0.0], np.cumsum(rng.uniform(0.022, 0.055, count))])
    edges *= width / edges[-1]
    thick = np.diff(edges) * 0.94
    size = np.stack([thick, depth * rng.uniform(0.7, 1.0, count), height * rng.uniform(0.67, 1.0, count)], 1)
    size[rng.integers(count), 1:] = depth, height
    middle = np.stack(
        [edges[:-1] + np.diff(edges) / 2 - width / 2, (depth - size[:, 1]) / 2, (size[:, 2] - height) / 2], 1
    )
    axes = np.broadcast_to(np.eye(3), (count, 3, 3))
    role = row.role[0] + rng.integers(7, size=count)
    return Solids(np.full(count, BOX), center + middle, size, axes, np.ones(count), row.material * count, role)
