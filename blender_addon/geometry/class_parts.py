"""Objects whose faces have several classes, cut into parts that are each voxelised on their own.

A closed surface must stay whole, or its inside would not be filled. So it goes as a whole to the class that covers
most of it, and the faces of the other classes follow as skins that lie half a voxel deep and win over the body.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .voxelization.watertight import closed_groups, vertex_hashes

_LATTICE = 2**16
"""Places per metre to which corners are snapped, so that what touches shares its corners."""

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ClassPart:
    """Triangles of one class.

    Args:
        class_index: label in the taxonomy.
        triangles: (T, 3, 3) world coordinates in metres.
        body_class: the class of the body that these triangles are the skin of; 0 if they are no skin.
        shown: (S, 3, 3) what is seen of the part, where that is not `triangles`: of a body what no skin covers, of a
            skin the faces where they lie.
    """

    class_index: int
    triangles: Floats
    body_class: int = 0
    shown: Floats | None = None


def parts_by_class(objects: Sequence[tuple[Floats, Labels]], voxel_size: float) -> list[list[ClassPart]]:
    """Cuts objects into parts of one class each.

    Args:
        objects: triangles (T, 3, 3), world coordinates in metres, and their labels (T,), T > 0; faces labelled 0 have
            no class and are left out where they enclose nothing.
        voxel_size: metres.

    Returns:
        Of each object the bodies, then the skins, each in the order of their labels.
    """
    parts: list[list[ClassPart]] = [[] for _ in objects]
    mixed = []
    for number, (triangles, classes) in enumerate(objects):
        if classes.min() < classes.max():
            mixed.append(number)
        elif classes[0]:
            parts[number].append(ClassPart(int(classes[0]), triangles))
    if mixed:
        triangles = np.concatenate([objects[number][0] for number in mixed])
        classes = np.concatenate([objects[number][1] for number in mixed])
        owner = np.repeat(np.arange(len(mixed)), [len(objects[number][1]) for number in mixed])
        bodies, depth = _bodies(triangles, classes, owner, voxel_size)
        is_skin = (classes != bodies) & (classes > 0)
        for members in _runs(np.stack([owner, bodies]), np.flatnonzero(bodies)):
            bare = triangles[members[~is_skin[members]]]
            parts[mixed[owner[members[0]]]].append(ClassPart(int(bodies[members[0]]), triangles[members], shown=bare))
        for members in _runs(np.stack([owner, classes, bodies]), np.flatnonzero(is_skin)):
            deep = triangles[members] + depth[members, None]
            parts[mixed[owner[members[0]]]].append(
                ClassPart(int(classes[members[0]]), deep, int(bodies[members[0]]), triangles[members])
            )
    return parts


def _bodies(triangles: Floats, classes: Labels, owner: Labels, voxel_size: float) -> tuple[Labels, Floats]:
    """The class of the body that each triangle (T,) belongs to, and how its skin is moved inwards (T, 3)."""
    lattice = np.ascontiguousarray(np.rint(triangles.transpose(2, 1, 0) * _LATTICE).astype(np.int64))
    group = closed_groups(vertex_hashes(lattice), owner, np.ones(int(owner[-1]) + 1, bool)).of_triangle
    bodies, depth = classes.copy(), np.zeros((len(classes), 3))
    closed = np.flatnonzero(group >= 0)
    if not len(closed):
        return bodies, depth
    group, corners = group[closed], triangles[closed]
    groups, labels = int(group.max()) + 1, int(classes.max()) + 1
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    areas = np.linalg.norm(normals, axis=1) / 2
    covered = np.bincount(group * labels + classes[closed], areas, groups * labels).reshape(groups, labels)
    covered[:, 0] = 0
    has_class = covered.any(axis=1)[group]
    bodies[closed[has_class]] = covered.argmax(axis=1)[group[has_class]]
    origin = np.zeros((groups, 3))
    origin[group] = corners[:, 0]  # one of its corners, so that the volumes below are exact far from the world's origin
    volume = np.bincount(group, ((corners[:, 0] - origin[group]) * normals).sum(axis=1) / 6, groups)
    # half a thin slab's thickness is its volume by its area: there the skins of both sides meet in the middle
    half_thickness = np.abs(volume) / np.maximum(np.bincount(group, areas, groups), 1e-12)
    inwards = -np.sign(volume) * np.minimum(voxel_size / 2, half_thickness)
    depth[closed] = normals / np.maximum(2 * areas, 1e-12)[:, None] * inwards[group, None]
    return bodies, depth


def _runs(keys: Labels, chosen: Labels) -> list[Labels]:
    """The chosen indices gathered by their keys (K, T), in the keys' order."""
    if not len(chosen):
        return []
    ordered = chosen[np.lexsort(keys[::-1, chosen])]
    known = keys[:, ordered]
    return np.split(ordered, np.flatnonzero((known[:, 1:] != known[:, :-1]).any(axis=0)) + 1)
