"""Grids in and out: a prediction or a file as a mesh, what it changed, and files for other programs."""

# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, StringProperty
from occscene.formats.materials import unknown_materials
from occscene.grid import SemanticGrid, load_grid, occupied
from occscene.results import BLOCKOUT_FILE, OCCUPANCY_FILE

from ..geometry.changes import CHANGES, changes
from ..geometry.merged import merged_polygons
from ..geometry.surface import class_surfaces
from ..jobs.journal import folder_of
from ..properties.results import SURFACE_ITEMS
from ..scene.grid_files import (
    READ_FILTER,
    READ_LABELS,
    SUFFIXES,
    WRITE_FILTER,
    WRITE_ITEMS,
    WRITE_LABELS,
    read_grid_file,
    write_grid_file,
)
from ..scene.materials import change_material
from ..scene.meshes import grid_object, grid_objects_by_class, surface_object
from ..scene.projection import Projector
from ..scene.view_colors import add_view_colors
from .material_classes import import_file
from .results import RESULT_DESCRIPTION, chosen_result, seen_views
from .voxelizing import voxelized_blockout

CHANGES_NAME = "OccScene Changes"


def result_grid(context: bpy.types.Context, name: str, file: str = OCCUPANCY_FILE) -> SemanticGrid:
    """A grid of a result's folder.

    Raises:
        ValueError: there is no such result, or it has no such grid.
    """
    result = chosen_result(context, name)
    path = folder_of(result) / file
    if not path.exists():
        if file == BLOCKOUT_FILE:
            raise ValueError("this result was made without a blockout, so there is nothing to compare it with")
        raise ValueError(f"{path} is not there; if it was deleted, generate again")
    return load_grid(path)


class OCCSCENE_OT_import_occupancy(bpy.types.Operator):
    """Add an occupancy as a voxel mesh with a material for each class, where it lies in the scene"""

    bl_idname = "occscene.import_occupancy"
    bl_label = "Import Occupancy"
    bl_options = {"REGISTER", "UNDO"}

    filepath: StringProperty(
        name="Grid File",
        description=f"A grid file: {READ_LABELS}",
        subtype="FILE_PATH",
        options={"SKIP_SAVE"},
    )
    filter_glob: StringProperty(default=READ_FILTER, options={"HIDDEN"})
    result: StringProperty(
        name="Result", description="Take the occupancy of this result (request id) instead", options={"SKIP_SAVE"}
    )
    classes: StringProperty(
        name="Classes",
        description="The classes of a file's colors or blocks, as lines of KEY=CLASS; the scene remembers the dialog's",
        options={"SKIP_SAVE"},
    )
    name: StringProperty(
        name="Name",
        description="What the new object is called",
        default="OccScene Occupancy",
        options={"SKIP_SAVE"},
    )
    surface: EnumProperty(name="Surface", items=SURFACE_ITEMS)
    separate: BoolProperty(
        name="Object per Class", description="Add an object for each class, so that classes can be hidden"
    )

    colors: BoolProperty(
        name="Colors of Views",
        description="Give the mesh the colors that the result's views show, as a color attribute",
        options={"SKIP_SAVE"},
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Reads the grid and builds the mesh where the grid lies."""
        try:
            if self.filepath:
                path = Path(bpy.path.abspath(self.filepath))
                read = read_grid_file(context.scene, path, _given_classes(self.classes))
                grid, guessed = read.grid, unknown_materials(read.materials)
            else:
                grid, guessed = result_grid(context, self.result), ""
            if not occupied(grid.labels).any():
                raise ValueError("the grid has no occupied voxel")
        except FileNotFoundError as error:
            self.report({"ERROR"}, f"{error.filename} is not there")
            return {"CANCELLED"}
        except (ValueError, OSError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        objects = (
            grid_objects_by_class(context.scene, grid, self.name, self.surface)
            if self.separate
            else [grid_object(context.scene, grid, self.name, self.surface)]
        )
        if not self.filepath:
            self._mark(context, objects)
        _select(context, objects)
        faces = sum(len(obj.data.polygons) for obj in objects)
        self.report({"INFO"}, f"{len(objects)} object{'s' * (len(objects) != 1)}, {faces:,} faces")
        if guessed:
            self.report({"WARNING"}, guessed)
        return {"FINISHED"}

    def _mark(self, context: bpy.types.Context, objects: Sequence[bpy.types.Object]) -> None:
        """Notes whose occupancy the objects are, and gives them the views' colors if wanted."""
        result = chosen_result(context, self.result)
        for obj in objects:
            obj.occscene.result = result.name
        projectors = [Projector(view.camera, image) for view, image in seen_views(result)]
        if self.colors and projectors:
            add_view_colors(context.scene, objects, projectors)


class OCCSCENE_OT_import_grid(bpy.types.Operator):
    """Add a grid file as a voxel mesh"""

    bl_idname = "occscene.import_grid"
    bl_label = "Import Grid File"
    bl_options = {"REGISTER", "UNDO"}

    filepath: StringProperty(name="Grid File", subtype="FILE_PATH")
    filter_glob: StringProperty(default=READ_FILTER, options={"HIDDEN"})
    surface: EnumProperty(name="Surface", items=SURFACE_ITEMS)
    separate: BoolProperty(
        name="Object per Class", description="Add an object for each class, so that classes can be hidden"
    )
    is_asking: BoolProperty(options={"HIDDEN", "SKIP_SAVE"})

    @classmethod
    def description(cls, _context: bpy.types.Context, _properties: bpy.types.OperatorProperties) -> str:
        """Sets the file filter."""
        return f"Add a grid file as a voxel mesh: {READ_LABELS}"

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Asks for the file, and then for the classes of its materials if it does not say them."""
        self.is_asking = True
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Imports it under its own name."""
        path = Path(bpy.path.abspath(self.filepath))
        try:
            materials = read_grid_file(context.scene, path, {}).materials if self.is_asking else ()
        except (ValueError, OSError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if any(item.class_name != item.material.class_name for item in materials):
            given = {"filepath": str(path), "surface": self.surface, "separate": self.separate}
            return bpy.ops.occscene.choose_material_classes("INVOKE_DEFAULT", **given)
        return import_file(self, path)


class OCCSCENE_OT_export_grid(bpy.types.Operator):
    """Write a grid to a file: the result's occupancy, or the blockout as it is now"""

    bl_idname = "occscene.export_grid"
    bl_label = "Export Grid"

    filepath: StringProperty(name="Grid File", subtype="FILE_PATH")
    filter_glob: StringProperty(default=WRITE_FILTER, options={"HIDDEN"})
    source: EnumProperty(
        name="Grid",
        items=(
            ("RESULT", "Predicted Occupancy", "Of the active result"),
            ("BLOCKOUT", "Blockout", "The tagged objects as they are now"),
        ),
    )
    file_format: EnumProperty(name="Format", items=WRITE_ITEMS, description="Used where the name's end leaves it open")
    result: StringProperty(name="Result", description=RESULT_DESCRIPTION, options={"SKIP_SAVE"})

    @classmethod
    def description(cls, _context: bpy.types.Context, _properties: bpy.types.OperatorProperties) -> str:
        """Sets the file filter."""
        return f"Write the result's occupancy, or the blockout as it is now, to a file: {WRITE_LABELS}"

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Asks for the file."""
        self.filepath = f"{self.source.lower()}{SUFFIXES[self.file_format]}"
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def check(self, _context: bpy.types.Context) -> bool:
        """Keeps the name's end true to the format that is chosen in the file browser."""
        path = Path(self.filepath)
        wanted = str(path.with_suffix(SUFFIXES[self.file_format])) if path.name else self.filepath
        is_new, self.filepath = wanted != self.filepath, wanted
        return is_new

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Writes the file."""
        path = Path(bpy.path.abspath(self.filepath))
        if not path.suffix:
            path = path.with_suffix(SUFFIXES[self.file_format])
        try:
            is_result = self.source == "RESULT"
            if is_result:
                grid, mesh = result_grid(context, self.result), None
            else:
                voxelized = voxelized_blockout(context)
                grid, mesh = voxelized.grid, voxelized.sent_mesh
            write_grid_file(path, grid, self.file_format, mesh)
        except (ValueError, OSError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        self.report({"INFO"}, f"{path}: {' x '.join(map(str, grid.shape))} voxels")
        return {"FINISHED"}


class OCCSCENE_OT_show_changes(bpy.types.Operator):
    """Show the voxels that the prediction added to the blockout (green), removed (red) or gave another class (yellow);
    press again to take them away
    """

    bl_idname = "occscene.show_changes"
    bl_label = "Show Changes"
    bl_options = {"REGISTER", "UNDO"}

    result: StringProperty(name="Result", description=RESULT_DESCRIPTION, options={"SKIP_SAVE"})

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Adds or removes an object for each kind of change."""
        if remove_changes(context.scene):
            return {"FINISHED"}
        try:
            before = result_grid(context, self.result, BLOCKOUT_FILE)
            marks = changes(before, result_grid(context, self.result))
        except (ValueError, OSError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        grid = replace(before.without_instances(), labels=marks)
        surfaces = class_surfaces(merged_polygons(grid, between_classes=True))
        for kind, surface in surfaces.items():
            name = f"{CHANGES_NAME} {CHANGES[kind]}"
            obj = surface_object(context.scene, grid, name, surface, {kind: change_material(CHANGES[kind])})
            obj["voxels"] = int((marks == kind).sum())
            obj.hide_render = True
            obj.show_in_front = True  # most of it lies inside the blockout
        counts = ", ".join(f"{int((marks == kind).sum()):,} {name}" for kind, name in CHANGES.items())
        self.report({"INFO"}, f"Voxels: {counts}")
        return {"FINISHED"}


def shown_changes(scene: bpy.types.Scene) -> list[bpy.types.Object]:
    """The objects that show changes."""
    return [obj for obj in scene.objects if obj.occscene.is_output and obj.name.startswith(CHANGES_NAME)]


def remove_changes(scene: bpy.types.Scene) -> bool:
    """Removes the objects that show changes; says whether there were some."""
    meshes = [obj.data for obj in shown_changes(scene)]
    for mesh in meshes:
        bpy.data.meshes.remove(mesh)
    return bool(meshes)


def _given_classes(lines: str) -> dict[str, str]:
    """Class names by the keys of materials, of lines KEY=CLASS."""
    pairs = [line.rpartition("=") for line in lines.splitlines() if line.strip()]
    wrong = [name for key, _, name in pairs if not key]
    if wrong:
        raise ValueError(f"classes has the line {wrong[0][:50]!r}; a line must be KEY=CLASS, such as #a05028=table")
    return {key.strip(): name.strip() for key, _, name in pairs}


def _select(context: bpy.types.Context, objects: list[Any]) -> None:
    for other in list(context.view_layer.objects.selected):
        other.select_set(False)
    for obj in objects:
        obj.select_set(True)
    context.view_layer.objects.active = objects[0]


CLASSES = (
    OCCSCENE_OT_import_occupancy,
    OCCSCENE_OT_import_grid,
    OCCSCENE_OT_export_grid,
    OCCSCENE_OT_show_changes,
)
