"""A room's triangles: what was rendered, and the boxes of its blockout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from occscene.grid import SemanticGrid
from occscene.mesh import TriangleMesh
from occscene.taxonomy import INDOOR, Taxonomy

from occscene_server.data.dataset import read_grids, read_info, stored_direction, write_info
from occscene_server.data.scene_mesh import SceneMeshes, write_meshes
from occscene_server.geometry.materials import material_rows
from occscene_server.studio.indoor import build_room
from occscene_server.studio.moods import room_sun
from occscene_server.studio.room import Item, Part, Room
from occscene_server.studio.scene_grids import blockout_triangles, item_classes, part_indices, room_grids

_THIN = 0.01
"""Share of a scene's voxels that are of thin features; other scenes differ in far more."""


def room_meshes(room: Room) -> SceneMeshes:
    """The detailed meshes and the blockout's boxes; `room.items[i]` has the id i + 1, as in the room's grids."""
    return item_meshes(room.items, INDOOR)


def item_meshes(items: Sequence[Item], taxonomy: Taxonomy) -> SceneMeshes:
    """The detailed meshes of items, without foliage, and of their blockouts; `items[i]` has the id i + 1."""
    classes = item_classes(items, taxonomy)
    parts = [
        (id_, part, item.world_vertices(part))
        for id_, item in enumerate(items, 1)
        for part in item.parts
        if not part.foliage
    ]
    drawn = [(id_, blockout_triangles(item)) for id_, item in enumerate(items, 1)]
    return SceneMeshes(_mesh_of_parts(parts, classes), _mesh_of_triangles(drawn, classes))


def add_meshes(folder: Path, seed: int) -> bool:
    """Stores the meshes of an indoor scene rendered before meshes were stored, and where its sun is.

    Returns:
        False if the grammar's room of `seed` is no longer the one that was rendered; nothing is stored then.
    """
    room = build_room(seed)
    if not is_same_scene(folder, room_grids(room)):
        return False
    write_info(folder, replace(read_info(folder), sun=stored_direction(room_sun(room))))
    write_meshes(folder, room_meshes(room))
    return True


def is_same_scene(folder: Path, drawn: tuple[SemanticGrid, SemanticGrid]) -> bool:
    """Whether a stored scene's grids are those given, by whichever rule thin features were voxelised then."""
    stored = read_grids(folder)
    return all(
        old.labels.shape == new.labels.shape
        and np.count_nonzero(old.labels != new.labels) <= _THIN * np.count_nonzero(new.labels)
        for old, new in zip(stored, drawn, strict=True)
    )


def _mesh_of_parts(parts: Sequence[tuple[int, Part, NDArray[np.float64]]], classes: NDArray[np.uint8]) -> TriangleMesh:
    triangles, numbers, kinds, first = [], [], [], 0
    for id_, part, _ in parts:
        indices = part_indices(part)
        triangles.append(indices + first)
        numbers.append(np.full(len(indices), id_, np.uint16))
        kinds += [part.material.rsplit(" ", 1)[0]] * len(indices)
        first += len(part.vertices)
    ids = np.concatenate(numbers)
    vertices = np.concatenate([placed for _, _, placed in parts])
    surface = np.concatenate([part.local for _, part, _ in parts])
    return TriangleMesh(vertices, np.concatenate(triangles), classes[ids], ids, surface, material_rows(kinds))


def _mesh_of_triangles(objects: Sequence[tuple[int, NDArray[np.float64]]], classes: NDArray[np.uint8]) -> TriangleMesh:
    corners = np.concatenate([triangles for _, triangles in objects]).reshape(-1, 3)
    vertices, indices = np.unique(corners, axis=0, return_inverse=True)
    ids = np.repeat(np.array([id_ for id_, _ in objects], np.uint16), [len(triangles) for _, triangles in objects])
    return TriangleMesh(vertices, indices.reshape(-1, 3), classes[ids], ids)
