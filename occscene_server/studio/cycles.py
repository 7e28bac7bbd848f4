"""Rendering with Cycles: views in colour, and views of item numbers."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from numpy.typing import NDArray
from occscene.camera import PinholeCamera
from occscene.srgb import srgb_from_linear

from occscene_server.studio.blender_scene import add_camera
from occscene_server.studio.shader_graph import ShaderGraph

LUMINANCE = np.array([0.2126, 0.7152, 0.0722], np.float32)
"""Of linear sRGB (IEC 61966-2-1)."""

Window = tuple[int, int, int]


@dataclass(frozen=True)
class RenderSettings:
    """What a rendering costs.

    Args:
        samples: paths a pixel, denoised afterwards.
        threads: of Cycles in this process.
    """

    samples: int = 4
    threads: int = 1


def render_views(cameras: Sequence[PinholeCamera], settings: RenderSettings, seed: int) -> NDArray[np.float32]:
    """Renders the current scene from each camera.

    Returns:
        (views, height, width, 3) scene-linear radiance, not yet exposed: see `develop`.
    """
    scene = _prepare_views(settings, seed)
    return np.stack([_render(scene, camera) for camera in cameras])


def render_windows(
    cameras: Sequence[PinholeCamera], windows: Sequence[Window], settings: RenderSettings, seed: int
) -> NDArray[np.float32]:
    """Renders one window (x, y, side), in pixels from the upper left, of each camera's view.

    Returns:
        (windows, side, side, 3) scene-linear radiance.
    """
    scene = _prepare_views(settings, seed)
    pixels = np.stack([_render(scene, camera, window) for camera, window in zip(cameras, windows, strict=True)])
    scene.render.use_border = False
    return pixels


def _prepare_views(settings: RenderSettings, seed: int) -> bpy.types.Scene:
    scene = _prepare(settings)
    cycles = scene.cycles
    cycles.samples = settings.samples
    cycles.seed = seed % 2**31
    cycles.use_denoising = True
    cycles.denoiser = "OPENIMAGEDENOISE"
    cycles.denoising_quality = "BALANCED"
    cycles.denoising_prefilter = "FAST"
    cycles.denoising_input_passes = "RGB_ALBEDO_NORMAL"
    return scene


def render_items(cameras: Sequence[PinholeCamera], threads: int = 1) -> NDArray[np.uint16]:
    """Renders which item each pixel's centre sees: (views, height, width), `items[i]` as i + 1, 0 for none."""
    scene = _prepare(RenderSettings(threads=threads))
    scene.cycles.samples = 1
    scene.cycles.use_denoising = False
    scene.cycles.max_bounces = 0
    scene.cycles.pixel_filter_type = "BOX"
    scene.cycles.filter_width = 0.01
    layer = scene.view_layers[0]
    layer.material_override = _index_material()
    world, scene.world = scene.world, bpy.data.worlds.new("black")
    scene.world.color = (0.0, 0.0, 0.0)
    views = np.stack([_render(scene, camera) for camera in cameras])
    layer.material_override, scene.world = None, world
    numbers: NDArray[np.uint16] = np.rint(views[..., 0]).astype(np.uint16)
    return numbers


def exposure(radiance: NDArray[np.float32], key: float) -> float:
    """The factor that brings the geometric mean of all pixels of a scene's views to the linear brightness `key`."""
    return key / float(np.exp(np.log(np.clip(radiance @ LUMINANCE, 1e-3, None)).mean()))


def develop(radiance: NDArray[np.float32], factor: float) -> NDArray[np.uint8]:
    """Exposes views and encodes them as sRGB.

    Highlights above 0.6 are rolled off smoothly, by the pixel's largest channel, so that hues stay.

    Args:
        radiance: (views, height, width, 3) scene-linear.
        factor: the `exposure`, one for all views of a scene.

    Returns:
        (views, height, width, 3) sRGB.
    """
    exposed = radiance * np.float32(factor)
    peak = np.maximum(exposed.max(axis=-1, keepdims=True), 1e-6)
    knee = 0.6
    rolled = np.where(peak > knee, knee + (1 - knee) * (1 - np.exp(-(peak - knee) / (1 - knee) / 1.4)), peak)
    # Very bright light also loses saturation, as film does; a third of the way only.
    white = np.clip((peak - 1.0) / 6.0, 0.0, 0.35)
    linear = np.clip((1 - white) * exposed * (rolled / peak) + white * rolled, 0.0, 1.0)
    pixels: NDArray[np.uint8] = np.rint(255.0 * srgb_from_linear(linear)).astype(np.uint8)
    return pixels


def _prepare(settings: RenderSettings) -> bpy.types.Scene:
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.render.threads_mode = "FIXED"
    scene.render.threads = settings.threads
    scene.render.use_persistent_data = True
    scene.render.resolution_percentage = 100
    scene.render.image_settings.file_format = "OPEN_EXR"
    scene.render.image_settings.color_depth = "32"
    scene.render.image_settings.exr_codec = "NONE"
    scene.view_settings.view_transform = "Raw"
    cycles = scene.cycles
    cycles.device = "CPU"
    cycles.use_adaptive_sampling = False
    cycles.use_light_tree = False
    cycles.max_bounces = 4
    cycles.diffuse_bounces = 3
    cycles.glossy_bounces = 2
    cycles.transmission_bounces = 2
    cycles.transparent_max_bounces = 6
    cycles.caustics_reflective = False
    cycles.caustics_refractive = False
    cycles.sample_clamp_indirect = 4.0
    cycles.blur_glossy = 1.0
    return scene


def _render(scene: bpy.types.Scene, camera: PinholeCamera, window: Window | None = None) -> NDArray[np.float32]:
    """One view, or a window of it, as float32 (height, width, 3).

    It goes through an EXR file: Blender offers a finished render in no other way.
    """
    width, height = camera.width, camera.height
    camera_object = add_camera(camera)
    scene.camera = camera_object
    scene.render.resolution_x, scene.render.resolution_y = width, height
    if window is not None:
        _set_border(scene, window, width, height)
        width = height = window[2]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "view.exr"
        scene.render.filepath = str(path)
        bpy.ops.render.render(write_still=True)
        image = bpy.data.images.load(str(path))
        image.colorspace_settings.name = "Non-Color"
        pixels = np.empty(width * height * 4, np.float32)
        image.pixels.foreach_get(pixels)
        bpy.data.images.remove(image)
    bpy.data.objects.remove(camera_object)
    return pixels.reshape(height, width, 4)[::-1, :, :3]


def _set_border(scene: bpy.types.Scene, window: Window, width: int, height: int) -> None:
    x, y, side = window
    render, inside = scene.render, 0.25  # Blender rounds borders down to whole pixels: a quarter guards against 32 bits
    render.use_border = render.use_crop_to_border = True
    render.border_min_x, render.border_max_x = (x + inside) / width, (x + side + inside) / width
    render.border_min_y, render.border_max_y = (height - y - side + inside) / height, (height - y + inside) / height


def _index_material() -> bpy.types.Material:
    """Shines with the strength of the object's pass index."""
    material = bpy.data.materials.new("item number")
    graph = ShaderGraph(material)
    index = graph.node("ShaderNodeObjectInfo", {}).outputs["Object Index"]
    shine = graph.node("ShaderNodeEmission", {"Color": (1.0, 1.0, 1.0), "Strength": index}).outputs[0]
    graph.node("ShaderNodeOutputMaterial", {"Surface": shine})
    return material
