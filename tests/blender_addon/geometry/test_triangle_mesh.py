"""Triangles as they are sent: cut at the margin as trimesh cuts them, welded, and the same shapes."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from occscene.grid import GridVolume
from occscene.rigid import invert_rigid, transform_points
from trimesh.intersections import slice_faces_plane

from blender_addon.geometry.triangle_mesh import MARGIN_VOXELS, clipped, triangle_mesh, welded
from blender_addon.geometry.voxelization.voxelize import TriangleObject
from tests.protos.test_codec import poses

LOW, HIGH = np.zeros(3), np.ones(3)

coordinates = st.floats(-1.5, 2.5, width=32).filter(lambda number: min(abs(number), abs(number - 1)) > 1e-4)
"""Nothing lies in a side of the box or next to it: trimesh takes such triangles for outside."""

soups = st.integers(0, 8).flatmap(lambda count: hnp.arrays(np.float64, (count, 3, 3), elements=coordinates))


def area(triangles: np.ndarray) -> np.ndarray:
    """Vector area of each triangle."""
    return np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]) / 2


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(soups)
def test_what_is_cut_lies_inside_and_is_all_of_it(triangles: np.ndarray) -> None:
    cut = clipped(triangles, LOW, HIGH)
    assert (cut >= LOW - 1e-9).all()
    assert (cut <= HIGH + 1e-9).all()
    expected = np.zeros((0, 3, 3))
    if len(triangles):
        vertices, faces = triangles.reshape(-1, 3), np.arange(3 * len(triangles)).reshape(-1, 3)
        for axis in np.eye(3):
            for normal, origin in ((axis, LOW), (-axis, HIGH)):
                if len(faces):
                    vertices, faces, *_ = slice_faces_plane(vertices, faces, normal, origin)
        expected = vertices[faces].reshape(-1, 3, 3)
    np.testing.assert_allclose(area(cut).sum(0), area(expected).sum(0), atol=1e-6)
    np.testing.assert_allclose(np.abs(area(cut)).sum(), np.abs(area(expected)).sum(), atol=1e-6)


@settings(max_examples=100, deadline=None)
@given(soups)
def test_welded_triangles_are_the_same_triangles(triangles: np.ndarray) -> None:
    vertices, indices = welded(triangles, LOW - 2, HIGH + 2)
    np.testing.assert_allclose(vertices[indices].reshape(-1, 3, 3), triangles, atol=5 / 2**21)
    assert set(indices.ravel().tolist()) == set(range(len(vertices)))


@settings(max_examples=30, deadline=None)
@given(poses(), st.floats(0.01, 2.0))
def test_a_box_is_sent_whole_wherever_its_grid_lies(pose: np.ndarray, voxel: float) -> None:
    volume = GridVolume((6, 5, 4), voxel, pose)
    box = trimesh.creation.box((voxel, 2 * voxel, 3 * voxel), trimesh.transformations.rotation_matrix(0.3, (0, 0, 1)))
    inside = transform_points(pose, box.triangles + np.array([6, 3, 2]) * voxel)  # half of it beyond the volume
    far = inside + pose[:3, 0] * (MARGIN_VOXELS + 8) * voxel
    near, gone = TriangleObject("near", 7, inside), TriangleObject("gone", 4, far)
    mesh = triangle_mesh([near, gone, near], volume)
    assert (len(mesh.vertices), len(mesh.triangles)) == (8, 24)
    assert mesh.object_ids.tolist() == [1] * 12 + [3] * 12
    assert set(mesh.labels.tolist()) == {7}
    np.testing.assert_allclose(mesh.vertices[mesh.triangles[:12]], inside, atol=1e-9 + 1e-5 * voxel)


def test_a_plain_is_cut_at_the_margin_and_faces_up() -> None:
    corners = np.array([[-500.0, -400, 0], [600, -400, 0], [600, 700, 0], [-500, 700, 0]])
    plain = TriangleObject("ground", 2, corners[[[0, 1, 2], [0, 2, 3]]])
    volume = GridVolume((10, 10, 10), 0.1, np.eye(4))
    mesh = triangle_mesh([plain], volume)
    margin = MARGIN_VOXELS * 0.1
    np.testing.assert_allclose(mesh.vertices.min(0), [-margin, -margin, 0], atol=1e-9)
    np.testing.assert_allclose(mesh.vertices.max(0), [1 + margin, 1 + margin, 0], atol=1e-9)
    areas = area(mesh.vertices[mesh.triangles])
    assert (areas[:, 2] > 0).all()
    assert areas[:, 2].sum() == pytest.approx((1 + 2 * margin) ** 2)


def test_slivers_and_what_stands_away_leave_nothing() -> None:
    sliver = np.array([[[0.1, 0.1, 0.1], [0.5, 0.5, 0.5], [0.1, 0.1, 0.1]]])
    volume = GridVolume((10, 10, 10), 0.1, np.eye(4))
    for triangles in (sliver, sliver + 90.0, np.zeros((0, 3, 3))):
        assert len(triangle_mesh([TriangleObject("obj", 3, triangles)], volume).triangles) == 0
    assert len(triangle_mesh([], volume).triangles) == 0


def test_what_is_shown_is_sent_in_place_of_what_is_voxelised() -> None:
    box = np.asarray(trimesh.creation.box((0.4, 0.4, 0.4)).triangles) + 0.5
    item = TriangleObject("skin", 3, box - 0.05, shown=box)
    volume = GridVolume((10, 10, 10), 0.1, np.eye(4))
    mesh = triangle_mesh([item], volume)
    world = transform_points(invert_rigid(volume.world_from_grid), mesh.vertices)
    np.testing.assert_allclose([world.min(), world.max()], [0.3, 0.7], atol=1e-9)
