"""Windows of views at a larger size: what a stored scene's views show, finer, for what a small view costs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from occscene.srgb import linear_from_srgb
from PIL import Image

from occscene_server.data.dataset import RenderedScene, read_scene
from occscene_server.data.scene_windows import WINDOW_SIDE, WindowPlace, add_windows, missing_windows
from occscene_server.studio.cycles import LUMINANCE, RenderSettings, develop, render_windows
from occscene_server.studio.domains import modelled
from occscene_server.studio.scene_meshes import is_same_scene

MAX_DIFFERENCE = 12.0
"""Levels of 255 by which the cells of new windows may differ from those of the stored views, on average."""

_CELLS = 16


def render_missing_windows(
    folder: Path, count: int, size: int, side: int = WINDOW_SIDE, settings: RenderSettings | None = None
) -> None:
    """Renders the windows that a scene lacks, exposed as its stored views are, and stores them.

    Args:
        folder: of the scene.
        count: windows of each view.
        size: pixels of a side of the whole view.
        side: pixels of a window's side.
        settings: what the rendering costs; None for the data set's own.

    Raises:
        ValueError: the studio draws another scene of this seed now, or the windows do not show what the views do.
    """
    scene, settings = read_scene(folder), settings or RenderSettings()
    places = missing_windows(folder, len(scene.cameras), count, size, side)
    if not places:
        return
    grids, build = modelled(scene.info.domain, scene.info.seed)
    if not is_same_scene(folder, grids):
        raise ValueError(f"{folder.name} was rendered by another version of the studio; render it anew")
    build()
    cameras = [scene.cameras[place.view].resized(size, size) for place in places]
    radiance = render_windows(cameras, [(*place.origin, side) for place in places], settings, scene.info.seed)
    pixels = develop(radiance, _fitted_exposure(scene, places, radiance))
    stored, drawn = _stored_cells(list(scene.views), places, side), np.stack([_cells(image) for image in pixels])
    difference = float(np.abs(stored - drawn).mean())
    if difference > MAX_DIFFERENCE:
        raise ValueError(
            f"{folder.name}: the new windows differ from the stored views by {difference:.1f} of 255 levels, "
            f"more than {MAX_DIFFERENCE}; the studio gives the scene other materials or light now: render it anew"
        )
    add_windows(folder, places, list(pixels))


def _fitted_exposure(scene: RenderedScene, places: Sequence[WindowPlace], radiance: NDArray[np.float32]) -> float:
    """The factor that the stored views were exposed with, read off cells that no highlight or shadow bends."""
    stored = _stored_cells([_linear(view) for view in scene.views], places, radiance.shape[1])
    raw = np.stack([_cells(image) for image in radiance])
    usable = (stored @ LUMINANCE > 0.02) & (stored.max(axis=-1) < 0.5) & (raw @ LUMINANCE > 1e-4)
    if not usable.any():
        usable[:] = True
    return float(np.median((stored @ LUMINANCE)[usable] / np.maximum((raw @ LUMINANCE)[usable], 1e-4)))


def _stored_cells(views: Sequence[NDArray[Any]], places: Sequence[WindowPlace], side: int) -> NDArray[np.float32]:
    """Means of the views' cells where windows lie, (windows, cells, cells, 3)."""
    cells = []
    for place in places:
        view, (x, y) = views[place.view], place.origin
        scale = len(view) / place.full_size
        cells.append(_cells(view, (x * scale, y * scale, (x + side) * scale, (y + side) * scale)))
    return np.stack(cells)


def _cells(image: NDArray[Any], box: tuple[float, float, float, float] | None = None) -> NDArray[np.float32]:
    """Means over a raster of cells of a part of an image (height, width, 3)."""
    channels = [Image.fromarray(image[..., i].astype(np.float32)) for i in range(3)]
    return np.stack([np.asarray(c.resize((_CELLS, _CELLS), Image.Resampling.BOX, box)) for c in channels], axis=-1)


def _linear(levels: NDArray[np.uint8]) -> NDArray[np.float32]:
    return linear_from_srgb(levels.astype(np.float32) / 255).astype(np.float32)
