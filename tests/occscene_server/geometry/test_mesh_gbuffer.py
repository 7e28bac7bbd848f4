"""G-buffers of triangles: the same as by trying every triangle for every pixel, in double precision."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from occscene.camera import PinholeCamera
from occscene.grid import GridObject, SemanticGrid
from occscene.mesh import TriangleMesh
from occscene.rigid import Float64Array

from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.gbuffer import GBuffer
from occscene_server.geometry.mesh_gbuffer import RayScene, mesh_gbuffer
from tests.occscene_server.geometry.random_scenes import looking_at

SIZE = (20, 30)


def _pose(seed: int) -> Float64Array:
    """A grid that is turned and far from the world's origin."""
    rng = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = turn * np.sign(np.linalg.det(turn)), rng.normal(size=3) * 500
    return pose


def _grid(pose: Float64Array, ids: tuple[int, ...] = ()) -> SemanticGrid:
    objects = tuple(GridObject(number, f"object {number}") for number in ids)
    return SemanticGrid(
        np.zeros((20, 20, 20), np.uint8), 0.2, pose, "indoor", np.zeros((20, 20, 20), np.uint16), objects
    )


def _soup(seed: int, pose: Float64Array, count: int = 60) -> TriangleMesh:
    """Triangles anywhere in a volume of 4 m, each with a place of its own in a texture."""
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0.5, 3.5, (count, 1, 3)) + rng.normal(size=(count, 3, 3)) * 0.5
    surface = rng.normal(size=(3 * count, 3))
    return TriangleMesh(
        corners.reshape(-1, 3) @ pose[:3, :3].T + pose[:3, 3],
        np.arange(3 * count).reshape(-1, 3),
        rng.integers(1, 12, count).astype(np.uint8),
        rng.choice([0, 7, 9, 60000, 123], count).astype(np.uint16),
        surface,
    )


def _cameras(pose: Float64Array) -> list[PinholeCamera]:
    eyes = [((2.0, 2.1, 1.9), (3.0, 1.0, 0.5)), ((-2.0, 1.0, 3.0), (2.0, 2.0, 2.0)), ((2.0, 6.0, 2.0), (2.0, 2.0, 2.2))]
    return [
        PinholeCamera(str(view), 96, 64, 80.0, 70.4, 45.0, 35.0, pose @ looking_at(eye, target))
        for view, (eye, target) in enumerate(eyes)
    ]


def _place(camera: PinholeCamera, row: float, column: float) -> Float64Array:
    """The ray through a place of an image of `SIZE`, in the world, 1 m deep."""
    x, y = column * camera.width / SIZE[1], row * camera.height / SIZE[0]
    return camera.world_from_camera[:3, :3] @ ((x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy, 1.0)


def _first(mesh: TriangleMesh, start: Float64Array, ray: Float64Array) -> tuple[float, int, float, float]:
    """Moller and Trumbore (1997): depth, triangle and barycentrics of the nearest hit; depth inf for none."""
    a, b, c = mesh.vertices[mesh.triangles].transpose(1, 0, 2)
    across = np.cross(ray, c - a)
    scale = ((b - a) * across).sum(1)
    u = ((start - a) * across).sum(1) / scale
    other = np.cross(start - a, b - a)
    v = other @ ray / scale
    depth = ((c - a) * other).sum(1) / scale
    depth[(u < 0) | (v < 0) | (u + v > 1) | (depth <= 0)] = np.inf
    best = int(np.argmin(depth))
    return float(depth[best]), best, float(u[best]), float(v[best])


def _draw(mesh: TriangleMesh, pose: Float64Array, ids: tuple[int, ...] = (9, 7, 60000)) -> GBuffer:
    cameras = CameraTensors.from_cameras([_cameras(pose)])
    return mesh_gbuffer([RayScene(mesh, _grid(pose, ids))], cameras, SIZE)


@pytest.mark.parametrize("seed", range(3))
def test_every_pixel_sees_the_nearest_triangle(seed: int) -> None:
    pose = _pose(seed)
    mesh, rows = _soup(seed, pose), {9: 1, 7: 2, 60000: 3}
    maps = _draw(mesh, pose)
    different = 0
    for view, camera in enumerate(_cameras(pose)):
        for row, column in itertools.product(range(SIZE[0]), range(SIZE[1])):
            ray = _place(camera, row + 0.5, column + 0.5)
            depth, index, u, v = _first(mesh, camera.world_from_camera[:3, 3], ray)
            at = (0, view, ..., row, column)
            if np.isinf(depth) or torch.isinf(maps.depth[at]):
                different += int(np.isinf(depth) != bool(torch.isinf(maps.depth[at])))
                continue
            if abs(float(maps.depth[at]) - depth) > 1e-4:
                different += 1  # within a rounding of a triangle's edge
                continue
            a, b, c = mesh.vertices[mesh.triangles[index]]
            normal = np.cross(b - a, c - a) @ pose[:3, :3]
            normal *= -np.sign(normal @ (ray @ pose[:3, :3])) / np.linalg.norm(normal)
            s, t, w = mesh.surface[mesh.triangles[index]]  # type: ignore[index]
            assert maps.labels[at] == mesh.labels[index]
            assert maps.objects[at] == rows.get(int(mesh.object_ids[index]), 0)
            np.testing.assert_allclose(maps.normal[at], normal, atol=1e-5)
            np.testing.assert_allclose(maps.surface[at], s + u * (t - s) + v * (w - s), atol=1e-3)
    assert different <= 3


def test_what_sees_nothing_is_empty() -> None:
    pose = _pose(0)
    nothing = TriangleMesh(np.zeros((0, 3)), np.zeros((0, 3), int), np.zeros(0, np.uint8), np.zeros(0, np.uint16))
    for mesh in (nothing, _soup(1, pose)):
        maps = _draw(mesh, pose)
        missed = torch.isinf(maps.depth)
        assert missed.any()
        assert not maps.labels[missed].any()
        assert not maps.objects[missed].any()
        assert not maps.footprint[missed].any()
        for vectors in (maps.normal, maps.surface):
            assert not vectors.movedim(2, 4)[missed].any()
    assert bool(torch.isinf(_draw(nothing, pose).depth).all())


def test_footprint_is_how_far_neighbouring_rays_meet_the_plane() -> None:
    pose = _pose(4)
    mesh = _soup(4, pose)
    maps = _draw(mesh, pose)
    step = 1e-3
    checked = 0
    for view, camera in enumerate(_cameras(pose)):
        start = camera.world_from_camera[:3, 3]
        for row, column in itertools.product(range(0, SIZE[0], 3), range(0, SIZE[1], 3)):
            depth, index, *_ = _first(mesh, start, _place(camera, row + 0.5, column + 0.5))
            if np.isinf(depth) or abs(float(maps.depth[0, view, row, column]) - depth) > 1e-4:
                continue
            a, b, c = mesh.vertices[mesh.triangles[index]]
            normal = np.cross(b - a, c - a)

            def seen(y: float, x: float, camera: PinholeCamera = camera, a=a, normal=normal) -> Float64Array:
                ray = _place(camera, y, x)
                at = camera.world_from_camera[:3, 3]
                return at + ray * ((a - at) @ normal / (ray @ normal))

            y, x = row + 0.5, column + 0.5
            moves = np.stack([seen(y + step, x) - seen(y - step, x), seen(y, x + step) - seen(y, x - step)]) / (
                2 * step
            )
            expected = np.linalg.svd(moves)[1][0]
            assert float(maps.footprint[0, view, row, column]) == pytest.approx(expected, rel=1e-2)
            checked += 1
    assert checked > 50
