"""Parts of a file of layouts as primitives, each turned as little as it can be."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray
from occscene.layout import PART_KINDS
from occscene.part_shapes import rotations

from occscene_server.data.layouts import Parts
from occscene_server.geometry.solids import CYLINDER, ELLIPSOID, ROD, WALLS, Floats, Ints, Solids

_TURNS = np.array(
    [
        np.eye(3)[list(order)] * np.array(signs)[:, None]
        for order in permutations(range(3))
        for signs in product((1.0, -1.0), repeat=3)
    ]
)
_TURNS = _TURNS[np.linalg.det(_TURNS) > 0]
"""The 24 rotations that carry axes onto axes."""


def recorded_solids(parts: Parts) -> Solids:
    """Parts of a file of layouts, each turned as little as it can be; a lathe becomes a tapered cylinder or a ball."""
    size = parts.box[:, 3:].astype(np.float64) / 1000
    taper = np.clip(parts.taper.astype(np.float64), 0.05, 20.0)
    names = np.array(parts.kind)
    ball = (names == "lathe") & (np.abs(taper - 1) < 0.02) & (size[:, 2] > size[:, 0] / 2)
    kind = np.array(
        [
            ELLIPSOID if is_ball else CYLINDER if name == "lathe" else PART_KINDS.index(name)
            for name, is_ball in zip(parts.kind, ball, strict=True)
        ],
        np.int64,
    )
    axes, size = _least_turned(kind, rotations(parts.turn.astype(np.float64)), size)
    # rods point upward, flat ones towards +x
    down = (kind == ROD) & _points_down(axes[:, :, 2])
    axes = np.where(down[:, None, None], axes * np.array([1.0, -1.0, -1.0]), axes)
    taper = np.where(down, 1 / taper, taper)
    center = parts.box[:, :3].astype(np.float64) / 1000
    return Solids(kind, center, size, axes, taper, parts.material_kind, parts.material.astype(np.int64))


def boxed_anew(solids: Solids) -> tuple[Solids, Floats]:
    """Parts about the middle of the box around them, and that box's size (3,)."""
    low, high = solids.bounds()
    return replace(solids, center=solids.center - (low + high) / 2), high - low


def _points_down(direction: Floats) -> NDArray[np.bool_]:
    x, y, z = np.where(np.abs(direction) < 0.01, 0.0, direction).T
    return (z < 0) | ((z == 0) & ((x < 0) | ((x == 0) & (y < 0))))


def _least_turned(kind: Ints, axes: Floats, size: Floats) -> tuple[Floats, Floats]:
    """The same shapes with their axes renamed so that they are turned least.

    Upright cylinders are not turned at all, walls as they are: they have an outside.
    """
    turned = np.einsum("pij,tjk->ptik", axes, _TURNS)
    best = np.argmax(np.einsum("ptii->pt", turned), axis=1)
    rows = np.arange(len(kind))
    named = np.einsum("tjk,pj->ptk", np.abs(_TURNS), size)[rows, best]
    free = (kind != ROD) & (kind != CYLINDER) & ~np.isin(kind, WALLS)
    upright = (kind == CYLINDER) & (np.abs(axes[:, 2, 2]) > 0.999)
    axes = np.where(free[:, None, None], turned[rows, best], np.where(upright[:, None, None], np.eye(3), axes))
    return axes, np.where(free[:, None], named, size)
