"""The volume, and the blockout as a grid."""

# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
from bpy.props import EnumProperty, StringProperty
from occscene.camera import save_cameras
from occscene.grid import EMPTY, SemanticGrid, save_grid

from ..geometry.surface import occupied
from ..geometry.voxelize import voxelize
from ..scene.cameras import chosen_cameras, image_size, pinhole_camera_sized
from ..scene.collect import Blockout, blockout_bounds, collect_blockout
from ..scene.meshes import grid_object
from ..scene.tagging import scene_taxonomy
from ..scene.volume import grid_volume, preset_volume, set_volume, tight_volume

GRID_PREVIEW = "OccScene Grid"


def voxelized_blockout(context: bpy.types.Context) -> tuple[SemanticGrid, Blockout]:
    """The scene's blockout in the scene's volume.

    Raises:
        ValueError: nothing is tagged, there is no volume, or the volume holds nothing.
    """
    context.view_layer.update()
    blockout = collect_blockout(context)
    if not blockout.objects:
        raise ValueError("no visible object has a class: press Guess from Names, or assign classes to the selection")
    grid = voxelize(blockout.objects, grid_volume(context.scene), scene_taxonomy(context.scene))
    if not occupied(grid.labels).any():
        raise ValueError("the volume holds nothing of the tagged objects: press Fit to Scene in the Volume panel")
    return grid, blockout


def summary(grid: SemanticGrid, blockout: Blockout) -> str:
    """A grid in one line."""
    filled = int(np.count_nonzero(grid.labels))
    classes = len(np.unique(grid.labels[grid.labels > 0]))
    size = "x".join(map(str, grid.shape))
    left_out = f" ({len(blockout.untagged)} without a class left out)" if blockout.untagged else ""
    return f"{size} voxels, {filled:,} filled, {classes} classes, {len(blockout.objects)} objects{left_out}"


def _without_hidden(grid: SemanticGrid, view_layer: bpy.types.ViewLayer) -> SemanticGrid:
    """The grid without the objects that the viewport hides: who hid the ceiling wants to look inside."""
    assert grid.instances is not None
    hidden = {thing.name for thing in view_layer.objects if not thing.visible_get(view_layer=view_layer)}
    ids = [item.id for item in grid.objects if item.name in hidden]
    return replace(grid, labels=np.where(np.isin(grid.instances, ids), np.uint8(EMPTY), grid.labels))


class OCCSCENE_OT_fit_volume(bpy.types.Operator):
    """Place the volume around the tagged objects"""

    bl_idname = "occscene.fit_volume"
    bl_label = "Fit to Scene"
    bl_options = {"REGISTER", "UNDO"}

    mode: EnumProperty(
        name="Size",
        items=(
            ("PRESET", "Domain", "The size that the domain's models know best, with its floor under the scene"),
            ("TIGHT", "Scene", "The objects' own bounds, in voxels of the present size"),
        ),
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Moves or makes the volume."""
        context.view_layer.update()
        objects = collect_blockout(context).objects
        if not objects:
            self.report({"ERROR"}, "no visible object has a class: press Guess from Names, or assign classes")
            return {"CANCELLED"}
        low, high = blockout_bounds(objects)
        settings = context.scene.occscene
        try:
            volume = (
                preset_volume(settings.domain, low, high)
                if self.mode == "PRESET"
                else tight_volume(settings.voxel_size, low, high)
            )
        except ValueError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        set_volume(context.scene, volume)
        beyond = np.array(high - low) > np.array(volume.shape) * volume.voxel_size + 1e-3
        if beyond.any():
            axes = ", ".join("xyz"[axis] for axis in np.flatnonzero(beyond))
            self.report(
                {"WARNING"}, f"The scene is larger than the domain's volume along {axes}; what is outside is cut"
            )
        return {"FINISHED"}


class OCCSCENE_OT_voxelize(bpy.types.Operator):
    """Write the voxelized blockout to a grid file"""

    bl_idname = "occscene.voxelize"
    bl_label = "Voxelize to File"
    bl_options = {"REGISTER"}

    filepath: StringProperty(name="Grid File", subtype="FILE_PATH", default="//blockout.npz")
    cameras_filepath: StringProperty(
        name="Cameras File", description="Where to write the chosen cameras too (JSON); empty for nowhere"
    )
    filter_glob: StringProperty(default="*.npz", options={"HIDDEN"})

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Asks for the file."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Voxelises and writes."""
        scene = context.scene
        try:
            grid, blockout = voxelized_blockout(context)
            path = Path(bpy.path.abspath(self.filepath))
            save_grid(path, grid)
            if self.cameras_filepath:
                size = image_size(scene, scene.occscene.image_size)
                chosen = chosen_cameras(context, scene.occscene.cameras)
                cameras = [pinhole_camera_sized(thing, scene, *size) for thing in chosen]
                save_cameras(Path(bpy.path.abspath(self.cameras_filepath)), cameras)
        except (ValueError, OSError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        context.window_manager.occscene.grid_summary = summary(grid, blockout)
        self.report({"INFO"}, f"{path}: {summary(grid, blockout)}")
        return {"FINISHED"}


class OCCSCENE_OT_show_grid(bpy.types.Operator):
    """Show the voxels that will be sent, but for those of objects that the viewport hides; press again to go back"""

    bl_idname = "occscene.show_grid"
    bl_label = "Show Grid"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Adds or removes the mesh."""
        shown = context.scene.objects.get(GRID_PREVIEW)
        if shown is not None:
            bpy.data.meshes.remove(shown.data)
            context.window_manager.occscene.grid_summary = ""
            return {"FINISHED"}
        try:
            grid, blockout = voxelized_blockout(context)
        except ValueError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        thing = grid_object(context.scene, _without_hidden(grid, context.view_layer), GRID_PREVIEW)
        thing.hide_render = True
        thing.show_in_front = True  # else it fights with the blockout's own faces
        for area in context.screen.areas if context.screen else ():
            if area.type == "VIEW_3D":
                area.spaces.active.shading.color_type = "MATERIAL"
        context.window_manager.occscene.grid_summary = summary(grid, blockout)
        self.report({"INFO"}, summary(grid, blockout))
        return {"FINISHED"}


CLASSES = (OCCSCENE_OT_fit_volume, OCCSCENE_OT_voxelize, OCCSCENE_OT_show_grid)
