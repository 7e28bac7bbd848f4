"""The voxeliser against trimesh's inside test, and its behaviour on what artists model."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from occscene.grid import GridVolume, SemanticGrid
from occscene.taxonomy import INDOOR

from blender_addon.geometry.voxelize import TriangleObject, voxelize

VOLUME = GridVolume((32, 30, 28), 0.1, np.eye(4))


def solid(mesh: trimesh.Trimesh, **options: object) -> TriangleObject:
    return TriangleObject("object", INDOOR.index_of("sofa"), np.asarray(mesh.triangles), **options)  # type: ignore[arg-type]


def box(low: tuple[float, ...], high: tuple[float, ...]) -> trimesh.Trimesh:
    return trimesh.creation.box(bounds=[low, high])


def occupied(*objects: TriangleObject, volume: GridVolume = VOLUME) -> np.ndarray:
    return voxelize(objects, volume, INDOOR).labels > 0


def random_mesh(rng: np.random.Generator, kind: str) -> trimesh.Trimesh:
    mesh = {
        "sphere": lambda: trimesh.creation.icosphere(subdivisions=3, radius=rng.uniform(0.3, 1.0)),
        "torus": lambda: trimesh.creation.torus(rng.uniform(0.6, 0.9), rng.uniform(0.15, 0.4)),
        "box": lambda: trimesh.creation.box(rng.uniform(0.3, 1.6, 3)),
    }[kind]()
    mesh.apply_transform(trimesh.transformations.random_rotation_matrix(rng.random(3)))
    mesh.apply_translation(rng.uniform(1.0, 2.0, 3))
    return mesh


@pytest.mark.parametrize("kind", ["sphere", "torus", "box"])
@pytest.mark.parametrize("seed", range(4))
def test_filling_agrees_with_trimesh(kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    mesh = random_mesh(rng, kind)
    pose = trimesh.transformations.random_rotation_matrix(rng.random(3))
    pose[:3, 3] = pose[:3, :3] @ (-1.6, -1.5, -1.4) + 1.5
    volume = GridVolume(VOLUME.shape, VOLUME.voxel_size, pose)
    grid = voxelize([solid(mesh)], volume, INDOOR)
    indices = np.argwhere(np.ones(grid.shape, bool))
    centers = grid.voxel_centers(indices)
    inside = mesh.contains(centers)
    far = np.abs(trimesh.proximity.signed_distance(mesh, centers[::7])) > grid.voxel_size
    found = grid.labels.reshape(-1) > 0
    assert (found[::7] == inside[::7])[far].all()
    assert (found != inside).mean() < 0.002  # centres decide, so what differs lies on the surface


def test_box_on_voxel_planes_is_exact() -> None:
    found = occupied(solid(box((0.5, 0.6, 0.7), (1.5, 1.2, 1.1))))
    expected = np.zeros(VOLUME.shape, bool)
    expected[5:15, 6:12, 7:11] = True
    np.testing.assert_array_equal(found, expected)


def test_inverted_normals_change_nothing() -> None:
    mesh = random_mesh(np.random.default_rng(5), "torus")
    inverted = mesh.copy()
    inverted.invert()
    np.testing.assert_array_equal(occupied(solid(mesh)), occupied(solid(inverted)))


def test_plane_and_thin_wall_keep_one_layer() -> None:
    plane = np.array(
        [[[0.2, 0.2, 1.03], [2.2, 0.2, 1.03], [2.2, 2.2, 1.03]], [[0.2, 0.2, 1.03], [2.2, 2.2, 1.03], [0.2, 2.2, 1.03]]]
    )
    found = occupied(TriangleObject("plane", 3, plane))
    assert found.any(axis=2).sum() >= 20 * 20
    assert set(np.argwhere(found)[:, 2]) == {10}
    wall = occupied(solid(box((1.01, 0.0, 0.0), (1.04, 2.0, 2.0))))
    assert set(np.argwhere(wall)[:, 0]) == {10}
    assert wall[10, :20, :20].all()


def test_open_box_keeps_its_shell_and_does_not_leak() -> None:
    mesh = box((0.5, 0.5, 0.5), (1.5, 1.5, 1.5))
    open_box = mesh.triangles[mesh.triangles_center[:, 2] < 1.4]
    found = occupied(TriangleObject("box", 3, np.asarray(open_box)))
    assert not found[6:14, 6:14, 6:].any()
    assert found[:, :, 5][5:15, 5:15].all()
    assert not found[:, :, 16:].any()


def test_pole_and_tiny_object_survive() -> None:
    pole = occupied(solid(trimesh.creation.cylinder(radius=0.01, segment=[(1.0, 1.0, 0.2), (1.0, 1.0, 2.2)])))
    assert pole.any(axis=(0, 1))[2:22].all()
    assert occupied(solid(box((1.01, 1.01, 1.01), (1.02, 1.02, 1.02)))).sum() == 1


def test_priority_wins_whatever_the_order() -> None:
    low = TriangleObject("low", 3, np.asarray(box((0.5, 0.5, 0.5), (1.5, 1.5, 1.5)).triangles), priority=1)
    high = TriangleObject("high", 7, np.asarray(box((1.0, 0.5, 0.5), (2.0, 1.5, 1.5)).triangles), priority=2)
    first, second = voxelize([low, high], VOLUME, INDOOR), voxelize([high, low], VOLUME, INDOOR)
    np.testing.assert_array_equal(first.labels, second.labels)
    assert (first.labels[10:15, 5:15, 5:15] == 7).all()
    later = voxelize([low, TriangleObject("later", 4, low.triangles, priority=1)], VOLUME, INDOOR)
    assert set(np.unique(later.labels)) == {0, 4}


def test_overlapping_shells_of_one_object_are_a_union() -> None:
    parts = [box((0.5, 0.5, 0.5), (1.5, 1.5, 1.5)), box((1.0, 1.0, 1.0), (2.0, 2.0, 2.0))]
    both = occupied(solid(trimesh.util.concatenate(parts)))
    np.testing.assert_array_equal(both, occupied(solid(parts[0])) | occupied(solid(parts[1])))


def test_outside_and_empty_scenes_are_empty() -> None:
    assert not occupied(solid(box((9, 9, 9), (10, 10, 10)))).any()
    empty: SemanticGrid = voxelize([], VOLUME, INDOOR)
    assert not empty.labels.any()


def test_instances_name_the_objects_and_carry_hints() -> None:
    item = TriangleObject("Sofa", 7, np.asarray(box((0.5, 0.5, 0.5), (1.5, 1.5, 1.5)).triangles), hint=(0.8, 0.1, 0.1))
    grid = voxelize([item], VOLUME, INDOOR)
    assert grid.instances is not None
    assert (grid.instances[grid.labels == 7] == 1).all()
    assert grid.objects[0].name == "Sofa"
    assert grid.objects[0].hint == (0.8, 0.1, 0.1)
