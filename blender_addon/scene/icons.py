"""Swatches in the classes' colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import bpy.utils.previews
import numpy as np
from occscene.srgb import srgb_from_linear
from occscene.taxonomy import TAXONOMIES, SemanticClass, Taxonomy

from .materials import CHANGE_COLORS

_SIDE = 16
_swatches: list[Any] = []


def add_icons() -> None:
    """Makes a swatch for each class."""
    collection = bpy.utils.previews.new()
    for taxonomy in TAXONOMIES.values():
        for entry in taxonomy.classes[1:]:
            _add_swatch(collection, f"{taxonomy.name} {entry.name}", [channel / 255 for channel in entry.color])
    for change, color in CHANGE_COLORS.items():
        _add_swatch(collection, f"change {change}", srgb_from_linear(np.array(color)).tolist())
    _swatches.append(collection)


def _add_swatch(collection: Any, name: str, color: Sequence[float]) -> None:
    swatch = collection.new(name)
    swatch.icon_size = (_SIDE, _SIDE)
    swatch.icon_pixels_float = [*color, 1.0] * _SIDE**2


def remove_icons() -> None:
    """Frees the swatches."""
    bpy.utils.previews.remove(_swatches.pop())


def class_icon(taxonomy: Taxonomy, entry: SemanticClass) -> int:
    """The icon value of a class's swatch."""
    return int(_swatches[-1][f"{taxonomy.name} {entry.name}"].icon_id)


def change_icon(change: str) -> int:
    """The icon value of the swatch of a kind of change."""
    return int(_swatches[-1][f"change {change}"].icon_id)
