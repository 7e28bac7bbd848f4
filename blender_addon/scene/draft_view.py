"""The newest draft: over the frame where one looks through its camera, and as a picture for the sidebar.

Nothing of it is in the file, so nothing of it is saved or undone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import bpy
import bpy.utils.previews
import numpy as np
from bpy_extras.view3d_utils import location_3d_to_region_2d
from mathutils import Vector
from occscene.srgb import linear_from_srgb

from .frame import Window, frame_window
from .images import Pixels, encoded_pixels

_WAITING = 0.35
"""Share of its opacity that a draft has while a newer one is being drawn, so that what is moved can be seen."""


@dataclass
class _DraftView:
    """What is shown."""

    handle: Any = None
    icons: Any = None
    scene_uid: int = 0
    camera_uid: int = 0
    window: Window | None = None
    pixels: Pixels | None = None
    texture: Any = None
    is_old: bool = False


_view = _DraftView()


def show_draft(scene: bpy.types.Scene, camera: bpy.types.Object, window: Window, data: bytes) -> None:
    """Shows a draft in place of the one before.

    Args:
        scene, camera: it was made of.
        window: the part of the frame that it shows.
        data: a PNG file.
    """
    _view.pixels = encoded_pixels(data)
    _view.scene_uid, _view.camera_uid, _view.window = scene.session_uid, camera.session_uid, window
    _view.texture, _view.is_old = None, False
    if _view.icons is None:
        _view.icons = bpy.utils.previews.new()
    preview = _view.icons.get("draft") or _view.icons.new("draft")
    height, width = _view.pixels.shape[:2]
    preview.image_size = (width, height)
    preview.image_pixels_float.foreach_set(_view.pixels.ravel())
    if _view.handle is None and not bpy.app.background:
        _view.handle = bpy.types.SpaceView3D.draw_handler_add(_draw, (), "WINDOW", "POST_PIXEL")


def mark_draft_old(is_old: bool) -> bool:
    """Notes whether the scene has changed since the draft; says whether that is news."""
    is_news = _view.is_old != is_old
    _view.is_old = is_old
    return is_news


def hide_draft() -> None:
    """Shows no draft any more."""
    if _view.handle is not None:
        bpy.types.SpaceView3D.draw_handler_remove(_view.handle, "WINDOW")
    if _view.icons is not None:
        bpy.utils.previews.remove(_view.icons)
    _view.handle = _view.icons = _view.pixels = _view.texture = None


def draft_icon(scene: bpy.types.Scene) -> int:
    """The icon value of the draft's picture; 0 if there is none of the scene."""
    return int(_view.icons["draft"].icon_id) if draft_pixels(scene) is not None else 0


def draft_pixels(scene: bpy.types.Scene) -> Pixels | None:
    """The pixels of the scene's draft, None if there is none."""
    return _view.pixels if _view.scene_uid == scene.session_uid else None


def _draw() -> None:
    """Draws the draft over its camera's frame."""
    import gpu

    context = bpy.context
    scene, region_3d = context.scene, context.region_data
    camera = scene.camera
    space = context.space_data
    if region_3d is None or region_3d.view_perspective != "CAMERA" or not space.overlay.show_overlays:
        return
    if _view.pixels is None or _view.scene_uid != scene.session_uid or camera is None:
        return
    if camera.session_uid != _view.camera_uid or (space.use_local_camera and space.camera != camera):
        return
    if _view.texture is None:
        height, width = _view.pixels.shape[:2]
        buffer = gpu.types.Buffer("FLOAT", _view.pixels.size, np.ascontiguousarray(_drawable(_view.pixels).ravel()))
        _view.texture = gpu.types.GPUTexture((width, height), format="RGBA16F", data=buffer)
    place, size = _rectangle(context, camera)
    opacity = scene.occscene.overlay_opacity * (_WAITING if _view.is_old else 1.0)
    _draw_texture(_view.texture, place, size, opacity)


def _drawable(pixels: Pixels) -> Pixels:
    """Pixels as the shader takes them: before Blender 5.0 the 3D view's framebuffer encodes what is drawn as sRGB."""
    if bpy.app.version >= (5, 0, 0):
        return pixels
    linear = linear_from_srgb(np.arange(256) / 255).astype(np.float32)
    colors = linear[np.rint(pixels[..., :3] * 255).astype(np.uint8)]
    return np.concatenate([colors, pixels[..., 3:]], axis=2)


def _rectangle(context: bpy.types.Context, camera: bpy.types.Object) -> tuple[Vector, Vector]:
    """The lower left corner of the picture in the region, and its width and height, in pixels."""
    scene = context.scene
    corners = [camera.matrix_world @ corner for corner in camera.data.view_frame(scene=scene)]
    points = [location_3d_to_region_2d(context.region, context.region_data, corner) for corner in corners]
    low = Vector((min(point.x for point in points), min(point.y for point in points)))
    high = Vector((max(point.x for point in points), max(point.y for point in points)))
    frame, window = frame_window(scene), _view.window
    assert window is not None
    scale = (high.x - low.x) / frame.width
    corner = Vector((low.x + (window.left - frame.left) * scale, high.y - (window.bottom - frame.top) * scale))
    return corner, Vector((window.width * scale, window.height * scale))


def _draw_texture(texture: Any, corner: Vector, size: Vector, opacity: float) -> None:
    import gpu
    from gpu_extras.batch import batch_for_shader

    places = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))
    shader = gpu.shader.from_builtin("IMAGE_COLOR")
    content = {"pos": [(corner.x + x * size.x, corner.y + y * size.y) for x, y in places], "texCoord": places}
    batch = batch_for_shader(shader, "TRIS", content, indices=((0, 1, 2), (2, 3, 0)))
    gpu.state.blend_set("ALPHA")
    shader.bind()
    shader.uniform_sampler("image", texture)
    shader.uniform_float("color", (1.0, 1.0, 1.0, opacity))
    batch.draw(shader)
    gpu.state.blend_set("NONE")
