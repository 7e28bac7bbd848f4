"""Layouts seen from above, with their prompts."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from occscene.layout import Layout, LayoutObject
from PIL import Image, ImageDraw, ImageFont

from occscene_server.data.contact_sheet import tiled

_SCALE, _TOP, _SIDE = 76, 96, 400
_PALE = ("rug",)
_COLUMNS = 4


def layout_sheet(layouts: Sequence[Layout], prompts: Sequence[str]) -> Image.Image:
    """One plan for each layout, lower objects first, the front of each marked by a line; four a row."""
    return tiled([_plan(layout, prompt) for layout, prompt in zip(layouts, prompts, strict=True)], _COLUMNS)


def _plan(layout: Layout, prompt: str) -> Image.Image:
    tile = Image.new("RGB", (_SIDE, _SIDE + _TOP), "white")
    draw = ImageDraw.Draw(tile)
    font = ImageFont.load_default(11)
    for line, text in enumerate(textwrap.wrap(prompt, 70)[:7]):
        draw.text((4, 2 + 13 * line), text, "black", font)
    if layout.room is not None:
        width, depth, _ = layout.room.size
        draw.rectangle([_pixel(-width / 2, depth / 2), _pixel(width / 2, -depth / 2)], outline="black", width=3)
    small = ImageFont.load_default(9)
    for obj in sorted(layout.objects, key=lambda obj: (obj.name not in _PALE, obj.top)):
        _draw_object(draw, obj, small)
    return tile


def _draw_object(
    draw: ImageDraw.ImageDraw, obj: LayoutObject, font: ImageFont.ImageFont | ImageFont.FreeTypeFont
) -> None:
    corners = [_pixel(*obj.corners[i, :2]) for i in (0, 2, 6, 4)]
    color = obj.color or (0.5, 0.5, 0.5)
    red, green, blue = (round(255 * value**0.5) for value in color)
    draw.polygon(corners, fill=(red, green, blue), outline="black")
    draw.line([corners[1], corners[2]], fill="red", width=2)
    dark = red + green + blue < 330
    draw.text(_pixel(*obj.center[:2]), obj.name, "white" if dark else "black", font, anchor="mm")


def _pixel(x: float, y: float) -> tuple[float, float]:
    return _SIDE / 2 + x * _SCALE, _TOP + _SIDE / 2 - y * _SCALE
