"""The extension as Blender knows it: the name of its package, its preferences, and its folders for this user."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import bpy

PACKAGE = __package__
"""What the extension is installed as: `bl_ext.<repository>.occscene`, or `blender_addon` in the bpy module."""


def stored_preferences() -> Any:
    """The extension's preferences, None in the bpy module, where nothing is installed."""
    addon = bpy.context.preferences.addons.get(PACKAGE)
    return addon.preferences if addon else None


def extension_folder() -> Path | None:
    """The extension's own folder for what it writes, None in the bpy module."""
    try:
        return Path(bpy.utils.extension_path_user(PACKAGE, create=True))
    except ValueError:  # not run as an extension
        return None


def user_folder(name: str) -> Path:
    """A folder of the extension for this user; below OCCSCENE_USER_FOLDER if the environment has it."""
    if "OCCSCENE_USER_FOLDER" in os.environ:
        root = Path(os.environ["OCCSCENE_USER_FOLDER"])
    else:
        root = extension_folder() or Path(bpy.utils.user_resource("DATAFILES", path="occscene"))
    folder = root / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder
