"""What the viewport hides and a render shows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import bpy

from .grid_view import unnoticed


@contextmanager
def shown_as_rendered(view_layer: bpy.types.ViewLayer) -> Iterator[None]:
    """Shows all that a render shows for the time of the block; Blender evaluates nothing that the viewport hides."""
    with unnoticed():
        undo = _show_hidden(view_layer)
        if undo:
            view_layer.update()
        try:
            yield
        finally:
            for hide in reversed(undo):
                hide()
            if undo:
                view_layer.update()  # here, where nobody takes it for the artist's change


def _show_hidden(view_layer: bpy.types.ViewLayer) -> list[Callable[[], None]]:
    """Shows what the viewport alone hides; returns what hides it again."""
    undo: list[Callable[[], None]] = []
    pending = [view_layer.layer_collection]
    while pending:
        layer = pending.pop()
        if layer.exclude or layer.collection.hide_render:
            continue
        for owner in (layer, layer.collection):
            if owner.hide_viewport:
                _show(owner, undo)
        pending.extend(layer.children)
    rendered = [thing for thing in view_layer.objects if not thing.hide_render]
    for thing in [thing for thing in rendered if thing.hide_get(view_layer=view_layer)]:
        thing.hide_set(False, view_layer=view_layer)
        undo.append(partial(thing.hide_set, True, view_layer=view_layer))
    for thing in rendered:
        if thing.hide_viewport:
            _show(thing, undo)
    return undo


def _show(
    owner: bpy.types.Object | bpy.types.Collection | bpy.types.LayerCollection, undo: list[Callable[[], None]]
) -> None:
    owner.hide_viewport = False
    undo.append(lambda: setattr(owner, "hide_viewport", True))
