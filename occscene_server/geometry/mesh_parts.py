"""The parts that meshes are made of: a table's top and legs, the books on a shelf, the blanket on a bed.

What a part is for shows in its shape and in its height in the object, independent of its author and name.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from occscene.mesh import TriangleMesh
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

PART_FACTS = 4
_SAME = 1e4
"""Vertices that agree to a tenth of a millimetre are one."""
_FACTORS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9, 0xD6E8FEB86659FD93,
                     0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53, 0xA0761D6478BD642F], np.uint64)  # fmt: skip


@dataclass(frozen=True, eq=False)
class MeshParts:
    """To which part each triangle of a mesh belongs.

    Args:
        number: (T,) int64, 0 to the number of parts.
        facts: (T, `PART_FACTS`) about [-1, 1]: binary logarithms of the standard deviations of the part's surface along
            its longest, second and shortest axis, and the height of its middle in the object, -1 at the bottom.
    """

    number: NDArray[np.int64]
    facts: NDArray[np.float32]


def mesh_parts(mesh: TriangleMesh, corners: NDArray[np.float64]) -> MeshParts:
    """Parts of a mesh: what vertices connect within one object.

    Args:
        mesh: whose parts are wanted.
        corners: (T, 3, 3) of its triangles in metres, Z up.
    """
    count = len(corners)
    if not count:
        return MeshParts(np.zeros(0, np.int64), np.zeros((0, PART_FACTS), np.float32))
    ids = mesh.object_ids.astype(np.int64)
    if len(mesh.vertices) < 3 * count:
        places = mesh.triangles + ids[:, None] * len(mesh.vertices)
    else:  # triangles that share no vertices by their numbers share them by their places
        places = _places(mesh, corners, ids)
    keys = np.unique(places, return_inverse=True)[1].reshape(-1, 3)
    links = (np.repeat(keys[:, 0], 2), keys[:, 1:].ravel())
    graph = coo_matrix((np.ones(2 * count, np.int8), links), (int(keys.max()) + 1,) * 2)
    component = connected_components(graph, directed=False)[1][keys[:, 0]]
    number = np.unique(component, return_inverse=True)[1].astype(np.int64)
    return MeshParts(number, _facts(number, ids, corners))


def _places(mesh: TriangleMesh, corners: NDArray[np.float64], ids: NDArray[np.int64]) -> NDArray[np.uint64]:
    """(T, 3) hashes of the corners of an object's triangles, equal for those in one place."""
    places = np.zeros((*ids.shape, 3, 7), np.int64)
    places[..., :3] = np.rint(corners * _SAME)
    if mesh.surface is not None:
        places[..., 3:6] = np.rint(mesh.surface[mesh.triangles] * _SAME)
    places[..., 6] = ids[:, None]
    hashes: NDArray[np.uint64] = (places.astype(np.uint64) * _FACTORS).sum(-1)
    return hashes


def _facts(number: NDArray[np.int64], ids: NDArray[np.int64], corners: NDArray[np.float64]) -> NDArray[np.float32]:
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
    low, high = np.full(1 << 16, np.inf), np.full(1 << 16, -np.inf)
    np.minimum.at(low, ids, corners[..., 2].min(1))
    np.maximum.at(high, ids, corners[..., 2].max(1))
    height = (center[number, 2] - low[ids]) / np.maximum(high[ids] - low[ids], 0.01)
    sizes = np.log2(np.sqrt(np.maximum(variance, 0)) + 0.004)[number] / 4 + 1
    return np.concatenate([sizes, height[:, None] * 2 - 1], 1).astype(np.float32)
