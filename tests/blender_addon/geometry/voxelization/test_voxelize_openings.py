"""Bodies that do not close: those that a person takes for solid, and those that must stay open."""

from __future__ import annotations

import igl
import numpy as np
import pytest
import trimesh
from numpy.typing import NDArray
from occscene.grid import GridVolume
from occscene.taxonomy import INDOOR, OUTDOOR, Taxonomy

from blender_addon.geometry.voxelization.voxelize import Fill, TriangleObject, voxelize

Triangles = NDArray[np.float64]
SHAPE, VOXEL = (30, 30, 30), 0.08
LOW, HIGH = (0.4, 0.5, 0.4), (1.5, 1.3, 1.2)


def occupied(
    triangles: Triangles,
    name: str = "furn",
    fill: Fill = Fill.AUTOMATIC,
    taxonomy: Taxonomy = INDOOR,
    pose: NDArray[np.float64] | None = None,
) -> NDArray[np.bool_]:
    item = TriangleObject("object", taxonomy.index_of(name), triangles, fill=fill)
    return voxelize([item], GridVolume(SHAPE, VOXEL, np.eye(4) if pose is None else pose), taxonomy).labels > 0


def winding(triangles: Triangles) -> NDArray[np.bool_]:
    """What libigl's generalised winding number holds for inside."""
    centers = (np.indices(SHAPE).reshape(3, -1).T + 0.5) * VOXEL
    corners = np.ascontiguousarray(triangles.reshape(-1, 3))
    numbers = igl.fast_winding_number(corners, np.arange(len(corners)).reshape(-1, 3), centers)
    return (np.abs(numbers) > 0.5).reshape(SHAPE)


def near_surface(triangles: Triangles, voxels: float) -> NDArray[np.bool_]:
    """Which voxel centres are within `voxels` voxels of triangles."""
    centers = (np.indices(SHAPE).reshape(3, -1).T + 0.5) * VOXEL
    corners = np.ascontiguousarray(triangles.reshape(-1, 3))
    squared = igl.point_mesh_squared_distance(centers, corners, np.arange(len(corners)).reshape(-1, 3))[0]
    return (np.sqrt(squared) <= voxels * VOXEL).reshape(SHAPE)


def box(low: tuple[float, ...] = LOW, high: tuple[float, ...] = HIGH, without: str = "") -> Triangles:
    """A box without some of its faces: "-z" is the bottom."""
    mesh = trimesh.creation.box(bounds=[low, high])
    kept = np.ones(12, bool)
    for face in without.split():
        normal = np.eye(3)["xyz".index(face[1])] * (1 if face[0] == "+" else -1)
        kept &= mesh.face_normals @ normal < 0.5
    return np.asarray(mesh.triangles)[kept]


def turned(triangles: Triangles, seed: int) -> Triangles:
    pose = trimesh.transformations.random_rotation_matrix(np.random.default_rng(seed).random(3))
    return (triangles - 1.2) @ pose[:3, :3].T + 1.2


SPHERE = np.asarray(trimesh.creation.icosphere(subdivisions=4, radius=0.6).apply_translation((1.2, 1.2, 1.2)).triangles)
CYLINDER = trimesh.creation.cylinder(0.3, 1.6, sections=48).apply_translation((1.2, 1.2, 1.2))
BOX_NORMALS = trimesh.creation.box().face_normals


def without_a_triangle() -> tuple[Triangles, Triangles]:
    return np.delete(SPHERE, 500, 0), SPHERE


def faces_apart() -> tuple[Triangles, Triangles]:
    return box() + BOX_NORMALS[:, None] * 20e-6, box()


def without_bottom() -> tuple[Triangles, Triangles]:
    return box(without="-z"), box()


def bottomless_and_inside_out() -> tuple[Triangles, Triangles]:
    return box(without="-z")[:, ::-1], box()


def bottomless_with_normals_that_disagree() -> tuple[Triangles, Triangles]:
    mixed = box(without="-z")
    mixed[::3] = mixed[::3, ::-1]
    return mixed, box()


def inner_face_left() -> tuple[Triangles, Triangles]:
    halves = [box((0.4, 0.4, 0.4), (1.0, 1.0, 1.2)), box((1.0, 0.4, 0.4), (1.6, 1.0, 1.2), without="-x")]
    return np.concatenate(halves), box((0.4, 0.4, 0.4), (1.6, 1.0, 1.2))


def top_cut_without_its_neighbors() -> tuple[Triangles, Triangles]:
    (x, y, _), (right, back, z) = LOW, HIGH
    halves = [_quad((x, y, z), (1.0, y, z), (1.0, back, z), (x, back, z))]
    halves.append(_quad((1.0, y, z), (right, y, z), (right, back, z), (1.0, back, z)))
    return np.concatenate([box(without="+z"), *halves]), box()


def halves_a_tenth_of_a_millimetre_apart() -> tuple[Triangles, Triangles]:
    right = CYLINDER.triangles_center[:, 0] > 1.2
    return CYLINDER.triangles + right[:, None, None] * np.array([1e-4, 0, 0]), np.asarray(CYLINDER.triangles)


def pipe_without_caps() -> tuple[Triangles, Triangles]:
    pipe = trimesh.creation.cylinder(0.1, 2.0, sections=24).apply_translation((1.23, 1.2, 1.2))
    return np.asarray(pipe.triangles)[np.abs(pipe.face_normals[:, 2]) < 0.5], np.asarray(pipe.triangles)


def bottomless_boxes_that_overlap() -> tuple[Triangles, Triangles]:
    low, high = ((0.4, 0.4, 0.4), (1.4, 1.4, 0.9)), ((1.0, 1.0, 0.4), (1.9, 1.9, 1.6))
    bottomless = [box(*low, without="-z"), box(*high, without="-z")]
    return np.concatenate(bottomless), np.concatenate([box(*low), box(*high)])


def _quad(*corners: tuple[float, ...]) -> Triangles:
    a, b, c, d = corners
    return np.array([[a, b, c], [a, c, d]], float)


@pytest.mark.parametrize("seed", [None, 1, 2])
@pytest.mark.parametrize(
    "make",
    [
        without_a_triangle,
        faces_apart,
        without_bottom,
        bottomless_and_inside_out,
        bottomless_with_normals_that_disagree,
        inner_face_left,
        top_cut_without_its_neighbors,
        halves_a_tenth_of_a_millimetre_apart,
        pipe_without_caps,
        bottomless_boxes_that_overlap,
    ],
)
def test_what_is_meant_to_be_closed_is_as_if_it_were(make: object, seed: int | None) -> None:
    faulty, closed = make()  # type: ignore[operator]
    if seed is not None and "bottom" in make.__name__:  # type: ignore[attr-defined]
        angle = trimesh.transformations.rotation_matrix(0.4 * seed, (0, 0, 1), (1.2, 1.2, 1.2))
        faulty, closed = (faulty - 1.2) @ angle[:3, :3].T + 1.2, (closed - 1.2) @ angle[:3, :3].T + 1.2
    elif seed is not None:
        faulty, closed = turned(faulty, seed), turned(closed, seed)
    shown, expected = occupied(faulty), occupied(closed)
    assert (shown != expected).sum() <= 0.003 * expected.sum()
    assert not (shown ^ expected)[~near_surface(closed, 0.9)].any()


def test_a_dangling_triangle_shows_next_to_its_body() -> None:
    dangling = np.array([[(0.4, 0.5, 1.2), (1.5, 0.5, 1.2), (0.9, 0.2, 1.6)]])
    shown = occupied(np.concatenate([box(), dangling]))
    closed = occupied(box())
    assert (shown & closed).sum() == closed.sum()
    extra = shown & ~closed
    assert extra.sum() > 10
    assert not extra[~near_surface(dangling, 0.9)].any()


def pierced(mesh: trimesh.Trimesh, share: float, holes: int, rng: np.random.Generator) -> Triangles:
    """A mesh with round holes, which are a share of its surface together."""
    gone = np.zeros(len(mesh.faces), bool)
    for place in mesh.triangles_center[rng.choice(len(mesh.faces), holes)]:
        distance = np.linalg.norm(mesh.triangles_center - place, axis=1)
        order = np.argsort(distance)
        gone[order[np.cumsum(mesh.area_faces[order]) < share * mesh.area / holes]] = True
    return np.asarray(mesh.triangles)[~gone]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["sphere", "torus", "capsule", "union"])
@pytest.mark.parametrize(("share", "holes"), [(0.01, 5), (0.03, 1), (0.04, 3)])
def test_holes_are_judged_as_winding_numbers_judge_them(kind: str, share: float, holes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    meshes = {
        "sphere": trimesh.creation.icosphere(subdivisions=4, radius=0.8),
        "torus": trimesh.creation.torus(0.7, 0.3, major_sections=64, minor_sections=32),
        "capsule": trimesh.creation.capsule(height=0.8, radius=0.4, count=(48, 48)),
    }
    box = trimesh.creation.box((1.0, 0.8, 0.9)).subdivide().subdivide().subdivide()
    meshes["union"] = trimesh.boolean.union([meshes["torus"], box], engine="manifold").subdivide()
    mesh = meshes[kind]
    mesh.apply_transform(trimesh.transformations.random_rotation_matrix(rng.random(3)))
    mesh.apply_translation((1.2, 1.2, 1.2))
    triangles = pierced(mesh, share, holes, rng)
    shown, inside = occupied(triangles), winding(triangles)
    differing = inside & ~shown
    differing |= shown & ~inside & ~near_surface(triangles, 0.9)
    assert differing.sum() <= 0.015 * inside.sum()


def shelf() -> Triangles:
    boards = [box((0.4, 0.5, z), (1.5, 0.8, z + 0.02)) for z in (0.8, 1.2, 1.6)]
    return np.concatenate([box((0.4, 0.5, 0.4), (1.5, 0.8, 2.0), without="-y"), *boards])


def table_of_planes() -> Triangles:
    top = _quad((0.4, 0.4, 1.2), (1.8, 0.4, 1.2), (1.8, 1.8, 1.2), (0.4, 1.8, 1.2))
    sides = [_quad((x, 0.4, 0.2), (x, 1.8, 0.2), (x, 1.8, 1.2), (x, 0.4, 1.2)) for x in (0.4, 1.8)]
    return np.concatenate([top, *sides])


@pytest.mark.parametrize(
    ("triangles", "name", "inside"),
    [
        (box((0.2, 0.2, 0.2), (2.2, 2.2, 2.2), without="-y"), "wall", np.s_[4:26, 4:26, 4:26]),
        (box((0.2, 0.2, 0.2), (2.2, 2.2, 2.2), without="-z"), "wall", np.s_[4:26, 4:26, 4:26]),
        (box(without="+z"), "furn", np.s_[6:18, 8:15, 6:14]),
        (box(without="+z"), "objs", np.s_[6:18, 8:15, 6:14]),
        (box(without="-y"), "furn", np.s_[6:18, 8:15, 6:14]),
        (box(without="+x"), "furn", np.s_[6:18, 8:15, 6:14]),
        (box(without="+z -z"), "furn", np.s_[6:18, 8:15, 6:14]),
        (box(without="-x +x"), "furn", np.s_[6:18, 8:15, 6:14]),
        (shelf(), "furn", np.s_[6:18, 7:8, 6:10]),
        (table_of_planes(), "table", np.s_[6:22, 6:22, 3:14]),
    ],
)
@pytest.mark.parametrize("order", [1, -1])
def test_what_one_looks_into_stays_open(
    triangles: Triangles, name: str, inside: tuple[slice, slice, slice], order: int
) -> None:
    shown = occupied(triangles[:, ::order], name)
    assert not shown[inside].any()
    np.testing.assert_array_equal(shown, occupied(triangles, name, Fill.SURFACE))


def test_leaves_and_grounds_are_sheets() -> None:
    rng = np.random.default_rng(0)
    leaf = _quad((-0.1, -0.1, 0), (0.1, -0.1, 0), (0.1, 0.1, 0), (-0.1, 0.1, 0))
    turns = [trimesh.transformations.random_rotation_matrix(rng.random(3))[:3, :3] for _ in range(60)]
    crown = np.concatenate([leaf @ turn.T + rng.uniform(0.6, 1.8, 3) for turn in turns])
    shown = occupied(crown, "vegetation", taxonomy=OUTDOOR)
    one_by_one = np.any([occupied(crown[k : k + 2]) for k in range(0, 120, 2)], axis=0)
    assert not (shown & ~one_by_one).any()
    assert (one_by_one & ~shown).sum() <= 0.02 * one_by_one.sum()  # tips that stand in other leaves' voxels
    hill = SPHERE[SPHERE[..., 2].min(axis=1) > 1.25]
    assert not occupied(hill, "terrain", taxonomy=OUTDOOR)[13:17, 13:17, 16:20].any()
    assert occupied(hill, "vegetation", taxonomy=OUTDOOR)[13:17, 13:17, 16:20].all()


def test_parts_of_one_object_are_judged_on_their_own() -> None:
    crate = box((0.2, 0.2, 0.2), (1.0, 1.0, 1.0), without="+z")
    block = box((1.3, 1.3, 0.2), (2.1, 2.1, 1.0), without="-z")
    leaf = _quad((0.3, 1.5, 0.5), (0.6, 1.9, 0.5), (0.6, 1.9, 0.9), (0.3, 1.5, 0.9))
    together = occupied(np.concatenate([crate, block, leaf]))
    np.testing.assert_array_equal(together, occupied(crate) | occupied(block) | occupied(leaf))
    assert not together[4:11, 4:11, 4:12].any()
    assert together[17:26, 17:26, 3:12].all()


def test_the_artist_has_the_last_word() -> None:
    assert occupied(box(without="+z"), fill=Fill.SOLID)[6:18, 8:15, 6:14].all()
    assert occupied(box(without="-y"), "wall", Fill.SOLID)[6:18, 8:15, 6:14].all()
    hollow = occupied(box(without="-z"), fill=Fill.SURFACE)
    closed = occupied(box(), fill=Fill.SURFACE)
    np.testing.assert_array_equal(hollow[:, :, 6:], closed[:, :, 6:])
    assert not hollow[6:18, 8:15, 6:14].any()


@pytest.mark.parametrize("shift", [(7, 0, 0), (0, -9, 4), (0, 0, 12), (-15, -15, -15)])
def test_neither_the_volume_nor_its_voxels_decide(shift: tuple[int, ...]) -> None:
    for triangles in (box(without="-z"), np.delete(SPHERE, range(40), 0), box(without="+z")):
        pose = np.eye(4)
        pose[:3, 3] = np.array(shift) * VOXEL
        here, there = occupied(triangles), occupied(triangles, pose=pose)
        first = tuple(slice(max(0, k) + 1, 30 + min(0, k) - 1) for k in shift)
        second = tuple(slice(max(0, -k) + 1, 30 + min(0, -k) - 1) for k in shift)
        np.testing.assert_array_equal(here[first], there[second])
    item = TriangleObject("object", INDOOR.index_of("furn"), box(without="-z"))
    fine = voxelize([item], GridVolume((120, 120, 120), VOXEL / 4, np.eye(4)), INDOOR).labels > 0
    assert fine[22:74, 27:63, 22:58].all()


def test_large_bodies_are_filled_in_layers_that_fit_together(monkeypatch: pytest.MonkeyPatch) -> None:
    faulty = [*(make()[0] for make in (without_a_triangle, faces_apart, bottomless_boxes_that_overlap)), shelf()]
    for fill in Fill:
        whole = [occupied(turned(triangles, 3), fill=fill) for triangles in faulty]
        with monkeypatch.context() as patch:
            patch.setattr("blender_addon.geometry.voxelization.open_filling._MOST_VOXELS", 1)
            for triangles, expected in zip(faulty, whole, strict=True):
                np.testing.assert_array_equal(occupied(turned(triangles, 3), fill=fill), expected)
