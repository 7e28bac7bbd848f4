"""Redraws of Blender's windows."""

from __future__ import annotations

import bpy

_SHOWING_US = ("VIEW_3D", "IMAGE_EDITOR", "PREFERENCES")


def redraw() -> None:
    """Shows the new state wherever the extension draws."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in _SHOWING_US:
                area.tag_redraw()
