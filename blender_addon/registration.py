"""Everything that is registered with Blender, in order."""

from __future__ import annotations

from typing import Any

import bpy

from . import preferences, properties
from .operators import command, connecting, generating, jobs, results, tagging, voxelizing
from .panels import icons, sidebar

_CLASSES = (
    *properties.CLASSES,
    *preferences.CLASSES,
    *tagging.CLASSES,
    *voxelizing.CLASSES,
    *connecting.CLASSES,
    *generating.CLASSES,
    *results.CLASSES,
    *sidebar.CLASSES,
)

_commands: list[Any] = []


def register() -> None:
    """Registers classes, properties, the command line verb and the handler of file loads."""
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    properties.add_pointers()
    icons.add_icons()
    _commands.append(bpy.utils.register_cli_command("occscene", command.main))
    bpy.app.handlers.load_post.append(jobs.find_jobs_again)


def unregister() -> None:
    """Undoes `register` in reverse, and ends the bridge."""
    bpy.app.handlers.load_post.remove(jobs.find_jobs_again)
    jobs.shut_down()
    bpy.utils.unregister_cli_command(_commands.pop())
    icons.remove_icons()
    properties.remove_pointers()
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
