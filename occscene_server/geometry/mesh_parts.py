"""The parts that meshes are made of: a table's top and legs, the books on a shelf, the blanket on a bed.

What a part is for shows in its shape and in its height in the object, independent of its author and name.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from occscene.mesh import TriangleMesh
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from occscene_server.geometry.kept import Kept, content_key

PART_FACTS = 4
_SAME = 1e4
"""Vertices that agree to a tenth of a millimetre are one."""
_FACTORS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93,
                     0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53], np.uint64)  # fmt: skip
_KEPT_TRIANGLES = 500_000


@dataclass(frozen=True, eq=False)
class MeshParts:
    """To which part each triangle of a mesh belongs.

    Args:
        number: (T,) int64, counted from 0 in each object, in the order of the parts' first triangles.
        facts: (T, `PART_FACTS`) about [-1, 1]: binary logarithms of the standard deviations of the part's surface along
            its longest, second and shortest axis, and the height of its middle in the object, -1 at the bottom.
        vertices: (V, 3) the triangles' corners; those of an object that are one are there once.
        triangles: (T, 3) indices of them.
    """

    number: NDArray[np.int64]
    facts: NDArray[np.float32]
    vertices: NDArray[np.float64]
    triangles: NDArray[np.int64]


_objects: Kept[MeshParts] = Kept(_KEPT_TRIANGLES)


def mesh_parts(mesh: TriangleMesh, corners: NDArray[np.float64]) -> MeshParts:
    """Parts of a mesh: what vertices connect within one object.

    Args:
        mesh: whose parts are wanted.
        corners: (T, 3, 3) of its triangles in metres, Z up.
    """
    count = len(corners)
    number, facts = np.zeros(count, np.int64), np.zeros((count, PART_FACTS), np.float32)
    indices, points, total = np.zeros((count, 3), np.int64), [np.zeros((0, 3))], 0
    is_welded = len(mesh.vertices) < 3 * count
    for rows in rows_by_object(mesh.object_ids):
        places, triangles = corners[rows], mesh.triangles[rows]
        if is_welded:
            vertices = triangles - triangles.min()
            own = _objects.get(content_key(places, vertices), partial(_object_parts, places, vertices), len(rows))
        else:
            frames = np.zeros(0) if mesh.surface is None else mesh.surface[triangles]
            own = _objects.get(content_key(places, frames), partial(_parts_by_places, places, frames), len(rows))
        number[rows], facts[rows], indices[rows] = own.number, own.facts, own.triangles + total
        points.append(own.vertices)
        total += len(own.vertices)
    return MeshParts(number, facts, np.concatenate(points), indices)


def rows_by_object(ids: NDArray[np.uint16], rows: NDArray[np.int64] | None = None) -> list[NDArray[np.int64]]:
    """Of some triangles, else of all, the rows of each object, ascending.

    Args:
        ids: (T,) of the objects.
        rows: ascending.
    """
    rows = np.arange(len(ids)) if rows is None else rows
    order = np.argsort(ids[rows], kind="stable")
    starts = np.flatnonzero(np.diff(ids[rows][order])) + 1
    return np.split(rows[order], starts) if len(rows) else []


def _object_parts(corners: NDArray[np.float64], vertices: NDArray[np.integer[Any]]) -> MeshParts:
    """Of one object, by what tells its vertices (T, 3) apart."""
    count = len(corners)
    _, place, keys = np.unique(vertices, return_index=True, return_inverse=True)
    keys = keys.reshape(-1, 3)
    links = (np.repeat(keys[:, 0], 2), keys[:, 1:].ravel())
    graph = coo_matrix((np.ones(2 * count, np.int8), links), (int(keys.max()) + 1,) * 2)
    component = connected_components(graph, directed=False)[1][keys[:, 0]]
    _, first, inverse = np.unique(component, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    number = rank[inverse]
    return MeshParts(number, _facts(number, corners), corners.reshape(-1, 3)[place], keys)


def _parts_by_places(corners: NDArray[np.float64], surface: NDArray[np.float64]) -> MeshParts:
    """Of one object whose triangles share no vertices by their numbers: those in one place are one.

    Args:
        corners: (T, 3, 3) metres.
        surface: (T, 3, 3) of the same corners; empty where there is none.
    """
    places = np.zeros((len(corners), 3, 6), np.int64)
    places[..., :3] = np.rint(corners * _SAME)
    if surface.size:
        places[..., 3:] = np.rint(surface * _SAME)
    hashes: NDArray[np.uint64] = (places.astype(np.uint64) * _FACTORS).sum(-1)
    return _object_parts(corners, hashes)


def _facts(number: NDArray[np.int64], corners: NDArray[np.float64]) -> NDArray[np.float32]:
    edges = corners[:, 1:] - corners[:, :1]
    area = np.maximum(np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1), 1e-12)
    parts = int(number.max()) + 1
    whole = np.bincount(number, area, parts)

    def means(values: NDArray[np.float64]) -> NDArray[np.float64]:
        columns = [np.bincount(number, area * column, parts) / whole for column in values.reshape(len(values), -1).T]
        return np.stack(columns, 1)

    middle = corners.mean(1)
    center = means(middle)
    apart, inner = corners - center[number, None], middle - center[number]
    # the second moment of a triangle: of its corners and, nine times, of its middle, over twelve
    moments = np.einsum("tci,tcj->tij", apart, apart) + 9 * inner[:, :, None] * inner[:, None]
    variance = np.linalg.eigvalsh(means(moments / 12).reshape(-1, 3, 3))[:, ::-1]
    low, high = corners[..., 2].min(), corners[..., 2].max()
    height = (center[number, 2] - low) / max(high - low, 0.01)
    sizes = part_sizes(np.sqrt(np.maximum(variance, 0)))[number]
    return np.concatenate([sizes, height[:, None] * 2 - 1], 1).astype(np.float32)


def part_sizes(deviations: NDArray[np.float64]) -> NDArray[np.float64]:
    """The facts about the sizes of parts, of the standard deviations of their surfaces in metres."""
    sizes: NDArray[np.float64] = np.log2(deviations + 0.004) / 4 + 1
    return sizes
