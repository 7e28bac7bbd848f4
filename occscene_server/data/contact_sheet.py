"""Pictures for people: rows of images under captions, one below the other or tile by tile."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

_LINE_HEIGHT = 13
_MARGIN = 4


def captioned(caption: str, *rows: NDArray[np.uint8]) -> Image.Image:
    """Rows of images (N, height, width, 3), side by side in each row, under a caption."""
    pixels = np.concatenate([np.concatenate(list(row), axis=1) for row in rows], axis=0)
    lines = textwrap.wrap(caption, width=max(20, pixels.shape[1] // 6))
    head = _LINE_HEIGHT * len(lines) + 2 * _MARGIN
    block = Image.new("RGB", (pixels.shape[1], pixels.shape[0] + head), "white")
    block.paste(Image.fromarray(pixels), (0, head))
    ImageDraw.Draw(block).multiline_text((_MARGIN, _MARGIN), "\n".join(lines), fill="black", spacing=1)
    return block


def stacked(blocks: Sequence[Image.Image]) -> Image.Image:
    """Images one below the other on white."""
    sheet = Image.new("RGB", (max(block.width for block in blocks), sum(block.height for block in blocks)), "white")
    top = 0
    for block in blocks:
        sheet.paste(block, (0, top))
        top += block.height
    return sheet


def tiled(tiles: Sequence[Image.Image], columns: int) -> Image.Image:
    """Images of one size in rows of `columns` on white."""
    width, height = tiles[0].size
    sheet = Image.new("RGB", (columns * width, -(-len(tiles) // columns) * height), "white")
    for index, tile in enumerate(tiles):
        sheet.paste(tile, (index % columns * width, index // columns * height))
    return sheet
