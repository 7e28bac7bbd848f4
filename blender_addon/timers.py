"""Blender's timers, for as long as Blender has a main loop that runs them.

Without a window there is none, and the `bpy` module never ends while a timer waits: there nothing is registered.
"""

from __future__ import annotations

from collections.abc import Callable

import bpy


def start_timer(function: Callable[[], float | None], seconds: float = 0.0) -> None:
    """Lets Blender call a function after some seconds, and again as long as it returns seconds; once at a time."""
    if not bpy.app.background and not bpy.app.timers.is_registered(function):
        bpy.app.timers.register(function, first_interval=seconds, persistent=True)


def stop_timer(function: Callable[[], float | None]) -> None:
    """Undoes `start_timer`."""
    if bpy.app.timers.is_registered(function):
        bpy.app.timers.unregister(function)
