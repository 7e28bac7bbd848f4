"""What a composed layout changes in the scene: in one undo step, without overwriting what was edited meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import bpy
import numpy as np
from occscene.layout import LayoutObject
from occscene.placed_layout import PlacedLayout, placed_from_json

from ..scene.given import given_objects, plain_name, same_box
from ..scene.layout_objects import (
    ROOM_NAME,
    add_detail,
    add_objects,
    add_room,
    blockout_collection,
    child_collection,
    move_box,
    set_color,
)
from ..scene.tagging import ClassLookup
from ..scene.tint import tint_again
from .request import Composition, Request

LABELS = {"COMPLETE": "Complete", "REDRAW": "Redraw", "DETAIL": "Add Detail"}
"""The buttons by the kinds of their requests, and what their undo steps are called."""

SHELL_CLASSES = frozenset({"wall", "floor", "ceiling"})

_PAUSE = 0.2
"""Seconds between two checks whether the artist is done with a mode or a stroke."""

waiting: set[Callable[[], float | None]] = set()
"""Changes that wait until then."""


def bring_in(request: Request, layout: dict[str, Any], scene_uid: int, done: Callable[[str], None]) -> None:
    """Changes the scene as a layout says, as soon as no mode or stroke is disturbed by it.

    Args:
        request: what was asked, with a composition.
        layout: the fields of what came.
        scene_uid: session uid of the scene.
        done: gets one or a few sentences that say what was changed.
    """
    change = partial(_bring_in, request, layout, scene_uid, done)

    def attempt() -> float | None:
        """Seconds after which to try again; None when it is done."""
        if is_busy():
            return _PAUSE
        waiting.discard(attempt)
        change()
        return None

    waiting.add(attempt)
    if attempt() is not None:
        bpy.app.timers.register(attempt, first_interval=_PAUSE)


def _bring_in(request: Request, layout: dict[str, Any], scene_uid: int, done: Callable[[str], None]) -> None:
    scene = next((scene for scene in bpy.data.scenes if scene.session_uid == scene_uid), None)
    if scene is None:
        done("Its scene is gone: nothing was changed.")
        return
    assert request.composition is not None
    placed = placed_from_json(layout)
    with bpy.context.temp_override(scene=scene, view_layer=_view_layer(scene)):
        text = _change(bpy.context, request.kind, request.composition, placed)
        tint_again(scene)
        bpy.context.view_layer.update()
    done(text)
    _push_undo(LABELS[request.kind])


def is_busy() -> bool:
    """Whether something is under way that a change from outside, or its undo step, would break."""
    if bpy.app.background:
        return False
    windows = bpy.context.window_manager.windows
    moving = any(
        operator.bl_idname.startswith(("TRANSFORM_OT", "OBJECT_OT", "VIEW3D_OT_interactive"))
        for window in windows
        for operator in getattr(window, "modal_operators", ())
    )
    return moving or bpy.context.mode != "OBJECT"


def _view_layer(scene: bpy.types.Scene) -> bpy.types.ViewLayer:
    """The scene's view layer that a window shows."""
    shown = [window.view_layer for window in bpy.context.window_manager.windows if window.scene == scene]
    if not shown and bpy.context.scene == scene:
        shown = [bpy.context.view_layer]
    return shown[0] if shown else scene.view_layers[0]


def _push_undo(name: str) -> None:
    windows = bpy.context.window_manager.windows
    if windows:
        with bpy.context.temp_override(window=windows[0]):
            bpy.ops.ed.undo_push(message=name)
    else:
        bpy.ops.ed.undo_push(message=name)


def _change(context: bpy.types.Context, kind: str, asked: Composition, placed: PlacedLayout) -> str:
    if kind == "COMPLETE":
        return _complete(context.scene, asked, placed)
    change = _redraw if kind == "REDRAW" else _detail
    before = asked.given.layout.objects
    after = placed.objects_in(np.eye(4))
    present = given_objects(context)
    places: Sequence[int] = range(len(before))
    if kind == "REDRAW":
        # and what follows them, as a trunk its crown
        moved = [place for place in places if not same_box(before[place], after[place])]
        places = [*asked.redraw, *(place for place in moved if place not in asked.redraw)]
    done, left = [], []
    for place in places:
        name = asked.sources[place]
        obj = context.scene.objects.get(name)
        here = present.whole.get(name)
        if obj is None or here is None or obj.library is not None:
            left.append(f"{name} (deleted or put away meanwhile)")
        elif not same_box(present.layout.objects[here], before[place]):
            left.append(f"{name} (edited meanwhile)")
        elif change(context, obj, before[place], after[place]):
            done.append(name)
        else:
            left.append(name)
    made = "Drawn anew: {}." if kind == "REDRAW" else "Got parts: {}."
    kept = "Left as they are: {}."
    return " ".join(text.format(", ".join(names)) for text, names in ((made, done), (kept, left)) if names)


def _complete(scene: bpy.types.Scene, asked: Composition, placed: PlacedLayout) -> str:
    """Adds what is new, and a room where nothing was given of one."""
    objects = placed.layout.objects[len(asked.sources) :]
    room = placed.layout.room
    with_room = room is not None and not any(obj.class_name in SHELL_CLASSES for obj in asked.given.layout.objects)
    if not objects and not with_room:
        return "Nothing was added: nothing else fits, or is asked for."
    collection = blockout_collection(scene)
    text = f"Added {counted(objects)}." if objects else ""
    if with_room and room is not None:
        add_room(scene, child_collection(collection, ROOM_NAME), room, placed.world_from_layout)
        size = " x ".join(f"{side:.2f}" for side in room.size)
        text = f"Added a room of {size} m. {text}"
    add_objects(scene, collection, objects, placed.world_from_layout)
    return text.strip()


def _redraw(context: bpy.types.Context, obj: bpy.types.Object, before: LayoutObject, after: LayoutObject) -> bool:
    """Gives an object its new box, colour and kind; says whether anything is new."""
    if same_box(before, after) and before.color == after.color:
        return False
    move_box(context.scene, obj, before, after)
    if after.color is not None:
        set_color(obj, after.color)
    if ClassLookup.of(context.scene).class_name(obj) != after.class_name:
        obj.occscene.class_name = after.class_name
    if plain_name(obj.name).lower() != after.name.lower():
        obj.name = after.name
    return True


def _detail(context: bpy.types.Context, obj: bpy.types.Object, before: LayoutObject, after: LayoutObject) -> bool:
    """Adds an object's parts; says whether there are some."""
    if not after.parts:
        return False
    is_selected = obj.select_get(view_layer=context.view_layer)
    detail = add_detail(context.scene, obj, after)
    if is_selected:
        detail.select_set(True, view_layer=context.view_layer)
        context.view_layer.objects.active = detail
    return True


def counted(objects: Sequence[LayoutObject]) -> str:
    """Objects by their names: "sofa, 4 chairs"."""
    counts = Counter(obj.name for obj in objects)
    return ", ".join(name if count == 1 else f"{count} {name}" for name, count in counts.items())
