"""How many objects of a blockout would be sent, and of which classes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import bpy

from .tagging import ClassLookup, taggable_objects
from .visibility import rendered_objects


@dataclass(frozen=True)
class SentCounts:
    """Counts of what a render shows.

    Args:
        by_class: objects with a part of each class; "" counts those without any, which are left out.
        objects: those with a class; one of several classes counts once.
        hints: those of them that keep their colors.
    """

    by_class: Counter[str]
    objects: int
    hints: int


def sent_objects(scene: bpy.types.Scene, view_layer: bpy.types.ViewLayer) -> list[bpy.types.Object]:
    """The objects that can have a class and are sent if they have one, without what the extension made."""
    rendered, in_layer = rendered_objects(scene), set(view_layer.objects)
    return [obj for obj in taggable_objects(scene) if obj in rendered and obj in in_layer]


def sent_counts(scene: bpy.types.Scene, view_layer: bpy.types.ViewLayer) -> SentCounts:
    """The counts of a scene."""
    lookup = ClassLookup.of(scene)
    classes = [(obj, lookup.class_names(obj)) for obj in sent_objects(scene, view_layer)]
    hints = sum(bool(names) and obj.occscene.use_hint for obj, names in classes)
    by_class = Counter(name for _, names in classes for name in names or ("",))
    return SentCounts(by_class, sum(bool(names) for _, names in classes), hints)
