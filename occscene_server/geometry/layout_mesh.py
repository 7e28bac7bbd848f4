"""A layout as triangles: its boxes or their parts, and the floor, ceiling and walls of its room."""

from __future__ import annotations

import numpy as np
from occscene.grid import SemanticGrid
from occscene.layout import LayoutPart
from occscene.mesh import TriangleMesh
from occscene.placed_layout import PlacedLayout, moved
from occscene.taxonomy import TAXONOMIES

from occscene_server.geometry.layout_grid import box_objects
from occscene_server.geometry.part_meshes import mesh_with_parts
from occscene_server.geometry.solid_meshes import solid_triangles
from occscene_server.geometry.solids import Solids


def layout_mesh(placed: PlacedLayout, grid: SemanticGrid) -> TriangleMesh:
    """The triangles of what `placed_grid` voxelises, with the same objects, in the world.

    Args:
        placed: the layout.
        grid: its voxels.
    """
    names = {entry.name: entry.index for entry in TAXONOMIES[placed.layout.taxonomy].classes}
    corners, labels, ids = [np.zeros((0, 3, 3))], [], []
    parts = {}
    for number, box in enumerate(box_objects(placed.layout), start=1):
        obj = moved(box.obj, placed.world_from_layout)
        if obj.parts and not box.shell_only:
            parts[number] = obj
        whole = LayoutPart("box", (0.0, 0.0, 0.0), obj.size)
        sides, _ = solid_triangles(Solids.of_layout([whole]))
        corners.append(sides @ obj.axes.T + obj.center)
        labels += [names[obj.class_name]] * len(sides)
        ids += [number] * len(sides)
    vertices = np.concatenate(corners).reshape(-1, 3)
    triangles = np.arange(len(vertices)).reshape(-1, 3)
    boxes = TriangleMesh(vertices, triangles, np.array(labels, np.uint8), np.array(ids, np.uint16))
    return mesh_with_parts(boxes, grid, parts)
