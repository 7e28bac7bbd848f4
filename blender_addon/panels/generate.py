"""The panels of the step Views: numbers, and other ways to begin than a blockout."""

# mypy: disable-error-code="misc"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

from typing import Any

import bpy

from ..jobs import connection_check
from ..jobs.request import known_request
from ..operators.composing import missing, selected_tagged
from ..operators.counted import counted
from ..scene.camera_objects import cameras_of
from .counts import drawn_counts
from .layout import SidebarPanel, wrapped_label
from .next_step import view_count, views_fit


class VIEW3D_PT_occscene_generate(SidebarPanel, bpy.types.Panel):
    """What views are made of."""

    bl_label = "Settings"
    bl_order = 1
    step = "VIEWS"

    def draw(self, context: bpy.types.Context) -> None:
        """Draws what to avoid, and the numbers."""
        layout = self.layout
        settings = context.scene.occscene
        column = layout.column(align=True)
        row = column.row(align=True)
        row.operator("occscene.style_preset", text="Keep Style", icon="ADD")
        row.operator("occscene.style_preset", text="Remove", icon="REMOVE").remove_active = True
        if settings.quality != "DRAFT" and connection_check.last_check.uses("negative_prompt", settings.domain):
            column.prop(settings, "negative_prompt", text="", icon="CANCEL", placeholder="Avoid")
        _numbers(layout, settings)
        _start(layout, settings)


class VIEW3D_PT_occscene_text(SidebarPanel, bpy.types.Panel):
    """Text to scene."""

    bl_label = "From Text Alone"
    bl_order = 3
    step = "VIEWS"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draws what it does, its cameras and its button."""
        layout = self.layout
        scene = context.scene
        if _lacks_domain(layout, context):
            return
        if not connection_check.last_check.uses("text_to_scene", scene.occscene.domain):
            wrapped_label(layout, context, "The server's model paints only what stands there already.", icon="INFO")
            return
        wrapped_label(layout, context, "Fills the empty volume as the prompt says; no blockout is sent.")
        count = view_count(context)
        has_cameras = bool(cameras_of(scene, context.view_layer, "ALL"))
        row = layout.row()
        row.scale_y = 1.3
        row.enabled = views_fit(count) or not has_cameras
        text = f"Generate {counted(count, 'View')} from Text" if has_cameras else "Add Cameras and Generate"
        row.operator("occscene.generate", text=text, icon="OUTLINER_OB_FONT").task = "TEXT"

        written = next((result for result in reversed(scene.occscene.results) if result.layout_file), None)
        if written is not None:
            wrapped_label(layout, context, "The newest room as boxes to edit:")
            layout.operator("occscene.import_blockout", icon="MESH_CUBE").result = written.name


class VIEW3D_PT_occscene_furnish(SidebarPanel, bpy.types.Panel):
    """Complete, Redraw, Add Detail."""

    bl_label = "Furnish"
    bl_order = 4
    step = "VIEWS"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draws the buttons, and what each will do."""
        layout = self.layout
        scene = context.scene
        reasons = [missing(scene, prior) for prior in ("layout_prior", "parts_prior")]
        for why in dict.fromkeys(filter(None, reasons)):
            wrapped_label(layout, context, why, icon="INFO")
        check = connection_check.last_check
        if check.can("layout_prior", scene.occscene.domain) is None and not any(reasons):
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
    bl_order = 5
    step = "VIEWS"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Draws what it does, whether the images are there, and its button."""
        layout = self.layout
        scene = context.scene
        wrapped_label(layout, context, "Predicts the occupancy that the cameras' background images show.")
        if _lacks_domain(layout, context):
            return
        if not connection_check.last_check.uses("images_to_occupancy", scene.occscene.domain):
            wrapped_label(layout, context, "The server's model predicts no occupancy from images.", icon="INFO")
            return
        layout.prop(scene.occscene, "use_blockout")
        count = view_count(context)
        row = layout.row()
        row.scale_y = 1.3
        row.enabled = views_fit(count)
        images = counted(count, "Image")
        row.operator("occscene.generate", text=f"Predict from {images}", icon="IMAGE_DATA").task = "IMAGES"


def _lacks_domain(layout: bpy.types.UILayout, context: bpy.types.Context) -> bool:
    """Says that the server has no model of the scene's domain, if that is so."""
    lacking = connection_check.last_check.lacks_domain(context.scene.occscene.domain)
    if lacking:
        wrapped_label(layout, context, lacking, icon="INFO")
    return bool(lacking)


def _numbers(layout: bpy.types.UILayout, settings: Any) -> None:
    column = layout.column()
    column.use_property_split = True
    column.use_property_decorate = False
    row = column.row(align=True)
    part = row.row(align=True)
    part.enabled = settings.seed_mode != "RANDOM"
    part.prop(settings, "seed")
    row.prop(settings, "seed_mode", text="")
    row = column.row(align=True)
    row.prop(settings, "image_size", text="Size")
    row.prop(settings, "image_shape", text="")
    if settings.quality == "DRAFT" or connection_check.last_check.can("drafts", settings.domain) is not False:
        column.row(align=True).prop(settings, "quality", expand=True)
    if settings.quality != "DRAFT":
        column.prop(settings, "steps", text="Steps")
        column.prop(settings, "use_guidance")
        if settings.use_guidance:
            column.prop(settings, "text_guidance_scale", slider=True)
            if connection_check.last_check.uses("occupancy_guidance", settings.domain):
                column.prop(settings, "occupancy_guidance_scale", slider=True)
    row = column.row(align=True)
    row.prop(settings, "use_sun")
    row.operator("occscene.sun_from_lamp", text="", icon="LIGHT_SUN")
    if settings.use_sun:
        column.prop(settings, "sun_elevation", slider=True)
        column.prop(settings, "sun_azimuth", slider=True)
    column.prop(settings, "without_prior")


def _start(layout: bpy.types.UILayout, settings: Any) -> None:
    """What denoising begins at, where the server can begin at something."""
    if settings.quality == "DRAFT" or connection_check.last_check.can("start_views", settings.domain) is False:
        return
    column = layout.column()
    column.use_property_split = True
    column.use_property_decorate = False
    column.prop(settings, "start_from")
    if settings.start_from == "FILES":
        column.prop(settings, "start_folder")
    if settings.start_from != "NONE":
        column.prop(settings, "strength", slider=True)


def _last_answer(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """What the newest result says if it came of these buttons; below them, since it may be long."""
    results = context.scene.occscene.results
    result = results[-1] if results else None
    if result and result.message and known_request(result.request).composition is not None:
        wrapped_label(layout, context, result.message, icon="INFO" if result.state == "SUCCEEDED" else "ERROR")


CLASSES = (
    VIEW3D_PT_occscene_generate,
    VIEW3D_PT_occscene_furnish,
    VIEW3D_PT_occscene_text,
    VIEW3D_PT_occscene_images,
)
