"""What the panels share: where they stand, and labels of several lines."""

from __future__ import annotations

import textwrap

import bpy


class SidebarPanel:
    """A panel of the sidebar's OccScene tab."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "OccScene"


def wrapped_label(layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str = "NONE") -> None:
    """Draws a text over as many lines as the sidebar's width asks for."""
    scale = context.preferences.system.ui_scale
    per_line = max(20, int(context.region.width / (7.5 * scale)) - (6 if icon == "NONE" else 9))
    column = layout.column(align=True)
    for line in textwrap.wrap(text, per_line, break_on_hyphens=False):
        column.label(text=line, icon=icon, translate=False)
        icon = "BLANK1" if icon != "NONE" else "NONE"
