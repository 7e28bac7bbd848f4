"""The Results panel: what came back, and what can be done with it."""

# mypy: disable-error-code="misc"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

from typing import Any

import bpy

from ..jobs.composed import LABELS
from ..jobs.events import rough_seconds
from ..jobs.request import Request, known_request
from ..operators.counted import counted
from ..operators.importing import CHANGES_NAME, shown_changes
from ..operators.projecting import PROJECTION_NAME
from ..properties.results import STAGES
from ..scene.icons import change_icon
from ..scene.materials import CHANGE_COLORS
from ..scene.stage import shown_stage
from .cameras import draw_looking
from .gallery import STATE_ICONS, draw_gallery, draw_views, first_thumbnail
from .layout import SidebarPanel, fixed_label, sentence, wrapped_label

_KINDS = {"BLOCKOUT": "From blockout", "TEXT": "From text only", "IMAGES": "From images"}


class VIEW3D_PT_occscene_results(SidebarPanel, bpy.types.Panel):
    """Results and what can be done with them."""

    bl_label = "Results"
    bl_order = 1
    step = "RESULTS"

    def draw(self, context: bpy.types.Context) -> None:
        """Draws the results, and what the active one shows where."""
        layout = self.layout
        settings = context.scene.occscene
        if not settings.results:
            layout.label(text="Nothing generated yet")
            layout.operator("occscene.bring_back", icon="RECOVER_LAST")
            layout.operator("occscene.import_grid", icon="IMPORT")
            layout.operator("occscene.import_layout", icon="IMPORT")
            return
        row = layout.row()
        part = row.column()
        if context.window_manager.occscene.is_gallery:
            draw_gallery(part, settings)
        else:
            part.template_list(
                "OCCSCENE_UL_results", "", settings, "results", settings, "active_result", rows=5, maxrows=5
            )
        column = row.column(align=True)
        column.prop(context.window_manager.occscene, "is_gallery", text="", icon="IMGDISPLAY")
        column.prop(settings, "only_favorites", text="", icon="SOLO_ON")
        column.operator("occscene.remove_result", text="", icon="REMOVE")
        column.operator("occscene.reload_settings", text="", icon="LOOP_BACK").result = ""
        column.menu("OCCSCENE_MT_results", text="", icon="DOWNARROW_HLT")
        if 0 <= settings.active_result < len(settings.results):
            _active(layout, context, settings.results[settings.active_result])


_SOURCES = {
    "blockout": "The blockout as it was sent; nothing was predicted",
    "layout": "The room that was written; nothing was predicted",
    "compact": "Predicted by the bundled model from its draft; the views may show other details",
    "views": "Predicted from the views",
}
"""What an occupancy's source means."""


class VIEW3D_PT_occscene_use(SidebarPanel, bpy.types.Panel):
    """What can be made of the active result's views."""

    bl_label = "Use the Views"
    bl_order = 2
    step = "RESULTS"
    bl_options = {"DEFAULT_CLOSED"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """The active result has views."""
        result = _active_result(context) if super().poll(context) else None
        return result is not None and any(view.image and not view.is_preview for view in result.views)

    def draw(self, context: bpy.types.Context) -> None:
        """Draws the projection, the texture and the maps."""
        result = _active_result(context)
        column = self.layout.column(align=True)
        button = column.operator("occscene.project_views", icon="MATERIAL")
        button.result, button.target = result.name, "BLOCKOUT"
        button = column.operator("occscene.project_views", text="Project onto Selection", icon="MATERIAL")
        button.result, button.target = result.name, "SELECTED"
        if any(material.name.startswith(PROJECTION_NAME) for material in bpy.data.materials):
            column.operator("occscene.remove_projection", icon="LOOP_BACK")
        column = self.layout.column(align=True)
        column.operator("occscene.bake_texture", icon="UV").result = result.name
        column.operator("occscene.add_maps", icon="RENDERLAYERS").result = result.name


class VIEW3D_PT_occscene_occupancy(SidebarPanel, bpy.types.Panel):
    """The active result's occupancy."""

    bl_label = "Occupancy"
    bl_order = 3
    step = "RESULTS"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """The active result has an occupancy."""
        result = _active_result(context) if super().poll(context) else None
        if result is None or result.state != "SUCCEEDED":
            return False
        return known_request(result.request).composition is None

    def draw(self, context: bpy.types.Context) -> None:
        """Draws how it is imported, compared and exported."""
        layout = self.layout
        settings = context.scene.occscene
        result = settings.results[settings.active_result]
        if result.occupancy_source in _SOURCES:
            wrapped_label(layout, context, _SOURCES[result.occupancy_source], icon="INFO")
        layout.row(align=True).prop(settings, "import_surface", expand=True)
        row = layout.row(align=True)
        row.prop(settings, "import_separate")
        row.prop(settings, "import_colors")
        button = layout.operator("occscene.import_occupancy", icon="MESH_CUBE")
        button.result, button.surface, button.separate = result.name, settings.import_surface, settings.import_separate
        button.colors = settings.import_colors
        row = layout.row(align=True)
        is_shown = bool(shown_changes(context.scene))
        text = "Hide Changes" if is_shown else "Show Changes"
        row.operator("occscene.show_changes", text=text, icon="MOD_BOOLEAN", depress=is_shown).result = result.name
        button = row.operator("occscene.export_grid", text="Export", icon="EXPORT")
        button.source, button.result = "RESULT", result.name
        if is_shown:
            _legend(layout, shown_changes(context.scene))


class OCCSCENE_MT_results(bpy.types.Menu):
    """The less frequent actions."""

    bl_label = "Results"

    def draw(self, _context: bpy.types.Context) -> None:
        """Draws the entries."""
        layout = self.layout
        layout.operator("occscene.open_folder", icon="FILE_FOLDER").result = ""
        layout.operator("occscene.retry", text="Ask Again", icon="FILE_REFRESH").result = ""
        layout.operator("occscene.bring_back", icon="RECOVER_LAST")
        layout.operator("occscene.clean_up", icon="TRASH")
        layout.separator()
        layout.operator("occscene.import_grid", icon="IMPORT")
        layout.operator("occscene.import_layout", icon="IMPORT")
        layout.operator("occscene.export_grid", text="Export Blockout", icon="EXPORT").source = "BLOCKOUT"


class OCCSCENE_UL_results(bpy.types.UIList):
    """The results: thumbnail, prompt, seed, time."""

    def draw_item(
        self,
        _context: object,
        layout: bpy.types.UILayout,
        _data: object,
        item: Any,
        _icon: int,
        _active_data: object,
        _active_property: str,
    ) -> None:
        """Draws one result."""
        row = layout.row(align=True)
        icon = "SOLO_ON" if item.is_favorite else "SOLO_OFF"
        row.prop(item, "is_favorite", text="", icon=icon, emboss=False)
        thumbnail = first_thumbnail(item)
        text = item.prompt or _KINDS.get(known_request(item.request).kind, "No prompt")
        if thumbnail:
            row.label(text=text, icon_value=thumbnail, translate=False)
        else:
            row.label(text=text, icon=STATE_ICONS.get(item.state, "TIME"), translate=False)
        part = row.row()
        part.alignment = "RIGHT"
        part.label(text=_numbers(item), translate=False)

    def filter_items(self, _context: object, data: Any, property_name: str) -> tuple[list[int], list[int]]:
        """Hides what is no favorite, if only those are wanted."""
        if not data.only_favorites:
            return [], []
        return [self.bitflag_filter_item * item.is_favorite for item in getattr(data, property_name)], []


def _numbers(item: Any) -> str:
    """Seed and seconds, where there are some."""
    request = known_request(item.request)
    parts = [] if request.kind == "IMAGES" else [str(item.seed)]
    if item.seconds:
        parts.append(rough_seconds(item.seconds))
    return ", ".join(parts)


def _active_result(context: bpy.types.Context) -> Any:
    settings = context.scene.occscene
    is_valid = 0 <= settings.active_result < len(settings.results)
    return settings.results[settings.active_result] if is_valid else None


def _active(layout: bpy.types.UILayout, context: bpy.types.Context, result: Any) -> None:
    """What the active result is, its views, and what is shown of it in the scene."""
    settings = context.scene.occscene
    request = known_request(result.request)
    fixed_label(layout, context, request.settings.full_prompt or "No prompt", 2)
    wrapped_label(layout, context, _facts(result, request), icon=STATE_ICONS.get(result.state, "TIME"))
    if result.layout_file and request.composition is None:
        layout.operator("occscene.import_blockout", icon="MESH_CUBE").result = result.name
    row = layout.row(align=True)
    shown = shown_stage(context.scene)
    for stage, text, _ in STAGES:
        button = row.operator("occscene.show_stage", text=text, depress=stage == shown)
        button.stage, button.result = stage, result.name
    row = layout.row(align=True)
    row.prop(settings, "use_overlay", icon="IMAGE_BACKGROUND", toggle=True)
    part = row.row(align=True)
    part.enabled = settings.use_overlay
    part.prop(settings, "overlay_opacity", slider=True)
    draw_looking(layout, context)
    draw_views(layout, settings, result)
    if result.message:
        wrapped_label(
            layout, context, sentence(result.message), icon="INFO" if result.state == "SUCCEEDED" else "ERROR"
        )


def _legend(layout: bpy.types.UILayout, shown: list[bpy.types.Object]) -> None:
    """What the colors of the changes mean, and how many voxels each has."""
    column = layout.column(align=True)
    for change in CHANGE_COLORS:
        voxels = next((obj["voxels"] for obj in shown if obj.name.startswith(f"{CHANGES_NAME} {change}")), 0)
        column.label(text=f"{change.capitalize()}: {counted(voxels, 'voxel')}", icon_value=change_icon(change))


def _facts(result: Any, request: Request) -> str:
    """Seed, steps, time and date in one line."""
    parts = [_KINDS.get(request.kind) or LABELS[request.kind]]
    if request.redone:
        parts.append(f"{', '.join(request.redone)} anew")
    if request.kind != "IMAGES":
        parts.append(f"seed {request.settings.seed}")
    if result.denoising_steps:
        parts.append(counted(result.denoising_steps, "step"))
    if result.seconds:
        parts.append(rough_seconds(result.seconds))
    parts.append(request.created[:16].replace("T", " "))
    return ", ".join(parts)


CLASSES = (
    VIEW3D_PT_occscene_results,
    VIEW3D_PT_occscene_use,
    VIEW3D_PT_occscene_occupancy,
    OCCSCENE_MT_results,
    OCCSCENE_UL_results,
)
