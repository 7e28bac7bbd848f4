"""The dialog in which an artist says what class each material of an imported file is."""

# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, CollectionProperty, EnumProperty, FloatVectorProperty, StringProperty
from occscene.formats.table import ReadGrid

from ..properties.results import SURFACE_ITEMS
from ..scene.grid_files import read_grid_file, remember_classes
from ..scene.icons import class_icon
from ..scene.tagging import class_label, scene_taxonomy

MOST_ROWS = 40
"""Materials that the dialog lists; those of fewer voxels keep the class that was guessed."""

_items: list[tuple[str, str, str, int, int]] = []
"""Blender wants the items of an enum kept alive."""


def _class_items(_row: object, context: bpy.types.Context) -> list[tuple[str, str, str, int, int]]:
    taxonomy = scene_taxonomy(context.scene)
    rows = [
        (entry.name, class_label(entry.name), "", class_icon(taxonomy, entry), entry.index)
        for entry in taxonomy.classes[1:]
    ]
    _items[:] = [("empty", "Leave Out", "", 0, 0), *rows]
    return _items


class OccSceneMaterialRow(bpy.types.PropertyGroup):
    """A row of the dialog."""

    key: StringProperty()
    label: StringProperty()
    voxels: StringProperty()
    is_known: BoolProperty()
    has_color: BoolProperty()
    color: FloatVectorProperty(subtype="COLOR_GAMMA", size=3, min=0, max=1)
    choice: EnumProperty(name="Class", items=_class_items)


class OCCSCENE_OT_choose_material_classes(bpy.types.Operator):
    """Say which class each color or block of a file is, and import it; the scene remembers it for the palette"""

    bl_idname = "occscene.choose_material_classes"
    bl_label = "Classes of Materials"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}

    filepath: StringProperty(subtype="FILE_PATH", options={"HIDDEN", "SKIP_SAVE"})
    surface: EnumProperty(name="Surface", items=SURFACE_ITEMS, options={"HIDDEN"})
    separate: BoolProperty(options={"HIDDEN"})
    palette: StringProperty(options={"HIDDEN", "SKIP_SAVE"})
    rows: CollectionProperty(type=OccSceneMaterialRow, options={"HIDDEN", "SKIP_SAVE"})
    further: StringProperty(options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Lists the file's materials, those of the most voxels first."""
        try:
            read = read_grid_file(context.scene, Path(bpy.path.abspath(self.filepath)), {})
        except (ValueError, OSError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.fill(read)
        return context.window_manager.invoke_props_dialog(self, width=440, confirm_text="Import")

    def fill(self, read: ReadGrid) -> None:
        """Makes a row for each material."""
        self.palette = read.palette
        self.rows.clear()
        materials = sorted(read.materials, key=lambda item: -item.voxels)
        for item in materials[:MOST_ROWS]:
            row = self.rows.add()
            row.key, row.label = item.material.key, item.material.name or item.material.key
            row.voxels, row.choice = f"{item.voxels:,}", item.class_name
            row.is_known, row.has_color = item.is_known, item.material.color is not None
            if item.material.color is not None:
                row.color = [channel / 255 for channel in item.material.color]
        rest = len(materials) - MOST_ROWS
        self.further = f"{rest} more keep the class that was guessed" if rest > 0 else ""

    def draw(self, _context: bpy.types.Context) -> None:
        """Draws a swatch, a name, the number of voxels and a menu for each."""
        column = self.layout.column(align=True)
        for row in self.rows:
            line = column.row(align=True)
            if row.has_color:
                swatch = line.row()
                swatch.ui_units_x = 1.5
                swatch.prop(row, "color", text="")
            split = line.split(factor=0.6)
            name = split.row()
            name.label(text=row.label, translate=False, icon="NONE" if row.is_known else "QUESTION")
            count = name.row()
            count.alignment = "RIGHT"
            count.label(text=row.voxels, translate=False)
            split.prop(row, "choice", text="")
        if self.further:
            column.label(text=self.further, translate=False)

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Remembers the choices and imports."""
        remember_classes(context.scene, self.palette, {row.key: row.choice for row in self.rows})
        return import_file(self, Path(self.filepath))


def import_file(operator: Any, path: Path) -> set[str]:
    """Imports a file under its own name, with the surface that an operator has."""
    try:
        bpy.ops.occscene.import_occupancy(
            filepath=str(path), name=path.stem, surface=operator.surface, separate=operator.separate
        )
    except RuntimeError as error:
        operator.report({"ERROR"}, str(error).removeprefix("Error: ").strip())
        return {"CANCELLED"}
    return {"FINISHED"}


CLASSES = (OccSceneMaterialRow, OCCSCENE_OT_choose_material_classes)
