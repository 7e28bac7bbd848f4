"""Objects in their classes' colours, while the scene is tinted."""

from __future__ import annotations

from collections.abc import Iterable

import bpy

from .materials import linear_color
from .tagging import ClassLookup, taggable_objects

_UNTAGGED_COLOR = (0.05, 0.05, 0.05, 1.0)
_SAME = 1e-4


def tint_again(scene: bpy.types.Scene) -> None:
    """Brings the tint up to date with the classes, if the scene is tinted."""
    if not scene.occscene.is_tinted:
        return
    lookup = ClassLookup.of(scene)
    colors = {entry.name: linear_color(entry) for entry in lookup.taxonomy.classes[1:]}
    for obj in taggable_objects(scene):
        obj.occscene.untinted_color = own_color(obj)
        obj.occscene.is_tinted = True
        obj.color = obj.occscene.tint_color = colors.get(lookup.class_name(obj), _UNTAGGED_COLOR)


def untint(objects: Iterable[bpy.types.Object]) -> None:
    """Gives objects their own colours back."""
    for obj in objects:
        if obj.occscene.is_tinted:
            obj.color = own_color(obj)
            obj.occscene.is_tinted = False


def own_color(obj: bpy.types.Object) -> tuple[float, float, float, float]:
    """The object's viewport colour as the artist has set it: before the tint, or over it."""
    tags = obj.occscene
    is_covered = tags.is_tinted
    if is_covered and tags.is_property_set("tint_color"):  # files of before it have a tint that nobody has changed
        is_covered = all(abs(one - other) < _SAME for one, other in zip(obj.color, tags.tint_color, strict=True))
    red, green, blue, alpha = tags.untinted_color if is_covered else obj.color
    return red, green, blue, alpha
