"""Views as textures: projected onto the blockout, or onto any other meshes."""

# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

import bpy
import numpy as np
from bpy.props import EnumProperty, StringProperty
from numpy.typing import NDArray

from ..geometry.gathered import transformed
from ..scene.collect import collect_blockout
from ..scene.mesh_reading import read_mesh, sculpted_meshes
from ..scene.projected import can_be_projected, is_projected, projections, put_projection, take_projection
from ..scene.projection import Projector, depth_images, projection_material, set_unseen_colors
from ..scene.units import to_meters
from ..scene.viewports import show_as_before, show_materials
from .counted import counted
from .results import RESULT_DESCRIPTION, chosen_result, seen_views

PROJECTION_NAME = "OccScene Projection"

Triangles = NDArray[np.float64]
"""(T, 3, 3)."""


class OCCSCENE_OT_project_views(bpy.types.Operator):
    """Show the result's views on the surfaces as a material in which every camera is a projector. The materials that
    were there come back with Remove Projection
    """

    bl_idname = "occscene.project_views"
    bl_label = "Project onto Blockout"
    bl_options = {"REGISTER", "UNDO"}

    result: StringProperty(name="Result", description=RESULT_DESCRIPTION, options={"SKIP_SAVE"})
    target: EnumProperty(
        name="Onto",
        items=(
            ("BLOCKOUT", "Blockout", "The tagged objects"),
            ("SELECTED", "Selection", "The selected objects, an imported occupancy for example"),
        ),
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Draws the depth images, makes the material and puts it on the objects."""
        try:
            result = chosen_result(context, self.result)
            projectors = [Projector(view.camera, image) for view, image in seen_views(result)]
            if not projectors:
                raise ValueError("the result has no views")
            surfaces = self._surfaces(context)
        except ValueError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        objects = [obj for obj in surfaces if can_be_projected(obj)]
        old = projections(objects)
        name = f"{PROJECTION_NAME} {result.name[:4]}"
        depths = depth_images([item.camera for item in projectors], np.concatenate(list(surfaces.values())))
        set_unseen_colors(projectors, depths, {obj: surfaces[obj] for obj in objects})
        material = projection_material(context.scene, name, projectors, depths)
        for obj in objects:
            put_projection(obj, material)
        _remove_unused(old)
        show_materials(context)
        transform = context.scene.view_settings.view_transform
        hint = "" if transform == "Standard" else f"; the view transform {transform} changes their colors, Standard not"
        self.report({"INFO"}, f"{counted(len(projectors), 'view')} on {counted(len(objects), 'object')}{hint}")
        return {"FINISHED"}

    def _surfaces(self, context: bpy.types.Context) -> dict[bpy.types.Object, Triangles]:
        """The objects to cover, with their triangles in the world, metres; for instanced ones those of all instances.

        Raises:
            ValueError: there are none that can be covered.
        """
        context.view_layer.update()
        if self.target == "SELECTED":
            surfaces = selected_surfaces(context)
            way_out = "select meshes first"
        else:
            surfaces = _blockout_surfaces(context)
            way_out = "assign classes to the blockout first"
        if not any(can_be_projected(obj) for obj in surfaces):
            raise ValueError(f"there is nothing to project onto: {way_out}")
        return surfaces


def _blockout_surfaces(context: bpy.types.Context) -> dict[bpy.types.Object, Triangles]:
    blockout = collect_blockout(context)
    parts: dict[bpy.types.Object, list[Triangles]] = {}
    for item, source in zip(blockout.objects, blockout.sources, strict=True):
        for obj in _with_instances(context.scene.objects[source]):
            parts.setdefault(obj, []).append(item.triangles)
    return {obj: np.concatenate(triangles) for obj, triangles in parts.items()}


def selected_surfaces(context: bpy.types.Context) -> dict[bpy.types.Object, Triangles]:
    """The selected geometry and what selected objects instance, each with its triangles in the world, metres."""
    sculpted = sculpted_meshes(context)
    selected = set(context.view_layer.objects.selected)
    parts: dict[bpy.types.Object, list[Triangles]] = {}
    for instance in context.evaluated_depsgraph_get().object_instances:
        evaluated = instance.object
        obj = evaluated.original
        parent = instance.parent.original if instance.is_instance and instance.parent else None
        if evaluated.type != "MESH" or not instance.show_self or (parent or obj) not in selected:
            continue
        mesh = read_mesh(evaluated) if parent else sculpted.get(obj) or read_mesh(evaluated)
        if len(mesh.triangles):
            meters = to_meters(context.scene, instance.matrix_world)
            parts.setdefault(obj, []).append(transformed(mesh.triangles, meters))
    return {obj: np.concatenate(triangles) for obj, triangles in parts.items()}


def _with_instances(obj: bpy.types.Object) -> list[bpy.types.Object]:
    """The object, or the objects of the collection that it instances."""
    if obj.instance_type == "COLLECTION" and obj.instance_collection:
        return list(obj.instance_collection.all_objects)
    return [obj]


class OCCSCENE_OT_remove_projection(bpy.types.Operator):
    """Give all objects back the materials that they had before views were projected onto them"""

    bl_idname = "occscene.remove_projection"
    bl_label = "Remove Projection"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Uncovers them, and removes the material with its depth images."""
        objects = [obj for obj in bpy.data.objects if is_projected(obj)]
        materials = projections(objects)
        for obj in objects:
            take_projection(obj)
        _remove_unused(materials)
        show_as_before(context)
        has = "has its" if len(objects) == 1 else "have their"
        self.report({"INFO"}, f"{counted(len(objects), 'object')} {has} own materials again")
        return {"FINISHED"}


def _remove_unused(materials: set[bpy.types.Material]) -> None:
    """Removes projection materials that no object carries any more, with the images that only they used."""
    for material in materials:
        if material.users:
            continue
        images = {node.image for node in material.node_tree.nodes if node.type == "TEX_IMAGE" and node.image}
        bpy.data.materials.remove(material)
        for image in images:
            if image.users == 0:
                bpy.data.images.remove(image)


CLASSES = (OCCSCENE_OT_project_views, OCCSCENE_OT_remove_projection)
