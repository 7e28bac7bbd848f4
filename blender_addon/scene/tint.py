"""Objects in their classes' colours, while the scene is tinted."""

from __future__ import annotations

import bpy

from .materials import linear_color
from .tagging import ClassLookup, taggable_objects

_UNTAGGED_COLOR = (0.05, 0.05, 0.05, 1.0)


def tint_again(scene: bpy.types.Scene) -> None:
    """Brings the tint up to date with the classes, if the scene is tinted."""
    if not scene.occscene.is_tinted:
        return
    lookup = ClassLookup.of(scene)
    colors = {entry.name: linear_color(entry) for entry in lookup.taxonomy.classes[1:]}
    for obj in taggable_objects(scene):
        if not obj.occscene.is_tinted:
            obj.occscene.untinted_color = obj.color
            obj.occscene.is_tinted = True
        obj.color = colors.get(lookup.class_name(obj), _UNTAGGED_COLOR)
