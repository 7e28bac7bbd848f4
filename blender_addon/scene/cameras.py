"""Blender's cameras to pinhole cameras.

The formulas are those of `BKE_camera_params_compute_viewplane` in Blender's `camera.cc`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import bpy
import numpy as np
from numpy.typing import NDArray
from occscene.camera import PinholeCamera
from occscene.limits import MAX_VIEWS
from occscene.rigid import without_noise

from .camera_objects import chosen_cameras, evaluated_camera
from .frame import Window, frame_window, picture_size, view_window
from .frames import animation_frames, frame_kept
from .units import pose_to_meters

_BLENDER_FROM_OPENCV = np.diag([1.0, -1.0, -1.0, 1.0])


def pinhole_camera(
    obj: bpy.types.Object, scene: bpy.types.Scene, longest: int, window: Window | None = None, multiple: int = 1
) -> PinholeCamera:
    """The camera object with a picture of square pixels.

    Args:
        obj: its sensor fit, shift and lens count.
        scene: its render's frame counts; the resolution's percentage and the border do not.
        longest: pixels along the picture's longer side.
        window: the part of the frame that the picture shows; None is all of it.
        multiple: see `picture_size`.

    Raises:
        ValueError: the camera is not a perspective one, the frame is too long and narrow, or the object is sheared.
    """
    data = obj.data
    if data.type != "PERSP":
        raise ValueError(
            f"camera {obj.name!r} is of type {data.type}; only perspective cameras can be used: change its type"
        )
    frame = frame_window(scene)
    fit = data.sensor_fit
    if fit == "AUTO":
        fit = "HORIZONTAL" if frame.width >= frame.height else "VERTICAL"
    sensor = data.sensor_height if data.sensor_fit == "VERTICAL" else data.sensor_width
    fitted = frame.width if fit == "HORIZONTAL" else frame.height
    axis = frame.middle[0] - data.shift_x * fitted, frame.middle[1] + data.shift_y * fitted

    window = window or frame
    width, height = picture_size(window, longest, multiple)
    scale = window.pixels_per_unit((width, height))
    focal = data.lens / sensor * fitted * scale
    cx = (axis[0] - window.middle[0]) * scale + width / 2
    cy = (axis[1] - window.middle[1]) * scale + height / 2
    return PinholeCamera(obj.name, width, height, focal, focal, cx, cy, camera_pose(obj, scene))


def camera_pose(obj: bpy.types.Object, scene: bpy.types.Scene) -> NDArray[np.float64]:
    """(4, 4) from the camera's OpenCV axes to the world, metres."""
    pose: NDArray[np.float64] = (
        pose_to_meters(scene, np.array(obj.matrix_world.normalized(), np.float64)) @ _BLENDER_FROM_OPENCV
    )
    pose[:3, :3] = without_noise(pose[:3, :3])
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


def chosen_views(
    context: bpy.types.Context,
    choice: str,
    longest: int,
    frame_step: int,
    window_of: Callable[[bpy.types.Object, bpy.types.Scene], Window] | None = None,
    multiple: int = 1,
    see_frame: Callable[[bpy.types.Context], None] | None = None,
    only: Collection[bpy.types.Object] | None = None,
) -> tuple[SceneView, ...]:
    """The views of a choice of `SceneSettings.cameras`, with images of `longest` pixels along the longer side.

    Args:
        context: of the scene.
        choice: 'ACTIVE', 'SELECTED', 'ALL', or 'ANIMATION' for the active camera, or those that markers bind, at every
            `frame_step`-th frame.
        longest: pixels.
        frame_step: frames; more where so many would be too many views.
        window_of: the part of the frame that a camera's picture shows; None shows all of it.
        multiple: see `picture_size`.
        see_frame: called at each frame of an animation.
        only: cameras of the choice that views are made through; None are all of it.

    Raises:
        ValueError: the choice holds no camera or too many, or a camera cannot be used.
    """
    scene = context.scene

    def camera_of(obj: bpy.types.Object) -> PinholeCamera:
        window = window_of(obj, scene) if window_of else None
        with evaluated_camera(context, obj) as evaluated:
            return pinhole_camera(evaluated, scene, longest, window, multiple)

    if choice == "ANIMATION":
        chosen_cameras(context, choice)
        frames = animation_frames(scene, frame_step)
        cameras, names = [], []
        with frame_kept(scene):
            for frame in frames:
                scene.frame_set(frame)
                (obj,) = chosen_cameras(context, "ACTIVE")
                camera = camera_of(obj)
                cameras.append(replace(camera, name=f"{camera.name}_{frame:04d}"))
                names.append(obj.name)
                if see_frame:
                    see_frame(context)
        return _views(cameras, names, frames)
    objects = [obj for obj in chosen_cameras(context, choice) if only is None or obj in only]
    if len(objects) > MAX_VIEWS:
        raise ValueError(f"{len(objects)} views were chosen; the limit is {MAX_VIEWS}: select fewer cameras")
    cameras = [camera_of(obj) for obj in objects]
    return _views(cameras, [obj.name for obj in objects], [scene.frame_current] * len(objects))


def view_of(shape: str) -> Callable[[bpy.types.Object, bpy.types.Scene], Window]:
    """`chosen_views`' `window_of` for a choice of `SceneSettings.image_shape`."""
    return lambda _camera, scene: view_window(scene, shape)


def _views(cameras: Sequence[PinholeCamera], names: Sequence[str], frames: Sequence[int]) -> tuple[SceneView, ...]:
    """Views with names of their own: linked cameras, for one, may be called the same."""
    taken: set[str] = set()
    views = []
    for camera, name, frame in zip(cameras, names, frames, strict=True):
        unique, count = camera.name, 1
        while unique in taken:
            count += 1
            unique = f"{camera.name} {count}"
        taken.add(unique)
        views.append(SceneView(replace(camera, name=unique), name, frame))
    return tuple(views)
