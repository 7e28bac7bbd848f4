"""Layouts seen from above, with their prompts."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from occscene.layout import Layout, LayoutObject
from PIL import Image, ImageDraw, ImageFont

from occscene_server.data.contact_sheet import tiled

_TOP, _SIDE = 96, 400
_SCALES = {"indoor": 76.0, "outdoor": 7.6}
"""Pixels a metre."""
_PALE = ("rug",)
_NAMELESS = 12
"""Pixels below which an object's name is left out."""
_COLUMNS = 4


def layout_sheet(layouts: Sequence[Layout], prompts: Sequence[str]) -> Image.Image:
    """One plan for each layout, lower objects first, the front of each marked by a line; four a row."""
    return tiled([_plan(layout, prompt) for layout, prompt in zip(layouts, prompts, strict=True)], _COLUMNS)


def _plan(layout: Layout, prompt: str) -> Image.Image:
    tile = Image.new("RGB", (_SIDE, _SIDE + _TOP), "white")
    draw = ImageDraw.Draw(tile)
    font = ImageFont.load_default(11)
    if layout.room is not None:
        width, depth, _ = layout.room.size
        scale = _SCALES["indoor"]
        ends = [_pixel(-width / 2, depth / 2, scale), _pixel(width / 2, -depth / 2, scale)]
        draw.rectangle(ends, outline="black", width=3)
    small = ImageFont.load_default(9)
    for obj in sorted(layout.objects, key=lambda obj: (obj.name not in _PALE, obj.top)):
        _draw_object(draw, obj, small, _SCALES[layout.taxonomy])
    draw.rectangle([0, 0, _SIDE, _TOP], fill="white")
    for line, text in enumerate(textwrap.wrap(prompt, 70)[:7]):
        draw.text((4, 2 + 13 * line), text, "black", font)
    return tile


def _draw_object(
    draw: ImageDraw.ImageDraw,
    obj: LayoutObject,
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
    scale: float,
) -> None:
    corners = [_pixel(float(x), float(y), scale) for x, y in obj.corners[[0, 2, 6, 4], :2]]
    color = obj.color or (0.5, 0.5, 0.5)
    red, green, blue = (round(255 * value**0.5) for value in color)
    draw.polygon(corners, fill=(red, green, blue), outline="black")
    draw.line([corners[1], corners[2]], fill="red", width=2)
    if max(obj.size[:2]) * scale < _NAMELESS:
        return
    dark = red + green + blue < 330
    draw.text(_pixel(obj.center[0], obj.center[1], scale), obj.name, "white" if dark else "black", font, anchor="mm")


def _pixel(x: float, y: float, scale: float) -> tuple[float, float]:
    return _SIDE / 2 + x * scale, _TOP + _SIDE / 2 - y * scale
