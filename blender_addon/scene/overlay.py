"""A result's views over the blockout: as background images in front, each in the camera that it was made through."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import bpy

from .frame import frame_window
from .images import is_view_image


def show_overlay(scene: bpy.types.Scene) -> None:
    """Shows the active result's views in their cameras, or none where the overlay is off.

    Of several frames of one camera the one nearest to the scene's is shown. Views of other results give way; the
    artist's own background images stay.
    """
    settings = scene.occscene
    is_listed = 0 <= settings.active_result < len(settings.results)
    shown = (
        _nearest_views(scene, settings.results[settings.active_result]) if settings.use_overlay and is_listed else {}
    )
    for camera in _cameras(scene):
        image = shown.get(camera)
        if image is not None:
            put_view(scene, camera, image, settings.overlay_opacity)
        else:
            for item in _views_in(camera):
                _remove(camera, item)


def has_overlay(scene: bpy.types.Scene, camera: bpy.types.Object) -> bool:
    """Whether a view lies over the frame where one looks through a camera."""
    return bool(scene.occscene.use_overlay and _views_in(camera))


def put_view(scene: bpy.types.Scene, camera: bpy.types.Object, image: bpy.types.Image, opacity: float) -> None:
    """Shows one view in a camera, in place of any other."""
    own = _views_in(camera)
    for item in own[1:]:
        _remove(camera, item)
    item = own[0] if own else camera.data.background_images.new()
    if item.image != image:
        item.image = image
    frame = frame_window(scene)
    is_whole = abs(image.size[0] - image.size[1] * frame.width / frame.height) < 1.5  # sides are of whole pixels
    item.alpha, item.display_depth, item.frame_method = opacity, "FRONT", "STRETCH" if is_whole else "CROP"
    item.show_background_image = True
    camera.data.show_background_images = True


def drop_view(scene: bpy.types.Scene, image: bpy.types.Image) -> None:
    """Takes a view out of the cameras that still show it."""
    for camera in _cameras(scene):
        for item in [item for item in camera.data.background_images if item.image == image]:
            _remove(camera, item)


def set_overlay_opacity(scene: bpy.types.Scene) -> None:
    """Brings the views that are shown to the scene's opacity."""
    for camera in _cameras(scene):
        for item in _views_in(camera):
            item.alpha = scene.occscene.overlay_opacity


@bpy.app.handlers.persistent
def clear_before_undo(*_arguments: object) -> None:
    """Takes all views out of the cameras: undo keeps a camera that it finds unchanged, but frees the image in it."""
    for scene in bpy.data.scenes:
        for camera in _cameras(scene):
            for item in _views_in(camera):
                _remove(camera, item)


@bpy.app.handlers.persistent
def follow_frame(scene: bpy.types.Scene, *_arguments: object) -> None:
    """Shows the views of the frame that the scene has come to; not while a render owns the scene."""
    settings = scene.occscene
    if not settings.use_overlay or not 0 <= settings.active_result < len(settings.results):
        return
    frames = {view.frame for view in settings.results[settings.active_result].views}
    if len(frames) > 1 and not bpy.app.is_job_running("RENDER"):
        show_overlay(scene)


def _nearest_views(scene: bpy.types.Scene, result: Any) -> dict[bpy.types.Object, bpy.types.Image]:
    views = [view for view in result.views if view.image and view.camera]
    views.sort(key=lambda view: abs(view.frame - scene.frame_current), reverse=True)
    return {view.camera: view.image for view in views}  # the nearest frame comes last and stays


def _views_in(camera: bpy.types.Object) -> list[bpy.types.CameraBackgroundImage]:
    return [item for item in camera.data.background_images if item.image and is_view_image(item.image)]


def _remove(camera: bpy.types.Object, item: bpy.types.CameraBackgroundImage) -> None:
    item.image = None  # Blender would count the image as used for ever
    camera.data.background_images.remove(item)


def _cameras(scene: bpy.types.Scene) -> Iterator[bpy.types.Object]:
    return (obj for obj in scene.objects if obj.type == "CAMERA" and obj.data.library is None)
