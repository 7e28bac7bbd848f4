"""The volume, and the blockout as a grid."""

# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import bpy
import numpy as np
from bpy.props import BoolProperty, EnumProperty, StringProperty
from numpy.typing import NDArray
from occscene.camera import save_cameras
from occscene.grid import GridVolume, SemanticGrid, occupied
from occscene.limits import MAX_MESH_TRIANGLES
from occscene.mesh import TriangleMesh
from occscene.volumes import default_volume

from ..geometry.missing import Absence, absences
from ..geometry.standing import Standing, standing_cameras
from ..geometry.triangle_mesh import triangle_mesh
from ..geometry.voxelization.voxelize import TriangleObject, voxelize_with_rooms
from ..properties.blockout import DOMAINS
from ..redraw import redraw
from ..scene.cameras import camera_pose, chosen_views, view_of
from ..scene.collect import Blockout, blockout_bounds, collect_blockout
from ..scene.grid_files import WRITE_FILTER, WRITE_ITEMS, write_grid_file
from ..scene.grid_view import GridStats, hide_grid, show_grid, shown_stats
from ..scene.tagging import scene_taxonomy
from ..scene.volume import grid_volume, preset_volume, set_volume, tight_volume, volume_ahead, voxel_meters

_MOST_NAMED = 10
"""Objects that a sentence names."""


@dataclass(frozen=True, eq=False)
class Voxelized:
    """A blockout and its grid.

    Args:
        grid: its instance ids are the positions of `blockout.objects` counted from 1.
        blockout: what was voxelised.
        rooms: the names of the Blender objects that were taken for rooms.
        mesh: its triangles, None if the artist keeps them back.
        absent: the names of those that have no voxel, and why.
    """

    grid: SemanticGrid
    blockout: Blockout
    rooms: tuple[str, ...]
    mesh: TriangleMesh | None
    absent: Mapping[str, Absence]

    @property
    def sent_mesh(self) -> TriangleMesh | None:
        """The mesh, unless it is empty or too large to be sent."""
        return None if self.mesh is None or self.mesh.is_too_large or not len(self.mesh.triangles) else self.mesh


def voxelized_blockout(context: bpy.types.Context, send_geometry: bool | None = None) -> Voxelized:
    """The scene's blockout in the scene's volume, with its triangles if they are to be sent; None asks the scene.

    Raises:
        ValueError: nothing is tagged, there is no volume, or the volume holds nothing.
    """
    context.view_layer.update()
    blockout = collect_blockout(context)
    if blockout.faceless and not blockout.objects:
        absent = dict.fromkeys(blockout.faceless, Absence.NO_FACES)
        raise ValueError(f"{absence_text(absent)}: give them thickness, or assign classes to other objects")
    if not blockout.objects:
        raise ValueError("no visible object has a class: press Guess by Name, or assign classes to the selection")
    volume, taxonomy = grid_volume(context.scene), scene_taxonomy(context.scene)
    grid, rooms = voxelize_with_rooms(blockout.objects, volume, taxonomy)
    if not occupied(grid.labels).any():
        raise ValueError("the volume holds nothing of the tagged objects: press Fit to Scene in the Volume panel")
    names = tuple(dict.fromkeys(blockout.sources[index] for index in rooms))
    if send_geometry is None:
        send_geometry = context.scene.occscene.send_geometry
    mesh = triangle_mesh(blockout.objects, volume) if send_geometry else None
    absent = absences(grid, blockout.objects, blockout.sources, blockout.faceless)
    return Voxelized(grid, blockout, names, mesh, absent)


def summary(stats: GridStats) -> str:
    """The statistics of a grid in one line."""
    size = "x".join(map(str, stats.shape))
    left_out = f" ({len(stats.untagged)} without a class left out)" if stats.untagged else ""
    geometry = f", {stats.triangles:,} triangles" if stats.triangles is not None else ""
    return (
        f"{size} voxels, {stats.filled:,} filled, {len(stats.class_voxels)} classes, "
        f"{stats.objects} objects{left_out}{geometry}"
    )


def _cut_text(axes: str) -> str:
    return f"The scene is larger than the volume along {axes}; what is outside is cut"


def too_large_text(mesh: TriangleMesh) -> str:
    """Why a mesh is not sent, and what to do about it."""
    size = f"{len(mesh.triangles):,} triangles with {len(mesh.vertices):,} vertices"
    return (
        f"the blockout has {size}, more than the {MAX_MESH_TRIANGLES:,} that can be sent: only its voxels are; "
        "simplify dense meshes to send exact shapes"
    )


def report_unsent(operator: bpy.types.Operator, voxelized: Voxelized) -> None:
    """Warns of what has no voxel or is cut at a side of the volume, and of a mesh that is too large to be sent."""
    volume = voxelized.grid.volume
    upright = np.allclose(volume.world_from_grid[:3, :3], np.eye(3))
    beyond = _axes_beyond(voxelized.blockout.objects, volume).replace(", z", "").strip("z") if upright else ""
    if beyond:
        operator.report({"WARNING"}, _cut_text(beyond))
    if voxelized.absent:
        operator.report({"WARNING"}, absence_text(voxelized.absent))
    if voxelized.mesh is not None and voxelized.mesh.is_too_large:
        operator.report({"WARNING"}, too_large_text(voxelized.mesh))


def some_names(names: Sequence[str]) -> str:
    """The first of many names, and how many more there are."""
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return f"{', '.join(names[:_MOST_NAMED])}{more}"


def absence_text(absent: Mapping[str, Absence]) -> str:
    """Which objects have no voxel and why, in one sentence."""
    return f"no voxel of {some_names([f'{name!r} ({why.value})' for name, why in absent.items()])}"


def stats_of(context: bpy.types.Context, voxelized: Voxelized, standing: tuple[Standing, ...] = ()) -> GridStats:
    """The statistics of a voxelized blockout."""
    sources = tuple(dict.fromkeys(voxelized.blockout.sources))
    unseen = _unseen(context.view_layer)
    hidden = tuple(name for name in sources if name in unseen)
    untagged = voxelized.blockout.untagged
    triangles = None if voxelized.mesh is None else len(voxelized.mesh.triangles)
    stats = GridStats.of(voxelized.grid, len(sources), untagged, hidden, voxelized.rooms, standing, voxelized.absent)
    return replace(stats, triangles=triangles, is_mesh_sent=voxelized.sent_mesh is not None)


def _unseen(view_layer: bpy.types.ViewLayer) -> set[str]:
    """The names of the objects that the viewport hides."""
    return {obj.name for obj in view_layer.objects if not obj.visible_get(view_layer=view_layer)}


def _standing(context: bpy.types.Context, grid: SemanticGrid) -> tuple[Standing, ...]:
    """The chosen cameras that stand in something filled; of an animation, the one of the present frame."""
    settings = context.scene.occscene
    choice = "ACTIVE" if settings.cameras == "ANIMATION" else settings.cameras
    try:
        views = chosen_views(context, choice, settings.image_size, 1, view_of(settings.image_shape))
    except ValueError:  # reported when they are sent
        return ()
    return standing_cameras(grid, [view.camera for view in views])


def standing_text(standing: Sequence[Standing]) -> str:
    """Where cameras stand and what to do about it, in one sentence."""
    places = [f"camera {item.camera!r} stands in {item.object_name!r} ({item.class_name})" for item in standing]
    return f"{'; '.join(places)}: move it out, or set the object's Fill to Surface"


class OCCSCENE_OT_fit_volume(bpy.types.Operator):
    """Place the volume around the tagged objects; where there are none, at the world's origin"""

    bl_idname = "occscene.fit_volume"
    bl_label = "Fit to Scene"
    bl_options = {"REGISTER", "UNDO"}

    mode: EnumProperty(
        name="Size",
        items=(
            ("PRESET", "Domain", "The size that a domain's models know best, with its floor under the scene"),
            ("TIGHT", "Scene", "The objects' own bounds, in voxels of the present size"),
            ("WHOLE", "Domain or Scene", "The domain's size, or the objects' own bounds where they are larger"),
            ("AHEAD", "Camera", "A domain's size, before the active camera as a car's voxels lie before it"),
        ),
    )
    domain: EnumProperty(name="Domain", description="Whose size; the scene's if it is not given", items=DOMAINS)

    @classmethod
    def description(cls, _context: bpy.types.Context, properties: bpy.types.OperatorProperties) -> str:
        """What the button does, by its mode."""
        if properties.mode == "TIGHT":
            return "Place the smallest volume around all tagged objects, in voxels of the present size"
        if properties.mode == "WHOLE":
            return (
                "Place the volume that models know best around the tagged objects, or a larger one that holds them all"
            )
        if properties.mode == "AHEAD":
            return "Place the volume before the active camera, as SemanticKITTI's lies before its car"
        usual = default_volume(properties.domain)
        size = " x ".join(map(str, usual.shape))
        return (
            f"Place {size} voxels of {usual.voxel_size} m around the tagged objects: "
            f"what {properties.domain} models know best"
        )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Moves or makes the volume."""
        context.view_layer.update()
        objects = collect_blockout(context).objects
        settings = context.scene.occscene
        try:
            if self.mode == "TIGHT":
                if not objects:
                    raise ValueError("no visible object has a class: press Guess by Name, or assign classes")
                volume = tight_volume(context.scene, voxel_meters(context.scene), *blockout_bounds(objects))
            elif self.mode == "WHOLE":
                volume = _whole_volume(context.scene, objects)
            else:
                domain = self.domain if self.properties.is_property_set("domain") else settings.domain
                volume = _domain_volume(context.scene, domain, objects, self.mode == "AHEAD")
        except ValueError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        set_volume(context.scene, volume)
        beyond = _axes_beyond(objects, volume) if objects else ""
        if beyond:
            self.report({"WARNING"}, _cut_text(beyond))
        return {"FINISHED"}


def _domain_volume(scene: bpy.types.Scene, domain: str, objects: Sequence[TriangleObject], ahead: bool) -> GridVolume:
    """The domain's own size: before the active camera, else around the objects, else at the origin.

    Raises:
        ValueError: there is no active camera, or it looks straight up or down.
    """
    if ahead:
        if scene.camera is None:
            raise ValueError("the scene has no active camera; add one, or press Outdoor Size")
        return volume_ahead(domain, camera_pose(scene.camera, scene))
    if not objects:
        return default_volume(domain)
    return preset_volume(domain, *_bounds_on_ground(scene, objects), _floor_top(scene, objects))


def volume_around(scene: bpy.types.Scene, objects: Sequence[TriangleObject]) -> GridVolume:
    """The scene's volume; where it has none the domain's own size around the objects, or their bounds.

    Raises:
        ValueError: the volume is outside the limits, or the objects are too large for one.
    """
    return _whole_volume(scene, objects) if scene.occscene.volume is None else grid_volume(scene)


def _whole_volume(scene: bpy.types.Scene, objects: Sequence[TriangleObject]) -> GridVolume:
    domain = scene.occscene.domain
    if not objects:
        return default_volume(domain)
    bounds = blockout_bounds(objects)
    usual = preset_volume(domain, *_bounds_on_ground(scene, objects), _floor_top(scene, objects))
    return tight_volume(scene, voxel_meters(scene), *bounds) if _axes_beyond(objects, usual) else usual


def _floor_top(scene: bpy.types.Scene, objects: Sequence[TriangleObject]) -> float | None:
    """World height of the top of the lowest floor, or of the lowest place on a road; None where there is neither."""
    names = [name.name for name in scene_taxonomy(scene).classes]
    tops = [item.triangles[..., 2].max() for item in objects if names[item.class_index] == "floor"]
    for item in objects:
        if names[item.class_index] == "road":
            edges = item.triangles[:, 1:] - item.triangles[:, :1]
            normals = np.cross(edges[:, 0], edges[:, 1])
            upward = normals[:, 2] > 0.7 * np.linalg.norm(normals, axis=1)
            tops.append((item.triangles[upward] if upward.any() else item.triangles)[..., 2].min())
    return float(min(tops)) if tops else None


def _bounds_on_ground(
    scene: bpy.types.Scene, objects: Sequence[TriangleObject]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The objects' bounds; outdoors they begin below the road: foundations and roots need no voxels."""
    low, high = blockout_bounds(objects)
    names = [name.name for name in scene_taxonomy(scene).classes]
    top = _floor_top(scene, objects)
    if top is not None and any(names[item.class_index] == "road" for item in objects):
        low = np.array([low[0], low[1], top - 0.001])
    return low, high


def _axes_beyond(objects: Sequence[TriangleObject], volume: GridVolume) -> str:
    """The axes along which objects reach out of an upright volume."""
    low, high = blockout_bounds(objects)
    start = volume.world_from_grid[:3, 3]
    end = start + np.array(volume.shape) * volume.voxel_size
    outside = (low < start - 1e-3) | (high > end + 1e-3)
    return ", ".join("xyz"[axis] for axis in np.flatnonzero(outside))


class OCCSCENE_OT_voxelize(bpy.types.Operator):
    """Write the voxelized blockout to a grid file"""

    bl_idname = "occscene.voxelize"
    bl_label = "Voxelize to File"
    bl_options = {"REGISTER"}

    filepath: StringProperty(name="Grid File", subtype="FILE_PATH", default="//blockout.npz")
    cameras_filepath: StringProperty(
        name="Cameras File", description="Where to write the chosen cameras too (JSON); empty for nowhere"
    )
    send_geometry: BoolProperty(
        name="Geometry",
        description="Write the triangles too; the scene's Send Geometry if it is not given",
        options={"SKIP_SAVE"},
    )
    filter_glob: StringProperty(default=WRITE_FILTER, options={"HIDDEN"})
    file_format: EnumProperty(name="Format", items=WRITE_ITEMS, description="Used where the name's end leaves it open")

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Asks for the file."""
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Voxelises and writes."""
        scene = context.scene
        try:
            given = self.properties.is_property_set("send_geometry")
            voxelized = voxelized_blockout(context, self.send_geometry if given else None)
            path = Path(bpy.path.abspath(self.filepath))
            write_grid_file(path, voxelized.grid, self.file_format, voxelized.sent_mesh)
            if self.cameras_filepath:
                settings = scene.occscene
                window = view_of(settings.image_shape)
                views = chosen_views(context, settings.cameras, settings.image_size, settings.frame_step, window)
                save_cameras(Path(bpy.path.abspath(self.cameras_filepath)), [view.camera for view in views])
        except (ValueError, OSError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        text = summary(stats_of(context, voxelized))
        context.window_manager.occscene.grid_summary = text
        self.report({"INFO"}, f"{path}: {text}")
        report_unsent(self, voxelized)
        return {"FINISHED"}


class OCCSCENE_OT_show_grid(bpy.types.Operator):
    """Show the voxels that will be sent: translucent where the viewport hides their objects, dark from inside"""

    bl_idname = "occscene.show_grid"
    bl_label = "Show Grid"

    action: EnumProperty(
        name="Action",
        items=(
            ("TOGGLE", "Show or Hide", "Show the grid, or hide it if it is shown"),
            ("REFRESH", "Refresh", "Show the scene as it is now"),
        ),
    )

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Voxelises and draws, or ends the drawing."""
        redraw()
        if self.action == "TOGGLE" and shown_stats(context.scene) is not None:
            hide_grid()
            return {"FINISHED"}
        try:
            voxelized = voxelized_blockout(context)
        except ValueError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        stats = stats_of(context, voxelized, _standing(context, voxelized.grid))
        unseen = _unseen(context.view_layer)
        hidden = [number + 1 for number, source in enumerate(voxelized.blockout.sources) if source in unseen]
        show_grid(context.scene, voxelized.grid, stats, hidden)
        self.report({"INFO"}, summary(stats))
        if stats.absent:
            self.report({"WARNING"}, absence_text(stats.absent))
        if stats.standing:
            self.report({"WARNING"}, standing_text(stats.standing))
        return {"FINISHED"}


CLASSES = (OCCSCENE_OT_fit_volume, OCCSCENE_OT_voxelize, OCCSCENE_OT_show_grid)
