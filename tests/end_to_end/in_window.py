"""Runs inside a real Blender with a window: generates as the sidebar's button does, photographs the sidebar, and ends.

Arguments after `--`: address of the server, the picture to write (.npy), the file for the job's last state. The picture
is read while the sidebar is drawn: on virtual displays Blender's own screenshot is black.
"""

from __future__ import annotations

import sys
from pathlib import Path

import bpy
import gpu
import numpy as np

ADDRESS, PICTURE, STATE = sys.argv[sys.argv.index("--") + 1 :]
UNFINISHED = ("SENDING", "QUEUED", "RUNNING", "RECONNECTING")


def view() -> tuple[bpy.types.Window, bpy.types.Area]:
    """The window and its 3D view."""
    window = bpy.context.window_manager.windows[0]
    return window, next(area for area in window.screen.areas if area.type == "VIEW_3D")


def start() -> None:
    """Presses Generate; the operator returns at once."""
    window, area = view()
    area.spaces.active.show_region_ui = True
    with bpy.context.temp_override(window=window, area=area):
        bpy.ops.occscene.generate("INVOKE_DEFAULT", server=ADDRESS, steps=4, prompt="a modern living room")
    bpy.app.timers.register(wait, first_interval=0.5)


def wait() -> float | None:
    """Comes again until the job has ended."""
    if bpy.context.scene.occscene.results[-1].state in UNFINISHED:
        return 0.5
    _, area = view()
    next(region for region in area.regions if region.type == "UI").active_panel_category = "OccScene"
    bpy.types.SpaceView3D.draw_handler_add(photograph, (), "UI", "POST_PIXEL")
    area.tag_redraw()
    bpy.app.timers.register(finish, first_interval=2.0)
    return None


def photograph() -> None:
    """Stores what has just been drawn."""
    x, y, width, height = gpu.state.viewport_get()
    pixels = gpu.state.active_framebuffer_get().read_color(x, y, width, height, 4, 0, "UBYTE")
    np.save(PICTURE, np.array(pixels.to_list(), np.uint8))


def finish() -> None:
    """Notes the state, and quits."""
    Path(STATE).write_text(bpy.context.scene.occscene.results[-1].state)
    bpy.ops.wm.quit_blender()


bpy.app.timers.register(start, first_interval=3.0)
