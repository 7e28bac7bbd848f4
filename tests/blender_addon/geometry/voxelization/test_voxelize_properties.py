"""What holds of the voxeliser for any objects."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import trimesh
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from occscene.grid import GridVolume
from occscene.taxonomy import INDOOR

from blender_addon.geometry.voxelization.voxelize import Fill, TriangleObject, voxelize

SHAPE = (14, 12, 13)
VOXEL = 0.125  # a power of two, so that multiples of it are exact
BOX_FACES = np.array(
    [
        *([0, 1, 3], [0, 3, 2], [4, 7, 5], [4, 6, 7], [0, 4, 5], [0, 5, 1]),
        *([2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]),
    ]
)
TETRAHEDRON_FACES = np.array([[0, 1, 2], [0, 3, 1], [0, 2, 3], [1, 3, 2]])

# coordinates in sixteenths of a voxel: faces on voxel planes and centres are common
places = st.integers(-3 * 16, 16 * 16)
points = st.tuples(places, places, places)


def metres(sixteenths: object) -> NDArray[np.float64]:
    return np.array(sixteenths, np.float64) * (VOXEL / 16)


def box(low: tuple[int, ...], size: tuple[int, ...]) -> NDArray[np.float64]:
    corners = metres(low) + metres(size) * np.indices((2, 2, 2)).reshape(3, 8).T
    return corners[BOX_FACES]


sizes = st.integers(0, 8 * 16)
boxes = st.builds(box, points, st.tuples(sizes, sizes, sizes))
tetrahedra = st.lists(points, min_size=4, max_size=4).map(lambda corners: metres(corners)[TETRAHEDRON_FACES])
loose = st.lists(st.tuples(points, points, points), min_size=1, max_size=4).map(metres)
holed = st.builds(lambda mesh, gone: mesh[np.setdiff1d(range(12), list(gone))], boxes, st.sets(st.integers(0, 11)))
meshes = st.lists(st.one_of(boxes, tetrahedra, loose, holed), min_size=1, max_size=3).map(np.concatenate)
objects = st.builds(
    TriangleObject, st.just("object"), st.integers(1, 11), meshes, st.integers(0, 3), st.sampled_from(Fill), st.none()
)
scenes = st.lists(objects, min_size=1, max_size=4)

sheet = box((121, 0, 0), (0, 24, 8))
spike = metres([(0, 0, 0), (0, 0, 181), (1, 59, 0), (238, 6, -13)])[TETRAHEDRON_FACES]
SPIKE_THROUGH_SHEET = [TriangleObject("object", 1, np.concatenate([sheet, spike]))]

plate = box((0, -9, 0), (8, 1, 8))
flat = metres([(0, 0, 0), (0, 0, 0), (0, 6, 0), (19, 125, 38)])[TETRAHEDRON_FACES]
inverted = metres([(0, 0, 1), (0, 22, -46), (8, 60, 17), (15, 0, 5)])[TETRAHEDRON_FACES]
PARTS_THAT_DISAGREE_BEYOND_THE_BORDER = [TriangleObject("object", 1, np.concatenate([plate, flat, inverted]))]


def volume(shift: tuple[int, ...] = (0, 0, 0)) -> GridVolume:
    pose = np.eye(4)
    pose[:3, 3] = np.array(shift) * VOXEL
    return GridVolume(SHAPE, VOXEL, pose)


def labels(scene: list[TriangleObject], at: tuple[int, ...] = (0, 0, 0)) -> NDArray[np.uint8]:
    return voxelize(scene, volume(at), INDOOR).labels


@given(scenes, st.tuples(*[st.integers(-4, 4)] * 3))
@settings(max_examples=40, deadline=None)
def test_a_shifted_volume_shows_the_same_voxels(scene: list[TriangleObject], shift: tuple[int, ...]) -> None:
    here, there = labels(scene), labels(scene, shift)
    # but for the outermost voxels of either, which hold what lies on its border too
    first = tuple(slice(max(0, k) + 1, side + min(0, k) - 1) for k, side in zip(shift, SHAPE, strict=True))
    second = tuple(slice(max(0, -k) + 1, side + min(0, -k) - 1) for k, side in zip(shift, SHAPE, strict=True))
    np.testing.assert_array_equal(here[first], there[second])


def test_parts_that_disagree_beyond_the_border_show_the_same_voxels() -> None:
    here, there = (labels(PARTS_THAT_DISAGREE_BEYOND_THE_BORDER, at) for at in ((0, 0, 0), (0, 3, 0)))
    np.testing.assert_array_equal(here[:, 3:], there[:, :-3])


@given(scenes, st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_order_matters_only_among_equal_priorities(scene: list[TriangleObject], random: object) -> None:
    ranked = [replace(item, priority=index) for index, item in enumerate(scene)]
    shuffled = list(ranked)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    np.testing.assert_array_equal(labels(ranked), labels(shuffled))
    np.testing.assert_array_equal(labels(ranked), labels([replace(item, priority=0) for item in ranked]))


@given(scenes)
@example(SPIKE_THROUGH_SHEET)
@settings(max_examples=40, deadline=None)
def test_inverted_normals_change_nothing(scene: list[TriangleObject]) -> None:
    inverted = [replace(item, triangles=item.triangles[:, ::-1]) for item in scene]
    np.testing.assert_array_equal(labels(scene), labels(inverted))


@given(st.one_of(boxes, tetrahedra), st.data())
@settings(max_examples=40, deadline=None)
def test_mixed_normals_change_nothing(mesh: NDArray[np.float64], data: st.DataObject) -> None:
    flipped = np.array(data.draw(st.lists(st.booleans(), min_size=len(mesh), max_size=len(mesh))))
    mixed = np.where(flipped[:, None, None], mesh[:, ::-1], mesh)
    np.testing.assert_array_equal(
        labels([TriangleObject("object", 1, mesh)]), labels([TriangleObject("object", 1, mixed)])
    )


@given(st.one_of(boxes, tetrahedra), st.data())
@settings(max_examples=40, deadline=None)
def test_duplicate_and_degenerate_triangles_change_nothing(mesh: NDArray[np.float64], data: st.DataObject) -> None:
    index = st.integers(0, len(mesh) - 1)
    again = mesh[data.draw(st.lists(index, max_size=5))]
    corner = mesh[data.draw(st.lists(index, max_size=3))].reshape(-1, 3, 3)
    points = corner[:, [0, 0, 0]]
    start = np.square(np.roll(corner, -1, axis=1) - corner).sum(axis=2).argmax(axis=1)  # slender parts show there too
    ends = np.stack([start, (start + 1) % 3, (start + 1) % 3], axis=1)
    segments = np.take_along_axis(corner, ends[:, :, None], axis=1)
    messy = np.concatenate([mesh, again.reshape(-1, 3, 3), points, segments])
    np.testing.assert_array_equal(
        labels([TriangleObject("object", 1, mesh)]), labels([TriangleObject("object", 1, messy)])
    )


def test_a_flat_body_and_one_of_its_sides_cross_the_border_alike() -> None:
    flat = metres([(2, 127, 114), (2, 127, 114), (17, 37, 176), (146, 160, 236)])[TETRAHEDRON_FACES]
    twice = np.concatenate([flat, flat[2:3]])  # so treated as an open surface; one line meets it at the border
    np.testing.assert_array_equal(*(labels([TriangleObject("object", 1, mesh)]) for mesh in (flat, twice)))


@given(scenes)
@settings(max_examples=40, deadline=None)
def test_a_scene_occupies_the_union_of_its_objects(scene: list[TriangleObject]) -> None:
    union = np.any([labels([item]) > 0 for item in scene], axis=0)
    np.testing.assert_array_equal(labels(scene) > 0, union)


@given(objects)
@settings(max_examples=40, deadline=None)
def test_the_filled_object_contains_its_shell(item: TriangleObject) -> None:
    shell = labels([replace(item, fill=Fill.SURFACE)]) > 0
    filled = labels([replace(item, fill=Fill.AUTOMATIC)]) > 0
    assert not (shell & ~filled).any()


@given(st.tuples(*[st.integers(-2, 12)] * 3), st.tuples(*[st.integers(1, 8)] * 3))
@settings(max_examples=40, deadline=None)
def test_boxes_on_voxel_planes_are_exact(low: tuple[int, ...], size: tuple[int, ...]) -> None:
    sixteenths = tuple(16 * k for k in low), tuple(16 * k for k in size)
    expected = np.zeros(SHAPE, bool)
    expected[tuple(slice(max(0, k), max(0, k + side)) for k, side in zip(low, size, strict=True))] = True
    np.testing.assert_array_equal(labels([TriangleObject("box", 1, box(*sixteenths))]) > 0, expected)


@given(st.lists(st.integers(1, 2), min_size=2, max_size=3), st.integers(12, 16))
@settings(max_examples=40, deadline=None)
def test_shells_inside_shells_are_exact(thickness: list[int], side: int) -> None:
    expected, shells = np.zeros((16, 16, 16), np.uint8), []
    for number, depth in enumerate(np.cumsum([0, *thickness])):
        shell = trimesh.creation.box(bounds=[(depth,) * 3, (side - depth,) * 3]).triangles
        shells.append(shell[:, ::-1] if number % 2 else shell)
        expected[(slice(depth, side - depth),) * 3] = 0 if number % 2 else 7
    item = TriangleObject("shells", 7, np.concatenate(shells))
    shown = voxelize([item], GridVolume((16, 16, 16), 1.0, np.eye(4)), INDOOR).labels
    np.testing.assert_array_equal(shown, expected)


@given(st.one_of(boxes, tetrahedra, loose))
@settings(max_examples=40, deadline=None)
def test_every_object_that_is_inside_shows(mesh: NDArray[np.float64]) -> None:
    assume(np.ptp(mesh, axis=(0, 1)).any())
    middle = mesh.reshape(-1, 3).mean(axis=0)
    inner = 0.5 * VOXEL * np.array(SHAPE) + 0.5 * (mesh - middle).clip(-1, 1) * 0.6
    assert (labels([TriangleObject("object", 1, inner)]) > 0).any()
