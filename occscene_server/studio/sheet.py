"""A contact sheet: scenes as rows of views with the prompt above each."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from occscene_server.data.dataset import RenderedScene

_LINE_HEIGHT = 13
_MARGIN = 4


def contact_sheet(scenes: Sequence[RenderedScene]) -> Image.Image:
    """All views of each scene in a row, the seed, the light and the prompt above it."""
    rows = [_row(scene) for scene in scenes]
    width = max(row.width for row in rows)
    sheet = Image.new("RGB", (width, sum(row.height for row in rows)), "white")
    top = 0
    for row in rows:
        sheet.paste(row, (0, top))
        top += row.height
    return sheet


def _row(scene: RenderedScene) -> Image.Image:
    strip = Image.fromarray(np.concatenate(list(scene.views), axis=1))
    caption = f"{scene.info.seed} ({scene.info.light}): {scene.info.prompt}"
    lines = textwrap.wrap(caption, width=max(20, strip.width // 6))
    head = _LINE_HEIGHT * len(lines) + 2 * _MARGIN
    row = Image.new("RGB", (strip.width, strip.height + head), "white")
    row.paste(strip, (0, head))
    ImageDraw.Draw(row).multiline_text((_MARGIN, _MARGIN), "\n".join(lines), fill="black", spacing=1)
    return row
