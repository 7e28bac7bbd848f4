"""Layouts as editable blockouts."""

# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import bpy
from bpy.props import BoolProperty, StringProperty
from occscene.layout import Layout
from occscene.placed_layout import PlacedLayout, load_layout

from ..jobs.composed import counted
from ..jobs.journal import folder_of
from ..scene.collect import collect_blockout
from ..scene.layout_objects import COLLECTION_NAME, ROOM_NAME, add_objects, add_room, child_collection
from ..scene.rig import add_room_cameras
from ..scene.tagging import class_counts
from ..scene.tint import tint_again
from ..scene.volume import set_volume
from .results import chosen_result
from .voxelizing import volume_around


class OCCSCENE_OT_import_blockout(bpy.types.Operator):
    """Add a layout as an editable blockout: a collection of tagged, named, colored boxes with the room around them, and
    cameras in its corners if none stands in it"""

    bl_idname = "occscene.import_blockout"
    bl_label = "Import Blockout"
    bl_options = {"REGISTER", "UNDO"}

    filepath: StringProperty(
        name="Layout File", description="A layout (layout.json)", subtype="FILE_PATH", options={"SKIP_SAVE"}
    )
    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})
    result: StringProperty(
        name="Result",
        description="Take the layout of this result (request id) instead; empty takes the active one",
        options={"SKIP_SAVE"},
    )
    cameras: BoolProperty(
        name="Cameras", description="Add cameras in the room's corners if none stands in it", default=True
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Adds it, and a volume around it if the scene has none."""
        scene = context.scene
        try:
            placed = load_layout(Path(bpy.path.abspath(self.filepath)) if self.filepath else self._file(context))
            check_domain(scene, placed.layout)
        except FileNotFoundError as error:
            self.report({"ERROR"}, f"{error.filename} is not there; if it was deleted, generate again")
            return {"CANCELLED"}
        except (ValueError, OSError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        objects = add_blockout(context, placed)
        try:
            if scene.occscene.volume is None:
                context.view_layer.update()
                set_volume(scene, volume_around(scene, collect_blockout(context).objects))
        except ValueError as error:  # larger than a grid can be: the boxes are there all the same
            self.report({"WARNING"}, str(error))
        cameras = add_room_cameras(scene, placed) if self.cameras else []
        tint_again(scene)
        for other in list(context.view_layer.objects.selected):
            other.select_set(False)
        for obj in objects:
            obj.select_set(True)
        if objects:
            context.view_layer.objects.active = objects[0]
        added = f"{len(objects)} boxes" + (f" and {len(cameras)} cameras" if cameras else "")
        self.report({"INFO"}, f"{added}: {counted(placed.layout.objects)}")
        return {"FINISHED"}

    def _file(self, context: bpy.types.Context) -> Path:
        result = chosen_result(context, self.result)
        if not result.layout_file:
            raise ValueError("this result has no layout: the server's model has no layout prior, or it was not asked")
        return folder_of(result) / result.layout_file


class OCCSCENE_OT_import_layout(bpy.types.Operator):
    """Add a layout file (layout.json) as an editable blockout"""

    bl_idname = "occscene.import_layout"
    bl_label = "Import Layout File"
    bl_options = {"REGISTER", "UNDO"}

    filepath: StringProperty(name="Layout File", subtype="FILE_PATH")
    filter_glob: StringProperty(default="*.json", options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Asks for the file."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Imports the layout."""
        try:
            bpy.ops.occscene.import_blockout(filepath=self.filepath)
        except RuntimeError as error:
            self.report({"ERROR"}, str(error).removeprefix("Error: ").strip())
            return {"CANCELLED"}
        return {"FINISHED"}


def check_domain(scene: bpy.types.Scene, layout: Layout) -> None:
    """Sets the scene's domain to the layout's where no object would lose its class by that.

    Raises:
        ValueError: one would.
    """
    settings = scene.occscene
    if settings.domain == layout.taxonomy:
        return
    tagged = sum(number for name, number in class_counts(scene).items() if name)
    if tagged:
        raise ValueError(
            f"the layout is {layout.taxonomy}, and {tagged} objects of this scene have {settings.domain} classes: "
            "import it into another scene, or change the domain first"
        )
    settings.domain = layout.taxonomy


def add_blockout(context: bpy.types.Context, placed: PlacedLayout) -> Sequence[bpy.types.Object]:
    """Adds a layout's boxes and its room in a collection of their own; returns all boxes."""
    scene, layout = context.scene, placed.layout
    collection = child_collection(scene.collection, COLLECTION_NAME)
    room: list[bpy.types.Object] = []
    if layout.room is not None:
        room = add_room(
            scene, child_collection(collection, ROOM_NAME), layout.room, placed.world_from_layout, layout.objects
        )
    return [*add_objects(scene, collection, layout.objects, placed.world_from_layout), *room]


CLASSES = (OCCSCENE_OT_import_blockout, OCCSCENE_OT_import_layout)
"""The operators."""
