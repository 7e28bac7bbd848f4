"""Which camera objects views are made through, and where they stand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import bpy

from .grid_view import unnoticed


def cameras_of(scene: bpy.types.Scene, view_layer: bpy.types.ViewLayer, choice: str) -> Sequence[bpy.types.Object]:
    """The camera objects of a choice of `SceneSettings.cameras`, in order of their names; () if it holds none.

    The active camera counts wherever it is, since a render takes it. Of the others those count that are in the view
    layer; that they are hidden or disabled in renders matters to no render, so it does not here.
    """
    if choice in ("ACTIVE", "ANIMATION"):
        return [scene.camera] if scene.camera else []
    cameras = [obj for obj in view_layer.objects if obj.type == "CAMERA"]
    if choice == "SELECTED":
        cameras = [obj for obj in cameras if obj.select_get(view_layer=view_layer)]
    return sorted(cameras, key=lambda obj: obj.name)


def chosen_cameras(context: bpy.types.Context, choice: str) -> Sequence[bpy.types.Object]:
    """The camera objects of a choice, in order of their names; see `cameras_of`.

    Raises:
        ValueError: the choice holds no camera.
    """
    cameras = cameras_of(context.scene, context.view_layer, choice)
    if not cameras:
        raise ValueError(f"there is no camera to generate from ({choice.lower()}): add one with Add > Camera")
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
