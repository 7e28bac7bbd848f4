"""Operators of a result: open the views, put them behind the cameras, bring settings back, remove."""

# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from typing import Any

import bpy
from bpy.props import StringProperty

from ..jobs import tracking
from ..jobs.journal import folder_of
from ..jobs.request import Request
from ..properties.results import UNFINISHED
from ..properties.settings import SETTINGS, set_scene
from ..scene.cameras import SceneView
from ..scene.image_editors import show_image
from ..scene.overlay import drop_view, show_overlay
from .counted import counted

RESULT_DESCRIPTION = "The result's name (request id); empty takes the active one"


def chosen_result(context: bpy.types.Context, name: str) -> Any:
    """The result called `name`, the active one if it is empty.

    Raises:
        ValueError: there is none.
    """
    settings = context.scene.occscene
    if name:
        if name not in settings.results:
            raise ValueError(f"the scene has no result {name!r}")
        return settings.results[name]
    if not 0 <= settings.active_result < len(settings.results):
        raise ValueError("there is no result yet: generate first")
    return settings.results[settings.active_result]


def seen_views(result: Any) -> list[tuple[SceneView, bpy.types.Image]]:
    """The views of a result that have images, with the cameras that they were made from."""
    images = {view.name: view.image for view in result.views if view.image and not view.is_preview}
    views = Request.from_json(result.request).views
    return [(view, images[view.camera.name]) for view in views if view.camera.name in images]


class OCCSCENE_OT_set_backgrounds(bpy.types.Operator):
    """Show each view in its camera, over the blockout; of several frames of one camera, the one nearest to now"""

    bl_idname = "occscene.set_backgrounds"
    bl_label = "Camera Backgrounds"
    bl_options = {"REGISTER", "UNDO"}

    result: StringProperty(name="Result", description=RESULT_DESCRIPTION, options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Makes the result the one that the cameras show; names the cameras that are gone."""
        scene = context.scene
        settings = scene.occscene
        try:
            result = chosen_result(context, self.result)
        except ValueError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        gone = find_cameras(scene, result)
        present = {view.camera for view in result.views if view.camera}
        if not present:
            self.report({"ERROR"}, "the result has no views, or its cameras are gone")
            return {"CANCELLED"}
        settings.use_overlay = True
        settings.active_result = settings.results.find(result.name)
        show_overlay(scene)
        text = f"views in {counted(len(present), 'camera')}; look through one to see its view"
        if gone:
            text += f". Not in the scene any more: {', '.join(gone)}"
        self.report({"WARNING" if gone else "INFO"}, text)
        return {"FINISHED"}


def find_cameras(scene: bpy.types.Scene, result: Any) -> list[str]:
    """Finds the cameras of a result's views by their names where the result does not hold them.

    Returns:
        The names of those that are not in the scene.
    """
    gone: dict[str, None] = {}
    for view, _ in seen_views(result):
        item = result.views[view.camera.name]
        obj = item.camera or scene.objects.get(view.object_name)
        is_there = obj is not None and obj.type == "CAMERA" and obj.name in scene.objects
        item.camera, item.frame = (obj if is_there else None), view.frame
        if not is_there:
            gone.setdefault(view.object_name)
    return list(gone)


class OCCSCENE_OT_open_view(bpy.types.Operator):
    """Show the view in an Image Editor"""

    bl_idname = "occscene.open_view"
    bl_label = "Open View"

    image: StringProperty(name="Image")

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Uses an open Image Editor, else a new window."""
        image = bpy.data.images.get(self.image)
        if image is None:
            self.report({"ERROR"}, f"image {self.image!r} is gone; the file in the result's folder may still be there")
            return {"CANCELLED"}
        show_image(image)
        return {"FINISHED"}


class OCCSCENE_OT_reload_settings(bpy.types.Operator):
    """Set prompt, seed and all the other settings to what made this result"""

    bl_idname = "occscene.reload_settings"
    bl_label = "Reload Settings"
    bl_options = {"REGISTER", "UNDO"}

    result: StringProperty(name="Result", description=RESULT_DESCRIPTION, options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Copies the settings of the result; its seed is fixed, so that it comes out the same."""
        try:
            result = chosen_result(context, self.result)
        except ValueError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        request = Request.from_json(result.request)
        names = SETTINGS if request.composition is None else ("prompt", "style", "seed")
        set_scene(context.scene, request.settings, names)
        context.scene.occscene.seed_mode = "FIXED"
        return {"FINISHED"}


class OCCSCENE_OT_remove_result(bpy.types.Operator):
    """Take the active result off the list; its files stay in its folder"""

    bl_idname = "occscene.remove_result"
    bl_label = "Remove Result"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """A job that still runs must be cancelled first."""
        settings = context.scene.occscene
        if not 0 <= settings.active_result < len(settings.results):
            return False
        if settings.results[settings.active_result].state in UNFINISHED:
            cls.poll_message_set("Cancel the job first")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Removes the active result and its images, unless they are used."""
        remove_listed(context.scene, [chosen_result(context, "").name])
        return {"FINISHED"}


def remove_listed(scene: bpy.types.Scene, names: Sequence[str]) -> None:
    """Takes results off the list and removes their images, unless they are used."""
    settings = scene.occscene
    active = settings.results[settings.active_result].name if settings.active_result < len(settings.results) else ""
    for name in names:
        tracking.forget(name)
        number = settings.results.find(name)
        images = [view.image for view in settings.results[number].views if view.image]
        settings.results.remove(number)
        if settings.compared == name:
            settings.compared = ""
        settings.active_result = max(0, min(settings.active_result, len(settings.results) - 1))
        for image in images:
            drop_view(scene, image)
            image.use_fake_user = False
            if image.users == 0:
                bpy.data.images.remove(image)
    if active in settings.results:
        settings.active_result = settings.results.find(active)


class OCCSCENE_OT_open_folder(bpy.types.Operator):
    """Open the folder that holds the result's views and grids as files"""

    bl_idname = "occscene.open_folder"
    bl_label = "Open Folder"

    result: StringProperty(name="Result", description=RESULT_DESCRIPTION, options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Hands the folder to the system's file browser."""
        try:
            result = chosen_result(context, self.result)
        except ValueError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        folder = folder_of(result)
        if sys.platform == "linux" and shutil.which("xdg-open") is None:  # which `path_open` only prints
            self.report({"ERROR"}, f"This system has no program that shows folders; open {folder} yourself")
            return {"CANCELLED"}
        bpy.ops.wm.path_open(filepath=str(folder))
        return {"FINISHED"}


CLASSES = (
    OCCSCENE_OT_set_backgrounds,
    OCCSCENE_OT_open_view,
    OCCSCENE_OT_reload_settings,
    OCCSCENE_OT_remove_result,
    OCCSCENE_OT_open_folder,
)
