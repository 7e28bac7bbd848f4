"""Meshes as Blender shows them, whatever mode their objects are in, as triangles."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from numpy.typing import NDArray

from ..geometry.raw_mesh import RawMesh

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MeshTriangles:
    """The triangles of a mesh.

    Args:
        triangles: (T, 3, 3) local coordinates in Blender units.
        slots: the material slot of each (T,).
        materials: of the mesh's slots.
    """

    triangles: Floats
    slots: NDArray[np.int32]
    materials: list[bpy.types.Material | None]


def read_mesh(evaluated: bpy.types.Object) -> MeshTriangles:
    """The triangles of an evaluated mesh object, the unapplied edit of Edit Mode included.

    An object that is sculpted is read by `sculpted_meshes`.
    """
    mesh = evaluated.data
    if not mesh.is_editmode:
        return _triangles(mesh)
    try:  # a mesh that is edited without modifiers, by this object or another, is empty until it is asked for like this
        return _triangles(evaluated.to_mesh())
    finally:
        evaluated.to_mesh_clear()


EXACT_TRIANGLES = 12_000
"""Triangles up to which `read_raw` takes Blender's own, whose corners it hands over one by one: some 2 ms for these."""


def read_raw(evaluated: bpy.types.Object) -> tuple[RawMesh, list[bpy.types.Material | None]]:
    """The faces of an evaluated mesh object and the materials of its slots, in a fraction of `read_mesh`'s time.

    Faces of more than three corners are cut as Blender cuts them only in meshes of up to `EXACT_TRIANGLES`.
    """
    mesh = evaluated.data
    if not mesh.is_editmode:
        return _raw(mesh), list(mesh.materials)
    try:
        edited = evaluated.to_mesh()
        return _raw(edited), list(edited.materials)
    finally:
        evaluated.to_mesh_clear()


def _raw(mesh: bpy.types.Mesh) -> RawMesh:
    mesh.calc_loop_triangles()
    none = np.empty(0, np.int32)
    positions = np.empty(len(mesh.vertices) * 3, np.float32)
    if len(positions):
        mesh.attributes["position"].data.foreach_get("vector", positions)
    triangles = len(mesh.loop_triangles)
    material = mesh.attributes.get("material_index")
    slots, faces = none, none
    if triangles <= EXACT_TRIANGLES:
        corners = np.empty(triangles * 3, np.int32)
        mesh.loop_triangles.foreach_get("vertices", corners)
        if material is not None:
            slots = np.empty(triangles, np.int32)
            mesh.loop_triangles.foreach_get("material_index", slots)
    else:
        corners, faces = np.empty(len(mesh.loops), np.int32), np.empty(triangles, np.int32)
        mesh.attributes[".corner_vert"].data.foreach_get("value", corners)
        mesh.loop_triangle_polygons.foreach_get("value", faces)
        if material is not None:
            slots = np.empty(len(mesh.polygons), np.int32)
            material.data.foreach_get("value", slots)
    return RawMesh(positions.reshape(-1, 3), corners, faces, slots if slots.any() else none)


def _triangles(mesh: bpy.types.Mesh) -> MeshTriangles:
    mesh.calc_loop_triangles()
    positions = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.vertices.foreach_get("co", positions)
    corners = np.empty(len(mesh.loop_triangles) * 3, np.int32)
    mesh.loop_triangles.foreach_get("vertices", corners)
    slots = np.empty(len(mesh.loop_triangles), np.int32)
    mesh.loop_triangles.foreach_get("material_index", slots)
    triangles = positions.reshape(-1, 3).astype(np.float64)[corners].reshape(-1, 3, 3)
    return MeshTriangles(triangles, slots, list(mesh.materials))


def sculpted_meshes(context: bpy.types.Context) -> dict[bpy.types.Object, MeshTriangles]:
    """Brings what was sculpted to the meshes, and reads the objects that Blender does not evaluate while sculpted.

    Strokes are in the sculpt session until it is flushed, as before each save. With a multiresolution modifier Blender
    evaluates only the coarse mesh, so a copy of the object is evaluated, at the level that is sculpted.
    """
    sculpted = [obj for obj in context.view_layer.objects if obj.mode == "SCULPT"]
    if not sculpted:
        return {}
    bpy.ops.ed.flush_edits()
    for obj in sculpted:
        obj.data.update_tag()
    context.view_layer.update()
    return {obj: _copied(context.scene, obj) for obj in sculpted if any(map(_is_multires, obj.modifiers))}


def _is_multires(modifier: bpy.types.Modifier) -> bool:
    return bool(modifier.type == "MULTIRES" and modifier.show_viewport)


def _copied(scene: bpy.types.Scene, obj: bpy.types.Object) -> MeshTriangles:
    """The mesh of a copy of the object, which is in no mode."""
    stage = bpy.data.scenes.new("OccScene Sculpt")
    copy = obj.copy()
    try:
        stage.frame_current = scene.frame_current
        stage.collection.objects.link(copy)
        copy.hide_viewport = False
        for modifier in filter(_is_multires, copy.modifiers):
            modifier.levels = modifier.sculpt_levels
        layer = stage.view_layers[0]
        layer.update()
        return read_mesh(copy.evaluated_get(layer.depsgraph))
    finally:
        bpy.data.objects.remove(copy)
        bpy.data.scenes.remove(stage)
