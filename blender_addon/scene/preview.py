"""The live preview: all views of the running job on one image, side by side."""

from __future__ import annotations

import math

import bpy
import numpy as np

from .images import Pixels, is_view_image

PREVIEW_IMAGE = "OccScene Preview"

TILE_SIDE = 256
"""Pixels of a view on the sheet, at most."""


class PreviewSheet:
    """Puts previews into the image `PREVIEW_IMAGE`.

    Args:
        views: how many there will be; each has its place, in rows from the top left.
    """

    def __init__(self, views: int) -> None:
        self._columns = math.ceil(math.sqrt(views))
        self._rows = math.ceil(views / self._columns)
        self._pixels: Pixels = np.zeros((0, 0, 4), np.float32)

    def paste(self, view: int, pixels: Pixels) -> None:
        """Shows pixels as the view of that number; those of another size than before begin a new sheet."""
        stride = -(-max(pixels.shape[:2]) // TILE_SIDE)
        tile = pixels[::stride, ::stride]
        height, width = tile.shape[:2]
        shape = (self._rows * height, self._columns * width, 4)
        if self._pixels.shape != shape:
            self._pixels = np.zeros(shape, np.float32)
        row, column = divmod(view, self._columns)
        bottom = (self._rows - 1 - row) * height  # Blender's rows count from below
        self._pixels[bottom : bottom + height, column * width : (column + 1) * width] = tile
        image = bpy.data.images.get(PREVIEW_IMAGE) or bpy.data.images.new(PREVIEW_IMAGE, shape[1], shape[0])
        if tuple(image.size) != (shape[1], shape[0]):
            image.scale(shape[1], shape[0])
        image.pixels.foreach_set(self._pixels.ravel())
        image.update()


def offer_preview() -> None:
    """Shows the preview in Image Editors that show nothing, or something of the extension's."""
    image = bpy.data.images.get(PREVIEW_IMAGE)
    for area in image_editors():
        space = area.spaces.active
        if space.image is None or is_view_image(space.image):
            space.image = image


def image_editors() -> list[bpy.types.Area]:
    """The open Image Editors of all windows."""
    windows = bpy.context.window_manager.windows
    return [area for window in windows for area in window.screen.areas if area.type == "IMAGE_EDITOR"]


def show_image(image: bpy.types.Image) -> None:
    """Shows an image in an open Image Editor, else in a new window."""
    areas = image_editors()
    if not areas:
        bpy.ops.wm.window_new()
        areas = [bpy.context.window_manager.windows[-1].screen.areas[0]]
        areas[0].type = "IMAGE_EDITOR"
    areas[0].spaces.active.image = image
