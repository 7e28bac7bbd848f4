"""Encoded images to Blender's, kept inside the .blend."""

from __future__ import annotations

import bpy
import numpy as np

THUMBNAIL_SIDE = 128
"""Pixels, at most."""


def packed_image(name: str, data: bytes, existing: bpy.types.Image | None = None) -> bpy.types.Image:
    """Makes an image of PNG or JPEG bytes and packs them; `existing` is filled anew instead if given."""
    image = existing or bpy.data.images.new(name, 8, 8)
    image.pack(data=data, data_len=len(data))
    image.source = "FILE"
    image.buffers_free()  # else the old pixels stay
    image.use_fake_user = True
    return image


def draw_thumbnail(image: bpy.types.Image) -> None:
    """Draws the image's icon from its pixels as they are now; Blender's own would stay as first drawn."""
    width, height = image.size
    pixels = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(pixels)
    stride = -(-max(width, height) // THUMBNAIL_SIDE)
    small = np.ascontiguousarray(pixels.reshape(height, width, 4)[::stride, ::stride])
    thumbnail = image.preview_ensure()
    thumbnail.image_size = (small.shape[1], small.shape[0])
    thumbnail.image_pixels_float.foreach_set(small.ravel())


def set_background(camera: bpy.types.Object, image: bpy.types.Image) -> None:
    """Shows the image in the camera's view, behind nothing: in front of the blockout, at full strength."""
    data = camera.data
    data.show_background_images = True
    for background in data.background_images:
        if background.image and background.image.name.startswith(image.name.split(".")[0]):
            break
    else:
        background = data.background_images.new()
    background.image = image
    background.alpha = 1.0
    background.display_depth = "FRONT"
    background.frame_method = "STRETCH"
