"""A contact sheet: scenes as rows of views with the prompt above each."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from occscene_server.data.contact_sheet import captioned, stacked
from occscene_server.data.dataset import RenderedScene


def contact_sheet(scenes: Sequence[RenderedScene]) -> Image.Image:
    """All views of each scene in a row, the seed, the light and the prompt above it."""
    return stacked(
        [captioned(f"{scene.info.seed} ({scene.info.light}): {scene.info.prompt}", scene.views) for scene in scenes]
    )
