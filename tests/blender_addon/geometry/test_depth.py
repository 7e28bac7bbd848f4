"""Depth images against rays through the same triangles."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from occscene.camera import PinholeCamera

from blender_addon.geometry.depth import inverse_depth_image


def turned_camera(width: int, height: int) -> PinholeCamera:
    """A camera with a shift and pixels that are not square, surrounded by objects."""
    pose = np.eye(4)
    pose[:3, :3] = trimesh.transformations.euler_matrix(1.1, 0.4, -0.7)[:3, :3]
    pose[:3, 3] = (0.1, -0.2, 0.3)
    return PinholeCamera("camera", width, height, 0.8 * width, 0.9 * width, 0.4 * width, 0.6 * height, pose)


@pytest.mark.parametrize(("width", "height"), [(64, 64), (96, 64), (64, 128)])
def test_agrees_with_rays(width: int, height: int) -> None:
    camera = turned_camera(width, height)
    room = trimesh.creation.box((6, 5, 4))  # around the camera: every wall crosses its plane
    boxes = [
        trimesh.creation.icosphere(2, 0.5),
        trimesh.creation.box((0.7, 0.2, 1.4)),
        trimesh.creation.icosphere(1, 0.4),
    ]
    for number, box in enumerate(boxes):
        box.apply_translation(camera.world_from_camera[:3, :3] @ (number - 0.8, 0.3 * number - 0.4, 1.5 + number / 2))
    mesh = trimesh.util.concatenate([room, *boxes])
    drawn = inverse_depth_image(camera, np.asarray(mesh.triangles))

    sample = np.random.default_rng(3).choice(width * height, 700, replace=False)
    directions = camera.pixel_directions().reshape(-1, 3)[sample].astype(np.float64)
    origins = np.broadcast_to(camera.world_from_camera[:3, 3], directions.shape)
    hits, rays, _ = mesh.ray.intersects_location(origins, directions, multiple_hits=True)
    depths = ((hits - origins[rays]) * directions[rays]).sum(axis=1) / (directions[rays] ** 2).sum(axis=1)
    nearest = np.full(len(directions), np.inf)
    np.minimum.at(nearest, rays, depths)
    close = np.isclose(drawn.ravel()[sample], 1 / nearest, rtol=1e-4)
    assert close.mean() > 0.995  # the rest lies on edges, where a ray may pass on either side
    assert np.isfinite(nearest).all()


def test_nothing_in_front_is_zero() -> None:
    camera = turned_camera(64, 64)
    behind = trimesh.creation.box((1, 1, 1))
    behind.apply_translation(camera.world_from_camera[:3] @ (0, 0, -3, 1))
    assert not inverse_depth_image(camera, np.asarray(behind.triangles)).any()
    assert not inverse_depth_image(camera, np.zeros((0, 3, 3))).any()


def test_small_and_degenerate_triangles() -> None:
    camera = turned_camera(64, 64)
    point = camera.world_from_camera[:3] @ (0.0, 0.0, 2.0, 1.0)
    assert not inverse_depth_image(camera, np.broadcast_to(point, (1, 3, 3))).any()
    rng = np.random.default_rng(0)
    small = point + rng.normal(0, 0.4, (60, 1, 3)) + rng.normal(0, 0.1, (60, 3, 3))
    single = [inverse_depth_image(camera, triangle[None]) for triangle in small]
    assert sum(image.any() for image in single) > 30
    np.testing.assert_array_equal(inverse_depth_image(camera, small), np.max(single, axis=0))
