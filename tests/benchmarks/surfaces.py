"""Whether surfaces of grids close, and what they are as voxels again: `python -m tests.benchmarks.surfaces`.

sparse-cubes is measured where it is installed.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import trimesh
from numpy.typing import NDArray
from occscene.grid import GridVolume, SemanticGrid, occupied
from occscene.taxonomy import TAXONOMIES
from rich.console import Console
from rich.table import Table
from trimesh.voxel import VoxelGrid

from blender_addon.geometry.merged import merged_polygons
from blender_addon.geometry.polygons import PolygonSurface
from blender_addon.geometry.surface import class_surfaces, culled_quads
from blender_addon.geometry.surface_nets import surface_nets
from blender_addon.geometry.voxelization.voxelize import TriangleObject, voxelize
from tests.blender_addon.geometry.grids import room, street
from tests.blender_addon.geometry.test_surface import directed_edges, triangles

Ints = NDArray[np.int64]
OURS: dict[str, Callable[..., PolygonSurface]] = {
    "ours, culled": culled_quads,
    "ours, merged": merged_polygons,
    "ours, smooth": surface_nets,
}


def print_surfaces() -> None:
    """Edges that one face has, and more than two; and voxels lost and added on the way there and back."""
    columns = ("faces", "edges of one face", "of more than two", "voxels lost", "added", "of another class")
    table = Table("grid", "surface", *columns, title="Surfaces of grids")
    for name, grid in (("room 60x60x36", room()), ("street 128x128x32", street((128, 128, 32)))):
        for title, make in OURS.items():
            surface = make(grid)
            edges, back = _open_edges(directed_edges(surface)), _differences(grid, make)
            table.add_row(name, title, *_numbers(len(surface.sizes), *edges, *back))
        for title, mesh in _of_peers(occupied(grid.labels)).items():
            mesh.merge_vertices()
            table.add_row(name, title, *_numbers(len(mesh.faces), *_open_edges(mesh.edges.astype(np.int64))))
    Console(width=140).print(table)


def _of_peers(solid: NDArray[np.bool_]) -> dict[str, trimesh.Trimesh]:
    """Blocks of what is occupied, in triangles."""
    meshes = {"trimesh marching cubes": VoxelGrid(np.pad(solid, 1)).marching_cubes}
    if find_spec("sparsecubes"):
        import sparsecubes

        places = np.argwhere(solid)
        meshes["sparse-cubes culled_faces"] = sparsecubes.culled_faces(places)
        meshes["sparse-cubes greedy_faces"] = sparsecubes.greedy_faces(places)
    return meshes


def _open_edges(edges: Ints) -> tuple[int, int]:
    """How many edges have one face, and how many more than two."""
    count = np.unique(edges.min(axis=1) << 32 | edges.max(axis=1), return_counts=True)[1]
    return int((count == 1).sum()), int((count > 2).sum())


def _differences(grid: SemanticGrid, make: Callable[..., PolygonSurface]) -> tuple[int, int, int]:
    """Voxels that the surfaces of all classes lose, add and change when they are voxelized."""
    taxonomy = TAXONOMIES[grid.taxonomy]
    objects = [
        TriangleObject(taxonomy.classes[label].name, label, triangles(surface), priority=1)
        for label, surface in class_surfaces(make(grid, between_classes=True)).items()
    ]
    back = voxelize(objects, GridVolume(grid.shape, grid.voxel_size, np.eye(4)), taxonomy).labels
    labels = np.where(occupied(grid.labels), grid.labels, 0)
    lost, added = (back == 0) & (labels > 0), (back > 0) & (labels == 0)
    return int(lost.sum()), int(added.sum()), int(((back != labels) & ~lost & ~added).sum())


def _numbers(*values: int) -> list[str]:
    return [f"{value:,}" for value in values]


if __name__ == "__main__":
    print_surfaces()
