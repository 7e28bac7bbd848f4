"""Semantic grids as Blender meshes."""

from __future__ import annotations

from collections.abc import Mapping

import bpy
import numpy as np
from mathutils import Matrix
from occscene.grid import SemanticGrid
from occscene.taxonomy import TAXONOMIES

from ..geometry.merged import merged_polygons
from ..geometry.polygons import PolygonSurface
from ..geometry.surface import class_surfaces, culled_quads
from ..geometry.surface_nets import surface_nets
from .materials import class_material
from .units import pose_to_units, to_units

CLASS_ATTRIBUTE = "occscene_class"

SURFACES = {"BLOCKS": culled_quads, "MERGED": merged_polygons, "SMOOTH": surface_nets}
"""How a grid's surface is made: one quad a voxel face, coplanar faces merged, or smoothed."""


def grid_object(scene: bpy.types.Scene, grid: SemanticGrid, name: str, surface: str = "BLOCKS") -> bpy.types.Object:
    """Adds the grid's surface to the scene as a mesh object that lies where the grid lies.

    One material for each class that occurs; each face also carries its label in the attribute `occscene_class`. Texture
    coordinates are metres along the two axes of each voxel face.

    Args:
        scene: where to add it.
        grid: what to show.
        name: the object's.
        surface: a key of `SURFACES`.
    """
    quads = SURFACES[surface](grid)
    obj = surface_object(scene, grid, name, quads, class_materials(grid.taxonomy, quads))
    _shade(obj, surface)
    return obj


def grid_objects_by_class(
    scene: bpy.types.Scene, grid: SemanticGrid, name: str, surface: str = "BLOCKS"
) -> list[bpy.types.Object]:
    """Adds one closed mesh object for each class that occurs, so that a class can be hidden without leaving holes."""
    classes = TAXONOMIES[grid.taxonomy].classes
    objects = []
    for label, quads in class_surfaces(SURFACES[surface](grid, between_classes=True)).items():
        materials = class_materials(grid.taxonomy, quads)
        objects.append(surface_object(scene, grid, f"{name} {classes[label].name}", quads, materials))
        _shade(objects[-1], surface)
    return objects


def class_materials(taxonomy: str, surface: PolygonSurface) -> dict[int, bpy.types.Material]:
    """The material of each label that a surface shows."""
    known = TAXONOMIES[taxonomy]
    return {int(label): class_material(known, known.classes[label]) for label in np.unique(surface.classes)}


def surface_object(
    scene: bpy.types.Scene,
    grid: SemanticGrid,
    name: str,
    surface: PolygonSurface,
    materials: Mapping[int, bpy.types.Material],
) -> bpy.types.Object:
    """Adds a surface of `grid` as a mesh object with the material of each label, which must be in `materials`."""
    obj = bpy.data.objects.new(name, _mesh(name, surface, materials, to_units(scene, 1.0)))
    obj.occscene.is_output = True
    obj.matrix_world = Matrix(pose_to_units(scene, grid.world_from_grid).tolist())
    output_collection(scene).objects.link(obj)
    return obj


def _mesh(
    name: str, surface: PolygonSurface, materials: Mapping[int, bpy.types.Material], units_per_meter: float
) -> bpy.types.Mesh:
    mesh = bpy.data.meshes.new(name)
    present = np.array(sorted(materials), np.uint8)
    for label in present:
        mesh.materials.append(materials[int(label)])
    faces = len(surface.sizes)
    mesh.vertices.add(len(surface.vertices))
    mesh.vertices.foreach_set("co", surface.vertices.ravel() * np.float32(units_per_meter))
    mesh.loops.add(len(surface.corners))
    mesh.loops.foreach_set("vertex_index", surface.corners)
    mesh.polygons.add(faces)
    mesh.polygons.foreach_set("loop_start", np.cumsum(surface.sizes, dtype=np.int32) - surface.sizes)
    mesh.polygons.foreach_set("material_index", np.searchsorted(present, surface.classes).astype(np.int32))
    labels = mesh.attributes.new(CLASS_ATTRIBUTE, "INT", "FACE")
    labels.data.foreach_set("value", surface.classes.astype(np.int32))
    mesh.uv_layers.new(name="UVMap").uv.foreach_set("vector", surface.uv().ravel())
    mesh.shade_flat()
    mesh.update(calc_edges=True)
    return mesh


def _shade(obj: bpy.types.Object, surface: str) -> None:
    if surface == "SMOOTH":
        obj.data.shade_smooth()


def output_collection(scene: bpy.types.Scene) -> bpy.types.Collection:
    """The scene's collection for what the extension makes."""
    for collection in scene.collection.children:
        if collection.name.startswith("OccScene"):
            return collection
    collection = bpy.data.collections.new("OccScene")
    scene.collection.children.link(collection)
    return collection
