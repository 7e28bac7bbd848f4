"""The sidebar tab: Scene, Volume, Generate, Results, from top to bottom as an artist works."""

# mypy: disable-error-code="misc"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

from typing import Any

import bpy

from ..operators.generating import status_line
from ..operators.voxelizing import GRID_PREVIEW
from ..properties import UNFINISHED
from ..scene.cameras import image_size
from ..scene.tagging import ClassLookup, class_label, scene_taxonomy
from ..scene.volume import grid_volume
from .counts import drawn_counts
from .icons import class_icon


class _SidebarPanel:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "OccScene"


class VIEW3D_PT_occscene_scene(_SidebarPanel, bpy.types.Panel):
    """Tag the blockout."""

    bl_label = "Scene"
    bl_order = 0

    def draw(self, context: bpy.types.Context) -> None:
        """Draws the class palette."""
        layout = self.layout
        scene = context.scene
        taxonomy = scene_taxonomy(scene)
        layout.row().prop(scene.occscene, "domain", expand=True)
        counts = drawn_counts(scene)
        row = layout.row(align=True)
        row.operator("occscene.guess_classes", text="Guess by Name")
        row.operator("occscene.tint_viewport")
        column = layout.column(align=True)
        for entry in taxonomy.classes[1:]:
            self._class_row(column, entry.name, class_icon(taxonomy, entry), counts[entry.name])
        if counts[""]:
            row = layout.row()
            row.alert = True
            row.operator("occscene.select_class", text=f"Select {counts['']} Without Class").class_name = ""

    @staticmethod
    def _class_row(column: bpy.types.UILayout, name: str, icon: int, count: int) -> None:
        split = column.split(factor=0.78, align=True)
        split.operator("occscene.assign_class", text=class_label(name), icon_value=icon).class_name = name
        part = split.row(align=True)
        part.enabled = count > 0
        part.operator("occscene.select_class", text=str(count)).class_name = name


class VIEW3D_PT_occscene_object(_SidebarPanel, bpy.types.Panel):
    """The active object's tag."""

    bl_label = "Active Object"
    bl_parent_id = "VIEW3D_PT_occscene_scene"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """There is an active object of the artist's."""
        return context.object is not None and not context.object.occscene.is_output

    def draw(self, context: bpy.types.Context) -> None:
        """Draws where its class comes from, and its color hint."""
        layout = self.layout
        thing = context.object
        own = thing.occscene.class_name
        name = ClassLookup.of(context.scene).class_name(thing)
        origin = "own class" if own else "from its collection" if name else ""
        row = layout.row()
        row.label(text=f"{class_label(name)} ({origin})" if name else "No class")
        if own:
            row.operator("occscene.assign_class", text="", icon="X").class_name = ""
        split = layout.split(factor=0.6)
        split.prop(thing.occscene, "use_hint")
        if thing.occscene.is_tinted:
            split.prop(thing.occscene, "untinted_color", text="")
        else:
            split.prop(thing, "color", text="")
        layout.prop(thing.occscene, "shell_only")
        row = layout.row(align=True)
        row.operator("occscene.set_hint", text="Keep Colors").use_hint = True
        row.operator("occscene.set_hint", text="Forget").use_hint = False
        layout.prop(context.scene.occscene, "use_hints")
        tagged = context.collection.occscene.class_name
        if tagged:
            layout.label(text=f"{context.collection.name}: {class_label(tagged)}", icon="OUTLINER_COLLECTION")


class VIEW3D_PT_occscene_volume(_SidebarPanel, bpy.types.Panel):
    """Place the volume."""

    bl_label = "Volume"
    bl_order = 1

    def draw(self, context: bpy.types.Context) -> None:
        """Draws the volume's settings and size."""
        layout = self.layout
        scene = context.scene
        row = layout.row(align=True)
        row.operator("occscene.fit_volume", text="Fit to Domain", icon="CUBE").mode = "PRESET"
        row.operator("occscene.fit_volume", text="Tight").mode = "TIGHT"
        column = layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        column.prop(scene.occscene, "volume")
        column.prop(scene.occscene, "voxel_size")
        if scene.occscene.volume is not None:
            _volume_size(layout, scene)
        is_shown = GRID_PREVIEW in scene.objects
        row = layout.row()
        row.enabled = scene.occscene.volume is not None
        row.operator(
            "occscene.show_grid",
            text="Hide Grid" if is_shown else "Show Grid",
            icon="HIDE_OFF" if is_shown else "HIDE_ON",
            depress=is_shown,
        )
        wrapped_label(layout, context, context.window_manager.occscene.grid_summary)


class VIEW3D_PT_occscene_generate(_SidebarPanel, bpy.types.Panel):
    """Ask for views."""

    bl_label = "Generate"
    bl_order = 2

    def draw(self, context: bpy.types.Context) -> None:
        """Draws the settings, the button, and how the running jobs go."""
        layout = self.layout
        settings = context.scene.occscene
        column = layout.column(align=True)
        column.label(text="Prompt")
        column.prop(settings, "prompt", text="")
        column = layout.column(align=True)
        column.label(text="Avoid")
        column.prop(settings, "negative_prompt", text="")
        layout.row().prop(settings, "cameras", expand=True)
        column = layout.column()
        column.use_property_split = True
        column.use_property_decorate = False
        column.prop(settings, "seed")
        column.prop(settings, "steps", text="Steps" if settings.steps else "Steps (model's)")
        column.prop(settings, "image_size")
        column.prop(settings, "use_guidance")
        if settings.use_guidance:
            column.prop(settings, "text_guidance", slider=True)
            column.prop(settings, "occupancy_guidance", slider=True)
        self._button(layout, context)
        for result in settings.results:
            if result.state in UNFINISHED:
                _progress(layout, result)

    @staticmethod
    def _button(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
        scene = context.scene
        settings = scene.occscene
        cameras = [thing for thing in scene.objects if thing.type == "CAMERA"]
        count = {
            "ALL": len(cameras),
            "SELECTED": sum(thing.select_get() for thing in cameras),
            "ACTIVE": int(scene.camera is not None),
        }[settings.cameras]
        width, height = image_size(scene, settings.image_size)
        tagged = sum(number for name, number in drawn_counts(scene).items() if name)
        column = layout.column(align=True)
        column.scale_y = 1.5
        column.enabled = count > 0 and tagged > 0 and settings.volume is not None
        column.operator("occscene.generate", text=f"Generate {count} View{'s' * (count != 1)}", icon="RENDER_STILL")
        missing = (
            "Tag objects first"
            if not tagged
            else "Place the volume first"
            if settings.volume is None
            else "Add or choose a camera first"
            if not count
            else f"Sends {tagged} objects, {count} x {width}x{height}"
        )
        layout.label(text=missing, icon="INFO")


class VIEW3D_PT_occscene_results(_SidebarPanel, bpy.types.Panel):
    """Use what came back."""

    bl_label = "Results"
    bl_order = 3

    def draw(self, context: bpy.types.Context) -> None:
        """Draws the list of results and the active one's views."""
        layout = self.layout
        settings = context.scene.occscene
        if not settings.results:
            layout.label(text="Nothing generated yet")
            return
        row = layout.row()
        row.template_list("OCCSCENE_UL_results", "", settings, "results", settings, "active_result", rows=3)
        column = row.column(align=True)
        column.operator("occscene.remove_result", text="", icon="REMOVE")
        column.operator("occscene.reload_settings", text="", icon="FILE_REFRESH")
        if not 0 <= settings.active_result < len(settings.results):
            return
        result = settings.results[settings.active_result]
        if result.message:
            wrapped_label(layout, context, result.message, icon="ERROR")
        if result.state == "DISCONNECTED":
            layout.operator("occscene.reconnect", icon="FILE_REFRESH").result = result.name
        grid = layout.grid_flow(row_major=True, columns=2, even_columns=True, align=True)
        for view in result.views:
            if view.image:
                cell = grid.column(align=True)
                if view.image.preview:
                    cell.template_icon(icon_value=view.image.preview.icon_id, scale=6.0)
                cell.operator("occscene.open_view", text=view.name).image = view.image.name
        if result.state == "SUCCEEDED":
            column = layout.column(align=True)
            column.operator("occscene.set_backgrounds", icon="CAMERA_DATA").result = result.name
            button = column.operator("occscene.import_occupancy", icon="MESH_CUBE")
            button.result, button.separate = result.name, True


class OCCSCENE_UL_results(bpy.types.UIList):
    """The results: state, prompt, seed, time."""

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
        icons = {"SUCCEEDED": "CHECKMARK", "FAILED": "ERROR", "CANCELLED": "X", "DISCONNECTED": "UNLINKED"}
        row = layout.row()
        row.label(text=item.prompt or "(no prompt)", icon=icons.get(item.state, "TIME"))
        part = row.row()
        part.alignment = "RIGHT"
        part.label(text=f"seed {item.seed}" + (f" · {item.seconds:.0f} s" if item.seconds else ""))


def _volume_size(layout: bpy.types.UILayout, scene: bpy.types.Scene) -> None:
    try:
        volume = grid_volume(scene)
    except ValueError as error:
        layout.label(text=str(error), icon="ERROR")
        return
    metres = " x ".join(f"{side * volume.voxel_size:.2f}" for side in volume.shape)
    x, y, z = volume.shape
    layout.label(text=f"{x} x {y} x {z} voxels, {metres} m")


def _progress(layout: bpy.types.UILayout, result: Any) -> None:
    """A running job: its bar, and the button that ends it."""
    row = layout.row(align=True)
    factor = result.step / result.steps if result.steps else 0.0
    row.progress(factor=factor, type="BAR", text=status_line(result).capitalize())
    row.operator("occscene.cancel", text="", icon="CANCEL").result = result.name


def wrapped_label(layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str = "NONE") -> None:
    """Draws a text over as many lines as the sidebar's width asks for."""
    scale = context.preferences.system.ui_scale
    per_line = max(20, int(context.region.width / (7.5 * scale)) - (6 if icon == "NONE" else 9))
    column = layout.column(align=True)
    line = ""
    for word in [*text.split(), ""]:
        if word and len(line) + len(word) < per_line:
            line = f"{line} {word}".strip()
            continue
        if line:
            column.label(text=line, icon=icon)
            icon = "BLANK1" if icon != "NONE" else "NONE"
        line = word


CLASSES = (
    VIEW3D_PT_occscene_scene,
    VIEW3D_PT_occscene_object,
    VIEW3D_PT_occscene_volume,
    VIEW3D_PT_occscene_generate,
    VIEW3D_PT_occscene_results,
    OCCSCENE_UL_results,
)
