"""Triangles of many objects to one semantic grid.

A connected component of a mesh that is closed is filled by the crossings of each voxel column with it (Schwarz and
Seidel 2010, "Fast parallel surface and solid voxelization on GPUs"): a voxel is solid where its centre is inside.
What no centre sees - planes, thin walls, open meshes, poles - stays as the voxels that its surface passes through.
Normals play no part, so inverted ones do no harm.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from occscene.grid import GridObject, GridVolume, SemanticGrid
from occscene.limits import MAX_OBJECTS
from occscene.rigid import invert_rigid, transform_points
from occscene.taxonomy import Taxonomy

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_NUDGE = np.array([1.13e-7, 1.71e-7, 2.39e-7])
"""Voxels by which all triangles are moved, so that faces on voxel planes fall on one side throughout."""

_SAMPLE_SPACING = 0.5
"""Voxels between the points that stand for a surface; below 1 no voxel between two is skipped."""


@dataclass(frozen=True, eq=False)
class TriangleObject:
    """One object to voxelise.

    Args:
        name: shown in the grid's object table.
        class_index: label in the taxonomy.
        triangles: (T, 3, 3) world coordinates in metres.
        priority: 0 .. 255, the larger wins where objects overlap; None takes the class's.
        shell_only: keep the surface, do not fill.
        hint: the colour that it should have, linear RGB in [0, 1].
    """

    name: str
    class_index: int
    triangles: Floats
    priority: int | None = None
    shell_only: bool = False
    hint: tuple[float, float, float] | None = None


def voxelize(objects: Sequence[TriangleObject], volume: GridVolume, taxonomy: Taxonomy) -> SemanticGrid:
    """Voxelises objects into a grid whose instance ids are the objects' positions counted from 1.

    Where objects overlap the higher priority wins, then the later object.

    Raises:
        ValueError: more objects than a grid can tell apart.
    """
    if len(objects) > MAX_OBJECTS:
        raise ValueError(f"{len(objects)} objects; a grid tells at most {MAX_OBJECTS} apart: join some")
    triangles, owner = _grid_triangles(objects, volume)
    component, closed = _components(triangles, owner)
    fill = closed & ~np.array([item.shell_only for item in objects], bool)[owner]
    solid_component, solid_voxel = _fill(triangles[fill], component[fill], volume.shape)
    shell_component, shell_voxel = _surface(triangles, component, volume.shape)
    thin = _is_thin(shell_component, shell_voxel, solid_component, solid_voxel, volume.shape)
    voxel = np.concatenate([solid_voxel, shell_voxel[thin]])
    painted_component = np.concatenate([solid_component, shell_component[thin]])
    owner_of_component = np.zeros(len(component) + 1, np.int64)
    owner_of_component[component] = owner
    return _paint(objects, volume, taxonomy, voxel, owner_of_component[painted_component])


def _paint(
    objects: Sequence[TriangleObject], volume: GridVolume, taxonomy: Taxonomy, voxel: Ints, owner: Ints
) -> SemanticGrid:
    """Writes (voxel, object) pairs in ascending priority, so that the last written is the one that wins."""
    priorities = np.array(
        [taxonomy.classes[item.class_index].priority if item.priority is None else item.priority for item in objects],
        np.int64,
    )
    rank = np.empty(len(objects), np.int64)
    rank[np.lexsort((np.arange(len(objects)), priorities))] = np.arange(len(objects))
    order = np.argsort(rank[owner], kind="stable")
    instances = np.zeros(volume.shape, np.uint16)
    instances.reshape(-1)[voxel[order]] = owner[order] + 1
    class_of_instance = np.array([0, *(item.class_index for item in objects)], np.uint8)
    table = tuple(GridObject(index + 1, item.name, item.hint) for index, item in enumerate(objects))
    return SemanticGrid(
        class_of_instance[instances], volume.voxel_size, volume.world_from_grid, taxonomy.name, instances, table
    )


def _grid_triangles(objects: Sequence[TriangleObject], volume: GridVolume) -> tuple[Floats, Ints]:
    """All triangles (T, 3, 3) in voxel units, and the object of each (T,)."""
    if not objects:
        return np.zeros((0, 3, 3)), np.zeros(0, np.int64)
    triangles = np.concatenate([np.asarray(item.triangles, np.float64).reshape(-1, 3, 3) for item in objects])
    owner = np.repeat(np.arange(len(objects)), [len(item.triangles) for item in objects])
    return transform_points(invert_rigid(volume.world_from_grid), triangles) / volume.voxel_size + _NUDGE, owner


def _components(triangles: Floats, owner: Ints) -> tuple[Ints, NDArray[np.bool_]]:
    """The connected component of each triangle (T,), and whether that component is closed (T,).

    Vertices at the same place are one, so a mesh of loose triangles is understood. A component is closed when every
    edge has an even number of triangles.
    """
    if not len(triangles):
        return np.zeros(0, np.int64), np.zeros(0, bool)
    places = np.round(triangles.reshape(-1, 3) * 2**16).astype(np.int64)
    keys = np.column_stack([np.repeat(owner, 3), places])
    vertex = np.unique(keys, axis=0, return_inverse=True)[1].reshape(-1, 3)  # (T, 3)
    label = np.arange(vertex.max() + 1)
    while True:
        lowest = label[vertex].min(axis=1)
        updated = label.copy()
        np.minimum.at(updated, vertex.reshape(-1), np.repeat(lowest, 3))
        updated = updated[updated]
        if np.array_equal(updated, label):
            break
        label = updated
    component = np.unique(label[vertex[:, 0]], return_inverse=True)[1].reshape(-1)
    edges = np.sort(vertex[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    edge_key, edge, count = np.unique(edges, axis=0, return_inverse=True, return_counts=True)
    loose = (count % 2 == 1) & (edge_key[:, 0] != edge_key[:, 1])
    open_component = np.zeros(component.max() + 1, bool)
    open_component[component[loose[edge.reshape(-1, 3)].any(axis=1)]] = True
    return component, ~open_component[component]


def _fill(triangles: Floats, component: Ints, shape: tuple[int, int, int]) -> tuple[Ints, Ints]:
    """Voxels whose centre lies inside a closed component, as (component, flat voxel index) pairs."""
    triangle, column_x, column_y = _covered_columns(triangles, shape)
    if not len(triangle):
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    a, b, c = (triangles[triangle, corner] for corner in range(3))
    normal = np.cross(b - a, c - a)
    height = (
        a[:, 2]
        - (normal[:, 0] * (column_x + 0.5 - a[:, 0]) + normal[:, 1] * (column_y + 0.5 - a[:, 1])) / (normal[:, 2])
    )
    column = column_x * shape[1] + column_y
    group = component[triangle] * (shape[0] * shape[1]) + column
    order = np.lexsort((height, group))
    group, height = group[order], height[order]
    # a closed surface is crossed an even number of times: first in, second out, and so on
    start = np.flatnonzero(np.r_[True, group[1:] != group[:-1]])
    position = np.arange(len(group)) - np.repeat(start, np.diff(np.r_[start, len(group)]))
    enter = np.flatnonzero(position[:-1] % 2 == 0)
    enter = enter[group[enter] == group[enter + 1]]
    low = np.clip(np.ceil(height[enter] - 0.5), 0, shape[2]).astype(np.int64)
    high = np.clip(np.ceil(height[enter + 1] - 0.5), 0, shape[2]).astype(np.int64)
    length = np.maximum(high - low, 0)
    span = np.repeat(np.arange(len(enter)), length)
    depth = np.arange(len(span)) - np.repeat(np.cumsum(length) - length, length) + low[span]
    inside = group[enter][span]
    return inside // (shape[0] * shape[1]), inside % (shape[0] * shape[1]) * shape[2] + depth


def _covered_columns(triangles: Floats, shape: tuple[int, int, int]) -> tuple[Ints, Ints, Ints]:
    """Pairs of a triangle and a voxel column (x, y) whose centre line passes through it."""
    low = np.clip(np.ceil(triangles[:, :, :2].min(axis=1) - 0.5), 0, shape[:2]).astype(np.int64)
    high = np.clip(np.ceil(triangles[:, :, :2].max(axis=1) - 0.5), 0, shape[:2]).astype(np.int64)
    extent = np.maximum(high - low, 0)
    count = extent[:, 0] * extent[:, 1]
    triangle = np.repeat(np.arange(len(triangles)), count)
    offset = np.arange(len(triangle)) - np.repeat(np.cumsum(count) - count, count)
    x = low[triangle, 0] + offset // np.maximum(extent[triangle, 1], 1)
    y = low[triangle, 1] + offset % np.maximum(extent[triangle, 1], 1)
    corners = triangles[triangle][:, :, :2]
    sides = [_left_of(corners[:, i], corners[:, (i + 1) % 3], np.column_stack([x + 0.5, y + 0.5])) for i in range(3)]
    hit = (sides[0] == sides[1]) & (sides[1] == sides[2])
    return triangle[hit], x[hit], y[hit]


def _left_of(start: Floats, end: Floats, point: Floats) -> NDArray[np.bool_]:
    """Whether points lie left of directed edges, with the very same arithmetic for both directions of an edge.

    A point on an edge shared by two triangles is therefore inside exactly one of them.
    """
    swapped = (start[:, 0] > end[:, 0]) | ((start[:, 0] == end[:, 0]) & (start[:, 1] > end[:, 1]))
    first = np.where(swapped[:, None], end, start)
    second = np.where(swapped[:, None], start, end)
    along, toward = second - first, point - first
    left: NDArray[np.bool_] = (along[:, 0] * toward[:, 1] - along[:, 1] * toward[:, 0] >= 0) != swapped
    return left


def _surface(triangles: Floats, component: Ints, shape: tuple[int, int, int]) -> tuple[Ints, Ints]:
    """Voxels that triangles pass through, as unique (component, flat voxel index) pairs.

    Each triangle is sampled at points no further apart than `_SAMPLE_SPACING`.
    """
    sides = np.asarray(shape)
    touching = (triangles.max(axis=1) >= 0).all(axis=1) & (triangles.min(axis=1) < sides).all(axis=1)
    triangles, component = triangles[touching], component[touching]
    edge = np.linalg.norm(triangles - np.roll(triangles, 1, axis=1), axis=2).max(axis=1, initial=0.0)
    steps = np.maximum(np.ceil(edge / _SAMPLE_SPACING).astype(np.int64), 1)
    voxels = sides.prod()
    keys = [np.zeros(0, np.int64)]
    for count in np.unique(steps):
        u, v = np.meshgrid(np.arange(count + 1), np.arange(count + 1), indexing="ij")
        inside = u + v <= count
        weights = np.column_stack([u[inside], v[inside], count - u[inside] - v[inside]]) / count  # (S, 3)
        selected = np.flatnonzero(steps == count)
        batch = max(1, 2**21 // len(weights))  # bounds the memory of a crowd of large triangles
        for begin in range(0, len(selected), batch):
            chosen = selected[begin : begin + batch]
            cells = np.floor(weights @ triangles[chosen]).astype(np.int64)  # (T, S, 3)
            within = ((cells >= 0) & (cells < sides)).all(axis=2)
            flat = (cells[..., 0] * shape[1] + cells[..., 1]) * shape[2] + cells[..., 2]
            keys.append(np.unique((component[chosen, None] * voxels + flat)[within]))
    key = np.unique(np.concatenate(keys))
    return key // voxels, key % voxels


def _is_thin(
    shell_component: Ints, shell_voxel: Ints, solid_component: Ints, solid_voxel: Ints, shape: tuple[int, int, int]
) -> NDArray[np.bool_]:
    """Whether a surface voxel has no solid voxel of its component within one voxel, so that it alone shows it."""
    padded = np.asarray(shape) + 2  # a border keeps neighbours of edge voxels from wrapping round
    cells = int(padded.prod())

    def padded_key(component: Ints, voxel: Ints) -> Ints:
        x, y, z = np.unravel_index(voxel, shape)
        key: Ints = component * cells + ((x + 1) * padded[1] + y + 1) * padded[2] + z + 1
        return key

    solid = np.sort(padded_key(solid_component, solid_voxel))
    thin = np.ones(len(shell_voxel), bool)
    if not len(solid):
        return thin
    has_solid = np.isin(shell_component, np.unique(solid_component))
    key = padded_key(shell_component[has_solid], shell_voxel[has_solid])
    alone = np.ones(len(key), bool)
    for dx in (-1, 0, 1):
        for dy in (-1, 0, 1):
            for dz in (-1, 0, 1):
                neighbor = key + (dx * padded[1] + dy) * padded[2] + dz
                found = np.searchsorted(solid, neighbor)
                alone &= solid[np.minimum(found, len(solid) - 1)] != neighbor
    thin[has_solid] = alone
    return thin
