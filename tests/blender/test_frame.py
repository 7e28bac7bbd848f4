"""One bright box in a Cycles render, the G-buffer of the camera that is sent, a projection and a background."""

from __future__ import annotations

import math
from pathlib import Path

import bpy
import numpy as np
import pytest
from mathutils import Vector
from numpy.typing import NDArray
from occscene.camera import PinholeCamera
from occscene.grid import SemanticGrid

from blender_addon.jobs.request import Request
from blender_addon.properties.settings import SceneSettings
from blender_addon.scene.cameras import chosen_views, pinhole_camera
from blender_addon.scene.frame import frame_window
from blender_addon.scene.images import encoded_pixels, packed_image, png_of
from blender_addon.scene.overlay import put_view
from blender_addon.scene.photos import photo_png, photo_window
from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.gbuffer_maps import render_gbuffer_maps
from occscene_server.geometry.grids import GridTensors
from tests.blender.build_scenes import add_box, add_camera

SIDE = 256
RENDERED_SIDE = 480  # of Cycles' pictures, which are measured
VOXEL = 0.1
FRAMES = [
    ((1920, 1080), (1, 1)),
    ((1080, 1920), (1, 1)),
    ((2048, 858), (1, 1)),
    ((1000, 1000), (1, 1)),
    ((1080, 1350), (1, 1)),
    ((720, 576), (16, 15)),
    ((721, 577), (1, 1.3)),
]
FITS = [("AUTO", (0.0, 0.0)), ("HORIZONTAL", (0.12, -0.08)), ("VERTICAL", (-0.07, 0.1))]
PHOTOS = [(480, 270), (300, 400), (480, 201), (350, 350), (321, 203)]


@pytest.fixture
def marked(scene: bpy.types.Scene) -> bpy.types.Scene:
    """A bright box of 3 voxels a side before a dark wall, and a camera."""
    add_box("wall", (14, 0.2, 14), (0, 2.1, 1))
    marker = add_box("objs", (3 * VOXEL,) * 3, (0.35, 1.05, 1.25))
    material = bpy.data.materials.new("light")
    material.use_nodes = True
    nodes = material.node_tree.nodes
    nodes.clear()
    light, output = nodes.new("ShaderNodeEmission"), nodes.new("ShaderNodeOutputMaterial")
    material.node_tree.links.new(light.outputs[0], output.inputs["Surface"])
    marker.data.materials.append(material)
    camera = add_camera("camera", (-0.3, -2.0, 1.5))
    camera.rotation_euler = (Vector((0.3, 1.0, 1.2)) - camera.location).to_track_quat("-Z", "Y").to_euler()
    camera.data.lens, camera.data.sensor_width, camera.data.sensor_height = 30.0, 36.0, 24.0
    scene.camera = camera
    scene.render.engine = "CYCLES"
    scene.cycles.samples, scene.cycles.use_denoising, scene.cycles.device = 1, False, "CPU"
    scene.cycles.max_bounces = 0
    scene.render.threads_mode, scene.render.threads = "FIXED", 1
    scene.view_settings.view_transform = "Raw"
    scene.render.image_settings.file_format = "PNG"
    return scene


def render(scene: bpy.types.Scene, folder: Path) -> NDArray[np.float32]:
    """Brightness of what Cycles makes of the active camera's view, rows from above."""
    scene.render.filepath = str(folder / "render.png")
    longest = max(scene.render.resolution_x, scene.render.resolution_y)
    scene.render.resolution_percentage = math.ceil(100 * RENDERED_SIDE / longest)
    bpy.ops.render.render(write_still=True)
    scene.render.resolution_percentage = 100
    return np.array(encoded_pixels((folder / "render.png").read_bytes())[::-1, :, 0])


def middle(bright: NDArray[np.float32], size: tuple[float, float]) -> NDArray[np.float64]:
    """Where the bright part of an image lies, (x, y), if the image is `size` wide and high."""
    rows, columns = np.nonzero(bright > 0.5)
    assert len(rows)
    shape = bright.shape[1], bright.shape[0]
    return np.array([columns.mean() + 0.5, rows.mean() + 0.5]) * np.array(size) / shape


def in_gbuffer(camera: PinholeCamera) -> NDArray[np.float64]:
    """Where the G-buffer that the server draws shows the box."""
    labels = np.zeros((40, 24, 40), np.uint8)
    pose = np.eye(4)
    pose[:3, 3] = (-2.0, 0.0, -0.9)
    x, y, z = (round((low - corner) / VOXEL) for low, corner in zip((0.2, 0.9, 1.1), pose[:3, 3], strict=True))
    labels[x : x + 3, y : y + 3, z : z + 3] = 11
    grid = GridTensors.from_grids([SemanticGrid(labels, VOXEL, pose, "indoor")])
    seen = render_gbuffer_maps(grid, CameraTensors.from_cameras([[camera]]), (camera.height, camera.width), 12)
    shown: NDArray[np.float32] = (seen.labels[0, 0] == 11).float().numpy()
    return middle(shown, (camera.width, camera.height))


def frame_places(camera: PinholeCamera, scene: bpy.types.Scene) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What takes pixels of the picture to pixels of a frame whose longer side has `SIDE`: its size, and a shift."""
    frame = frame_window(scene)
    size = np.array([frame.width, frame.height]) * SIDE / max(frame.width, frame.height)
    return size, (size - (camera.width, camera.height)) / 2


@pytest.mark.parametrize(("fit", "shift"), FITS)
@pytest.mark.parametrize(("resolution", "aspect"), FRAMES)
@pytest.mark.slow
def test_a_marker_is_where_cycles_shows_it(
    marked: bpy.types.Scene,
    tmp_path: Path,
    resolution: tuple[int, int],
    aspect: tuple[float, float],
    fit: str,
    shift: tuple[float, float],
) -> None:
    set_frame(marked, resolution, aspect, fit, shift)
    camera = pinhole_camera(marked.camera, marked, SIDE)
    size, margin = frame_places(camera, marked)
    truth = middle(render(marked, tmp_path), tuple(size)) - margin
    assert np.abs(in_gbuffer(camera) - truth).max() < 1.0

    spot = np.zeros((camera.height, camera.width, 4), np.float32)
    spot[..., 3] = 1.0
    column, row = np.floor(truth).astype(int)
    spot[row - 6 : row + 7, column - 6 : column + 7] = 1.0
    view = png_of(spot[::-1], packed_like())
    add_result(marked, view, tmp_path)
    bpy.ops.object.select_all(action="DESELECT")
    marked.objects["objs"].hide_render = True
    marked.objects["wall"].select_set(True)
    marked.objects["wall"].color = (0.0, 0.0, 0.0, 1.0)
    assert bpy.ops.occscene.project_views(target="SELECTED") == {"FINISHED"}
    projected = middle(render(marked, tmp_path), tuple(size)) - margin
    assert np.abs(projected - (column + 0.5, row + 0.5)).max() < 1.0

    put_view(marked, marked.camera, packed_image("view", view), 1.0)
    window = photo_window(marked.camera, marked)
    back = pinhole_camera(marked.camera, marked, SIDE, window)
    assert (back.width, back.height) == (camera.width, camera.height)
    shown = encoded_pixels(photo_png(marked.camera, marked, (back.width, back.height)))[::-1, :, 0]
    assert np.abs(middle(np.array(shown), (back.width, back.height)) - (column + 0.5, row + 0.5)).max() < 1.0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("resolution", "aspect", "fit", "shift"),
    [
        ((1920, 1080), (1, 1), "AUTO", (0.0, 0.0)),
        ((858, 2048), (1, 1), "HORIZONTAL", (0.05, 0.03)),
        ((720, 576), (16, 15), "VERTICAL", (-0.04, 0.05)),
    ],
)
def test_the_camera_sent_describes_the_photo_sent(
    marked: bpy.types.Scene,
    tmp_path: Path,
    resolution: tuple[int, int],
    aspect: tuple[float, float],
    fit: str,
    shift: tuple[float, float],
) -> None:
    """A photo shows the render that lies under it in the frame; its marker must be where the camera sent sees it."""
    set_frame(marked, resolution, aspect, fit, shift)
    bright = render(marked, tmp_path)
    marked.camera.data.background_images.new()
    for photo in PHOTOS:
        for method in ("FIT", "CROP", "STRETCH"):
            check_photo(marked, bright, photo, method)


def check_photo(marked: bpy.types.Scene, bright: NDArray[np.float32], photo: tuple[int, int], method: str) -> None:
    background = marked.camera.data.background_images[0]
    image = bpy.data.images.new("photo", *photo)
    background.image, background.frame_method = image, method
    frame = frame_window(marked)
    window = photo_window(marked.camera, marked)
    shape, frame_shape = photo[0] / photo[1], frame.width / frame.height
    covered = np.array([1.0, 1.0])  # of the frame's sides, by the whole photo
    if method == "FIT":
        covered = np.minimum([shape / frame_shape, frame_shape / shape], 1.0)
    elif method == "CROP":
        covered = np.maximum([shape / frame_shape, frame_shape / shape], 1.0)
    seen = np.minimum(covered, 1.0) * (frame.width, frame.height)
    np.testing.assert_allclose((window.width, window.height), seen)

    image.pixels.foreach_set(photograph(bright, photo, covered).ravel())
    sent = pinhole_camera(marked.camera, marked, SIDE, window)
    assert sent.fx == sent.fy
    assert max(sent.width, sent.height) == SIDE
    pixels = encoded_pixels(photo_png(marked.camera, marked, (sent.width, sent.height)))
    assert pixels.shape[:2] == (sent.height, sent.width)
    shown = middle(np.array(pixels[::-1, :, 0]), (sent.width, sent.height))
    assert np.abs(shown - in_gbuffer(sent)).max() < 1.5


def photograph(
    bright: NDArray[np.float32], photo: tuple[int, int], covered: NDArray[np.float64]
) -> NDArray[np.float32]:
    """A photo in Blender's order of rows whose pixels show what the frame's render has under them."""
    height, width = bright.shape
    x = ((np.arange(photo[0]) + 0.5) / photo[0] - 0.5) * covered[0] + 0.5
    y = ((np.arange(photo[1]) + 0.5) / photo[1] - 0.5) * covered[1] + 0.5
    columns = np.clip((x * width).astype(int), 0, width - 1)
    rows = np.clip((y * height).astype(int), 0, height - 1)
    pixels = np.ones((photo[1], photo[0], 4), np.float32)
    pixels[..., :3] = bright[rows][:, columns, None]
    return pixels[::-1]


def test_photos_are_moved_scaled_and_mirrored_as_drawn(scene: bpy.types.Scene) -> None:
    camera = add_camera("camera")
    scene.render.resolution_x, scene.render.resolution_y = 400, 200
    image = bpy.data.images.new("photo", 200, 100)
    pixels = np.zeros((100, 200, 4), np.float32)
    pixels[..., 3] = 1.0
    pixels[50:, :100, 0] = 1.0  # red above on the left
    image.pixels.foreach_set(pixels.ravel())
    background = camera.data.background_images.new()
    background.image, background.scale, background.offset = image, 0.5, (0.1, -0.05)
    window = photo_window(camera, scene)
    np.testing.assert_allclose((window.left, window.top, window.width, window.height), (140, 60, 200, 100), atol=1e-4)
    red = encoded_pixels(photo_png(camera, scene, (128, 64)))[::-1, :, 0]
    assert (red[:31, :63] > 0.98).all()
    assert (red[33:] < 0.02).all()
    background.use_flip_x = background.use_flip_y = True
    red = encoded_pixels(photo_png(camera, scene, (128, 64)))[::-1, :, 0]
    assert (red[33:, 65:] > 0.98).all()
    assert (red[:31] < 0.02).all()
    background.offset = (0.45, 0.0)
    assert photo_window(camera, scene).right == 400
    background.offset = (0.9, 0.0)
    with pytest.raises(ValueError, match="'camera' lies outside of the frame"):
        photo_window(camera, scene)
    background.rotation = 0.5
    with pytest.raises(ValueError, match=r"'camera' is turned by 28.65 degrees: set its rotation to 0"):
        photo_window(camera, scene)


def test_a_large_photo_is_averaged_and_a_small_one_interpolated(scene: bpy.types.Scene) -> None:
    camera = add_camera("camera")
    scene.render.resolution_x = scene.render.resolution_y = 100
    background = camera.data.background_images.new()
    for side in (1000, 64, 5):
        image = bpy.data.images.new("photo", side, side, float_buffer=True)
        image.colorspace_settings.name = "sRGB"
        ramp = np.ones((side, side, 4), np.float32)
        ramp[..., 0] = (np.arange(side) + 0.5) / side
        ramp[..., 1] = np.indices((side, side)).sum(axis=0) % 2  # a checkerboard
        image.pixels.foreach_set(ramp.ravel())
        background.image = image
        sent = encoded_pixels(photo_png(camera, scene, (64, 64)))
        expected = np.clip((np.arange(64) + 0.5) / 64, 0.5 / side, 1 - 0.5 / side)
        np.testing.assert_allclose(sent[:, :, 0], np.tile(expected, (64, 1)), atol=1.5 / side if side > 5 else 0.06)
        if side == 1000:
            assert np.abs(sent[..., 1] - 0.5).max() < 0.05


def set_frame(
    scene: bpy.types.Scene,
    resolution: tuple[int, int],
    aspect: tuple[float, float],
    fit: str,
    shift: tuple[float, float],
) -> None:
    scene.render.resolution_x, scene.render.resolution_y = resolution
    scene.render.pixel_aspect_x, scene.render.pixel_aspect_y = aspect
    scene.render.resolution_percentage = 30
    scene.camera.data.sensor_fit = fit
    scene.camera.data.shift_x, scene.camera.data.shift_y = shift
    bpy.context.view_layer.update()


def packed_like() -> bpy.types.Image:
    return bpy.data.images.new("like", 8, 8)


def add_result(scene: bpy.types.Scene, view: bytes, folder: Path) -> None:
    """A result with the camera's view, as if the server had made it."""
    chosen = chosen_views(bpy.context, "ALL", SIDE, 1)
    request = Request("abcd", "BLOCKOUT", SceneSettings(), chosen, str(folder), "2026-01-01T00:00:00+00:00")
    result = scene.occscene.results.add()
    result.name, result.request, result.state = "abcd", request.to_json(), "SUCCEEDED"
    result.directory = str(folder)
    kept = result.views.add()
    kept.name, kept.image = "camera", packed_image("camera", view)
