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

from occscene_server.studio.blender_scene import add_camera
from occscene_server.studio.shader_graph import ShaderGraph


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
    scene = _prepare(settings)
    cycles = scene.cycles
    cycles.samples = settings.samples
    cycles.seed = seed % 2**31
    cycles.use_denoising = True
    cycles.denoiser = "OPENIMAGEDENOISE"
    cycles.denoising_quality = "BALANCED"
    cycles.denoising_prefilter = "FAST"
    cycles.denoising_input_passes = "RGB_ALBEDO_NORMAL"
    return np.stack([_render(scene, camera) for camera in cameras])


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


def develop(radiance: NDArray[np.float32], key: float) -> NDArray[np.uint8]:
    """Exposes all views of one scene alike and encodes them as sRGB.

    The geometric mean of all pixels is brought to `key`; highlights above 0.6 are rolled off smoothly, by the pixel's
    largest channel, so that hues stay.

    Args:
        radiance: (views, height, width, 3) scene-linear.
        key: linear brightness.

    Returns:
        (views, height, width, 3) sRGB.
    """
    luminance = radiance @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    exposed = radiance * (key / np.exp(np.log(np.clip(luminance, 1e-3, None)).mean()))
    peak = np.maximum(exposed.max(axis=-1, keepdims=True), 1e-6)
    knee = 0.6
    rolled = np.where(peak > knee, knee + (1 - knee) * (1 - np.exp(-(peak - knee) / (1 - knee) / 1.4)), peak)
    # Very bright light also loses saturation, as film does; a third of the way only.
    white = np.clip((peak - 1.0) / 6.0, 0.0, 0.35)
    linear = np.clip((1 - white) * exposed * (rolled / peak) + white * rolled, 0.0, 1.0)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    pixels: NDArray[np.uint8] = np.rint(255.0 * encoded).astype(np.uint8)
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


def _render(scene: bpy.types.Scene, camera: PinholeCamera) -> NDArray[np.float32]:
    """One view as float32 (height, width, 3), through an EXR file: Blender offers a finished render in no other way."""
    thing = add_camera(camera)
    scene.camera = thing
    scene.render.resolution_x, scene.render.resolution_y = camera.width, camera.height
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "view.exr"
        scene.render.filepath = str(path)
        bpy.ops.render.render(write_still=True)
        image = bpy.data.images.load(str(path))
        image.colorspace_settings.name = "Non-Color"
        pixels = np.empty(camera.width * camera.height * 4, np.float32)
        image.pixels.foreach_get(pixels)
        bpy.data.images.remove(image)
    bpy.data.objects.remove(thing)
    return pixels.reshape(camera.height, camera.width, 4)[::-1, :, :3]


def _index_material() -> bpy.types.Material:
    """Shines with the strength of the object's pass index."""
    material = bpy.data.materials.new("item number")
    graph = ShaderGraph(material)
    index = graph.node("ShaderNodeObjectInfo", {}).outputs["Object Index"]
    shine = graph.node("ShaderNodeEmission", {"Color": (1.0, 1.0, 1.0), "Strength": index}).outputs[0]
    graph.node("ShaderNodeOutputMaterial", {"Surface": shine})
    return material
