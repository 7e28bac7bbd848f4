"""Lane markings: along the middle of whatever an artist makes roads of, and nowhere else."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from occscene.camera import PinholeCamera
from occscene.grid import GridObject, SemanticGrid
from occscene.mesh import TriangleMesh
from occscene.taxonomy import INDOOR, OUTDOOR

from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.materials import MARKING
from occscene_server.geometry.mesh_gbuffer import RayScene, mesh_gbuffer
from occscene_server.geometry.part_meshes import mesh_with_parts
from occscene_server.geometry.road_markings import road_lines
from tests.occscene_server.geometry.random_scenes import looking_at

Floats = NDArray[np.float64]

ROAD, CAR = OUTDOOR.index_of("road"), OUTDOOR.index_of("car")
VOXEL = 0.2
TOP = 0.5
"""Height of the roads' surface above the volume's underside, metres."""


def _pose(turn: float = 0.7) -> Floats:
    pose = np.eye(4)
    pose[:2, :2] = [[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]
    pose[:3, 3] = 80.0, -35.0, 2.0
    return pose


def _scene(
    roads: Sequence[tuple[float, float, float, float]],
    name: str = "road",
    slope: float = 0.0,
    pose: Floats | None = None,
) -> tuple[TriangleMesh, SemanticGrid]:
    """Rectangles of road, x0, x1, y0, y1 in metres along a grid of 51.2 m, rising along x."""
    pose = _pose() if pose is None else pose
    labels = np.zeros((256, 256, 32), np.uint8)
    corners = []
    for x0, x1, y0, y1 in roads:
        columns = tuple(slice(round(low / VOXEL), round(high / VOXEL)) for low, high in ((x0, x1), (y0, y1)))
        labels[(*columns, 2)] = ROAD
        a, b, c, d = ((x, y, TOP + slope * x) for x, y in ((x0, y0), (x1, y0), (x1, y1), (x0, y1)))
        corners += [(a, b, c), (a, c, d)]
    vertices = np.array(corners).reshape(-1, 3) @ pose[:3, :3].T + pose[:3, 3]
    count = len(corners)
    mesh = TriangleMesh(
        vertices,
        np.arange(3 * count).reshape(-1, 3),
        np.full(count, ROAD, np.uint8),
        np.full(count, 7, np.uint16),
    )
    instances = (labels == ROAD).astype(np.uint16) * 7
    return mesh, SemanticGrid(labels, VOXEL, pose, "outdoor", instances, (GridObject(7, name),))


def _marked(mesh: TriangleMesh, grid: SemanticGrid) -> Floats:
    """(M, 3, 3) the triangles of the markings along the grid's axes, metres."""
    marked = mesh_with_parts(mesh, grid, {})
    assert marked.materials is not None
    own = marked.materials == MARKING
    assert set(marked.object_ids[own].tolist()) <= {7}, "they are part of their road"
    assert set(marked.labels[own].tolist()) <= {ROAD}
    pose = grid.world_from_grid
    corners: Floats = ((marked.vertices - pose[:3, 3]) @ pose[:3, :3])[marked.triangles[own]]
    return corners


def test_a_straight_road_has_dashes_along_its_middle() -> None:
    corners = _marked(*_scene([(0.0, 51.2, 20.0, 27.0)]))
    points = corners.reshape(-1, 3)
    assert np.abs(points[:, 1] - 23.5).max() < 0.17, "the middle, to a voxel"
    assert np.ptp(points[:, 1]) == pytest.approx(0.12, abs=0.03)
    np.testing.assert_allclose(np.abs(points[:, 2] - TOP), 0.007, atol=1e-4)
    along = np.zeros(512, bool)
    for low, high in zip(corners[..., 0].min(1), corners[..., 0].max(1), strict=True):
        along[round(low * 10) : round(high * 10)] = True
    ends = np.flatnonzero(np.diff(along.astype(int)) == -1)
    assert len(ends) in (8, 9)
    np.testing.assert_allclose(np.diff(ends), 60, atol=3)
    assert 0.4 < along.mean() < 0.6


def test_wide_roads_have_more_lanes() -> None:
    across = _marked(*_scene([(0.0, 51.2, 18.0, 31.0)])).reshape(-1, 3)[:, 1] - 24.5
    assert np.abs(across).max() == pytest.approx(3.25, abs=0.3)
    assert len(np.unique(across.round(0))) == 3


def test_a_crossing_is_free_and_the_side_street_has_its_own() -> None:
    points = _marked(*_scene([(0.0, 51.2, 20.0, 27.0), (22.0, 29.0, 27.0, 51.2)])).reshape(-1, 3)
    on_main = np.abs(points[:, 1] - 23.5) < 0.5
    assert not ((points[:, 0] > 22.5) & (points[:, 0] < 28.5) & (points[:, 1] < 27.0)).any()
    assert np.abs(points[~on_main, 0] - 25.5).max() < 0.3
    assert np.ptp(points[~on_main, 1]) > 15.0


@pytest.mark.parametrize(
    ("roads", "name"),
    [
        ([(10.0, 40.0, 10.0, 40.0)], "road"),
        ([(0.0, 51.2, 20.0, 23.0)], "road"),
        ([(20.0, 28.0, 20.0, 27.0)], "road"),
        ([(0.0, 51.2, 20.0, 27.0)], "Cobbled lane.001"),
        ([(0.0, 51.2, 20.0, 27.0)], "dirt_road"),
        ([], "road"),
    ],
    ids=["square", "path", "short", "cobbled", "dirt", "none"],
)
def test_where_nobody_would_paint_there_is_nothing(roads: list[tuple[float, float, float, float]], name: str) -> None:
    assert not len(_marked(*_scene(roads, name)))


def test_a_name_that_only_begins_like_one_of_gravel_changes_nothing() -> None:
    assert len(_marked(*_scene([(0.0, 51.2, 20.0, 27.0)], "Settlement road")))


@pytest.mark.parametrize("voxel", [0.01, 0.03, 0.3, 0.8, 1.0, 10.0])
def test_voxels_of_any_size(voxel: float) -> None:
    covered = np.zeros((512, 64), bool)
    covered[:, 20:40] = True
    lines = road_lines(covered, voxel)
    # of the road of 20 voxels' width that is neither a path nor a square
    assert len(lines) == (0.23 < voxel < 0.9)


def test_cars_on_the_road_do_not_cut_it() -> None:
    mesh, grid = _scene([(0.0, 51.2, 20.0, 27.0)])
    before = _marked(mesh, grid)
    for x in range(20, 240, 50):
        grid.labels[x : x + 9, 108:118, 2] = CAR  # also in the voxels of the road's surface
    after = _marked(mesh, grid)
    assert len(after) == len(before)
    assert np.abs(after - before).max() < 0.3


def test_they_follow_a_slope() -> None:
    points = _marked(*_scene([(0.0, 51.2, 20.0, 27.0)], slope=0.05)).reshape(-1, 3)
    np.testing.assert_allclose(np.abs(points[:, 2] - TOP - 0.05 * points[:, 0]), 0.007, atol=2e-3)


def test_they_are_seen_and_are_not_voxelized() -> None:
    mesh, grid = _scene([(0.0, 51.2, 20.0, 27.0)], pose=np.eye(4))
    camera = PinholeCamera("c", 64, 64, 60.0, 60.0, 32.0, 32.0, looking_at((25.0, 23.5, 6.0), (25.1, 23.5, 0.0)))
    seen_by = CameraTensors.from_cameras([[camera]])
    buffers = [
        mesh_gbuffer([RayScene(one, grid)], seen_by, (64, 64)) for one in (mesh, mesh_with_parts(mesh, grid, {}))
    ]
    marked = buffers[1].materials[0, 0] == MARKING
    assert 0.002 < float(marked.float().mean()) < 0.1
    assert not buffers[0].materials.any()
    assert bool((buffers[0].labels == buffers[1].labels).all())
    assert bool((buffers[1].parts[0, 0][marked] != buffers[1].parts[0, 0][~marked].mode().values).all())


def test_rooms_have_none() -> None:
    mesh, grid = _scene([(0.0, 51.2, 20.0, 27.0)])
    floor = SemanticGrid(
        (grid.labels > 0).astype(np.uint8) * INDOOR.index_of("floor"), VOXEL, grid.world_from_grid, "indoor",
        grid.instances, grid.objects,
    )  # fmt: skip
    labels = np.full(len(mesh.labels), INDOOR.index_of("floor"), np.uint8)
    room = TriangleMesh(mesh.vertices, mesh.triangles, labels, mesh.object_ids)
    assert len(mesh_with_parts(room, floor, {}).triangles) == len(mesh.triangles)
