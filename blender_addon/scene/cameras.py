"""Blender's cameras to pinhole cameras.

The formulas are those of `BKE_camera_params_compute_viewplane` in Blender's `camera.cc`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import bpy
import numpy as np
from numpy.typing import NDArray
from occscene.camera import PinholeCamera
from occscene.limits import MAX_VIEWS

from ..bridge.result_folder import view_file

_BLENDER_FROM_OPENCV = np.diag([1.0, -1.0, -1.0, 1.0])

SIDE_MULTIPLE = 64
"""Image sides are multiples of this many pixels, which every model takes."""


def image_size(scene: bpy.types.Scene, longest: int) -> tuple[int, int]:
    """Width and height in pixels with the render's shape, `longest` on the longer side, multiples of 64."""
    render = scene.render
    width, height = render.resolution_x, render.resolution_y
    scale = longest / max(width, height)
    sides = [max(64, round(side * scale / SIDE_MULTIPLE) * SIDE_MULTIPLE) for side in (width, height)]
    return sides[0], sides[1]


def pinhole_camera(thing: bpy.types.Object, scene: bpy.types.Scene) -> PinholeCamera:
    """The camera object at the render's resolution, with its sensor fit, shift and the pixels' aspect.

    Raises:
        ValueError: the camera is not a perspective one, the render is larger than a request may be (see
            `pinhole_camera_sized`), or the object is sheared.
    """
    render = scene.render
    width = render.resolution_x * render.resolution_percentage // 100
    height = render.resolution_y * render.resolution_percentage // 100
    return _camera(thing, scene, width, height, width, height)


def pinhole_camera_sized(thing: bpy.types.Object, scene: bpy.types.Scene, width: int, height: int) -> PinholeCamera:
    """The camera object with the render's whole frame in an image of `width` x `height` pixels.

    Raises:
        ValueError: as `pinhole_camera`.
    """
    return _camera(thing, scene, scene.render.resolution_x, scene.render.resolution_y, width, height)


def _camera(
    thing: bpy.types.Object, scene: bpy.types.Scene, frame_x: int, frame_y: int, width: int, height: int
) -> PinholeCamera:
    data = thing.data
    if data.type != "PERSP":
        raise ValueError(
            f"camera {thing.name!r} is of type {data.type}; only perspective cameras can be used: change its type"
        )
    aspect_x, aspect_y = scene.render.pixel_aspect_x, scene.render.pixel_aspect_y
    fit = data.sensor_fit
    if fit == "AUTO":
        fit = "HORIZONTAL" if frame_x * aspect_x >= frame_y * aspect_y else "VERTICAL"
    sensor = data.sensor_height if data.sensor_fit == "VERTICAL" else data.sensor_width
    pixel_ratio = aspect_y / aspect_x
    view_factor = frame_x if fit == "HORIZONTAL" else pixel_ratio * frame_y
    fx = data.lens / sensor * view_factor
    fy = fx / pixel_ratio
    cx = 0.5 * frame_x - data.shift_x * view_factor
    cy = 0.5 * frame_y + data.shift_y * view_factor / pixel_ratio
    pose = np.array(thing.matrix_world.normalized(), np.float64) @ _BLENDER_FROM_OPENCV
    scale_x, scale_y = width / frame_x, height / frame_y
    return PinholeCamera(
        thing.name, width, height, fx * scale_x, fy * scale_y, cx * scale_x, cy * scale_y, _orthonormal(pose)
    )


def _orthonormal(pose: NDArray[np.float64]) -> NDArray[np.float64]:
    """Removes Blender's single-precision noise from a rotation; a sheared one stays and is refused later."""
    left, scale, right = np.linalg.svd(pose[:3, :3])
    if np.abs(scale - 1.0).max() < 1e-3:
        pose = pose.copy()
        pose[:3, :3] = left @ right
    return pose


@dataclass(frozen=True)
class SceneView:
    """What one view is made from.

    Args:
        camera: as it is sent; its name is unique within the request.
        object_name: the camera object's.
        frame: the scene's when the camera was read.
    """

    camera: PinholeCamera
    object_name: str
    frame: int


def chosen_views(context: bpy.types.Context, choice: str, longest: int, frame_step: int) -> tuple[SceneView, ...]:
    """The views of a choice of `CAMERA_CHOICES`, with images of `longest` pixels along the longer side.

    Args:
        context: of the scene.
        choice: 'ACTIVE', 'SELECTED', 'ALL', or 'ANIMATION' for the active camera at every `frame_step`-th frame.
        longest: pixels.
        frame_step: frames.

    Raises:
        ValueError: the choice holds no camera or too many, or a camera cannot be used.
    """
    scene = context.scene
    width, height = image_size(scene, longest)
    things = chosen_cameras(context, choice)
    frames = animation_frames(scene, frame_step) if choice == "ANIMATION" else (scene.frame_current,)
    if len(things) * len(frames) > MAX_VIEWS:
        way_out = "raise the step" if choice == "ANIMATION" else "select fewer cameras"
        raise ValueError(f"{len(things) * len(frames)} views were chosen; the limit is {MAX_VIEWS}: {way_out}")
    if choice != "ANIMATION":
        cameras = [pinhole_camera_sized(thing, scene, width, height) for thing in things]
        return _views(cameras, [thing.name for thing in things], [scene.frame_current] * len(things))
    before = scene.frame_current
    cameras = []
    try:
        for frame in frames:
            scene.frame_set(frame)
            camera = pinhole_camera_sized(things[0], scene, width, height)
            cameras.append(replace(camera, name=f"{camera.name}_{frame:04d}"))
    finally:
        scene.frame_set(before)
    return _views(cameras, [things[0].name] * len(frames), frames)


def animation_frames(scene: bpy.types.Scene, step: int) -> Sequence[int]:
    """Every `step`-th frame of the scene's animation, from its first."""
    return range(scene.frame_start, scene.frame_end + 1, step)


def _views(cameras: Sequence[PinholeCamera], names: Sequence[str], frames: Sequence[int]) -> tuple[SceneView, ...]:
    """Views whose names stay unique as files: linked cameras, for one, may be called the same."""
    taken: dict[str, None] = {}
    views = []
    for camera, name, frame in zip(cameras, names, frames, strict=True):
        unique, count = camera.name, 1
        while view_file(unique).lower() in taken:
            count += 1
            unique = f"{camera.name} {count}"
        taken[view_file(unique).lower()] = None
        views.append(SceneView(replace(camera, name=unique), name, frame))
    return tuple(views)


def chosen_cameras(context: bpy.types.Context, choice: str) -> Sequence[bpy.types.Object]:
    """The camera objects of a choice, in order of their names; see `chosen_views`.

    Raises:
        ValueError: the choice holds no camera.
    """
    scene = context.scene
    if choice in ("ACTIVE", "ANIMATION"):
        cameras = [scene.camera] if scene.camera else []
    else:
        cameras = [thing for thing in scene.objects if thing.type == "CAMERA"]
        if choice == "SELECTED":
            cameras = [thing for thing in cameras if thing.select_get()]
    if not cameras:
        raise ValueError(f"there is no camera to generate from ({choice.lower()}): add one with Add > Camera")
    return sorted(cameras, key=lambda thing: thing.name)
