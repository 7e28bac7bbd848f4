"""Encoded images to Blender's and back."""

from __future__ import annotations

import tempfile
from pathlib import Path

import bpy
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]
"""(height, width, 4), rows from below as Blender keeps them, in the image's own color space."""

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


def image_pixels(image: bpy.types.Image) -> Pixels:
    """The image's pixels."""
    width, height = image.size
    pixels = np.empty(width * height * 4, np.float32)
    image.pixels.foreach_get(pixels)
    return pixels.reshape(height, width, 4)


def encoded_pixels(data: bytes) -> Pixels:
    """The pixels of PNG or JPEG bytes."""
    image = packed_image("OccScene decoding", data)
    try:
        return image_pixels(image)
    finally:
        bpy.data.images.remove(image)


def draw_thumbnail(image: bpy.types.Image, pixels: Pixels) -> None:
    """Draws the image's icon from its pixels as they are now; Blender's own would stay as first drawn."""
    stride = -(-max(image.size) // THUMBNAIL_SIDE)
    small = np.ascontiguousarray(pixels[::stride, ::stride])
    thumbnail = image.preview_ensure()
    thumbnail.image_size = (small.shape[1], small.shape[0])
    thumbnail.image_pixels_float.foreach_set(small.ravel())


def set_background(camera: bpy.types.Object, image: bpy.types.Image) -> None:
    """Shows the image in the camera's view, behind nothing: in front of the blockout, at full strength.

    A view of an earlier result gives way to it; the artist's own images stay.
    """
    data = camera.data
    data.show_background_images = True
    own = (item for item in data.background_images if item.image and is_view_image(item.image))
    background = next(own, None) or data.background_images.new()
    background.image = image
    background.alpha = 1.0
    background.display_depth = "FRONT"
    background.frame_method = "STRETCH"


def is_view_image(image: bpy.types.Image) -> bool:
    """Whether it is a view of some result."""
    return any(
        view.image == image for scene in bpy.data.scenes for result in scene.occscene.results for view in result.views
    )


def background_png(camera: bpy.types.Object, width: int, height: int) -> bytes:
    """The camera's first background image that is shown, as PNG of `width` x `height` pixels, as the camera frames it.

    Raises:
        ValueError: there is none, it has no pixels, or it does not fill the frame.
    """
    shown = [item for item in camera.data.background_images if item.show_background_image and item.image]
    if not shown:
        raise ValueError(
            f"camera {camera.name!r} has no background image: add the photo in the camera's properties, under "
            "Background Images"
        )
    background = shown[0]
    image = background.image
    if not image.has_data and not image.size[0]:
        raise ValueError(f"image {image.name!r} of camera {camera.name!r} has no pixels; reload or replace it")
    if background.scale != 1.0 or any(background.offset) or background.rotation:
        raise ValueError(
            f"the background image of camera {camera.name!r} is moved, turned or scaled: the camera must see what the "
            "photo shows, so set offset and rotation to 0 and scale to 1"
        )
    left, bottom, right, top = _framed(image, background.frame_method, camera.name, width / height)
    cut = np.ascontiguousarray(image_pixels(image)[bottom:top, left:right])
    copy = bpy.data.images.new("OccScene encoding", right - left, top - bottom, float_buffer=image.is_float)
    copy.colorspace_settings.name = image.colorspace_settings.name
    try:
        copy.pixels.foreach_set(cut.ravel())
        copy.scale(width, height)
        return _png(copy)
    finally:
        bpy.data.images.remove(copy)


def _framed(image: bpy.types.Image, method: str, camera: str, aspect: float) -> tuple[int, int, int, int]:
    """The part of an image that a frame of `aspect` shows: left, bottom, right and top in pixels."""
    width, height = image.size
    if method == "STRETCH" or abs(width / height / aspect - 1) < 0.01:
        return 0, 0, width, height
    if method == "FIT":
        raise ValueError(
            f"image {image.name!r} of camera {camera!r} is {width} x {height} pixels and leaves parts of the frame "
            "empty: give the render its shape, or set the background's frame method to Stretch or Crop"
        )
    kept_width, kept_height = min(width, round(height * aspect)), min(height, round(width / aspect))
    left, bottom = (width - kept_width) // 2, (height - kept_height) // 2
    return left, bottom, left + kept_width, bottom + kept_height


def _png(image: bpy.types.Image) -> bytes:
    """The image as Blender writes it to a PNG file."""
    with tempfile.TemporaryDirectory(prefix="occscene_") as folder:
        path = Path(folder) / "image.png"
        image.file_format = "PNG"
        image.filepath_raw = str(path)
        image.save()
        return path.read_bytes()
