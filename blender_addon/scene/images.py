"""Encoded images to Blender's and back."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import bpy
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]
"""(height, width, 4), rows from below as Blender keeps them, in the image's own color space."""

THUMBNAIL_SIDE = 128
"""Pixels, at most."""


def packed_image(name: str, data: bytes, existing: bpy.types.Image | None = None) -> bpy.types.Image:
    """Makes an image of PNG or JPEG bytes and packs them; `existing` is refilled instead if given."""
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


def is_view_image(image: bpy.types.Image) -> bool:
    """Whether it is a view of some result."""
    return any(
        view.image == image for scene in bpy.data.scenes for result in scene.occscene.results for view in result.views
    )


def png_of(pixels: Pixels, like: bpy.types.Image) -> bytes:
    """Pixels in the color space of an image as PNG."""
    copy = bpy.data.images.new("OccScene encoding", pixels.shape[1], pixels.shape[0], float_buffer=like.is_float)
    copy.colorspace_settings.name = like.colorspace_settings.name
    try:
        copy.pixels.foreach_set(np.ascontiguousarray(pixels).ravel())
        return _png(copy)
    finally:
        bpy.data.images.remove(copy)


def _png(image: bpy.types.Image) -> bytes:
    """The image as Blender writes it to a PNG file."""
    with tempfile.TemporaryDirectory(prefix="occscene_") as folder:
        path = Path(folder) / "image.png"
        image.file_format = "PNG"
        image.filepath_raw = str(path)
        image.save()
        return path.read_bytes()


def saved_float_image(name: str, values: NDArray[np.float32], path: Path) -> bpy.types.Image:
    """Makes or refills a float image without a color space, and saves it as EXR.

    Args:
        name: the image's.
        values: (height, width, 3), rows from above.
        path: the file.
    """
    height, width = values.shape[:2]
    known = bpy.data.images.get(name)
    if known is not None:
        bpy.data.images.remove(known)
    image = bpy.data.images.new(name, width, height, float_buffer=True, is_data=True)
    pixels = np.ones((height, width, 4), np.float32)
    pixels[..., :3] = values[::-1]
    image.pixels.foreach_set(pixels.ravel())
    image.file_format = "OPEN_EXR"
    image.filepath_raw = str(path)
    image.save()
    image.use_fake_user = True
    return image


def resized_pixels(pixels: Pixels, width: int, height: int) -> Pixels:
    """Pixels at another size, averaged over the area of each new one."""
    rows, columns = pixels.shape[:2]
    if (columns, rows) == (width, height):
        return pixels
    pixels = averaged(pixels, np.linspace(0, rows, height + 1))
    return averaged(pixels.swapaxes(0, 1), np.linspace(0, columns, width + 1)).swapaxes(0, 1)


def averaged(pixels: Pixels, edges: Sequence[float] | NDArray[np.float64]) -> Pixels:
    """Means of rows between successive edges; a span of less than a row is widened to one, which is interpolation.

    Args:
        pixels: (rows, ..., channels).
        edges: in rows; what lies outside of the image repeats its first or last row.
    """
    result = []
    for low, high in pairwise(edges):
        half = max(high - low, 1.0) / 2
        first, last = np.clip([(low + high) / 2 - half, (low + high) / 2 + half], 0, len(pixels))
        first, last = min(first, len(pixels) - 1e-6), max(last, 1e-6)
        index = np.arange(math.floor(first), math.ceil(last))
        share = np.minimum(index + 1, last) - np.maximum(index, first)
        result.append(np.tensordot(share / share.sum(), pixels[index[0] : index[-1] + 1], 1))
    return np.stack(result).astype(np.float32)
