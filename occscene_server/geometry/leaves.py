"""Leaves on the crowns, bushes and hedges of a street: what makes an outline of a ball a tree.

They follow from the triangles alone, so that the studio's renders, what networks are trained on and the product's
buffers have the same ones. They are seen only: never stored, never voxelised.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from occscene.taxonomy import OUTDOOR

from occscene_server.geometry.kept import Kept, content_key
from occscene_server.geometry.mesh_parts import rows_by_object

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_BULK = 0.15
"""Metres that a body is thick at least, 3 volumes over its surface: twigs and leaves that were modelled bear none."""
_LENGTH, _SHORTEST, _LONGEST = 0.16, 0.08, 0.16
"""Half of a leaf, over the body's thickness and in metres: clumps of leaves on crowns, twigs on hedges."""
_WIDTH = 0.6
"""Of a leaf over its length."""
_COVER = 0.7
"""Leaves on a square as wide as half a leaf is long."""
_INWARD, _OUTWARD = 0.5, 1.5
"""How deep and how far from the surface they are, over half of their length."""
_MOST, _MOST_IN_ALL = 5_000, 180_000
"""Leaves on an object and in a scene; fewer and larger ones where there would be more."""
_KEPT = 300_000
_VEGETATION = OUTDOOR.index_of("vegetation")


@dataclass(frozen=True, eq=False)
class Leaves:
    """Triangles that grow on those of a mesh.

    Args:
        corners: (L, 3, 3) metres.
        seat: (L,) the mesh's triangle that each grows on.
        place: (L, 2) where on it, barycentric.
    """

    corners: Floats
    seat: Ints
    place: Floats

    @property
    def deviations(self) -> Floats:
        """(L, 3) standard deviations of their surfaces along their longest, second and shortest axis, metres."""
        tip, left, right = self.corners.swapaxes(0, 1)
        long, wide = np.linalg.norm(tip - (left + right) / 2, axis=1), np.linalg.norm(left - right, axis=1)
        return np.stack([long / 18**0.5, wide / 24**0.5, np.zeros(len(tip))], axis=1)


_grown: Kept[Leaves] = Kept(_KEPT)


def leaves_of(taxonomy: str, labels: NDArray[np.uint8], ids: NDArray[np.uint16], corners: Floats) -> Leaves:
    """The leaves of all vegetation of a scene.

    Args:
        taxonomy: name of the one whose classes the labels are.
        labels, ids: (T,) class and object of each triangle.
        corners: (T, 3, 3) metres.
    """
    rows = np.flatnonzero(labels == _VEGETATION) if taxonomy == OUTDOOR.name else np.zeros(0, np.int64)
    objects = rows_by_object(ids, rows) if len(rows) else []
    share = share_of_leaves([corners[own] for own in objects])
    grown = []
    for own in objects:
        places = corners[own]
        weight = 1 + int(_wanted(places)[0])
        leaves = _grown.get(content_key(places, str(share)), partial(leaves_on, places, share), weight)
        grown.append(Leaves(leaves.corners, own[leaves.seat], leaves.place))
    return Leaves(
        np.concatenate([np.zeros((0, 3, 3)), *(leaves.corners for leaves in grown)]),
        np.concatenate([np.zeros(0, np.int64), *(leaves.seat for leaves in grown)]),
        np.concatenate([np.zeros((0, 2)), *(leaves.place for leaves in grown)]),
    )


def share_of_leaves(objects: Sequence[Floats]) -> float:
    """Which share of their leaves the objects of a scene have, each (T, 3, 3) triangles in metres."""
    return min(1.0, _MOST_IN_ALL / max(1.0, sum(_wanted(corners)[0] for corners in objects)))


def leaves_on(corners: Floats, share: float = 1.0) -> Leaves:
    """The leaves of one object; they turn and move with it.

    Args:
        corners: (T, 3, 3) of its triangles, metres.
        share: of the leaves that it would have alone.
    """
    count, length = _wanted(corners)
    edges = corners[:, 1:] - corners[:, :1]
    normal = np.cross(edges[:, 0], edges[:, 1])
    double = np.linalg.norm(normal, axis=1)
    triangles = np.arange(len(corners), dtype=np.uint64)
    # rounded up or down at random, by the triangle's number alone: no leaf depends on the others
    wanted = count * share * double / max(double.sum(), 1e-12)
    each = np.floor(wanted + _numbers(triangles << np.uint64(32), 0)).astype(np.int64)
    length /= np.sqrt(share)
    seat = np.repeat(np.arange(len(corners)), each)
    place = np.arange(len(seat)) - np.repeat(np.cumsum(each) - each, each)
    keys = (seat.astype(np.uint64) << np.uint64(32)) + place.astype(np.uint64) + np.uint64(1)
    u, v, out, size = (_numbers(keys, channel) for channel in range(1, 5))
    tilt, turn = (2 * np.stack([_numbers(keys, c) for c in range(first, first + 3)], axis=1) - 1 for first in (5, 8))
    u, v = np.where(u + v > 1, 1 - u, u), np.where(u + v > 1, 1 - v, v)
    side, upward = _unit(edges[seat, 0]), _unit(normal[seat])
    frame = np.stack([side, np.cross(upward, side), upward], axis=1)  # (L, 3, 3): rows are the triangle's axes
    middle = (
        corners[seat, 0]
        + u[:, None] * edges[seat, 0]
        + v[:, None] * edges[seat, 1]
        + (out * (_INWARD + _OUTWARD) - _INWARD)[:, None] * length * upward
    )
    half = length * (0.6 + 0.8 * size)
    facing = _unit(np.add(tilt, (0.0, 0.0, 1.0)))
    along = _unit(np.cross(facing, turn))
    across = np.cross(facing, along) * (_WIDTH * half)[:, None]
    along = along * half[:, None]
    shape = np.stack([along, across - along, -across - along], axis=1)
    return Leaves(middle[:, None] + np.einsum("lci,lij->lcj", shape, frame), seat, np.stack([u, v], axis=1))


def _wanted(corners: Floats) -> tuple[float, float]:
    """How many leaves a body has, none if it is thin, and half the length of one in metres."""
    if not len(corners):
        return 0.0, 0.0
    own = corners - corners.reshape(-1, 3).mean(0)
    normal = np.cross(own[:, 1] - own[:, 0], own[:, 2] - own[:, 0])
    area = float(np.linalg.norm(normal, axis=1).sum()) / 2
    volume = abs(float(np.einsum("ti,ti->", own[:, 0], normal))) / 6
    bulk = 3 * volume / max(area, 1e-12)
    if bulk < _BULK:
        return 0.0, 0.0
    length = min(max(_LENGTH * bulk, _SHORTEST), _LONGEST)
    length = max(length, math.sqrt(_COVER * area / _MOST))
    return _COVER * area / length**2, length


def _unit(vectors: Floats) -> Floats:
    normalized: Floats = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return normalized


def _numbers(keys: NDArray[np.uint64], channel: int) -> Floats:
    """Even random numbers in [0, 1) of keys (SplitMix64)."""
    with np.errstate(over="ignore"):
        x = keys + np.uint64(channel + 1) * np.uint64(0x9E3779B97F4A7C15)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    numbers: Floats = ((x ^ (x >> np.uint64(31))) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return numbers
