"""Culled, merged and smooth surfaces: what they show, and that nothing is lost or invented on the way."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from occscene.grid import UNKNOWN, GridVolume, SemanticGrid
from occscene.taxonomy import OUTDOOR

from blender_addon.geometry.greedy import greedy_quads
from blender_addon.geometry.surface import QuadSurface, class_surfaces, culled_quads, occupied
from blender_addon.geometry.surface_nets import surface_nets
from blender_addon.geometry.voxelize import TriangleObject, voxelize
from tests.blender_addon.geometry.grids import grid_of, random_grids, street

MAKERS = [culled_quads, greedy_quads, surface_nets]


def corners(surface: QuadSurface) -> np.ndarray:
    """(F, 4, 3) metres."""
    return surface.vertices[surface.quads].astype(np.float64)


def normals(surface: QuadSurface) -> np.ndarray:
    """(F, 3), as long as the quads' areas."""
    at = corners(surface)
    return np.cross(at[:, 2] - at[:, 0], at[:, 3] - at[:, 1]) / 2


def area_by_class(surface: QuadSurface) -> np.ndarray:
    return np.bincount(surface.classes, np.linalg.norm(normals(surface), axis=1), 256)


def label_at(grid: SemanticGrid, places: np.ndarray) -> np.ndarray:
    """Labels where points in metres are, with unknown and the outside as empty."""
    padded = np.pad(np.where(occupied(grid.labels), grid.labels, 0), 1)
    return padded[tuple(np.floor(places / grid.voxel_size).astype(int).T + 1)]


def exposed_faces(grid: SemanticGrid) -> int:
    """Faces between occupied and unoccupied voxels, counted one by one."""
    solid = np.pad(occupied(grid.labels), 1)
    return sum(int((np.diff(solid.astype(int), axis=axis) != 0).sum()) for axis in range(3))


def triangles(surface: QuadSurface) -> np.ndarray:
    return corners(surface)[:, [[0, 1, 2], [0, 2, 3]]].reshape(-1, 3, 3)


@settings(max_examples=60, deadline=None)
@given(random_grids())
def test_every_exposed_face_is_there_once(grid: SemanticGrid) -> None:
    surface = culled_quads(grid)
    assert len(surface.quads) == exposed_faces(grid)
    assert len(np.unique(np.sort(surface.quads, axis=1), axis=0)) == len(surface.quads)
    np.testing.assert_allclose(np.linalg.norm(normals(surface), axis=1), grid.voxel_size**2, rtol=1e-5)


@settings(max_examples=60, deadline=None)
@given(random_grids())
@pytest.mark.parametrize("make", [culled_quads, greedy_quads])
@pytest.mark.parametrize("between_classes", [False, True])
def test_class_is_that_of_the_voxel_behind(make: object, between_classes: bool, grid: SemanticGrid) -> None:
    surface = make(grid, between_classes)
    direction = normals(surface)
    direction *= grid.voxel_size / 2 / np.linalg.norm(direction, axis=1, keepdims=True)
    first = corners(surface)[:, 0]
    third = corners(surface)[:, 2]
    for place in (corners(surface).mean(axis=1), first + 0.01 * (third - first), third + 0.01 * (first - third)):
        np.testing.assert_array_equal(label_at(grid, place - direction), surface.classes)
        np.testing.assert_array_equal(label_at(grid, place + direction), surface.fronts)


@settings(max_examples=60, deadline=None)
@given(random_grids())
@pytest.mark.parametrize("between_classes", [False, True])
def test_merging_keeps_the_area_of_each_class(between_classes: bool, grid: SemanticGrid) -> None:
    culled, merged = culled_quads(grid, between_classes), greedy_quads(grid, between_classes)
    np.testing.assert_allclose(area_by_class(merged), area_by_class(culled), rtol=1e-4)
    assert len(merged.quads) <= len(culled.quads)


def test_a_box_merges_to_six_quads_and_a_border_of_classes_stays() -> None:
    labels = np.zeros((9, 8, 7), np.uint8)
    labels[1:8, 1:7, 1:6] = 13
    assert len(greedy_quads(grid_of(labels)).quads) == 6
    labels[4:8, 1:7, 1:6] = 15
    assert len(greedy_quads(grid_of(labels)).quads) == 10
    assert len(greedy_quads(grid_of(labels), between_classes=True).quads) == 11


@settings(max_examples=40, deadline=None)
@given(random_grids())
@pytest.mark.parametrize("make", [culled_quads, surface_nets])
def test_each_class_is_closed(make: object, grid: SemanticGrid) -> None:
    """Every directed edge of a class's surface is met by as many the other way round."""
    surfaces = class_surfaces(make(grid, between_classes=True))
    assert set(surfaces) == set(np.unique(grid.labels)) - {0, UNKNOWN}
    for label, surface in surfaces.items():
        assert (surface.classes == label).all()
        edges = np.stack([surface.quads, np.roll(surface.quads, -1, axis=1)], axis=-1).reshape(-1, 2).astype(np.int64)
        ways = [np.sort(pair @ [2**32, 1]) for pair in (edges, edges[:, ::-1])]
        np.testing.assert_array_equal(*ways)
        assert set(np.unique(surface.quads)) == set(range(len(surface.vertices)))
        if make is culled_quads:
            at = corners(surface)
            volume = (at.mean(axis=1) * normals(surface)).sum() / 3
            assert volume == pytest.approx((grid.labels == label).sum() * grid.voxel_size**3, rel=1e-4)


def voxelized_back(grid: SemanticGrid) -> np.ndarray:
    volume = GridVolume(grid.shape, grid.voxel_size, np.eye(4))
    objects = [
        TriangleObject(OUTDOOR.classes[label].name, label, triangles(surface), priority=1)
        for label, surface in class_surfaces(culled_quads(grid, between_classes=True)).items()
    ]
    return voxelize(objects, volume, OUTDOOR).labels


@settings(max_examples=40, deadline=None)
@given(random_grids())
def test_voxelising_the_surface_gives_the_grid_back(grid: SemanticGrid) -> None:
    np.testing.assert_array_equal(voxelized_back(grid), np.where(grid.labels == UNKNOWN, 0, grid.labels))


def test_cavities_and_what_is_inside_them_survive() -> None:
    labels = np.zeros((11, 11, 11), np.uint8)
    labels[1:10, 1:10, 1:10] = 13
    labels[2:9, 2:9, 2:9] = 0
    labels[4:7, 4:7, 4:7] = 1
    labels[5, 5, 5] = 15
    np.testing.assert_array_equal(voxelized_back(grid_of(labels)), labels)


def test_voxelising_a_street_s_surface_gives_the_street_back() -> None:
    grid = street((64, 64, 32))
    np.testing.assert_array_equal(voxelized_back(grid), grid.labels)


@settings(max_examples=40, deadline=None)
@given(random_grids())
def test_the_net_is_the_culled_surface_with_vertices_moved_a_little(grid: SemanticGrid) -> None:
    net, culled = surface_nets(grid), culled_quads(grid)
    assert len(net.vertices) == len(culled.vertices)
    np.testing.assert_array_equal(net.quads, culled.quads)
    np.testing.assert_array_equal(net.classes, culled.classes)
    assert np.abs(net.vertices - culled.vertices).max(initial=0) <= 0.3501 * grid.voxel_size


def test_a_net_is_round_where_the_voxels_stand_for_a_ball() -> None:
    cells = np.indices((40, 40, 40)) + 0.5
    ball = ((cells - 20) ** 2).sum(axis=0) < 15**2
    grid = grid_of(ball.astype(np.uint8) * 15, 1.0)
    off = {make: np.linalg.norm(make(grid).vertices - 20, axis=1) - 15 for make in MAKERS}
    assert off[surface_nets].std() < 0.35 * off[culled_quads].std()
    assert np.abs(off[surface_nets]).max() < 0.6
    faces = triangles(surface_nets(grid)).reshape(-1, 3)
    mesh = trimesh.Trimesh(faces, np.arange(len(faces)).reshape(-1, 3)).merge_vertices() or trimesh.Trimesh(
        faces, np.arange(len(faces)).reshape(-1, 3), process=True
    )
    assert mesh.is_watertight
    assert mesh.volume == pytest.approx(ball.sum(), rel=0.04)


def test_nets_of_touching_classes_share_their_border() -> None:
    labels = np.zeros((20, 20, 6), np.uint8)
    labels[:, :, :3] = 9
    step = np.arange(20)[:, None] // 2 + 5 > np.arange(20)[None]
    labels[:, :, :3][step] = 11
    net = surface_nets(grid_of(labels, 1.0), between_classes=True)
    parts = class_surfaces(net)
    road, sidewalk = (set(map(tuple, parts[label].vertices)) for label in (9, 11))
    assert len(road & sidewalk) > 60
    top = (net.fronts == 0) & (normals(net)[:, 2] > 0.9)
    assert np.ptp(net.vertices[net.quads[top]][:, :, 2][3:-3]) < 0.45
    inner = [v for v in road & sidewalk if 3 < v[0] < 17 and v[2] > 2.5]
    line = np.array(sorted(inner))
    assert np.abs(line[:, 1] - (line[:, 0] / 2 + 5)).std() < 0.25  # the stairs of the border became a slope


@pytest.mark.parametrize("make", MAKERS)
def test_empty_and_unknown_grids_have_no_surface(make: object) -> None:
    labels = np.zeros((3, 4, 5), np.uint8)
    labels[1:] = UNKNOWN
    surface = make(grid_of(labels))
    assert surface.vertices.shape == (0, 3)
    assert surface.quads.shape == (0, 4)
    assert class_surfaces(surface) == {}


@pytest.mark.parametrize("make", MAKERS)
def test_full_grid_at_the_largest_side(make: object) -> None:
    surface = make(grid_of(np.full((512, 2, 1), 254, np.uint8), 0.01))
    np.testing.assert_allclose(
        np.ptp(culled_quads(grid_of(np.full((512, 2, 1), 254, np.uint8))).vertices, axis=0)[0], 102.4
    )
    assert set(surface.classes) == {254}
