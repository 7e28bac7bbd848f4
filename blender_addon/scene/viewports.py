"""How 3D views are shaded while the extension shows something, and as they were before."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import bpy

_types_before: dict[int, str] = {}
_colors_before: dict[int, str] = {}
"""What viewports showed before, by their addresses; forgotten when Blender ends."""


def show_materials(context: bpy.types.Context) -> None:
    """Shows materials in the views that show none; they stay as they are if the scene's engine is Workbench."""
    for shading in _shadings(context):
        if shading.type in ("SOLID", "WIREFRAME"):
            before = shading.type
            with contextlib.suppress(TypeError):  # Workbench has no such shading
                shading.type = "MATERIAL"
                _types_before.setdefault(shading.as_pointer(), before)


def show_as_before(context: bpy.types.Context) -> None:
    """Undoes `show_materials` in the views that still are as it left them."""
    for shading in _shadings(context):
        before = _types_before.pop(shading.as_pointer(), None)
        if before is not None and shading.type == "MATERIAL":
            shading.type = before


def show_object_colors(context: bpy.types.Context) -> None:
    """Shows the objects' colours in solid views."""
    for shading in _shadings(context):
        _colors_before[shading.as_pointer()] = shading.color_type
        shading.color_type = "OBJECT"


def show_colors_as_before(context: bpy.types.Context) -> None:
    """Undoes `show_object_colors`."""
    for shading in _shadings(context):
        shading.color_type = _colors_before.pop(shading.as_pointer(), "MATERIAL")


def _shadings(context: bpy.types.Context) -> Iterator[bpy.types.View3DShading]:
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                yield area.spaces.active.shading
