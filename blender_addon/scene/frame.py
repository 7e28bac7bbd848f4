"""The render's frame, its parts, and the sizes of pictures of them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import bpy
from occscene.limits import MAX_IMAGE_SIDE, MIN_IMAGE_SIDE


@dataclass(frozen=True)
class Window:
    """A part of the frame, from its top left corner, in units that are the same along both axes.

    Args:
        left, top, right, bottom: may lie outside of the frame.
    """

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        """Width of the part."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Height of the part."""
        return self.bottom - self.top

    @property
    def middle(self) -> tuple[float, float]:
        """The middle of the part, along x and y."""
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def pixels_per_unit(self, size: tuple[int, int]) -> float:
        """Scale of a picture of the part: exact along its longer side, to the nearest pixel along the other."""
        return max(size) / max(self.width, self.height)


def frame_window(scene: bpy.types.Scene) -> Window:
    """The whole frame as it is displayed: pixels that are not square make it wider or higher."""
    render = scene.render
    return Window(0.0, 0.0, render.resolution_x * render.pixel_aspect_x, render.resolution_y * render.pixel_aspect_y)


def view_window(scene: bpy.types.Scene, shape: str) -> Window:
    """What views show, by a choice of `SceneSettings.image_shape`: the frame, or the square around it."""
    frame = frame_window(scene)
    if shape == "RENDER":
        return frame
    (x, y), half = frame.middle, max(frame.width, frame.height) / 2
    return Window(x - half, y - half, x + half, y + half)


def picture_size(window: Window, longest: int, multiple: int = 1) -> tuple[int, int]:
    """Width and height in pixels of a picture that has a window's shape, to the nearest pixel.

    Args:
        window: what the picture shows.
        longest: pixels along the longer side.
        multiple: what both sides must be multiples of; the nearest size that has the shape is taken.

    Raises:
        ValueError: the shape is too long and narrow for the limits, or no size is a multiple.
    """
    shape = f"{window.width:g} x {window.height:g}"
    if multiple > 1:
        sides = range(multiple, MAX_IMAGE_SIDE + 1, multiple)
        fitting = [side for side in sides if not any(edge % multiple for edge in _sides(window, side))]
        fitting = [side for side in fitting if min(_sides(window, side)) >= MIN_IMAGE_SIDE]
        if not fitting:
            raise ValueError(
                f"the server takes images whose sides are multiples of {multiple} pixels, which none of the shape "
                f"{shape} has: update the server, or give the render another shape"
            )
        longest = min(fitting, key=lambda side: abs(side - longest))
    width, height = _sides(window, longest)
    if min(width, height) < MIN_IMAGE_SIDE:
        needed = math.ceil((MIN_IMAGE_SIDE - 0.5) * max(window.width, window.height) / min(window.width, window.height))
        way_out = (
            f"set Image Size to {needed} or more" if needed <= MAX_IMAGE_SIDE else "choose a shape nearer to a square"
        )
        raise ValueError(
            f"images of the shape {shape} would have {width} x {height} pixels; both sides must have at least "
            f"{MIN_IMAGE_SIDE}: {way_out}"
        )
    return width, height


def _sides(window: Window, longest: int) -> tuple[int, int]:
    scale = window.pixels_per_unit((longest, longest))
    return math.floor(window.width * scale + 0.5), math.floor(window.height * scale + 0.5)
