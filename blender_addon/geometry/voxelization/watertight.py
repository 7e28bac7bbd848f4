"""Which triangles enclose a volume.

A surface is closed when the directed edges of its triangles cancel. Whether they do is decided without a search: every
directed edge gets a random 64-bit number, its reverse the negative, and their sum over a closed surface is 0 (modulo
2**64; a false 0 has odds of 2**-64). Corners are the same vertex where they hold the same hash.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .scanlines import batches

Ints = NDArray[np.int64]
Hashes = NDArray[np.uint64]
Bools = NDArray[np.bool_]

OPEN = -1
REPEATED = -2
_FACTORS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93], np.uint64)


@dataclass(frozen=True, eq=False)
class ClosedGroups:
    """Triangles grouped so that each group encloses a volume.

    Args:
        of_triangle: (T,) its group; `OPEN` where its surface encloses nothing; `REPEATED` where the surface holds the
            triangle already.
        owner: (G,) the object of each group, ascending.
        alternating: (G,) its normals disagree: a line that crosses it is inside after the first crossing, outside
            after the second, and so on; else crossings are counted by their direction.
        whole: (G,) the group is all closed parts of its object with agreeing normals, not one of them.
    """

    of_triangle: Ints
    owner: Ints
    alternating: Bools
    whole: Bools


def vertex_hashes(lattice: Ints) -> Hashes:
    """Hashes (3, T) of corners at integer places (3 axes, 3, T)."""
    place = lattice.view(np.uint64)
    return _mixed(place[0] * _FACTORS[0] + place[1] * _FACTORS[1] + place[2] * _FACTORS[2])


def scrambled(number: Ints) -> Hashes:
    """Random 64-bit numbers for integers; equal for equal ones."""
    return _mixed(number.astype(np.uint64) * _FACTORS[3])


def closed_groups(vertex: Hashes, owner: Ints, apart: Bools) -> ClosedGroups:
    """Groups triangles by what they enclose.

    Args:
        vertex: (3, T) hashes of the corners.
        owner: (T,) the object of each triangle, ascending.
        apart: (objects,) each connected part of the object is a group of its own.
    """
    key = np.full(len(owner), OPEN)  # 0: with its object's other closed parts; above: its part's number + 1
    alternating = np.zeros(len(owner), bool)
    if len(owner):
        start = np.flatnonzero(np.diff(owner, prepend=-1))
        unclosed = np.zeros(len(apart), bool)
        unclosed[owner[start]] = np.add.reduceat(_boundary(vertex), start) != 0
        key[~unclosed[owner]] = 0
        divided = np.flatnonzero((unclosed | apart)[owner])
        if len(divided):
            part, state, alternating[divided] = _closed_parts(vertex[:, divided], owner[divided])
            single = alternating[divided] | apart[owner[divided]]
            key[divided] = np.where(state < 0, state, np.where(single, part + 1, 0))
    inside = np.flatnonzero(key >= 0)
    scale = int(key.max(initial=0)) + 1
    code, first, group = np.unique(owner[inside] * scale + key[inside], return_index=True, return_inverse=True)
    of_triangle = key.copy()
    of_triangle[inside] = group.reshape(-1)
    return ClosedGroups(of_triangle, code // scale, alternating[inside][first], code % scale == 0)


def _closed_parts(vertex: Hashes, owner: Ints) -> tuple[Ints, Ints, Bools]:
    """The connected part of each triangle; 0, `OPEN` or `REPEATED`; and whether its part alternates.

    A part that does not close as it stands is tested without the triangles that it holds twice.
    """
    part = connected_parts(vertex + scrambled(owner))
    state = np.where(_sum_of_part(_boundary(vertex), part) == 0, 0, REPEATED)
    alternating = np.zeros(len(part), bool)
    left = np.flatnonzero(state == REPEATED)
    if len(left):
        shape = _mixed(vertex[0, left]) + _mixed(vertex[1, left]) + _mixed(vertex[2, left])
        left = left[np.unique(shape + scrambled(part[left]), return_index=True)[1]]
        corners, part_left = vertex[:, left], part[left]
        agreeing = _sum_of_part(_boundary(corners), part_left) == 0
        even = _xor_of_part(_undirected_boundary(corners), part_left) == 0
        state[left] = np.where(agreeing | even, 0, OPEN)
        alternating[left] = even & ~agreeing
    return part, state, alternating


def connected_parts(vertex: Hashes) -> Ints:
    """A number for each triangle that it shares with the triangles joined to it by vertices."""
    distinct, index = np.unique(vertex, return_inverse=True)
    corners = index.reshape(vertex.shape)
    label = np.arange(len(distinct))
    while True:
        labels = label[corners]
        lowest = labels.min(axis=0)
        uneven = np.flatnonzero((labels != lowest).any(axis=0))
        if not len(uneven):
            return np.unique(lowest, return_inverse=True)[1].reshape(-1)
        corners_left, lowest_left = labels[:, uneven], lowest[uneven]
        for corner in corners_left:
            np.minimum.at(label, corner, lowest_left)
        while True:
            shortened = label[label]
            if np.array_equal(shortened, label):
                break
            label = shortened


def shared_edges(vertex: Hashes, part: Ints) -> tuple[Ints, Bools]:
    """Of each part 0, 1, 2 ... how many edges only one triangle has, and whether two pass an edge in one direction.

    Where more than two triangles of a part meet at an edge, their directions are not compared.

    Args:
        vertex: (3, T) hashes of the corners.
        part: (T,) the part of each triangle.
    """
    starts, ends = vertex.reshape(-1), np.roll(vertex, -1, axis=0).reshape(-1)
    (real,) = (starts != ends).nonzero()
    starts, ends, owner = starts[real], ends[real], np.tile(part, 3)[real]
    edge = _mixed(starts + ends) + scrambled(owner)
    order = np.argsort(edge)
    first = np.flatnonzero(np.diff(edge[order].view(np.int64), prepend=~edge[order[:1]].view(np.int64)))
    count = np.diff(first, append=len(order))
    border = order[first[count == 1]]
    twice = first[count == 2]
    alike = order[twice[starts[order[twice]] == starts[order[twice + 1]]]]
    parts = int(part.max(initial=-1)) + 1
    return np.bincount(owner[border], minlength=parts), np.bincount(owner[alike], minlength=parts) > 0


def _boundary(vertex: Hashes) -> Hashes:
    """Per triangle the sum of its directed edges' numbers."""
    total = np.zeros(vertex.shape[1], np.uint64)
    for batch in batches(vertex.shape[1]):
        for first, second in ((0, 1), (1, 2), (2, 0)):
            start, end = vertex[first, batch], vertex[second, batch]
            direction = (start < end).view(np.int8) - (end < start).view(np.int8)
            total[batch] += _mixed(start + end) * direction.astype(np.int64).view(np.uint64)
    return total


def _undirected_boundary(vertex: Hashes) -> Hashes:
    """Per triangle the exclusive or of its edges' numbers; an edge between equal corners has none."""
    total = np.zeros(vertex.shape[1], np.uint64)
    for start, end in ((0, 1), (1, 2), (2, 0)):
        total ^= np.where(vertex[start] == vertex[end], np.uint64(0), _mixed(vertex[start] + vertex[end]))
    return total


def _sum_of_part(values: Hashes, part: Ints) -> Hashes:
    """Per triangle the sum over its part."""
    order = np.argsort(part, kind="stable")
    start = np.flatnonzero(np.diff(part[order], prepend=-1))
    return _spread(np.add.reduceat(values[order], start), start, order)


def _xor_of_part(values: Hashes, part: Ints) -> Hashes:
    """Per triangle the exclusive or over its part."""
    order = np.argsort(part, kind="stable")
    start = np.flatnonzero(np.diff(part[order], prepend=-1))
    return _spread(np.bitwise_xor.reduceat(values[order], start), start, order)


def _spread(values: Hashes, start: Ints, order: Ints) -> Hashes:
    result = np.empty(len(order), np.uint64)
    result[order] = np.repeat(values, np.diff(start, append=len(order)))
    return result


def _mixed(value: Hashes) -> Hashes:
    """The values well scrambled (the finaliser of MurmurHash3)."""
    value = value ^ (value >> np.uint64(33))
    for factor in (np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)):
        value *= factor
        value ^= value >> np.uint64(33)
    return value
