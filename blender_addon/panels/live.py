"""The draft that follows the artist's changes, below the first panel whatever step is chosen."""

# mypy: disable-error-code="misc"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

import bpy

from ..jobs.live import is_live, live_line
from ..scene.draft_view import draft_icon
from .layout import SidebarPanel, fixed_label

_SCALE = 9.0
"""Of the picture, in the interface's units."""


class VIEW3D_PT_occscene_live(SidebarPanel, bpy.types.Panel):
    """See drafts."""

    bl_label = "Live"
    bl_order = 0

    @classmethod
    def poll(cls, _context: bpy.types.Context) -> bool:
        """It is on."""
        return is_live()

    def draw(self, context: bpy.types.Context) -> None:
        """Draws the picture, how it goes, how much it covers in the camera, and the way to the full view."""
        layout = self.layout
        scene = context.scene
        icon = draft_icon(scene)
        layout.template_icon(icon_value=icon, scale=_SCALE)
        text, is_problem = live_line()
        fixed_label(layout, context, text or "Draws the first draft ...", 2, "ERROR" if is_problem else "PLAY")
        column = layout.column(align=True)
        row = column.row(align=True)
        row.operator("occscene.look_through", text="", icon="VIEW_CAMERA").direction = "ACTIVE"
        row.prop(scene.occscene, "overlay_opacity", slider=True)
        column.operator("occscene.generate_as_drafted", icon="RENDER_STILL")


CLASSES = (VIEW3D_PT_occscene_live,)
