"""What the panels share: where they stand, and labels of several lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import blf
import bpy

_MARGIN = 64
"""Pixels at a scale of 1 that a panel's text does not get: borders, indents, the tabs at the side."""

_ICON = 24
"""Pixels at a scale of 1 of an icon before a text."""


class SidebarPanel:
    """A panel of the sidebar's OccScene tab; `step` says in which of its steps it stands, "" in all."""

    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "OccScene"
    step: ClassVar[str] = ""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Its step is the chosen one."""
        return not cls.step or context.window_manager.occscene.tab == cls.step


def sentence(text: str) -> str:
    """A text that begins with a capital letter."""
    return text[:1].upper() + text[1:]


def wrapped_label(layout: bpy.types.UILayout, context: bpy.types.Context, text: str, icon: str = "NONE") -> None:
    """Draws a text over as many lines as the sidebar's width asks for."""
    column = layout.column(align=True)
    for line in _lines(context, text, icon != "NONE"):
        column.label(text=line, icon=icon, translate=False)
        icon = "BLANK1" if icon != "NONE" else "NONE"


def fixed_label(
    layout: bpy.types.UILayout, context: bpy.types.Context, text: str, lines: int, icon: str = "NONE"
) -> None:
    """Draws a text in exactly so many lines: what is below stays in its place whatever the text says."""
    shown = list(_lines(context, text, icon != "NONE"))
    if len(shown) > lines:
        shown[lines - 1 :] = [f"{shown[lines - 1]} ..."]
    column = layout.column(align=True)
    for line in shown + [""] * (lines - len(shown)):
        column.label(text=line, icon=icon, translate=False)
        icon = "BLANK1" if icon != "NONE" else "NONE"


def _lines(context: bpy.types.Context, text: str, has_icon: bool) -> Iterator[str]:
    """The text in lines that the region is wide enough for, as the interface's font has it."""
    scale = context.preferences.system.ui_scale
    blf.size(0, context.preferences.ui_styles[0].widget.points * scale)
    width = context.region.width - (_MARGIN + _ICON * has_icon) * scale
    line = ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if line and blf.dimensions(0, longer)[0] > width:
            yield line
            line = word
        else:
            line = longer
    if line:
        yield line
