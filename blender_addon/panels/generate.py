"""The Generate panel: what is asked for, and how running jobs go."""

# mypy: disable-error-code="misc"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

from typing import Any

import bpy
from occscene.limits import MAX_VIEWS

from ..jobs import connection_check
from ..jobs.estimate import estimated_seconds, rough_time
from ..jobs.request import Request
from ..operators.composing import missing, selected_tagged
from ..operators.job import status_line
from ..operators.styles import OCCSCENE_MT_styles
from ..properties.results import UNFINISHED
from ..scene.camera_objects import cameras_of
from ..scene.frame import frame_window, picture_size
from ..scene.frames import animation_frames
from .counts import drawn_counts
from .layout import SidebarPanel, wrapped_label


class VIEW3D_PT_occscene_generate(SidebarPanel, bpy.types.Panel):
    """Generate views."""

    bl_label = "Generate"
    bl_order = 2

    def draw(self, context: bpy.types.Context) -> None:
        """Draws the settings, the button, and how the running jobs go."""
        layout = self.layout
        settings = context.scene.occscene
        _words(layout, settings)
        _cameras(layout, settings)
        _numbers(layout, settings)
        _button(layout, context)
        for result in settings.results:
            if result.state in UNFINISHED:
                _progress(layout, result)


class VIEW3D_PT_occscene_text(SidebarPanel, bpy.types.Panel):
    """Text to scene."""

    bl_label = "From Text Alone"
    bl_parent_id = "VIEW3D_PT_occscene_generate"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draws what it does, its cameras and its button."""
        layout = self.layout
        scene = context.scene
        wrapped_label(layout, context, "Fills the empty volume as the prompt says; no blockout is sent.")
        layout.operator("occscene.add_rig", icon="OUTLINER_OB_CAMERA")
        count = view_count(context)
        has_cameras = bool(cameras_of(scene, context.view_layer, "ALL"))
        row = layout.row()
        row.scale_y = 1.3
        row.enabled = _views_fit(count) or not has_cameras
        text = f"Generate {_views(count)} from Text" if has_cameras else "Add Cameras and Generate"
        row.operator("occscene.generate", text=text, icon="OUTLINER_OB_FONT").task = "TEXT"

        written = next((result for result in reversed(scene.occscene.results) if result.layout_file), None)
        if written is not None:
            wrapped_label(layout, context, "The newest room as boxes to edit:")
            layout.operator("occscene.import_blockout", icon="MESH_CUBE").result = written.name


class VIEW3D_PT_occscene_furnish(SidebarPanel, bpy.types.Panel):
    """Complete, Redraw, Add Detail."""

    bl_label = "Furnish"
    bl_parent_id = "VIEW3D_PT_occscene_generate"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draws the buttons, and what each will do."""
        layout = self.layout
        scene = context.scene
        reasons = [missing(scene, prior) for prior in ("layout_prior", "parts_prior")]
        for why in dict.fromkeys(filter(None, reasons)):
            wrapped_label(layout, context, why, icon="INFO")
        check = connection_check.last_check
        if check.can("layout_prior") is None and not any(reasons):
            layout.operator("occscene.test_connection", text="Ask What the Server Can", icon="QUESTION").server = ""
            if check.is_running or check.failed:
                wrapped_label(layout, context, check.line(), icon="TIME" if check.is_running else "ERROR")
        tagged = drawn_counts(context).objects
        chosen = len(selected_tagged(context))
        column = layout.column(align=True)
        column.operator("occscene.complete", icon="HOME")
        text = f"Keeps {tagged} tagged, furnishes the rest as the prompt says"
        wrapped_label(column, context, text if tagged else "Furnishes the empty volume as the prompt says")
        column = layout.column(align=True)
        column.prop(scene.occscene, "redraw_as")
        row = column.row(align=True)
        row.enabled = chosen > 0
        row.operator("occscene.redraw", icon="FILE_REFRESH")
        text = f"Draws {chosen} selected anew, keeps {max(0, tagged - chosen)}"
        wrapped_label(column, context, text if chosen else "Select what to draw anew")
        column = layout.column(align=True)
        row = column.row(align=True)
        row.enabled = chosen > 0
        row.operator("occscene.add_detail", icon="MOD_BUILD")
        text = f"Gives {chosen} selected their parts, puts the boxes away"
        wrapped_label(column, context, text if chosen else "Select what is to get parts")
        _last_answer(layout, context)


class VIEW3D_PT_occscene_images(SidebarPanel, bpy.types.Panel):
    """Images to occupancy."""

    bl_label = "From Images"
    bl_parent_id = "VIEW3D_PT_occscene_generate"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draws what it does, whether the images are there, and its button."""
        layout = self.layout
        scene = context.scene
        wrapped_label(layout, context, "Predicts the occupancy that the cameras' background images show.")
        layout.prop(scene.occscene, "use_blockout")
        count = view_count(context)
        row = layout.row()
        row.scale_y = 1.3
        row.enabled = _views_fit(count)
        images = f"{count} Image{'s' * (count != 1)}"
        row.operator("occscene.generate", text=f"Predict from {images}", icon="IMAGE_DATA").task = "IMAGES"


def view_count(context: bpy.types.Context) -> int:
    """How many views the scene's choice of cameras makes."""
    scene = context.scene
    settings = scene.occscene
    cameras = len(cameras_of(scene, context.view_layer, settings.cameras))
    return cameras * (len(animation_frames(scene, settings.frame_step)) if settings.cameras == "ANIMATION" else 1)


def _objects(count: int) -> str:
    return f"{count} object{'s' * (count != 1)}"


def _views(count: int) -> str:
    return f"{count} View{'s' * (count != 1)}"


def _views_fit(count: int) -> bool:
    return 0 < count <= MAX_VIEWS


def _words(layout: bpy.types.UILayout, settings: Any) -> None:
    column = layout.column(align=True)
    column.label(text="Prompt")
    column.prop(settings, "prompt", text="")
    column = layout.column(align=True)
    row = column.row(align=True)
    row.label(text="Style")
    row.menu("OCCSCENE_MT_styles", text=OCCSCENE_MT_styles.bl_label)
    row.operator("occscene.style_preset", text="", icon="ADD")
    row.operator("occscene.style_preset", text="", icon="REMOVE").remove_active = True
    column.prop(settings, "style", text="")
    if settings.quality != "DRAFT":
        column = layout.column(align=True)
        column.label(text="Avoid")
        column.prop(settings, "negative_prompt", text="")


def _cameras(layout: bpy.types.UILayout, settings: Any) -> None:
    column = layout.column(align=True)
    column.label(text="Cameras")
    column.row(align=True).prop(settings, "cameras", expand=True)
    if settings.cameras == "ANIMATION":
        column.prop(settings, "frame_step", text="Every Nth Frame")


def _numbers(layout: bpy.types.UILayout, settings: Any) -> None:
    column = layout.column()
    column.use_property_split = True
    column.use_property_decorate = False
    row = column.row(align=True)
    part = row.row(align=True)
    part.enabled = settings.seed_mode != "RANDOM"
    part.prop(settings, "seed")
    row.prop(settings, "seed_mode", text="")
    column.prop(settings, "image_size")
    column.row(align=True).prop(settings, "quality", expand=True)
    if settings.quality != "DRAFT":
        column.prop(settings, "steps", text="Steps" if settings.steps else "Steps (model's)")
        column.prop(settings, "use_guidance")
        if settings.use_guidance:
            column.prop(settings, "text_guidance_scale", slider=True)
            column.prop(settings, "occupancy_guidance_scale", slider=True)
    column.prop(settings, "without_prior")


def _button(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The button, and what it will send or what is still missing."""
    scene = context.scene
    settings = scene.occscene
    count = view_count(context)
    tagged = drawn_counts(context).objects
    size, too_narrow = _picture_size(scene)
    missing = _missing(settings, tagged, count) or too_narrow
    column = layout.column(align=True)
    column.scale_y = 1.5
    column.enabled = not missing
    column.operator("occscene.generate", text=f"Generate {_views(count)}", icon="RENDER_STILL").task = "BLOCKOUT"
    if missing:
        wrapped_label(layout, context, missing, icon="INFO")
        return
    sends = f"Sends {_objects(tagged)}, {count} camera{'s' * (count != 1)} of {size[0]} x {size[1]} pixels"
    seconds = estimated_seconds(scene, count, *size)
    wrapped_label(layout, context, sends + (f"; takes {rough_time(seconds)}" if seconds else ""), icon="INFO")


def _picture_size(scene: bpy.types.Scene) -> tuple[tuple[int, int], str]:
    """Width and height of the views in pixels, and "" or why there are none."""
    try:
        multiple = connection_check.last_check.image_multiple
        return picture_size(frame_window(scene), scene.occscene.image_size, multiple), ""
    except ValueError as error:
        text = str(error)
        return (0, 0), text[0].upper() + text[1:]


def _missing(settings: Any, tagged: int, count: int) -> str:
    """What keeps the button from working, or ""."""
    if not tagged:
        return "Give objects their classes first, in the Scene panel"
    if settings.volume is None:
        return "Place the volume first, in the Volume panel"
    if not count:
        return "Add or choose a camera first"
    if count > MAX_VIEWS:
        way_out = "raise the step" if settings.cameras == "ANIMATION" else "select fewer cameras"
        return f"{count} views are more than the {MAX_VIEWS} that one request may have: {way_out}"
    if settings.quality == "DRAFT" and connection_check.last_check.can("drafts") is False:
        return "The server's model draws no drafts: set the quality to Full"
    return ""


def _last_answer(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """What the newest result says if it came of these buttons; below them, since it may be long."""
    results = context.scene.occscene.results
    result = results[-1] if results else None
    if result and result.message and Request.from_json(result.request).composition is not None:
        wrapped_label(layout, context, result.message, icon="INFO" if result.state == "SUCCEEDED" else "ERROR")


def _progress(layout: bpy.types.UILayout, result: Any) -> None:
    """A running job: its bar, the preview, and the button that ends it."""
    row = layout.row(align=True)
    factor = result.step / result.steps if result.steps else 0.0
    row.progress(factor=factor, type="BAR", text=status_line(result).capitalize())
    row.operator("occscene.cancel", text="", icon="CANCEL").result = result.name


CLASSES = (
    VIEW3D_PT_occscene_generate,
    VIEW3D_PT_occscene_furnish,
    VIEW3D_PT_occscene_text,
    VIEW3D_PT_occscene_images,
)
