"""Where the sun stands: as one of the scene's Sun lamps has it."""

# mypy: disable-error-code="misc"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

import math

import bpy


def sun_lamps(context: bpy.types.Context) -> list[bpy.types.Object]:
    """The Sun lamps that are visible, the active object first if it is one."""
    lamps = [obj for obj in context.view_layer.objects if obj.type == "LIGHT" and obj.data.type == "SUN"]
    shown = [obj for obj in lamps if obj.visible_get()]
    return sorted(shown, key=lambda obj: obj != context.view_layer.objects.active)


class OCCSCENE_OT_sun_from_lamp(bpy.types.Operator):
    """Set height and direction of the sun as the scene's Sun lamp has them, the active one if there are several"""

    bl_idname = "occscene.sun_from_lamp"
    bl_label = "From Sun Lamp"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """There is a lamp."""
        if sun_lamps(context):
            return True
        cls.poll_message_set("The scene has no visible Sun lamp: add one, or set the angles")
        return False

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Sets the angles and their switch."""
        lamp = sun_lamps(context)[0]
        x, y, z = lamp.matrix_world.to_3x3().col[2].normalized()
        if z < 0:
            self.report({"ERROR"}, f"{lamp.name} shines upwards: turn it so that it shines down")
            return {"CANCELLED"}
        settings = context.scene.occscene
        settings.use_sun = True
        settings.sun_elevation = min(90.0, math.degrees(math.asin(min(1.0, z))))
        settings.sun_azimuth = math.degrees(math.atan2(x, y)) % 360.0
        return {"FINISHED"}


CLASSES = (OCCSCENE_OT_sun_from_lamp,)
"""The operators."""
