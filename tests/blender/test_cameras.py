"""Our cameras against Blender's own projection."""

from __future__ import annotations

import itertools

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector

from blender_addon.scene.camera_objects import chosen_cameras
from blender_addon.scene.cameras import pinhole_camera
from blender_addon.scene.frame import Window, frame_window, picture_size
from tests.blender.build_scenes import add_camera

FRAMES = [
    ((256, 256), (1, 1)),
    ((1920, 1080), (1, 1)),
    ((1080, 1920), (1, 1)),
    ((2048, 858), (1, 1)),
    ((1000, 1000), (1, 1)),
    ((1080, 1350), (1, 1)),
    ((720, 576), (16, 15)),
    ((721, 577), (1, 1)),
    ((320, 300), (1, 2)),
    ((400, 300), (1.5, 1)),
]


@pytest.mark.parametrize(
    ("fit", "frame", "shift"),
    list(itertools.product(("AUTO", "HORIZONTAL", "VERTICAL"), FRAMES, ((0, 0), (0.13, -0.21)))),
)
def test_points_land_where_blender_says(
    scene: bpy.types.Scene,
    fit: str,
    frame: tuple[tuple[int, int], tuple[float, float]],
    shift: tuple[float, float],
) -> None:
    camera = add_camera("camera")
    camera.rotation_euler, camera.scale = (1.2, 0.3, 0.7), (2.0, 2.0, 2.0)
    camera.data.sensor_fit = fit
    camera.data.lens, camera.data.sensor_width, camera.data.sensor_height = 27.0, 36.0, 20.0
    camera.data.shift_x, camera.data.shift_y = shift
    (scene.render.resolution_x, scene.render.resolution_y), aspect = frame
    scene.render.pixel_aspect_x, scene.render.pixel_aspect_y = aspect
    bpy.context.view_layer.update()
    scene.render.resolution_percentage = 37  # which must not matter, nor must the border
    scene.render.use_border = scene.render.use_crop_to_border = True
    scene.render.border_max_x = 0.4
    ours = pinhole_camera(camera, scene, 256)
    assert ours.fx == ours.fy
    shown = frame_window(scene)
    assert max(ours.width, ours.height) == 256
    short = min(shown.width, shown.height) / max(shown.width, shown.height) * 256
    assert abs(min(ours.width, ours.height) - short) <= 0.5
    points = np.random.default_rng(5).uniform(-1, 1, (20, 3)) + np.array(camera.matrix_world @ Vector((0, 0, -4)))
    pixels, depths = ours.project(points)
    scale = 256 / max(shown.width, shown.height)
    for point, pixel, depth in zip(points, pixels, depths, strict=True):
        x, y, z = world_to_camera_view(scene, camera, Vector(point))
        from_middle = ((x - 0.5) * shown.width * scale, (0.5 - y) * shown.height * scale)
        assert pixel - (ours.width / 2, ours.height / 2) == pytest.approx(from_middle, abs=0.01)
        assert depth == pytest.approx(z, rel=1e-5)


@pytest.mark.parametrize(
    ("resolution", "aspect", "size"),
    [
        ((1920, 1080), (1, 1), (256, 144)),
        ((1080, 1920), (1, 1), (144, 256)),
        ((2048, 858), (1, 1), (256, 107)),
        ((1000, 1000), (1, 1), (256, 256)),
        ((1080, 1350), (1, 1), (205, 256)),
        ((720, 576), (16, 15), (256, 192)),
        ((720, 576), (1, 1), (256, 205)),
        ((4096, 1024), (1, 1), (256, 64)),
        ((99, 100), (1, 1), (253, 256)),
    ],
)
def test_pictures_have_the_displayed_shape(
    scene: bpy.types.Scene, resolution: tuple[int, int], aspect: tuple[float, float], size: tuple[int, int]
) -> None:
    scene.render.resolution_x, scene.render.resolution_y = resolution
    scene.render.pixel_aspect_x, scene.render.pixel_aspect_y = aspect
    assert picture_size(frame_window(scene), 256) == size


@pytest.mark.parametrize(
    ("shape", "longest", "message"),
    [
        ((2048, 400), 256, "shape 2048 x 400 would have 256 x 50 pixels; .* 64: set Image Size to 326 or more"),
        ((1920, 1080), 64, "64 x 36 pixels; .* set Image Size to 113 or more"),
        ((8000, 400), 1024, "1024 x 51 pixels; .* choose a shape nearer to a square"),
        ((4, 10000), 512, "would have 0 x 512 pixels"),
    ],
)
def test_long_narrow_pictures_are_refused(shape: tuple[int, int], longest: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        picture_size(Window(0, 0, *shape), longest)


def test_the_size_that_an_error_asks_for_is_the_least_that_runs() -> None:
    for shape, longest in (((2048, 400), 326), ((1920, 1080), 113)):
        assert min(picture_size(Window(0, 0, *shape), longest)) == 64
        with pytest.raises(ValueError, match="would have"):
            picture_size(Window(0, 0, *shape), longest - 1)


@pytest.mark.parametrize(
    ("shape", "size"),
    [((1920, 1080), (256, 144)), ((2048, 858), (248, 104)), ((1080, 1350), (192, 240)), ((1, 1), (256, 256))],
)
def test_a_server_that_asks_for_multiples_gets_them_unsqueezed(shape: tuple[int, int], size: tuple[int, int]) -> None:
    assert picture_size(Window(0, 0, *shape), 256, 8) == size
    assert min(size) == round(max(size) * min(shape) / max(shape))


def test_a_shape_that_has_no_multiples_is_refused() -> None:
    with pytest.raises(ValueError, match="multiples of 64 pixels, which none of the shape 1000 x 617 has"):
        picture_size(Window(0, 0, 1000, 617), 256, 64)


def test_a_part_of_the_frame_is_the_same_camera(scene: bpy.types.Scene) -> None:
    camera = add_camera("camera")
    camera.data.shift_x = 0.1
    scene.render.resolution_x, scene.render.resolution_y = 1920, 1080
    bpy.context.view_layer.update()
    whole = pinhole_camera(camera, scene, 1024)
    part = pinhole_camera(camera, scene, 480, Window(480, 270, 1440, 810))
    assert (part.width, part.height, part.fx) == (480, 270, part.fy)
    points = np.array([[0.4, 1.0, 1.8], [-0.3, 2.0, 1.1]])
    in_frame = whole.project(points)[0] * 1920 / 1024
    np.testing.assert_allclose(part.project(points)[0], (in_frame - (480, 270)) / 2)


def test_orthographic_cameras_and_no_cameras_are_refused(scene: bpy.types.Scene) -> None:
    with pytest.raises(ValueError, match="no camera"):
        chosen_cameras(bpy.context, "ALL")
    camera = add_camera("plan")
    camera.data.type = "ORTHO"
    with pytest.raises(ValueError, match="'plan' is of type ORTHO"):
        pinhole_camera(camera, scene, 256)
