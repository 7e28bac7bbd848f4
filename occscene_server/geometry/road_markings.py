"""Lane markings on the roads of a blockout, which an artist seldom models: dashes along the middle, as the studio's.

They follow from the road's voxels and triangles alone. They are seen only, never voxelised.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from occscene.grid import SemanticGrid
from occscene.mesh import TriangleMesh
from occscene.taxonomy import OUTDOOR
from scipy.ndimage import binary_closing, distance_transform_edt, uniform_filter1d
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components, dijkstra
from skimage.morphology import skeletonize

from occscene_server.geometry.embree import embree_scene
from occscene_server.geometry.kept import Kept, content_key
from occscene_server.geometry.materials import MARKING, known_materials
from occscene_server.geometry.surface_frames import grid_corner

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_DASH, _REPEAT, _WIDTH, _RELIEF = 3.0, 6.0, 0.12, 0.007
"""Metres: a dash's length, from one to the next, across it, and how far it stands above the road."""
_NARROWEST, _FOUR_LANES, _WIDEST = 2.3, 5.5, 9.0
"""Half of a road's width in metres from which on it has two lanes, four lanes, and is no road but a square."""
_SHORTEST = 12.0
"""Metres of the shortest road with markings."""
_AT_CROSSING = 3.0
"""Metres before and after a street that branches off in which nothing is marked."""
_WIDER = 1.25
"""Of its usual width, up to which a road has markings, and from which on another road begins."""
_COVERED = 1.2
"""Metres up to which what stands on a road hides its voxels."""
_BEYOND = 10.0
"""Metres by which a road goes on where it leaves the volume."""
_SMOOTH, _STEP = 6.0, 1.0
"""Metres: over which the middle of a road is averaged, and between its points."""
_MOST_ROADS = 8
_UNMARKED = re.compile(
    r"\b(cobble\w*|setts?|gravel\w*|dirt|mud\w*|sandy?|tracks?|(foot)?paths?|unmarked|unpaved)\b", re.IGNORECASE
)
"""Words of roads without lanes."""
_SIDES = np.array([[0, 1, 2], [0, 2, 3], [4, 6, 5], [4, 7, 6], [0, 4, 5], [0, 5, 1], [2, 6, 7], [2, 7, 3]])
"""Triangles of a box of eight corners, four above four, without its ends."""
_ROAD = OUTDOOR.index_of("road")
_KEPT_ROADS = 16


@dataclass(frozen=True, eq=False)
class Markings:
    """Triangles that lie on those of roads.

    Args:
        corners: (M, 3, 3) along the grid's axes, metres.
        seat: (M,) the mesh's triangle below each.
    """

    corners: Floats
    seat: Ints


_drawn: Kept[Markings] = Kept(_KEPT_ROADS)


def with_markings(mesh: TriangleMesh, grid: SemanticGrid) -> TriangleMesh:
    """A mesh with markings on its roads, but for those whose words speak against it.

    Args:
        mesh: of a blockout in any taxonomy, with surface coordinates.
        grid: of the same scene.
    """
    if grid.taxonomy != OUTDOOR.name or not (mesh.labels == _ROAD).any():
        return mesh
    assert mesh.surface is not None
    unmarked = [obj.id for obj in grid.objects if _UNMARKED.search(f"{obj.name} {obj.prompt}".replace("_", " "))]
    rows = np.flatnonzero((mesh.labels == _ROAD) & ~np.isin(mesh.object_ids, unmarked))
    pose = grid.world_from_grid
    road = ((mesh.vertices - pose[:3, 3]) @ pose[:3, :3])[mesh.triangles[rows]]
    covered = (grid.labels == _ROAD).any(2)
    key = content_key(road, covered, repr(grid.voxel_size))
    markings = _drawn.get(key, partial(_markings, road, covered, grid.voxel_size), 1)
    own = markings.corners.reshape(-1, 3)
    seat = rows[markings.seat]
    return TriangleMesh(
        np.concatenate([mesh.vertices, own @ pose[:3, :3].T + pose[:3, 3]]),
        np.concatenate([mesh.triangles, np.arange(len(own)).reshape(-1, 3) + len(mesh.vertices)]),
        np.concatenate([mesh.labels, mesh.labels[seat]]),
        np.concatenate([mesh.object_ids, mesh.object_ids[seat]]),
        np.concatenate([mesh.surface, own + grid_corner(pose)]),
        np.concatenate([known_materials(mesh), np.full(len(seat), MARKING, np.uint8)]),
    )


def _markings(road: Floats, covered: Bools, voxel: float) -> Markings:
    """The dashes of all roads.

    Args:
        road: (T, 3, 3) triangles along the grid's axes, metres.
        covered: (X, Y) columns of voxels in which some of them are.
        voxel: metres.
    """
    roads = road_lines(covered, voxel)
    dashes = [np.zeros((0, 4, 2))]
    for line, half in roads:
        usual = float(np.median(half))
        lanes = (-usual / 2, 0.0, usual / 2) if usual >= _FOUR_LANES else (0.0,)
        free = (half < _WIDER * usual) & ~_at_crossings(line, 2 * usual, roads)
        dashes += [_dashes(line, free, offset) for offset in lanes]
    return _laid(np.concatenate(dashes), road)


def _at_crossings(line: Floats, near: float, roads: Sequence[tuple[Floats, Floats]]) -> Bools:
    """Which points (N,) of a road lie where another one begins or ends, at most `near` metres beside it."""
    result = np.zeros(len(line), bool)
    for other, half in roads:
        for end in (other[0], other[-1]):
            away = np.linalg.norm(line - end, axis=1)
            if other is not line and away.min() < near:
                crossing = line[np.argmin(away)]
                result |= np.linalg.norm(line - crossing, axis=1) < np.median(half) + _AT_CROSSING
    return result


def road_lines(covered: Bools, voxel: float) -> list[tuple[Floats, Floats]]:
    """The middles of roads, the longest first.

    Args:
        covered: (X, Y) where there is road.
        voxel: metres.

    Returns:
        Of each road points (N, 2) in metres, `_STEP` apart, and half of the road's width there (N,).
    """
    if max(covered.shape) * voxel < _SHORTEST:
        return []
    beyond = round(_BEYOND / voxel)
    mask = np.pad(covered, beyond, mode="edge")
    mask |= binary_closing(mask, iterations=max(1, round(_COVERED / voxel)))
    half = distance_transform_edt(mask) * voxel
    middle = skeletonize(mask) & (half >= _NARROWEST) & (half <= _WIDEST)
    places = np.argwhere(middle)
    lines = []
    for _ in range(_MOST_ROADS):
        path = places[_longest_path(places)]
        if len(path) * voxel < _SHORTEST:
            break
        near = np.full(mask.shape, True)
        near[tuple(path.T)] = False
        wide = float(np.median(half[tuple(path.T)]))
        away = distance_transform_edt(near) * voxel
        places = places[away[tuple(places.T)] > _WIDER * wide]
        points = uniform_filter1d((path + 0.5 - beyond) * voxel, max(1, round(_SMOOTH / voxel)), axis=0, mode="nearest")
        long = np.append(0.0, np.linalg.norm(np.diff(points, axis=0), axis=1).cumsum())
        steps = np.arange(0.0, long[-1], _STEP)
        line = np.stack([np.interp(steps, long, column) for column in points.T], axis=1)
        lines.append((line, np.interp(steps, long, half[tuple(path.T)])))
    return lines


def _longest_path(places: Ints) -> Ints:
    """Rows of cells (N, 2) on the longest of the shortest ways through the most cells that are connected."""
    number = np.full(places.max(0, initial=0) + 2, -1)
    number[tuple(places.T)] = np.arange(len(places))
    links = [np.zeros((0, 3))]
    for offset in ((0, 1), (1, -1), (1, 0), (1, 1)):
        other = number[tuple((places + offset).T)]
        rows = np.flatnonzero(other >= 0)
        links.append(np.column_stack([rows, other[rows], np.full(len(rows), np.hypot(*offset))]))
    first, second, length = np.concatenate(links).T
    ways = coo_matrix((length, (first.astype(np.int64), second.astype(np.int64))), (len(places),) * 2).tocsr()
    if not ways.nnz:
        return np.zeros(0, np.int64)
    component = connected_components(ways, directed=False)[1]
    end = int(np.argmax(component == np.bincount(component).argmax()))
    for _ in range(2):  # from any cell to the farthest, and from there to the farthest again
        distance, before = dijkstra(ways, directed=False, indices=end, return_predecessors=True)
        end = int(np.argmax(np.where(np.isfinite(distance), distance, -1.0)))
    path = [end]
    while before[path[-1]] >= 0:
        path.append(int(before[path[-1]]))
    return np.array(path)


def _dashes(line: Floats, is_free: Bools, offset: float) -> Floats:
    """Quadrangles (N, 4, 2) of the dashes beside a line (L, 2), metres to its left; only where it is free (L,)."""
    ahead = np.gradient(line, axis=0)
    ahead /= np.maximum(np.linalg.norm(ahead, axis=1, keepdims=True), 1e-9)
    left = ahead[:, ::-1] * (-1.0, 1.0)
    at = np.arange(len(line) - 1)
    shown = at[(at * _STEP % _REPEAT < _DASH) & is_free[:-1] & is_free[1:]]
    sides = [line + left * (offset + side * _WIDTH / 2) for side in (-1, 1)]
    return np.stack([sides[0][shown], sides[0][shown + 1], sides[1][shown + 1], sides[1][shown]], axis=1)


def _laid(dashes: Floats, road: Floats) -> Markings:
    """Dashes (N, 4, 2) as flat boxes on the road's triangles (T, 3, 3); left out where there are none below them."""
    top = float(road[..., 2].max(initial=0.0)) + 1.0
    corners = dashes.reshape(-1, 2)
    starts = np.column_stack([corners, np.full(len(corners), top)]).astype(np.float32)
    down = np.broadcast_to(np.array([0.0, 0.0, -1.0], np.float32), starts.shape).copy()
    hit = embree_scene(road.reshape(-1, 3), np.arange(3 * len(road)).reshape(-1, 3)).run(starts, down, output=True)
    seat = hit["primID"].reshape(-1, 4).astype(np.int64)
    laid = (seat >= 0).all(1)
    height = top - hit["tfar"].reshape(-1, 4, 1)[laid]
    boxes = np.concatenate(
        [np.concatenate([dashes[laid], height + relief], axis=2) for relief in (_RELIEF, -_RELIEF)], axis=1
    )
    triangles = boxes[:, _SIDES]  # (N, 8, 3, 3)
    return Markings(triangles.reshape(-1, 3, 3), np.repeat(seat[laid, 0], len(_SIDES)))
