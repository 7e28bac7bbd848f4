"""Show the classes as colours in the viewport, and the artist's colours again."""

# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

import bpy

from ..scene.tint import tint_again, untint
from ..scene.viewports import show_colors_as_before, show_object_colors


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
            show_object_colors(context)
        else:
            untint(bpy.data.objects)
            show_colors_as_before(context)
        return {"FINISHED"}


CLASSES = (OCCSCENE_OT_tint_viewport,)
