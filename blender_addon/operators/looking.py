"""What one looks at: through which camera, and whether the blockout, the grid or the prediction stands there."""

# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import EnumProperty, StringProperty

from ..properties.results import STAGES
from ..scene.camera_objects import listed_cameras
from ..scene.grid_view import hide_grid, shown_stats
from ..scene.overlay import has_overlay
from ..scene.stage import bring_blockout_back, set_blockout_aside, show_predictions
from .results import RESULT_DESCRIPTION, chosen_result


class OCCSCENE_OT_look_through(bpy.types.Operator):
    """Look through a camera of the list, which becomes the scene's active one"""

    bl_idname = "occscene.look_through"
    bl_label = "Look Through"
    bl_options = {"REGISTER", "UNDO"}

    direction: EnumProperty(
        name="Camera",
        items=(
            ("NEXT", "Next Camera", "The next camera of the list"),
            ("PREVIOUS", "Previous Camera", "The previous camera of the list"),
            ("ACTIVE", "Active Camera", "The scene's active camera"),
        ),
    )
    camera: StringProperty(
        name="Name", description="The camera of this name, wherever it is in the list", options={"SKIP_SAVE"}
    )

    @classmethod
    def description(cls, _context: bpy.types.Context, properties: Any) -> str:
        """What the button does, by its direction."""
        if properties.camera:
            return f"Look through {properties.camera}"
        which = {"NEXT": "next", "PREVIOUS": "previous", "ACTIVE": "active"}[properties.direction]
        return f"Look through the {which} camera"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Sets the camera, and fits it into the 3D view."""
        scene = context.scene
        cameras = listed_cameras(context.view_layer)
        if self.camera:
            cameras = [obj for obj in cameras if obj.name == self.camera]
        if not cameras:
            self.report({"ERROR"}, f"there is no camera {self.camera}".rstrip() + ": press Add Cameras")
            return {"CANCELLED"}
        if self.camera or scene.camera not in cameras:
            scene.camera = cameras[0]
        elif self.direction != "ACTIVE":
            step = 1 if self.direction == "NEXT" else -1
            scene.camera = cameras[(cameras.index(scene.camera) + step) % len(cameras)]
        if has_overlay(scene, scene.camera):
            hide_grid()  # it would lie over the view
        area = context.area
        if area is not None and area.type == "VIEW_3D":
            area.spaces.active.region_3d.view_perspective = "CAMERA"
            region = next(region for region in area.regions if region.type == "WINDOW")
            with context.temp_override(region=region):
                bpy.ops.view3d.view_center_camera()
        return {"FINISHED"}


class OCCSCENE_OT_show_stage(bpy.types.Operator):
    """Show the blockout, the grid that is sent, or the active result's occupancy: one in place of the others"""

    bl_idname = "occscene.show_stage"
    bl_label = "Show in Scene"
    bl_options = {"REGISTER", "UNDO"}

    stage: EnumProperty(name="Show", items=STAGES)
    result: StringProperty(name="Result", description=RESULT_DESCRIPTION, options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Shows one and puts the others away; an occupancy that is not in the scene yet is imported."""
        scene = context.scene
        settings = scene.occscene
        try:
            if self.stage == "PREDICTION":
                result = chosen_result(context, self.result)
                if not show_predictions(scene, result.name):
                    bpy.ops.occscene.import_occupancy(
                        result=result.name,
                        surface=settings.import_surface,
                        separate=settings.import_separate,
                        colors=settings.import_colors,
                    )
                hide_grid()
                set_blockout_aside(context)
            else:
                bring_blockout_back(scene)
                if (self.stage == "GRID") != (shown_stats(scene) is not None):
                    bpy.ops.occscene.show_grid(action="TOGGLE")
        except (ValueError, RuntimeError) as error:
            self.report({"ERROR"}, str(error).removeprefix("Error: ").strip())
            return {"CANCELLED"}
        return {"FINISHED"}


CLASSES = (OCCSCENE_OT_look_through, OCCSCENE_OT_show_stage)
"""The operators."""
