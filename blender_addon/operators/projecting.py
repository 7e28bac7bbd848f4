"""Views as textures: projected onto the blockout, or onto any other meshes."""

# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

import bpy
import numpy as np
from bpy.props import EnumProperty, StringProperty
from numpy.typing import NDArray

from ..scene.collect import collect_blockout, transformed
from ..scene.mesh_reading import MeshTriangles, read_mesh, sculpted_meshes
from ..scene.projected import can_be_projected, is_projected, projections, put_projection, take_projection
from ..scene.projection import Projector, projection_material
from ..scene.tagging import ClassLookup, taggable_objects
from ..scene.units import to_meters
from .results import RESULT_DESCRIPTION, chosen_result, seen_views

PROJECTION_NAME = "OccScene Projection"


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
            objects, triangles = self._surfaces(context)
        except ValueError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        old = projections(objects)
        name = f"{PROJECTION_NAME} {result.name[:4]}"
        material = projection_material(context.scene, name, projectors, triangles)
        for obj in objects:
            put_projection(obj, material)
        _remove_unused(old)
        for area in context.screen.areas if context.screen else ():
            if area.type == "VIEW_3D" and area.spaces.active.shading.type in ("SOLID", "WIREFRAME"):
                area.spaces.active.shading.type = "MATERIAL"
        transform = context.scene.view_settings.view_transform
        hint = "" if transform == "Standard" else f"; the view transform {transform} changes their colors, Standard not"
        self.report({"INFO"}, f"{len(projectors)} views on {len(objects)} objects{hint}")
        return {"FINISHED"}

    def _surfaces(self, context: bpy.types.Context) -> tuple[list[bpy.types.Object], NDArray[np.float64]]:
        """The objects to cover, and the triangles that hide each other from the cameras, (T, 3, 3) in metres."""
        context.view_layer.update()
        if self.target == "SELECTED":
            objects = [obj for obj in context.selected_objects if obj.type == "MESH"]
            sculpted = sculpted_meshes(context)
            triangles = [evaluated_triangles(context, obj, sculpted.get(obj)) for obj in objects]
            way_out = "select meshes first"
        else:
            lookup = ClassLookup.of(context.scene)
            objects = [obj for obj in taggable_objects(context.scene) if lookup.class_name(obj)]
            objects = [part for obj in objects for part in _with_instances(obj)]
            triangles = [item.triangles for item in collect_blockout(context).objects]
            way_out = "assign classes to the blockout first"
        objects = [obj for obj in dict.fromkeys(objects) if can_be_projected(obj)]
        if not objects or not triangles:
            raise ValueError(f"there is nothing to project onto: {way_out}")
        return objects, np.concatenate(triangles)


def evaluated_triangles(
    context: bpy.types.Context, obj: bpy.types.Object, sculpted: MeshTriangles | None = None
) -> NDArray[np.float64]:
    """The (T, 3, 3) world triangles of a mesh object with its modifiers, metres."""
    evaluated = obj.evaluated_get(context.evaluated_depsgraph_get())
    return transformed((sculpted or read_mesh(evaluated)).triangles, to_meters(context.scene, evaluated.matrix_world))


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

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Uncovers them, and removes the material with its depth images."""
        objects = [obj for obj in bpy.data.objects if is_projected(obj)]
        materials = projections(objects)
        for obj in objects:
            take_projection(obj)
        _remove_unused(materials)
        self.report({"INFO"}, f"{len(objects)} objects have their own materials again")
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
