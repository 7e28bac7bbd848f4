"""A render's visibility in the viewport's dependency graph, the only one that scripts can evaluate."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import bpy

from .grid_view import unnoticed

Undo = list[Callable[[], None]]


def rendered_objects(scene: bpy.types.Scene) -> frozenset[bpy.types.Object]:
    """The scene's objects that neither they nor all of their collections hide in renders."""
    shown: set[bpy.types.Object] = set()
    pending = [scene.collection]
    while pending:
        collection = pending.pop()
        if not collection.hide_render:
            shown.update(obj for obj in collection.objects if not obj.hide_render)
            pending.extend(collection.children)
    return frozenset(shown)


@contextmanager
def shown_as_rendered(view_layer: bpy.types.ViewLayer) -> Iterator[None]:
    """For the time of the block the viewport's flags of what can be seen are those of renders.

    So Blender itself decides what is instanced, for each kind of instance as it does for a render.
    """
    with unnoticed():
        selected = list(view_layer.objects.selected)
        undo = [*_show_hidden(view_layer), *_match_instanced()]
        if undo:
            view_layer.update()
        try:
            yield
        finally:
            for restore in reversed(undo):
                restore()
            if undo:
                view_layer.update()  # here, where nobody takes it for the artist's change
                for obj in selected:  # what was hidden for a moment has lost its selection
                    if not obj.select_get(view_layer=view_layer):
                        obj.select_set(True, view_layer=view_layer)


def _show_hidden(view_layer: bpy.types.ViewLayer) -> Undo:
    """Shows what only the viewport hides; Blender evaluates nothing of it otherwise."""
    undo: Undo = []
    pending = [view_layer.layer_collection]
    while pending:
        layer = pending.pop()
        if layer.exclude or layer.collection.hide_render:
            continue
        _set(layer, "hide_viewport", False, undo)
        _set(layer.collection, "hide_viewport", False, undo)
        pending.extend(layer.children)
    rendered = [obj for obj in view_layer.objects if not obj.hide_render]
    for obj in [obj for obj in rendered if obj.hide_get(view_layer=view_layer)]:
        obj.hide_set(False, view_layer=view_layer)
        undo.append(partial(obj.hide_set, True, view_layer=view_layer))
    for obj in rendered:
        _set(obj, "hide_viewport", False, undo)
    return undo


def _match_instanced() -> Undo:
    """Gives all that takes part in instancing the flags of renders.

    Single objects are not hidden for it: the caller knows which of them a render shows, and hiding costs evaluation. An
    object in a mode stays shown, since its mode might not survive.
    """
    undo: Undo = []
    instanced = _instanced_collections()
    for collection in instanced:
        _set(collection, "hide_viewport", collection.hide_render, undo)
    members = {obj for collection in instanced for obj in collection.objects}
    for obj in bpy.data.objects:
        by_parent = obj.parent is not None and obj.parent.instance_type in ("VERTS", "FACES")
        if (obj.is_instancer or by_parent or obj in members) and obj.mode == "OBJECT":
            _set(obj, "hide_viewport", obj.hide_render, undo)
            _set(obj, "show_instancer_for_viewport", obj.show_instancer_for_render, undo)
    return undo


def _instanced_collections() -> set[bpy.types.Collection]:
    """The collections that objects, their modifiers, particles or nodes refer to, and those in them."""
    users = bpy.data.user_map(key_types={"COLLECTION"}, value_types={"OBJECT", "NODETREE", "PARTICLE"})
    referred = [collection for collection, used_by in users.items() if used_by]
    return {part for collection in referred for part in (collection, *collection.children_recursive)}


def _set(owner: bpy.types.bpy_struct, flag: str, value: bool, undo: Undo) -> None:
    before = getattr(owner, flag)
    if before != value:
        setattr(owner, flag, value)
        undo.append(partial(setattr, owner, flag, before))
