"""Views in Image Editors: in those that are open, or in a window of their own."""

from __future__ import annotations

from functools import partial

import bpy

from ..timers import start_timer
from .images import is_view_image

_LAYOUT_TIME = 0.15
"""Seconds until a new window's regions have their sizes."""


def offer_image(image: bpy.types.Image) -> None:
    """Shows a view in the Image Editors that show nothing, or another view."""
    for area in image_editors():
        space = area.spaces.active
        if space.image != image and (space.image is None or is_view_image(space.image)):
            space.image = image


def image_editors() -> list[bpy.types.Area]:
    """The open Image Editors of all windows."""
    windows = bpy.context.window_manager.windows
    return [area for window in windows for area in window.screen.areas if area.type == "IMAGE_EDITOR"]


def show_image(image: bpy.types.Image) -> None:
    """Shows an image, fitted, in an open Image Editor, else in a new window."""
    areas = image_editors()
    if not areas:
        bpy.ops.wm.window_new()
        areas = [bpy.context.window_manager.windows[-1].screen.areas[0]]
        areas[0].type = "IMAGE_EDITOR"
    areas[0].spaces.active.image = image
    start_timer(partial(_fit, areas[0].as_pointer()), _LAYOUT_TIME)


def _fit(pointer: int) -> None:
    """Zooms an Image Editor so that the image fills it; the area may be gone by now."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.as_pointer() == pointer and area.type == "IMAGE_EDITOR":
                (region,) = (region for region in area.regions if region.type == "WINDOW")
                with bpy.context.temp_override(window=window, area=area, region=region):
                    bpy.ops.image.view_all(fit_view=True)
