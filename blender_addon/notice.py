"""What came of a job, in Blender's status bar for some seconds: seen whatever panels are open."""

from __future__ import annotations

import bpy

from .timers import start_timer, stop_timer

_SECONDS = 8.0


def notice(text: str) -> None:
    """Shows a text in the status bars of all windows."""
    if bpy.app.background:
        return
    _set(f"OccScene: {text}")
    stop_timer(_clear)
    start_timer(_clear, _SECONDS)


def _clear() -> None:
    _set(None)


def _set(text: str | None) -> None:
    for window in bpy.context.window_manager.windows:
        window.workspace.status_text_set(text)
