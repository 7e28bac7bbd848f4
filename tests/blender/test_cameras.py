"""Our cameras against Blender's own projection."""

from __future__ import annotations

import itertools

import bpy
import numpy as np
import pytest
from bpy_extras.object_utils import world_to_camera_view
from mathutils import Vector

from blender_addon.scene.cameras import chosen_cameras, image_size, pinhole_camera, pinhole_camera_sized
from tests.blender.build_scenes import add_camera

FRAMES = [
    ((256, 256), (1, 1)),
    ((640, 360), (1, 1)),
    ((300, 500), (1, 1)),
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
    ours = pinhole_camera(camera, scene)
    points = np.random.default_rng(5).uniform(-1, 1, (20, 3)) + np.array(camera.matrix_world @ Vector((0, 0, -4)))
    pixels, depths = ours.project(points)
    for point, pixel, depth in zip(points, pixels, depths, strict=True):
        x, y, z = world_to_camera_view(scene, camera, Vector(point))
        assert pixel == pytest.approx((x * ours.width, (1 - y) * ours.height), abs=0.01)
        assert depth == pytest.approx(z, rel=1e-5)
    if aspect[0] != aspect[1]:
        assert ours.fx != pytest.approx(ours.fy)


def test_size_keeps_the_frame(scene: bpy.types.Scene) -> None:
    camera = add_camera("camera")
    scene.render.resolution_x, scene.render.resolution_y = 1920, 1080
    bpy.context.view_layer.update()
    assert image_size(scene, 256) == (256, 128)
    full, small = pinhole_camera_sized(camera, scene, 960, 540), pinhole_camera_sized(camera, scene, 256, 144)
    point = np.array([[0.4, 1.0, 1.8]])
    np.testing.assert_allclose(full.project(point)[0] / (960, 540), small.project(point)[0] / (256, 144))


def test_orthographic_cameras_and_no_cameras_are_refused(scene: bpy.types.Scene) -> None:
    with pytest.raises(ValueError, match="no camera"):
        chosen_cameras(bpy.context, "ALL")
    camera = add_camera("plan")
    camera.data.type = "ORTHO"
    with pytest.raises(ValueError, match="'plan' is of type ORTHO"):
        pinhole_camera_sized(camera, scene, 256, 256)
