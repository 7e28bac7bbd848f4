"""The list of cameras: their order, and cameras for a scene that has none."""

# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, EnumProperty
from occscene.grid import GridVolume
from occscene.volumes import default_volume

from ..scene.camera_objects import listed_cameras
from ..scene.rig import add_rig
from ..scene.volume import grid_volume, set_volume


def empty_volume(context: bpy.types.Context) -> GridVolume:
    """The scene's volume, or the domain's own if it has none."""
    scene = context.scene
    return default_volume(scene.occscene.domain) if scene.occscene.volume is None else grid_volume(scene)


class OCCSCENE_OT_add_rig(bpy.types.Operator):
    """Add cameras in the corners of the volume, outdoors along its street, and the domain's volume if there is none"""

    bl_idname = "occscene.add_rig"
    bl_label = "Add Cameras"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Adds them and selects them."""
        try:
            volume = empty_volume(context)
        except ValueError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if context.scene.occscene.volume is None:
            set_volume(context.scene, volume)
        for obj in context.view_layer.objects.selected:
            obj.select_set(False)
        for obj in add_rig(context.scene, volume):
            obj.select_set(True)
        return {"FINISHED"}


class OCCSCENE_OT_move_camera(bpy.types.Operator):
    """Move the active camera in the list; views come in its order"""

    bl_idname = "occscene.move_camera"
    bl_label = "Move Camera"
    bl_options = {"REGISTER", "UNDO"}

    direction: EnumProperty(
        name="Direction", items=(("UP", "Up", "Towards the first"), ("DOWN", "Down", "Towards the last"))
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Swaps it with its neighbor."""
        cameras = listed_cameras(context.view_layer)
        if context.scene.camera not in cameras:
            self.report({"WARNING"}, "Choose a camera of the list first")
            return {"CANCELLED"}
        here = cameras.index(context.scene.camera)
        there = here + (1 if self.direction == "DOWN" else -1)
        if 0 <= there < len(cameras):
            cameras[here], cameras[there] = cameras[there], cameras[here]
        for place, obj in enumerate(cameras, 1):
            if obj.library is None:
                obj.occscene.camera_place = place
        return {"FINISHED"}


class OCCSCENE_OT_tick_cameras(bpy.types.Operator):
    """Tick all cameras of the list, or none"""

    bl_idname = "occscene.tick_cameras"
    bl_label = "Tick Cameras"
    bl_options = {"REGISTER", "UNDO"}

    is_view: BoolProperty(name="All", default=True)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Sets the boxes."""
        for obj in listed_cameras(context.view_layer):
            if obj.library is None:
                obj.occscene.is_view = self.is_view
        return {"FINISHED"}


CLASSES = (OCCSCENE_OT_add_rig, OCCSCENE_OT_move_camera, OCCSCENE_OT_tick_cameras)
"""The operators."""
