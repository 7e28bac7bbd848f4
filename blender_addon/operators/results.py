"""Use what came back."""

# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, StringProperty
from occscene.grid import load_grid

from ..properties import UNFINISHED
from ..scene.images import set_background
from ..scene.meshes import grid_object, grid_objects_by_class
from .arrivals import OCCUPANCY_FILE


def _result(context: bpy.types.Context, name: str) -> Any:
    """The result called `name`, the active one if it is empty, or None."""
    settings = context.scene.occscene
    if name:
        return settings.results.get(name)
    index = settings.active_result
    return settings.results[index] if 0 <= index < len(settings.results) else None


class OCCSCENE_OT_import_occupancy(bpy.types.Operator):
    """Add an occupancy as a voxel mesh with a material for each class"""

    bl_idname = "occscene.import_occupancy"
    bl_label = "Import Occupancy"
    bl_options = {"REGISTER", "UNDO"}

    filepath: StringProperty(name="Grid File", description="A grid file (.npz)", subtype="FILE_PATH")
    result: StringProperty(name="Result", description="Take the occupancy of this result (request id) instead")
    name: StringProperty(name="Name", description="What the new object is called", default="OccScene Occupancy")
    separate: BoolProperty(
        name="Object per Class", description="Add an object for each class, so that classes can be hidden"
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Reads the grid and builds the mesh where the grid lies."""
        path = Path(bpy.path.abspath(self.filepath)) if self.filepath else None
        if path is None:
            result = _result(context, self.result)
            if result is None:
                self.report({"ERROR"}, "there is no result to import from: generate first, or give a file")
                return {"CANCELLED"}
            path = Path(bpy.path.abspath(result.directory)) / OCCUPANCY_FILE
        try:
            grid = load_grid(path)
        except FileNotFoundError:
            self.report({"ERROR"}, f"{path} is not there; if it was deleted, generate again")
            return {"CANCELLED"}
        except (ValueError, OSError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        things = (
            grid_objects_by_class(context.scene, grid, self.name)
            if self.separate
            else [grid_object(context.scene, grid, self.name)]
        )
        if not things:
            self.report({"ERROR"}, f"{path} has no occupied voxel")
            return {"CANCELLED"}
        for other in list(context.view_layer.objects.selected):
            other.select_set(False)
        for thing in things:
            thing.select_set(True)
        context.view_layer.objects.active = things[0]
        faces = sum(len(thing.data.polygons) for thing in things)
        self.report({"INFO"}, f"{len(things)} objects, {faces:,} faces")
        return {"FINISHED"}


class OCCSCENE_OT_set_backgrounds(bpy.types.Operator):
    """Show each view in its camera, over the blockout"""

    bl_idname = "occscene.set_backgrounds"
    bl_label = "Camera Backgrounds"
    bl_options = {"REGISTER", "UNDO"}

    result: StringProperty(name="Result", description="The result's name; empty takes the active one")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Sets the images of the cameras that are still there."""
        result = _result(context, self.result)
        views = list(result.views) if result else []
        pairs = [(context.scene.objects.get(view.name), view.image) for view in views if view.image]
        pairs = [(camera, image) for camera, image in pairs if camera and camera.type == "CAMERA"]
        if not pairs:
            self.report({"ERROR"}, "the result has no views, or its cameras are gone")
            return {"CANCELLED"}
        for camera, image in pairs:
            set_background(camera, image)
        return {"FINISHED"}


class OCCSCENE_OT_open_view(bpy.types.Operator):
    """Show the view in an Image Editor"""

    bl_idname = "occscene.open_view"
    bl_label = "Open View"

    image: StringProperty(name="Image")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Uses an open Image Editor, else a new window."""
        image = bpy.data.images.get(self.image)
        if image is None:
            self.report({"ERROR"}, f"image {self.image!r} is gone; the file in the result's folder may still be there")
            return {"CANCELLED"}
        areas = [area for window in context.window_manager.windows for area in window.screen.areas]
        area = next((area for area in areas if area.type == "IMAGE_EDITOR"), None)
        if area is None:
            bpy.ops.wm.window_new()
            area = context.window_manager.windows[-1].screen.areas[0]
            area.type = "IMAGE_EDITOR"
        area.spaces.active.image = image
        return {"FINISHED"}


class OCCSCENE_OT_reload_settings(bpy.types.Operator):
    """Set prompt and seed to what made this result"""

    bl_idname = "occscene.reload_settings"
    bl_label = "Reload Settings"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Copies the settings of the active result."""
        result = _result(context, "")
        if result is None:
            return {"CANCELLED"}
        settings = context.scene.occscene
        settings.prompt, settings.negative_prompt, settings.seed = result.prompt, result.negative_prompt, result.seed
        return {"FINISHED"}


class OCCSCENE_OT_remove_result(bpy.types.Operator):
    """Take the result off the list; its files stay in its folder"""

    bl_idname = "occscene.remove_result"
    bl_label = "Remove Result"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """A job that still runs must be cancelled first."""
        result = _result(context, "")
        if result is not None and result.state in UNFINISHED:
            cls.poll_message_set("Cancel the job first")
            return False
        return result is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Removes the active result and its images, unless they are used."""
        settings = context.scene.occscene
        result = _result(context, "")
        images = [view.image for view in result.views if view.image]
        settings.results.remove(settings.active_result)
        settings.active_result = min(settings.active_result, len(settings.results) - 1)
        for image in images:
            image.use_fake_user = False
            if image.users == 0:
                bpy.data.images.remove(image)
        return {"FINISHED"}


CLASSES = (
    OCCSCENE_OT_import_occupancy,
    OCCSCENE_OT_set_backgrounds,
    OCCSCENE_OT_open_view,
    OCCSCENE_OT_reload_settings,
    OCCSCENE_OT_remove_result,
)
