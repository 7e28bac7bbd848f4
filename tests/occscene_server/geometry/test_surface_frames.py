"""Surfaces of an artist's boxes have the texture frames of the studio's meshes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from occscene.grid import SemanticGrid
from occscene.layout import LayoutObject, LayoutPart
from occscene.mesh import TriangleMesh
from occscene.rigid import Float64Array

from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.gbuffer import GBuffer
from occscene_server.geometry.grids import GridTensors
from occscene_server.geometry.mesh_gbuffer import RayScene, mesh_gbuffer
from occscene_server.geometry.part_meshes import mesh_with_parts
from occscene_server.geometry.solids import quaternions
from occscene_server.geometry.surface_frames import surface_corners
from occscene_server.geometry.voxel_gbuffer import voxel_gbuffer
from occscene_server.studio.cameras import draw_cameras
from occscene_server.studio.indoor import build_room
from occscene_server.studio.room import Part, Room
from occscene_server.studio.scene_grids import room_grids
from occscene_server.studio.scene_meshes import room_meshes

SIZE = (96, 96)
SEED = 12


@pytest.fixture(scope="module")
def room() -> Room:
    return build_room(SEED)


@pytest.fixture(scope="module")
def views(room: Room) -> tuple[GBuffer, GBuffer, GBuffer]:
    """What the room's cameras see of its meshes, of its blockout's boxes and of its blockout's voxels."""
    true, blockout = room_grids(room)
    cameras = CameraTensors.from_cameras([[camera.resized(96, 96) for camera in draw_cameras(room, true)]])
    meshes = room_meshes(room)
    drawn = [mesh_gbuffer([RayScene(mesh, blockout)], cameras, SIZE) for mesh in (meshes.true, meshes.blockout)]
    return drawn[0], drawn[1], voxel_gbuffer(GridTensors.from_grids([blockout]), cameras, SIZE)


def test_walls_and_floor_of_boxes_lie_where_the_studio_has_them(
    room: Room, views: tuple[GBuffer, GBuffer, GBuffer]
) -> None:
    true, boxes, _ = views
    found = 0
    for index, item in enumerate(room.items, 1):
        if item.name in ("floor", "ceiling") or item.name.endswith(" wall"):
            both = (true.objects == index) & (boxes.objects == index) & ((true.depth - boxes.depth).abs() < 1e-4)
            if item.name == "ceiling":  # its beams are parts of their own
                both &= (true.surface - boxes.surface).abs().amax(2) < 1
            apart = (true.surface - boxes.surface).movedim(2, 4)[both].abs()
            assert apart.numel() == 0 or apart.max() < 2e-4
            found += int(both.sum())
    assert found > 0.2 * true.labels.numel()


def test_rugs_of_boxes_lie_about_their_middle_as_the_studio_has_them(
    room: Room, views: tuple[GBuffer, GBuffer, GBuffer]
) -> None:
    true, boxes, _ = views
    rug = [item.name for item in room.items].index("rug") + 1
    both = (true.objects == rug) & (boxes.objects == rug)
    assert both.sum() > 500
    theirs, ours = (maps.surface.movedim(2, 4)[both][:, :2] for maps in (true, boxes))
    # a box has no front: it may be turned by half a turn, and an artist's is a few centimetres off
    assert torch.minimum((theirs - ours).abs(), (theirs + ours).abs()).max() < 0.06


def test_walls_and_floor_of_voxels_lie_where_those_of_boxes_do(views: tuple[GBuffer, GBuffer, GBuffer]) -> None:
    _, boxes, voxels = views
    same = (boxes.objects == voxels.objects) & ((boxes.depth - voxels.depth).abs() < 0.08)
    same &= (boxes.normal - voxels.normal).abs().amax(2) < 1e-3
    built = same & ((boxes.labels >= 1) & (boxes.labels <= 3))
    assert built.sum() > 0.2 * boxes.labels.numel()
    apart = (boxes.surface - voxels.surface).movedim(2, 4)[built].abs()
    # a floor with a rug of its class on it is a floor of voxels
    assert (apart.amax(1) < 0.3).float().mean() > 0.9
    seen = voxels.labels > 0
    assert (voxels.footprint[seen] > 0).all()
    ratio = (voxels.footprint / boxes.footprint)[same]
    assert ratio.median() == pytest.approx(1, abs=0.05)


def _box(low: tuple[float, ...], high: tuple[float, ...]) -> TriangleMesh:
    part = LayoutObject("a", "sofa", (0, 0, 0), tuple(np.subtract(high, low)))  # type: ignore[arg-type]
    corners = part.corners + (np.add(low, high) / 2)
    sides = np.array([[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]])
    triangles = np.concatenate([sides[:, [0, 1, 2]], sides[:, [0, 2, 3]]])
    return TriangleMesh(corners, triangles, np.full(12, 6, np.uint8), np.full(12, 1, np.uint16))


def _grid(pose: Float64Array) -> SemanticGrid:
    return SemanticGrid(np.zeros((4, 4, 4), np.uint8), 1.0, pose, "indoor")


def _spread(pose: Float64Array, points: Float64Array) -> Float64Array:
    return points @ pose[:3, :3].T + pose[:3, 3]


@pytest.mark.parametrize("degrees", [0, 33, 90, 201])
@pytest.mark.parametrize("far", [0.0, 64000.0])
def test_a_box_counts_from_its_middle_wherever_it_stands(degrees: int, far: float) -> None:
    turn = np.eye(4)
    angle = math.radians(degrees)
    turn[:2, :2] = [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    turn[:3, 3] = (1.0 + far, -2.0, 0.5)
    mesh = _box((1.0, 1.0, 0.0), (1.6, 3.0, 0.9))
    turned = replace(mesh, vertices=_spread(turn, mesh.vertices))
    pose = np.eye(4)
    pose[:3, 3] = (far, 0, 0)
    surface = surface_corners(turned, _grid(pose))
    np.testing.assert_allclose(np.abs(surface), np.broadcast_to([1.0, 0.45, 0.3], (12, 3, 3)), atol=1e-6)


@pytest.mark.parametrize("degrees", [0, 30, 45, 90, 123])
def test_a_turned_wall_keeps_its_metres(degrees: int) -> None:
    turn = np.eye(4)
    angle = math.radians(degrees)
    turn[:2, :2] = [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    mesh = _box((0.3, 1.0, 0.2), (3.3, 1.1, 2.7))
    wall = replace(mesh, vertices=_spread(turn, mesh.vertices), labels=np.full(12, 3, np.uint8))
    surface = surface_corners(wall, _grid(np.eye(4)))
    corners = wall.vertices[wall.triangles]
    for first, second in ((0, 1), (1, 2), (2, 0)):  # faces are carried over without stretching
        lengths = np.linalg.norm(corners[:, first] - corners[:, second], axis=1)
        np.testing.assert_allclose(np.linalg.norm(surface[:, first] - surface[:, second], axis=1), lengths, atol=1e-9)
    standing = np.abs(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])[:, 2]) < 1e-9
    np.testing.assert_allclose(surface[standing, :, 1], corners[standing, :, 2])
    assert (np.ptp(surface[standing, :, 2], axis=1) < 1e-9).all()


def _pieces(room: Room) -> Iterator[tuple[Part, LayoutObject]]:
    """Every part of furniture but leaves, and an object that consists of only the same primitive."""
    for item in room.items:
        if item.class_name in ("wall", "floor", "window"):
            continue
        for part in item.parts:
            if part.solid is None or part.solid.kind == "blade":
                continue
            pose, kind = part.solid.pose, part.solid.kind
            turn = quaternions(pose[None, :, :3])[0].tolist()
            primitive = LayoutPart(
                "cylinder" if kind == "lathe" else kind, (0, 0, 0), part.solid.size, tuple(turn), part.solid.taper
            )
            yield part, LayoutObject("a", "objs", tuple(pose[:, 3]), (9.0, 9.0, 9.0), parts=(primitive,))


def _linear(points: Float64Array, places: Float64Array) -> Float64Array:
    """The matrix (3, 3) that carries differences of points to differences of places."""
    matrix: Float64Array = np.linalg.lstsq(points - points.mean(0), places - places.mean(0), rcond=None)[0]
    return matrix


def _two_alike(size: tuple[float, float, float]) -> bool:
    return min(abs(size[0] - size[1]), abs(size[1] - size[2]), abs(size[0] - size[2])) < 1e-6


def test_textures_of_parts_run_as_the_studios_do() -> None:
    nothing = TriangleMesh(np.zeros((0, 3)), np.zeros((0, 3), int), np.zeros(0, np.uint8), np.zeros(0, np.uint16))
    compared: dict[str, int] = {}
    for seed in (SEED, 13, 14):
        for part, obj in _pieces(build_room(seed)):
            assert part.solid is not None
            kind, axis = part.solid.kind, part.solid.pose[:, 2]
            mesh = mesh_with_parts(nothing, _grid(np.eye(4)), {1: obj})
            assert mesh.surface is not None
            ours, theirs = _linear(mesh.vertices, mesh.surface), _linear(part.vertices, part.local)
            np.testing.assert_allclose(ours.T @ ours, np.eye(3), atol=1e-6)
            if kind == "rod":
                np.testing.assert_allclose(axis @ ours, axis @ theirs, atol=1e-3)
            elif not _two_alike(part.solid.size):
                np.testing.assert_allclose(ours, theirs, atol=1e-3)
            elif kind in ("cylinder", "lathe") and abs(part.solid.size[2] - part.solid.size[0]) > 1e-3:
                np.testing.assert_allclose(axis @ ours, axis @ theirs, atol=1e-3)
            else:
                continue
            compared[kind] = compared.get(kind, 0) + 1
    assert {"box", "rounded box", "cylinder", "rod", "curtain", "cushion"} <= set(compared), compared
