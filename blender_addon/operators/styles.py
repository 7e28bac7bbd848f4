"""Style presets: text for the prompt, kept as Blender keeps all its presets; users add and remove their own."""

# mypy: disable-error-code="misc"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

from pathlib import Path

import bpy
from bl_operators.presets import AddPresetBase  # type: ignore[import-not-found]

STYLE_FOLDER = "occscene/styles"
"""The user's own, below Blender's folders of presets."""

BUNDLED_STYLES = Path(__file__).resolve().parents[1] / "presets" / "styles"
"""Those that come with the extension, in a folder for each domain."""


class OCCSCENE_MT_styles(bpy.types.Menu):
    """Style presets."""

    bl_label = "Styles"
    preset_subdir = STYLE_FOLDER
    preset_operator = "script.execute_preset"

    def draw(self, context: bpy.types.Context) -> None:
        """Draws those of the scene's domain, and the user's own."""
        bundled = BUNDLED_STYLES / context.scene.occscene.domain
        self.path_menu(
            [*bpy.utils.preset_paths(STYLE_FOLDER), str(bundled)],
            self.preset_operator,
            filter_ext=lambda ending: ending == ".py",
            display_name=lambda path: bpy.path.display_name(path, title_case=False),
        )


class OCCSCENE_OT_style_preset(AddPresetBase, bpy.types.Operator):
    """Keep Style and Avoid as a preset, or remove the preset that is chosen"""

    bl_idname = "occscene.style_preset"
    bl_label = "Style Preset"
    preset_menu = "OCCSCENE_MT_styles"
    preset_defines = ("settings = bpy.context.scene.occscene",)
    preset_values = ("settings.style", "settings.negative_prompt")
    preset_subdir = STYLE_FOLDER

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Keeps or removes, and says why nothing was removed."""
        chosen = OCCSCENE_MT_styles.bl_label
        done: set[str] = super().execute(context)
        if self.remove_active and done == {"CANCELLED"}:
            is_bundled = any(bpy.path.display_name(path.name) == chosen for path in BUNDLED_STYLES.rglob("*.py"))
            text = f"{chosen} comes with OccScene and stays" if is_bundled else "Choose one of your own styles first"
            self.report({"WARNING"}, text)
        return done


CLASSES = (OCCSCENE_MT_styles, OCCSCENE_OT_style_preset)
