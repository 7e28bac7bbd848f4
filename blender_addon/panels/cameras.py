"""The cameras that views are made through: a list with check boxes, in an order, with what is wrong with each."""

# mypy: disable-error-code="misc"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

from typing import Any

import bpy
from occscene.grid import GridVolume

from ..operators.cameras import empty_volume
from ..operators.redo import can_redo
from ..scene.camera_objects import camera_rank, is_inside
from ..scene.frames import animation_frames, fitted_step
from .layout import SidebarPanel, wrapped_label

_ROWS = 5


class OCCSCENE_UL_cameras(bpy.types.UIList):
    """The cameras among the objects of a view layer."""

    def draw_item(
        self,
        context: bpy.types.Context,
        layout: bpy.types.UILayout,
        _data: object,
        item: Any,
        _icon: int,
        _active_data: object,
        _active_property: str,
    ) -> None:
        """Draws whether it makes a view, its name, and what is wrong with it."""
        settings = context.scene.occscene
        row = layout.row(align=True)
        part = row.row(align=True)
        part.active = settings.cameras == "ALL"
        part.prop(item.occscene, "is_view", text="")
        row.label(
            text=item.name, icon="VIEW_CAMERA" if context.scene.camera == item else "CAMERA_DATA", translate=False
        )
        warning = camera_warning(context, item, _volume(context))
        if warning:
            part = row.row()
            part.alignment = "RIGHT"
            part.label(text=warning, icon="ERROR")

    def filter_items(self, _context: bpy.types.Context, data: Any, property_name: str) -> tuple[list[int], list[int]]:
        """Hides all that is no camera, and puts cameras into the artist's order."""
        objects = getattr(data, property_name)
        flags = [0] * len(objects)
        cameras = [(camera_rank(obj), number) for number, obj in enumerate(objects) if obj.type == "CAMERA"]
        order = list(range(len(objects)))
        taken = sorted(number for _, number in cameras)
        for place, (_, number) in zip(taken, sorted(cameras), strict=True):
            order[number] = place
            flags[number] = self.bitflag_filter_item
        return flags, order if cameras else []


class VIEW3D_PT_occscene_cameras(SidebarPanel, bpy.types.Panel):
    """Choose cameras."""

    bl_label = "Cameras"
    bl_order = 2
    step = "VIEWS"

    def draw(self, context: bpy.types.Context) -> None:
        """Draws the choice and the list."""
        layout = self.layout
        scene = context.scene
        settings = scene.occscene
        layout.row(align=True).prop(settings, "cameras", expand=True)
        row = layout.row()
        row.template_list(
            "OCCSCENE_UL_cameras",
            "",
            context.view_layer,
            "objects",
            settings,
            "active_camera",
            rows=_ROWS,
            maxrows=_ROWS,
        )
        column = row.column(align=True)
        column.operator("occscene.add_rig", text="", icon="ADD")
        column.operator("occscene.move_camera", text="", icon="TRIA_UP").direction = "UP"
        column.operator("occscene.move_camera", text="", icon="TRIA_DOWN").direction = "DOWN"
        column.operator("occscene.tick_cameras", text="", icon="CHECKBOX_HLT").is_view = True
        column.operator("occscene.tick_cameras", text="", icon="CHECKBOX_DEHLT").is_view = False
        draw_looking(layout, context)
        if settings.cameras == "ANIMATION":
            column = layout.column()
            column.use_property_split = True
            column.use_property_decorate = False
            column.prop(settings, "frame_step", text="Every Nth Frame")
            step, count = fitted_step(scene, settings.frame_step), len(animation_frames(scene, settings.frame_step))
            if step != settings.frame_step:
                text = f"Every {step} frames, as one request has at most {count} views"
                wrapped_label(layout, context, text, icon="INFO")
            wrapped_label(layout, context, "What moves is shown as it is now", icon="INFO")


def draw_looking(layout: bpy.types.UILayout, context: bpy.types.Context) -> None:
    """The buttons with which one looks through one camera after the other."""
    row = layout.row(align=True)
    row.operator("occscene.look_through", text="", icon="TRIA_LEFT").direction = "PREVIOUS"
    camera = context.scene.camera
    text = f"Look through {camera.name}" if camera else "Look Through"
    row.operator("occscene.look_through", text=text, icon="VIEW_CAMERA").direction = "ACTIVE"
    row.operator("occscene.look_through", text="", icon="TRIA_RIGHT").direction = "NEXT"
    settings = context.scene.occscene
    shown = settings.results[settings.active_result] if settings.active_result < len(settings.results) else None
    if shown is not None and camera and can_redo(shown):
        part = row.row(align=True)
        part.enabled = any(view.camera == camera for view in shown.views)
        button = part.operator("occscene.redo_view", text="", icon="FILE_REFRESH")
        button.result = shown.name


def camera_warning(context: bpy.types.Context, camera: bpy.types.Object, volume: GridVolume | None) -> str:
    """What is wrong with a camera, in a word; "" if nothing is. One of another type than perspective makes no view."""
    if camera.data.type != "PERSP":
        return str(camera.data.type).lower()
    if volume is not None and not is_inside(context.scene, camera, volume):
        return "outside"
    return "disabled" if camera.hide_render or camera.hide_viewport else ""


def _volume(context: bpy.types.Context) -> GridVolume | None:
    try:
        return empty_volume(context) if context.scene.occscene.volume else None
    except ValueError:  # the Volume panel says so
        return None


CLASSES = (OCCSCENE_UL_cameras, VIEW3D_PT_occscene_cameras)
