"""Swatches in the classes' colours."""

from __future__ import annotations

from typing import Any

import bpy.utils.previews
from occscene.taxonomy import TAXONOMIES, SemanticClass, Taxonomy

_SIDE = 16
_swatches: list[Any] = []


def add_icons() -> None:
    """Makes a swatch for each class."""
    collection = bpy.utils.previews.new()
    for taxonomy in TAXONOMIES.values():
        for entry in taxonomy.classes[1:]:
            swatch = collection.new(f"{taxonomy.name} {entry.name}")
            pixel = [channel / 255 for channel in entry.color] + [1.0]
            swatch.icon_size = (_SIDE, _SIDE)
            swatch.icon_pixels_float = pixel * _SIDE**2
    _swatches.append(collection)


def remove_icons() -> None:
    """Frees the swatches."""
    bpy.utils.previews.remove(_swatches.pop())


def class_icon(taxonomy: Taxonomy, entry: SemanticClass) -> int:
    """The icon value of a class's swatch."""
    return int(_swatches[-1][f"{taxonomy.name} {entry.name}"].icon_id)
