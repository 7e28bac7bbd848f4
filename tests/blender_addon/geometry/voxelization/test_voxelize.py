"""The voxeliser on what artists model."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import trimesh
from occscene.grid import GridVolume, SemanticGrid
from occscene.taxonomy import INDOOR

from blender_addon.geometry.voxelization.voxelize import Fill, TriangleObject, voxelize

VOLUME = GridVolume((32, 30, 28), 0.1, np.eye(4))


def solid(mesh: trimesh.Trimesh, **options: object) -> TriangleObject:
    return TriangleObject("object", INDOOR.index_of("sofa"), np.asarray(mesh.triangles), **options)  # type: ignore[arg-type]


def box(low: tuple[float, ...], high: tuple[float, ...]) -> trimesh.Trimesh:
    return trimesh.creation.box(bounds=[low, high])


def occupied(*objects: TriangleObject, volume: GridVolume = VOLUME) -> np.ndarray:
    return voxelize(objects, volume, INDOOR).labels > 0


def test_box_on_voxel_planes_is_exact() -> None:
    shown = occupied(solid(box((0.5, 0.6, 0.7), (1.5, 1.2, 1.1))))
    expected = np.zeros(VOLUME.shape, bool)
    expected[5:15, 6:12, 7:11] = True
    np.testing.assert_array_equal(shown, expected)


def test_plane_and_thin_wall_keep_one_layer() -> None:
    plane = np.array(
        [[[0.2, 0.2, 1.03], [2.2, 0.2, 1.03], [2.2, 2.2, 1.03]], [[0.2, 0.2, 1.03], [2.2, 2.2, 1.03], [0.2, 2.2, 1.03]]]
    )
    shown = occupied(TriangleObject("plane", 3, plane))
    assert shown.any(axis=2).sum() >= 20 * 20
    assert set(np.argwhere(shown)[:, 2]) == {10}
    wall = occupied(solid(box((1.01, 0.0, 0.0), (1.04, 2.0, 2.0))))
    assert set(np.argwhere(wall)[:, 0]) == {10}
    assert wall[10, :20, :20].all()


def test_open_box_keeps_its_shell_and_does_not_leak() -> None:
    mesh = box((0.5, 0.5, 0.5), (1.5, 1.5, 1.5))
    open_box = mesh.triangles[mesh.triangles_center[:, 2] < 1.4]
    shown = occupied(TriangleObject("box", 3, np.asarray(open_box)))
    assert not shown[6:14, 6:14, 6:].any()
    assert shown[:, :, 5][5:15, 5:15].all()
    assert not shown[:, :, 16:].any()


def connected(shown: np.ndarray) -> int:
    """How many pieces there are, where voxels that share a corner are one piece."""
    return int(scipy.ndimage.label(shown, np.ones((3, 3, 3)))[1])


@pytest.mark.parametrize("lean", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("place", [1.0, 1.03, 1.05, 1.09])
@pytest.mark.parametrize("radius", [0.004, 0.02])
def test_poles_are_kept(radius: float, place: float, lean: float) -> None:
    foot, head = (place, place, 0.23), (place + lean, place + lean / 3, 2.2)
    shown = occupied(solid(trimesh.creation.cylinder(radius=radius, segment=[foot, head])))
    levels = shown.any(axis=(0, 1))[2:22]
    assert levels.all()
    assert connected(shown) == 1
    assert shown.sum() <= 2 * 20


@pytest.mark.parametrize("place", [1.0, 1.03, 1.095])
def test_what_is_smaller_than_a_voxel_is_one_voxel(place: float) -> None:
    shown = occupied(solid(trimesh.creation.icosphere(radius=0.03).apply_translation((place, place, place))))
    assert shown.sum() == 1
    assert shown[int(place * 10 + 1e-3)].any()


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("thickness", [0.01, 0.06, 0.13])
def test_slanted_walls_leak_nowhere(thickness: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    wall = trimesh.creation.box((thickness, 20, 20))
    wall.apply_transform(trimesh.transformations.random_rotation_matrix(rng.random(3)))
    normal = wall.face_normals[np.abs(wall.area_faces).argmax()]
    wall.apply_translation((1.6, 1.5, 1.4))
    free = ~occupied(solid(wall))
    pieces, count = scipy.ndimage.label(free)  # joined by faces
    sides = (np.argwhere(free) * 0.1 + 0.05 - (1.6, 1.5, 1.4)) @ normal > 0
    assert count >= 2
    assert not set(pieces[free][sides]) & set(pieces[free][~sides])


def test_parts_with_opposite_normals_do_not_cancel() -> None:
    parts = [box((0.5, 0.5, 0.5), (1.5, 1.5, 1.5)), box((1.0, 1.0, 1.0), (2.0, 2.0, 2.0))]
    union = occupied(solid(parts[0])) | occupied(solid(parts[1]))
    parts[1].invert()
    np.testing.assert_array_equal(occupied(solid(trimesh.util.concatenate(parts))), union)


def test_closed_and_open_parts_of_one_object_are_distinguished() -> None:
    closed = box((0.5, 0.5, 0.5), (1.0, 1.0, 1.0))
    lidless = box((1.5, 1.5, 0.5), (2.3, 2.3, 1.3))
    open_triangles = lidless.triangles[lidless.triangles_center[:, 2] < 1.25]
    shown = occupied(TriangleObject("both", 3, np.concatenate([closed.triangles, open_triangles])))
    assert shown[5:10, 5:10, 5:10].all()
    assert not shown[16:22, 16:22, 6:].any()


def test_a_surface_is_hollow() -> None:
    item = box((0.5, 0.5, 0.5), (1.5, 1.5, 1.5))
    shown = occupied(solid(item, fill=Fill.SURFACE))
    expected = occupied(solid(item))
    expected[6:14, 6:14, 6:14] = False
    np.testing.assert_array_equal(shown, expected)


def test_corners_that_are_not_finite_are_refused() -> None:
    with pytest.raises(ValueError, match="'lamp' has corners that are not finite"):
        occupied(TriangleObject("lamp", 3, np.full((1, 3, 3), np.nan)))


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
