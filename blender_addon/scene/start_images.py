"""The images that views begin at: renders, image files, or the views of an earlier result."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import bpy
from occscene.view_files import view_files

from .cameras import SceneView
from .frames import frame_kept
from .grid_view import unnoticed
from .images import image_pixels, png_of, resized_pixels

_ENDINGS = (".png", ".jpg", ".jpeg", ".exr", ".tif", ".tiff", ".webp")
_SENSOR = 36.0  # millimetres


def images_of_files(place: str, views: Sequence[SceneView]) -> list[bytes]:
    """PNG files of the views' sizes from image files: NAME.png or view_NAME.png, or another format, for each view.

    Args:
        place: a folder, or the file itself for a single view.
        views: what to find images for.

    Raises:
        ValueError: a file is missing, cannot be read, or has another shape than its view.
    """
    if not place:
        raise ValueError("Start From is Image Files, but no folder is chosen: choose the one that holds them")
    path = Path(bpy.path.abspath(place))
    if path.is_file() and len(views) == 1:
        return [_file_png(path, views[0])]
    if not path.is_dir():
        raise ValueError(f"Start From: {path} is no folder; choose the one that holds an image for each camera")
    return [_file_png(_file_of(path, name), view) for name, view in zip(_stems(views), views, strict=True)]


def images_of_result(result: Any, views: Sequence[SceneView]) -> list[bytes]:
    """The views of a result, found by the cameras' names, as PNG files of the sizes of other views.

    Raises:
        ValueError: it has none of a camera, or one of another shape.
    """
    images = []
    for view in views:
        found = result.views.get(view.camera.name)
        if found is None or found.image is None or found.is_preview:
            raise ValueError(
                f"Start From: the result has no view of camera {view.camera.name!r}; choose a result that has one, or "
                "leave this camera out"
            )
        images.append(_fitted_png(found.image, view, f"the result's view of camera {view.camera.name!r}"))
    return images


def rendered_images(context: bpy.types.Context, views: Sequence[SceneView]) -> list[bytes]:
    """Renders each view with the scene's engine and settings, as PNG files of the views' sizes; Blender waits.

    Raises:
        ValueError: the scene cannot be rendered.
    """
    scene = context.scene
    images = []
    with unnoticed(), frame_kept(scene), tempfile.TemporaryDirectory(prefix="occscene_") as folder:
        path = Path(folder) / "render.png"
        for view in views:
            if view.frame != scene.frame_current:
                scene.frame_set(view.frame)
            with _render_settings(scene, view, path), _standing_camera(context, view):
                try:
                    bpy.ops.render.render(write_still=True, scene=scene.name)
                    images.append(path.read_bytes())
                except (RuntimeError, OSError) as error:
                    why = str(error).removeprefix("Error: ").strip()
                    raise ValueError(f"camera {view.object_name!r} could not be rendered: {why}") from error
    return images


@contextmanager
def _render_settings(scene: bpy.types.Scene, view: SceneView, path: Path) -> Iterator[None]:
    """Renders of the view's size go to a PNG file within the block."""
    render, file = scene.render, scene.render.image_settings
    changes: list[tuple[Any, str, Any]] = [
        (render, "resolution_x", view.camera.width), (render, "resolution_y", view.camera.height),
        (render, "resolution_percentage", 100), (render, "pixel_aspect_x", 1.0), (render, "pixel_aspect_y", 1.0),
        (render, "use_border", False), (render, "use_multiview", False), (render, "filepath", str(path)),
        (file, "file_format", "PNG"), (file, "color_mode", "RGB"), (file, "color_depth", "8"),
    ]  # fmt: skip
    if hasattr(file, "media_type"):  # since 5.0, and above the format
        changes.insert(-3, (file, "media_type", "IMAGE"))
    before = [(owner, name, getattr(owner, name)) for owner, name, _ in changes]
    try:
        for owner, name, value in changes:
            setattr(owner, name, value)
        yield
    finally:
        for owner, name, value in before:
            setattr(owner, name, value)


@contextmanager
def _standing_camera(context: bpy.types.Context, view: SceneView) -> Iterator[None]:
    """The scene's camera is one that sees exactly what the view's camera sees, within the block."""
    scene, camera = context.scene, view.camera
    source = scene.objects[view.object_name]
    active, bound = scene.camera, [(marker, marker.camera) for marker in scene.timeline_markers]
    data = source.data.copy()
    obj = bpy.data.objects.new("OccScene Render", data)
    try:
        data.animation_data_clear()
        data.sensor_fit, data.sensor_width = "HORIZONTAL", _SENSOR
        data.lens = camera.fx * _SENSOR / camera.width
        data.shift_x = (camera.width / 2 - camera.cx) / camera.width
        data.shift_y = (camera.cy - camera.height / 2) / camera.width
        scene.collection.objects.link(obj)
        for marker, _ in bound:
            marker.camera = None
        context.view_layer.update()
        obj.matrix_world = source.evaluated_get(context.evaluated_depsgraph_get()).matrix_world.normalized()
        scene.camera = obj
        yield
    finally:
        scene.camera = active
        for marker, bound_camera in bound:
            marker.camera = bound_camera
        bpy.data.objects.remove(obj)
        bpy.data.cameras.remove(data)
        context.view_layer.update()  # else its objects hold the one that is gone


def _stems(views: Sequence[SceneView]) -> list[str]:
    """What the files of views are called, without `view_` and the ending."""
    files = view_files([view.camera.name for view in views])
    return [file.removeprefix("view_").removesuffix(".png") for file in files]


def _file_of(folder: Path, stem: str) -> Path:
    """The file of a view in a folder, whatever its format.

    Raises:
        ValueError: there is none.
    """
    names = [f"{prefix}{stem}{ending}" for prefix in ("", "view_") for ending in _ENDINGS]
    found = next((folder / name for name in names if (folder / name).is_file()), None)
    if found is None:
        raise ValueError(f"Start From: {folder} has no image for camera {stem!r}; it should be called {stem}.png")
    return found


def _file_png(path: Path, view: SceneView) -> bytes:
    try:
        image = bpy.data.images.load(str(path))
    except RuntimeError as error:
        raise ValueError(f"Start From: {path} cannot be read as an image") from error
    try:
        if not image.size[0]:
            raise ValueError(f"Start From: {path} cannot be read as an image")
        return _fitted_png(image, view, str(path))
    finally:
        bpy.data.images.remove(image)


def _fitted_png(image: bpy.types.Image, view: SceneView, name: str) -> bytes:
    """An image of a view's shape as PNG of its size.

    Raises:
        ValueError: it has another shape.
    """
    (width, height), size = image.size, (view.camera.width, view.camera.height)
    scale = max(size) / max(width, height)
    if abs(width * scale - size[0]) > 1.0 or abs(height * scale - size[1]) > 1.0:
        raise ValueError(
            f"Start From: {name} is {width} x {height} pixels, but the view {size[0]} x {size[1]}: crop it to that "
            "shape, or set the views' Shape"
        )
    return png_of(resized_pixels(image_pixels(image), *size), image)
