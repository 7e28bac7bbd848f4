"""The photos in cameras' backgrounds, cut to what the cameras see of them.

Where a photo lies in the frame is as Blender's `image_camera_background_matrix_get` draws it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import bpy
import numpy as np

from .frame import Window, frame_window
from .images import averaged, image_pixels, is_view_image, png_of


@dataclass(frozen=True)
class Photo:
    """A background image.

    Args:
        image: has pixels.
        place: the part of the frame, or beyond it, that the image covers.
        mirrored: along x and y.
    """

    image: bpy.types.Image
    place: Window
    mirrored: tuple[bool, bool]


def photo_window(camera: bpy.types.Object, scene: bpy.types.Scene) -> Window:
    """The part of the frame that the camera's photo covers.

    Raises:
        ValueError: there is no photo, it has no pixels, it is turned, or it lies outside of the frame.
    """
    place, frame = _photo(camera, scene).place, frame_window(scene)
    window = Window(
        max(place.left, frame.left),
        max(place.top, frame.top),
        min(place.right, frame.right),
        min(place.bottom, frame.bottom),
    )
    if window.width <= 0 or window.height <= 0:
        raise ValueError(
            f"the background image of camera {camera.name!r} lies outside of the frame: set its offset to 0"
        )
    return window


def photo_png(camera: bpy.types.Object, scene: bpy.types.Scene, size: tuple[int, int]) -> bytes:
    """The camera's photo within `photo_window` as PNG of `size` = (width, height) pixels.

    Raises:
        ValueError: as `photo_window`.
    """
    photo, window = _photo(camera, scene), photo_window(camera, scene)
    place, scale = photo.place, window.pixels_per_unit(size)
    (middle_x, middle_y), (width, height) = window.middle, photo.image.size
    columns = middle_x + (np.arange(size[0] + 1) - size[0] / 2) / scale  # edges of the picture's pixels in the frame
    rows = middle_y + (np.arange(size[1] + 1) - size[1] / 2) / scale
    pixels = image_pixels(photo.image)[::-1]  # Blender's rows count from below
    flip_x, flip_y = photo.mirrored
    pixels = pixels[:: -1 if flip_y else 1, :: -1 if flip_x else 1]
    pixels = averaged(pixels, (rows - place.top) / place.height * height)
    pixels = averaged(pixels.swapaxes(0, 1), (columns - place.left) / place.width * width).swapaxes(0, 1)
    return png_of(pixels[::-1], photo.image)


def _photo(camera: bpy.types.Object, scene: bpy.types.Scene) -> Photo:
    """The camera's first background image that is shown, without the views that the extension shows there.

    Raises:
        ValueError: there is none, it has no pixels, or it is turned.
    """
    images = [item for item in camera.data.background_images if item.show_background_image and item.image]
    shown = [item for item in images if not is_view_image(item.image)]
    if not shown:
        raise ValueError(
            f"camera {camera.name!r} has no background image: add the photo in the camera's properties, under "
            "Background Images"
        )
    background = shown[0]
    image = background.image
    if not image.has_data and not image.size[0]:
        raise ValueError(f"image {image.name!r} of camera {camera.name!r} has no pixels; reload or replace it")
    if background.rotation:
        raise ValueError(
            f"the background image of camera {camera.name!r} is turned by {math.degrees(background.rotation):.4g} "
            "degrees: set its rotation to 0 and roll the camera instead"
        )
    frame = frame_window(scene)
    aspect = image.size[0] * image.display_aspect[0] / (image.size[1] * image.display_aspect[1])
    wider = aspect > frame.width / frame.height
    if background.frame_method == "STRETCH":
        width, height = frame.width, frame.height
    elif wider == (background.frame_method == "FIT"):  # as wide as the frame
        width, height = frame.width, frame.width / aspect
    else:
        width, height = frame.height * aspect, frame.height
    offset_x, offset_y = _offset(background, camera, scene, aspect)
    middle_x, middle_y = frame.middle[0] + offset_x, frame.middle[1] - offset_y
    half_width, half_height = width * background.scale / 2, height * background.scale / 2
    place = Window(middle_x - half_width, middle_y - half_height, middle_x + half_width, middle_y + half_height)
    return Photo(image, place, (background.use_flip_x, background.use_flip_y))


def _offset(
    background: bpy.types.CameraBackgroundImage, camera: bpy.types.Object, scene: bpy.types.Scene, aspect: float
) -> tuple[float, float]:
    """The offset to the right and up, in the frame's units."""
    frame = frame_window(scene)
    corners = camera.data.view_frame(scene=scene)
    unit = frame.width / (max(corner.x for corner in corners) - min(corner.x for corner in corners))
    shape = frame.width / frame.height
    return (
        background.offset[0] * min(1.0, shape) * unit,
        background.offset[1] / (max(1.0, shape) * aspect / shape) * unit,
    )
