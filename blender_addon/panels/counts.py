"""Object counts for drawing, which happens many times a second: counted again only after a change.

Few objects are counted while they are drawn; many by a timer, a little at each tick, and drawn as they were until then.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import bpy

from ..redraw import redraw
from ..scene.counting import SentCounts, counting, sent_counts
from ..scene.grid_view import change_count
from ..timers import start_timer, stop_timer

_FEW = 500
"""Objects of a scene that are counted while they are drawn: that takes 2 ms."""

_STEP = 0.003
"""Seconds that the timer counts at a tick."""

_PAUSE = 0.02
"""Seconds between its ticks."""


@dataclass
class _Counted:
    """What is known.

    Args:
        scene_uid: session uid of the scene.
        state: which of its states was counted.
        counts: of it.
        running: counts another state.
        next_state: that state.
        updates: how often Blender has evaluated something.
    """

    scene_uid: int = 0
    state: tuple[int, int] = (-1, -1)
    counts: SentCounts | None = None
    running: Iterator[SentCounts | None] | None = None
    next_state: tuple[int, int] = (-1, -1)
    updates: int = 0


_counted = _Counted()


def drawn_counts(context: bpy.types.Context) -> SentCounts:
    """`sent_counts`; where there are many objects, those of a moment ago."""
    scene = context.scene
    if bpy.app.background:  # nothing is drawn, and no timer runs
        return sent_counts(scene, context.view_layer)
    if _counted.scene_uid != scene.session_uid:
        _counted.scene_uid, _counted.counts, _counted.running = scene.session_uid, None, None
    if _counted.counts is not None and _counted.state == _state():
        return _counted.counts
    if len(scene.objects) <= _FEW:
        _counted.state, _counted.counts = _state(), sent_counts(scene, context.view_layer)
        return _counted.counts
    start_timer(count_some)
    return _counted.counts or SentCounts(Counter(), 0, 0)


def _state() -> tuple[int, int]:
    return _counted.updates, change_count()


def count_some() -> float | None:
    """The timer: counts for some milliseconds; ends when the present state of the scene is counted."""
    scene = bpy.context.scene
    if scene.session_uid != _counted.scene_uid:
        return None
    if _counted.running is None or _counted.next_state != _state():
        _counted.running, _counted.next_state = counting(scene, bpy.context.view_layer), _state()
    end = time.perf_counter() + _STEP
    try:
        for counts in _counted.running:
            if counts is not None:
                _counted.running, _counted.counts, _counted.state = None, counts, _counted.next_state
                redraw()
                return None
            if time.perf_counter() > end:
                return _PAUSE
    except ReferenceError:  # an object was removed meanwhile
        _counted.running = None
    return _PAUSE


@bpy.app.handlers.persistent
def notice_update(*_arguments: object) -> None:
    """After Blender has evaluated something: what was counted is old."""
    _counted.updates += 1


@bpy.app.handlers.persistent
def stop_counting(*_arguments: object) -> None:
    """Before undo and redo, and before another file is loaded: the objects that are being counted may go."""
    _counted.running = None
    _counted.updates += 1
    stop_timer(count_some)
