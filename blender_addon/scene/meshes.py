"""A semantic grid as one Blender mesh."""

from __future__ import annotations

from dataclasses import replace

import bpy
import numpy as np
from mathutils import Matrix
from occscene.grid import EMPTY, SemanticGrid
from occscene.taxonomy import TAXONOMIES

from ..geometry.surface import occupied, quad_surface
from .materials import class_material

CLASS_ATTRIBUTE = "occscene_class"


def grid_object(scene: bpy.types.Scene, grid: SemanticGrid, name: str) -> bpy.types.Object:
    """Adds the grid's surface to the scene as a mesh object that lies where the grid lies.

    One material for each class that occurs; each face also carries its label in the attribute `occscene_class`.
    """
    surface = quad_surface(grid)
    taxonomy = TAXONOMIES[grid.taxonomy]
    mesh = bpy.data.meshes.new(name)
    present = np.unique(surface.classes)
    for label in present:
        mesh.materials.append(class_material(taxonomy, taxonomy.classes[label]))
    faces = len(surface.quads)
    mesh.vertices.add(len(surface.vertices))
    mesh.vertices.foreach_set("co", surface.vertices.ravel())
    mesh.loops.add(faces * 4)
    mesh.loops.foreach_set("vertex_index", surface.quads.ravel())
    mesh.polygons.add(faces)
    mesh.polygons.foreach_set("loop_start", np.arange(0, faces * 4, 4, dtype=np.int32))
    mesh.polygons.foreach_set("material_index", np.searchsorted(present, surface.classes).astype(np.int32))
    labels = mesh.attributes.new(CLASS_ATTRIBUTE, "INT", "FACE")
    labels.data.foreach_set("value", surface.classes.astype(np.int32))
    mesh.shade_flat()
    mesh.update(calc_edges=True)
    thing = bpy.data.objects.new(name, mesh)
    thing.occscene.is_output = True
    thing.matrix_world = Matrix(grid.world_from_grid.tolist())
    output_collection(scene).objects.link(thing)
    return thing


def grid_objects_by_class(scene: bpy.types.Scene, grid: SemanticGrid, name: str) -> list[bpy.types.Object]:
    """Adds one closed mesh object for each class that occurs, so that a class can be hidden without leaving holes."""
    classes = TAXONOMIES[grid.taxonomy].classes
    return [
        grid_object(
            scene,
            replace(grid, labels=np.where(grid.labels == label, grid.labels, np.uint8(EMPTY))),
            f"{name} {classes[label].name}",
        )
        for label in np.unique(grid.labels[occupied(grid.labels)])
    ]


def output_collection(scene: bpy.types.Scene) -> bpy.types.Collection:
    """The scene's collection for what the extension makes."""
    for collection in scene.collection.children:
        if collection.name.startswith("OccScene"):
            return collection
    collection = bpy.data.collections.new("OccScene")
    scene.collection.children.link(collection)
    return collection
