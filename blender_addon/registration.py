"""Everything that is registered with Blender, in order."""

from __future__ import annotations

import atexit
from collections.abc import Callable
from typing import Any

import bpy

from . import preferences, properties
from .jobs import connection_check, live, tracking
from .operators import (
    baking,
    blockouts,
    cameras,
    command,
    composing,
    connection,
    gallery,
    generate,
    importing,
    job,
    local_server,
    looking,
    maps,
    material_classes,
    primitives,
    projecting,
    redo,
    results,
    styles,
    sun,
    support,
    tagging,
    tinting,
    voxelizing,
    words,
)
from .operators import live as live_operators
from .panels import add_menu, counts
from .panels import cameras as cameras_panel
from .panels import connection as connection_panel
from .panels import generate as generate_panel
from .panels import live as live_panel
from .panels import main as main_panel
from .panels import results as results_panel
from .panels import scene as scene_panel
from .panels import volume as volume_panel
from .properties.settings import take_former_names
from .scene import grid_view, icons, overlay
from .timers import start_timer, stop_timer

_CLASSES = (
    *properties.CLASSES,
    *preferences.CLASSES,
    *tagging.CLASSES,
    *words.CLASSES,
    *tinting.CLASSES,
    *primitives.CLASSES,
    *voxelizing.CLASSES,
    *connection.CLASSES,
    *local_server.CLASSES,
    *styles.CLASSES,
    *sun.CLASSES,
    *generate.CLASSES,
    *live_operators.CLASSES,
    *cameras.CLASSES,
    *looking.CLASSES,
    *gallery.CLASSES,
    *support.CLASSES,
    *composing.CLASSES,
    *blockouts.CLASSES,
    *job.CLASSES,
    *results.CLASSES,
    *material_classes.CLASSES,
    *importing.CLASSES,
    *projecting.CLASSES,
    *redo.CLASSES,
    *baking.CLASSES,
    *maps.CLASSES,
    *add_menu.CLASSES,
    *main_panel.CLASSES,
    *live_panel.CLASSES,
    *scene_panel.CLASSES,
    *volume_panel.CLASSES,
    *generate_panel.CLASSES,
    *cameras_panel.CLASSES,
    *results_panel.CLASSES,
    *connection_panel.CLASSES,
)

_commands: list[Any] = []


def _handlers() -> tuple[tuple[list[Any], Callable[..., None]], ...]:
    """Blender's lists of handlers, and what goes into them."""
    known = bpy.app.handlers
    return (
        (known.load_pre, live.stop_before_load),
        (known.load_pre, counts.stop_counting),
        (known.load_post, take_former_names),
        (known.load_post, tracking.find_jobs_again),
        (known.load_post, grid_view.forget_grid),
        (known.depsgraph_update_post, grid_view.notice_changes),
        (known.frame_change_post, grid_view.notice_changes),
        (known.depsgraph_update_post, live.notice_changes),
        (known.frame_change_post, live.notice_changes),
        (known.frame_change_post, overlay.follow_frame),
        (known.depsgraph_update_post, counts.notice_update),
        (known.frame_change_post, counts.notice_update),
        (known.undo_pre, counts.stop_counting),
        (known.redo_pre, counts.stop_counting),
        (known.undo_pre, overlay.clear_before_undo),
        (known.redo_pre, overlay.clear_before_undo),
        (known.undo_post, grid_view.notice_undo),
        (known.redo_post, grid_view.notice_undo),
        (known.undo_post, live.notice_undo),
        (known.redo_post, live.notice_undo),
        (known.save_post, tracking.note_saved),
        (known.undo_post, tracking.restore_after_undo),
        (known.redo_post, tracking.restore_after_undo),
    )


def register() -> None:
    """Registers classes, properties, the command line verb and handlers, and takes up what was going on."""
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    properties.add_pointers()
    icons.add_icons()
    _commands.append(bpy.utils.register_cli_command("occscene", command.main))
    bpy.types.VIEW3D_MT_add.append(add_menu.draw_in_add_menu)
    for handlers, handler in _handlers():
        handlers.append(handler)
    local_server.take_over()
    if isinstance(bpy.data, bpy.types.BlendData):  # Blender hides them while it enables extensions
        take_former_names()
    start_timer(take_former_names)
    start_timer(tracking.begin_following)  # while registering there are no data yet
    # Blender frees its command line verbs after Python has ended, and crashes on those that are Python's; when it quits
    # it disables extensions before that, but a script that uses the bpy module just ends
    atexit.register(unregister)


def unregister() -> None:
    """Undoes `register` in reverse, ends the bridge, and leaves the local server to the next registration."""
    atexit.unregister(unregister)
    for handlers, handler in _handlers():
        handlers.remove(handler)
    bpy.types.VIEW3D_MT_add.remove(add_menu.draw_in_add_menu)
    grid_view.hide_grid()
    live.stop_live()
    counts.stop_counting()
    local_server.hand_over()
    stop_timer(take_former_names)
    stop_timer(tracking.begin_following)
    tracking.stop_following()
    connection_check.keep_check(connection_check.ConnectionCheck())
    bpy.utils.unregister_cli_command(_commands.pop())
    icons.remove_icons()
    properties.remove_pointers()
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
