"""Style presets: text for the prompt, kept as Blender keeps all its presets; users add and remove their own."""

# mypy: disable-error-code="misc"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

from pathlib import Path

import bpy
from bl_operators.presets import AddPresetBase  # type: ignore[import-not-found]

STYLE_FOLDER = "occscene/styles"
_BUNDLED = str(Path(__file__).resolve().parent.parent)
"""The folder whose `presets` holds those that come with the extension."""


class OCCSCENE_MT_styles(bpy.types.Menu):
    """Style presets."""

    bl_label = "Styles"
    preset_subdir = STYLE_FOLDER
    preset_operator = "script.execute_preset"
    draw = bpy.types.Menu.draw_preset


class OCCSCENE_OT_style_preset(AddPresetBase, bpy.types.Operator):
    """Keep Style and Avoid as a preset, or remove the preset that is chosen"""

    bl_idname = "occscene.style_preset"
    bl_label = "Style Preset"
    preset_menu = "OCCSCENE_MT_styles"
    preset_defines = ("settings = bpy.context.scene.occscene",)
    preset_values = ("settings.style", "settings.negative_prompt")
    preset_subdir = STYLE_FOLDER


def add_bundled_styles() -> None:
    """Lists the presets that come with the extension; Blender before 4.3 cannot, and shows only the user's own."""
    if hasattr(bpy.utils, "register_preset_path"):
        bpy.utils.register_preset_path(_BUNDLED)


def remove_bundled_styles() -> None:
    """Undoes `add_bundled_styles`."""
    if hasattr(bpy.utils, "unregister_preset_path"):
        bpy.utils.unregister_preset_path(_BUNDLED)


CLASSES = (OCCSCENE_MT_styles, OCCSCENE_OT_style_preset)
