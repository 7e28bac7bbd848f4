"""The Results panel: what came back, and what can be done with it."""

# mypy: disable-error-code="misc"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

import textwrap
from typing import Any

import bpy

from ..jobs.composed import LABELS
from ..jobs.request import Request
from ..operators.importing import shown_changes
from ..scene.projected import is_projected
from .layout import SidebarPanel, wrapped_label

PROMPT_LENGTH = 110
"""Characters of a prompt that are shown; Reload Settings brings all of it."""

_STATE_ICONS = {"SUCCEEDED": "CHECKMARK", "FAILED": "ERROR", "CANCELLED": "X", "DISCONNECTED": "UNLINKED"}


class VIEW3D_PT_occscene_results(SidebarPanel, bpy.types.Panel):
    """Results and what can be done with them."""

    bl_label = "Results"
    bl_order = 3

    def draw(self, context: bpy.types.Context) -> None:
        """Draws the list of results and the active one's views."""
        layout = self.layout
        settings = context.scene.occscene
        if not settings.results:
            layout.label(text="Nothing generated yet")
            layout.operator("occscene.bring_back", icon="RECOVER_LAST")
            layout.operator("occscene.import_grid", icon="IMPORT")
            layout.operator("occscene.import_layout", icon="IMPORT")
            return
        row = layout.row()
        row.template_list("OCCSCENE_UL_results", "", settings, "results", settings, "active_result", rows=4)
        column = row.column(align=True)
        column.operator("occscene.remove_result", text="", icon="REMOVE")
        column.operator("occscene.reload_settings", text="", icon="FILE_REFRESH").result = ""
        column.menu("OCCSCENE_MT_results", text="", icon="DOWNARROW_HLT")
        if 0 <= settings.active_result < len(settings.results):
            _active(layout, context, settings.results[settings.active_result])


class VIEW3D_PT_occscene_occupancy(SidebarPanel, bpy.types.Panel):
    """The active result's occupancy."""

    bl_label = "Occupancy"
    bl_parent_id = "VIEW3D_PT_occscene_results"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """The active result has an occupancy."""
        settings = context.scene.occscene
        is_valid = 0 <= settings.active_result < len(settings.results)
        if not is_valid or settings.results[settings.active_result].state != "SUCCEEDED":
            return False
        return Request.from_json(settings.results[settings.active_result].request).composition is None

    def draw(self, context: bpy.types.Context) -> None:
        """Draws how it is imported, compared and exported."""
        layout = self.layout
        settings = context.scene.occscene
        result = settings.results[settings.active_result]
        layout.row(align=True).prop(settings, "import_surface", expand=True)
        layout.prop(settings, "import_separate")
        button = layout.operator("occscene.import_occupancy", icon="MESH_CUBE")
        button.result, button.surface, button.separate = result.name, settings.import_surface, settings.import_separate
        row = layout.row(align=True)
        is_shown = bool(shown_changes(context.scene))
        text = "Hide Changes" if is_shown else "Show Changes"
        row.operator("occscene.show_changes", text=text, icon="MOD_BOOLEAN", depress=is_shown).result = result.name
        button = row.operator("occscene.export_grid", text="Export", icon="EXPORT")
        button.source, button.result = "RESULT", result.name


class OCCSCENE_MT_results(bpy.types.Menu):
    """The less frequent actions."""

    bl_label = "Results"

    def draw(self, _context: bpy.types.Context) -> None:
        """Draws the entries."""
        layout = self.layout
        layout.operator("occscene.open_folder", icon="FILE_FOLDER").result = ""
        layout.operator("occscene.bring_back", icon="RECOVER_LAST")
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
        row = layout.row()
        thumbnail = next((view.image.preview for view in item.views if view.image and view.image.preview), None)
        if thumbnail:
            row.label(text=item.prompt or "(no prompt)", icon_value=thumbnail.icon_id)
        else:
            row.label(text=item.prompt or "(no prompt)", icon=_STATE_ICONS.get(item.state, "TIME"))
        part = row.row()
        part.alignment = "RIGHT"
        part.label(text=f"{item.seed}" + (f" · {item.seconds:.0f} s" if item.seconds else ""))


def _active(layout: bpy.types.UILayout, context: bpy.types.Context, result: Any) -> None:
    """What the active result is, its views, and the buttons that use them."""
    request = Request.from_json(result.request)
    prompt = request.settings.full_prompt
    if prompt:
        wrapped_label(layout, context, textwrap.shorten(prompt, PROMPT_LENGTH, placeholder=" ..."))
    wrapped_label(layout, context, _facts(result, request), icon=_STATE_ICONS.get(result.state, "TIME"))
    if result.message and result.state != "SUCCEEDED":
        wrapped_label(layout, context, result.message, icon="ERROR")
    if result.state == "DISCONNECTED" or (result.state == "RECONNECTING" and result.job_id):
        layout.operator("occscene.reconnect", icon="FILE_REFRESH").result = result.name
    if result.layout_file and request.composition is None:
        layout.operator("occscene.import_blockout", icon="MESH_CUBE").result = result.name
    _views(layout, result)
    if any(view.image for view in result.views):
        column = layout.column(align=True)
        column.operator("occscene.set_backgrounds", icon="CAMERA_DATA").result = result.name
        button = column.operator("occscene.project_views", icon="MATERIAL")
        button.result, button.target = result.name, "BLOCKOUT"
        button = column.operator("occscene.project_views", text="Project onto Selection", icon="MATERIAL")
        button.result, button.target = result.name, "SELECTED"
        if any(is_projected(obj) for obj in context.scene.objects):
            column.operator("occscene.remove_projection", icon="LOOP_BACK")
    if result.message and result.state == "SUCCEEDED":  # notes may be long: the buttons stay in sight
        wrapped_label(layout, context, result.message, icon="INFO")


def _views(layout: bpy.types.UILayout, result: Any) -> None:
    """The views' thumbnails; a click on a name opens the view."""
    grid = layout.grid_flow(row_major=True, columns=2, even_columns=True, align=True)
    for view in result.views:
        if view.image:
            cell = grid.column(align=True)
            if view.image.preview:
                cell.template_icon(icon_value=view.image.preview.icon_id, scale=6.0)
            cell.operator("occscene.open_view", text=view.name, icon="IMAGE_DATA").image = view.image.name


def _facts(result: Any, request: Request) -> str:
    """Seed, steps, time and date in one line."""
    names = {"BLOCKOUT": "From blockout", "TEXT": "From text only", "IMAGES": "From images"}
    parts = [names.get(request.kind) or LABELS[request.kind]]
    if request.kind != "IMAGES":
        parts.append(f"seed {request.settings.seed}")
    if result.denoising_steps:
        parts.append(f"{result.denoising_steps} steps")
    if result.seconds:
        parts.append(f"{result.seconds:.1f} s")
    parts.append(request.created[:16].replace("T", " "))
    return ", ".join(parts)


CLASSES = (
    VIEW3D_PT_occscene_results,
    VIEW3D_PT_occscene_occupancy,
    OCCSCENE_MT_results,
    OCCSCENE_UL_results,
)
