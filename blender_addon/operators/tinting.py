"""Show the classes as colours in the viewport, and the artist's colours again."""

# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

from collections.abc import Iterator

import bpy

from ..scene.tint import tint_again

_shading_before: dict[int, str] = {}
"""What viewports coloured by before the tint, by their addresses; forgotten when Blender ends."""


class OCCSCENE_OT_tint_viewport(bpy.types.Operator):
    """Show every object in its class's color; press again to go back"""

    bl_idname = "occscene.tint_viewport"
    bl_label = "Tint by Class"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Tints, or brings the colors back."""
        settings = context.scene.occscene
        settings.is_tinted = not settings.is_tinted
        if settings.is_tinted:
            tint_again(context.scene)
        else:
            for obj in bpy.data.objects:
                if obj.occscene.is_tinted:
                    obj.color = obj.occscene.untinted_color
                    obj.occscene.is_tinted = False
        for shading in _viewport_shadings(context):
            if settings.is_tinted:
                _shading_before[shading.as_pointer()] = shading.color_type
                shading.color_type = "OBJECT"
            else:
                shading.color_type = _shading_before.pop(shading.as_pointer(), "MATERIAL")
        return {"FINISHED"}


def _viewport_shadings(context: bpy.types.Context) -> Iterator[bpy.types.View3DShading]:
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                yield area.spaces.active.shading


CLASSES = (OCCSCENE_OT_tint_viewport,)
