"""Show the classes as colours in the viewport, and the artist's colours again."""

# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

from collections.abc import Iterator

import bpy

from ..scene.materials import linear_color
from ..scene.tagging import ClassLookup, taggable_objects

_UNTAGGED_COLOR = (0.05, 0.05, 0.05, 1.0)

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
            for thing in bpy.data.objects:
                if thing.occscene.is_tinted:
                    thing.color = thing.occscene.untinted_color
                    thing.occscene.is_tinted = False
        for shading in _viewport_shadings(context):
            if settings.is_tinted:
                _shading_before[shading.as_pointer()] = shading.color_type
                shading.color_type = "OBJECT"
            else:
                shading.color_type = _shading_before.pop(shading.as_pointer(), "MATERIAL")
        return {"FINISHED"}


def tint_again(scene: bpy.types.Scene) -> None:
    """Brings the tint up to date with the classes, if the scene is tinted."""
    if not scene.occscene.is_tinted:
        return
    lookup = ClassLookup.of(scene)
    colors = {entry.name: linear_color(entry) for entry in lookup.taxonomy.classes[1:]}
    for thing in taggable_objects(scene):
        if not thing.occscene.is_tinted:
            thing.occscene.untinted_color = thing.color
            thing.occscene.is_tinted = True
        thing.color = colors.get(lookup.class_name(thing), _UNTAGGED_COLOR)


def _viewport_shadings(context: bpy.types.Context) -> Iterator[bpy.types.View3DShading]:
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                yield area.spaces.active.shading


CLASSES = (OCCSCENE_OT_tint_viewport,)
