"""How many objects of a blockout would be sent, and of which classes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import bpy

from .tagging import ClassLookup, has_classes, taggable_objects
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
    return next(counts for counts in counting(scene, view_layer) if counts is not None)


_AT_ONCE = 100
"""Objects after which `counting` yields."""


def counting(scene: bpy.types.Scene, view_layer: bpy.types.ViewLayer) -> Iterator[SentCounts | None]:
    """Counts a little from one None to the next, and yields the counts at last; no object may be freed meanwhile."""
    lookup = ClassLookup.of(scene)
    yield None
    rendered = rendered_objects(scene)
    yield None
    in_layer = set(view_layer.objects)
    yield None
    by_class: Counter[str] = Counter()
    tagged = hints = 0
    for number, obj in enumerate(list(scene.objects), 1):
        if obj in rendered and obj in in_layer and has_classes(obj):
            names = lookup.class_names(obj)
            by_class.update(names or ("",))
            tagged += bool(names)
            hints += bool(names) and obj.occscene.use_hint
        if number % _AT_ONCE == 0:
            yield None
    yield SentCounts(by_class, tagged, hints)
