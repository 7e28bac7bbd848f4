"""Which camera objects views are made through, and where they stand."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import bpy
import numpy as np
from occscene.grid import GridVolume
from occscene.rigid import invert_rigid

from .grid_view import unnoticed
from .units import to_meters


def cameras_of(scene: bpy.types.Scene, view_layer: bpy.types.ViewLayer, choice: str) -> Sequence[bpy.types.Object]:
    """The camera objects of a choice of `SceneSettings.cameras`, in the list's order; () if it holds none.

    The active camera counts wherever it is, since a render takes it; for an animation those that markers bind count
    too. Of the others those count that are in the view layer; that they are hidden or disabled in renders matters to no
    render, so it does not here. 'ALL' are the perspective ones that are
    ticked in the list.
    """
    active = [scene.camera] if scene.camera else []
    if choice == "ACTIVE":
        return active
    if choice == "ANIMATION":
        return list(dict.fromkeys([*active, *(marker.camera for marker in scene.timeline_markers if marker.camera)]))
    cameras = listed_cameras(view_layer)
    if choice == "SELECTED":
        return [obj for obj in cameras if obj.select_get(view_layer=view_layer)]
    return [obj for obj in cameras if obj.occscene.is_view and obj.data.type == "PERSP"]


def listed_cameras(view_layer: bpy.types.ViewLayer) -> list[bpy.types.Object]:
    """All cameras of a view layer as the artist has put them in order, those without a place last, by their names."""
    return sorted((obj for obj in view_layer.objects if obj.type == "CAMERA"), key=camera_rank)


def camera_rank(camera: bpy.types.Object) -> tuple[int, str]:
    """What the list of cameras is sorted by."""
    return camera.occscene.camera_place or sys.maxsize, camera.name


def is_inside(scene: bpy.types.Scene, camera: bpy.types.Object, volume: GridVolume) -> bool:
    """Whether a camera stands in a volume."""
    grid_from_world = invert_rigid(volume.world_from_grid)
    place = grid_from_world[:3, :3] @ to_meters(scene, camera.matrix_world)[:3, 3] + grid_from_world[:3, 3]
    return bool(((place >= 0.0) & (place <= np.array(volume.shape) * volume.voxel_size)).all())


def chosen_cameras(context: bpy.types.Context, choice: str) -> Sequence[bpy.types.Object]:
    """The camera objects of a choice, see `cameras_of`.

    Raises:
        ValueError: the choice holds no camera.
    """
    cameras = cameras_of(context.scene, context.view_layer, choice)
    if not cameras:
        raise ValueError(f"there is no camera to generate from ({choice.lower()}): press Add Cameras, or choose others")
    return cameras


@contextmanager
def evaluated_camera(context: bpy.types.Context, camera: bpy.types.Object) -> Iterator[bpy.types.Object]:
    """The camera as a render would take it, with its drivers, constraints and parents; good within the block only.

    Blender does not evaluate what the viewport hides, but always the scene's camera, so a hidden one is that meanwhile.
    """
    scene, view_layer = context.scene, context.view_layer
    before = scene.camera
    with unnoticed():
        if camera != before and not camera.visible_get(view_layer=view_layer):
            scene.camera = camera
        view_layer.update()
        try:
            yield camera.evaluated_get(context.evaluated_depsgraph_get())
        finally:
            if scene.camera != before:
                scene.camera = before
                view_layer.update()
