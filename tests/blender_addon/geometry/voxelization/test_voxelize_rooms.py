"""Rooms modelled as closed bodies without thickness, and the solid bodies that are no rooms."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from numpy.typing import NDArray
from occscene.grid import GridVolume
from occscene.taxonomy import INDOOR, OUTDOOR, Taxonomy

from blender_addon.geometry.class_parts import parts_by_class
from blender_addon.geometry.voxelization.voxelize import Fill, TriangleObject, voxelize, voxelize_with_rooms

VOLUME = GridVolume((60, 60, 36), 0.08, np.eye(4))
WALL, FLOOR, CEILING = (INDOOR.index_of(name) for name in ("wall", "floor", "ceiling"))


def box(low: tuple[float, ...], high: tuple[float, ...]) -> NDArray[np.float64]:
    return np.asarray(trimesh.creation.box(bounds=[low, high]).triangles)


ROOM = box((0.3, 0.3, 0.2), (4.5, 4.1, 2.7))
INSIDE = np.s_[6:54, 6:49, 5:32]


def voxels(
    triangles: NDArray[np.float64],
    fill: Fill = Fill.AUTOMATIC,
    name: str = "wall",
    taxonomy: Taxonomy = INDOOR,
    volume: GridVolume = VOLUME,
) -> tuple[NDArray[np.bool_], bool]:
    """What an object occupies, and whether it was taken for a room."""
    item = TriangleObject("object", taxonomy.index_of(name), triangles, fill=fill)
    grid, rooms = voxelize_with_rooms([item], volume, taxonomy)
    return grid.labels > 0, rooms == (0,)


def turned(triangles: NDArray[np.float64], degrees: float) -> NDArray[np.float64]:
    middle = triangles.reshape(-1, 3).mean(axis=0)
    pose = trimesh.transformations.rotation_matrix(np.radians(degrees), (0, 0, 1), middle)
    return trimesh.transform_points(triangles.reshape(-1, 3), pose).reshape(-1, 3, 3)


def shell(triangles: NDArray[np.float64]) -> NDArray[np.bool_]:
    return voxels(triangles, Fill.SURFACE)[0]


@pytest.mark.parametrize("name", ["wall", "floor", "ceiling", "window"])
@pytest.mark.parametrize("inward", [False, True])
def test_one_cube_is_a_room(name: str, inward: bool) -> None:
    shown, is_room = voxels(ROOM[:, ::-1] if inward else ROOM, name=name)
    assert is_room
    assert not shown[INSIDE].any()
    np.testing.assert_array_equal(shown, shell(ROOM))
    assert shown.any(axis=0).sum() >= 47 * 31  # every line along x and z meets it
    assert shown.any(axis=2).sum() >= 52 * 47


def test_faces_whose_normals_disagree_are_a_room_too() -> None:
    mixed = ROOM.copy()
    mixed[::3] = mixed[::3, ::-1]
    shown, is_room = voxels(mixed)
    assert is_room
    np.testing.assert_array_equal(shown, shell(ROOM))


@pytest.mark.parametrize("degrees", [0, 15, 45, 77])
@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1.6, 1.6, 1.6), True),  # a cabin
        ((3.6, 1.0, 2.4), True),  # a corridor
        ((3.6, 0.8, 2.4), False),  # a castle's wall
        ((0.8, 0.8, 2.5), False),  # a pillar
        ((3.2, 3.2, 1.5), False),  # a plinth
        ((3.4, 3.4, 0.3), False),  # a floor slab
        ((3.8, 0.1, 2.5), False),  # a wall
    ],
)
def test_a_room_is_what_a_camera_can_stand_in(size: tuple[float, ...], expected: bool, degrees: float) -> None:
    low = np.array([2.4, 2.4, 1.4]) - np.array(size) / 2
    triangles = turned(box(tuple(low), tuple(low + size)), degrees)
    shown, is_room = voxels(triangles)
    assert is_room == expected
    np.testing.assert_array_equal(shown, voxels(triangles, Fill.SURFACE if expected else Fill.SOLID)[0])


def test_the_artist_has_the_last_word() -> None:
    solid, is_room = voxels(ROOM, Fill.SOLID)
    assert solid[INSIDE].all()
    assert not is_room
    assert not voxels(box((1, 1, 0), (1.6, 1.6, 2)), Fill.SURFACE)[0][14:18, 14:18, 2:22].any()


def test_furniture_and_buildings_are_no_rooms() -> None:
    shown, is_room = voxels(ROOM, name="furn")
    assert shown[INSIDE].all()
    assert not is_room
    shown, is_room = voxels(ROOM, name="building", taxonomy=OUTDOOR)
    assert shown[INSIDE].all()
    assert not is_room


def test_a_rolling_boulder_has_no_floor_to_stand_on() -> None:
    ball = trimesh.creation.icosphere(subdivisions=4, radius=1.2).apply_translation((2.4, 2.4, 1.4))
    assert not voxels(np.asarray(ball.triangles))[1]


@pytest.mark.parametrize("flipped", [(), (0,), (1,), (0, 1)])
def test_the_walls_of_a_house_of_two_nested_cubes_are_filled(flipped: tuple[int, ...]) -> None:
    cubes = [box((0.2, 0.2, 0.1), (4.6, 4.6, 2.7)), box((0.45, 0.45, 0.35), (4.35, 4.35, 2.45))]
    for number in flipped:
        cubes[number] = cubes[number][:, ::-1]
    shown, _ = voxels(np.concatenate(cubes))
    outer, inner = (voxels(cube, Fill.SOLID)[0] for cube in cubes)
    np.testing.assert_array_equal(shown, outer & ~inner)
    assert not shown[8:52, 8:52, 6:29].any()


def test_rooms_with_corners_pillars_and_walls_of_their_own() -> None:
    block = trimesh.creation.box(bounds=[(0.3, 0.3, 0.1), (4.3, 4.3, 2.5)])
    corner = trimesh.creation.box(bounds=[(1.8, 1.8, 0.0), (5.0, 5.0, 3.0)])
    l_shape = trimesh.boolean.difference([block, corner], engine="manifold")
    shown, is_room = voxels(np.asarray(l_shape.triangles))
    assert is_room
    assert not shown[6:50, 6:20, 4:28].any()
    assert not shown[6:20, 6:50, 4:28].any()
    pillar = box((2.0, 2.0, 0.3), (2.4, 2.4, 2.5))
    shown, is_room = voxels(np.concatenate([ROOM, pillar]))
    assert is_room
    np.testing.assert_array_equal(shown, shell(ROOM) | voxels(pillar)[0])


def test_walls_with_thickness_and_openings_are_as_modelled() -> None:
    outer = trimesh.creation.box(bounds=[(0.2, 0.2, 0.1), (4.6, 4.6, 2.7)])
    inner = trimesh.creation.box(bounds=[(0.4, 0.4, 0.3), (4.4, 4.4, 2.5)])
    window = trimesh.creation.box(bounds=[(1.0, -1.0, 1.0), (2.5, 1.0, 2.0)])
    house = trimesh.boolean.difference([outer, inner, window], engine="manifold")
    shown, is_room = voxels(np.asarray(house.triangles))
    assert not is_room
    np.testing.assert_array_equal(shown, voxels(np.asarray(house.triangles), Fill.SOLID)[0])
    assert shown[3, 3:50, 3:30].all()
    assert not shown[15:30, :10, 14:24].any()


def test_a_single_skin_with_a_window_cut_out_stays_open() -> None:
    window = np.array([(1.0, 0.3, 1.0), (2.0, 0.3, 1.0), (2.0, 0.3, 2.0), (1.0, 0.3, 2.0)])
    corners = np.array([(0.3, 0.3, 0.2), (4.5, 0.3, 0.2), (4.5, 0.3, 2.7), (0.3, 0.3, 2.7)])
    frame = [t for k in range(4) for t in _quad(corners[k], corners[k - 3], window[k - 3], window[k])]
    walls = ROOM[np.ptp(ROOM[:, :, 1], axis=1) > 0].tolist() + ROOM[ROOM[:, :, 1].min(axis=1) > 4].tolist()
    shown, is_room = voxels(np.array(walls + frame))
    assert not is_room
    assert not shown[INSIDE].any()
    assert not shown[14:24, :6, 14:24].any()


def _quad(*corners: NDArray[np.float64]) -> list[list[NDArray[np.float64]]]:
    return [[corners[0], corners[1], corners[2]], [corners[0], corners[2], corners[3]]]


@pytest.mark.parametrize("origin", [(1.0, 1.0, 0.0), (-1.0, 2.0, 1.0), (0.5, 0.5, 0.5)])
@pytest.mark.parametrize("degrees", [0, 30])
def test_it_is_a_room_wherever_the_volume_cuts_it(origin: tuple[float, ...], degrees: float) -> None:
    pose = trimesh.transformations.rotation_matrix(np.radians(degrees), (0.3, 0.1, 1))
    pose[:3, 3] = origin
    volume = GridVolume((20, 20, 20), 0.1, pose)
    shown, is_room = voxels(ROOM, volume=volume)
    assert is_room
    np.testing.assert_array_equal(shown, voxels(ROOM, Fill.SURFACE, volume=volume)[0])


def test_slots_of_one_cube_show_walls_floor_and_ceiling() -> None:
    normal = np.cross(ROOM[:, 1] - ROOM[:, 0], ROOM[:, 2] - ROOM[:, 0])
    level = np.abs(normal[:, 2]) > 0
    for sign in (1, -1):
        triangles = ROOM[:, ::sign]
        classes = np.where(level, np.where(ROOM[:, 0, 2] < 1, FLOOR, CEILING), WALL)
        parts = parts_by_class([(triangles, classes)], VOLUME.voxel_size)[0]
        objects = [
            TriangleObject(
                "room",
                part.class_index,
                part.triangles,
                20 if part.body_class else None,
                Fill.SURFACE if part.body_class else Fill.AUTOMATIC,
            )
            for part in parts
        ]
        grid, rooms = voxelize_with_rooms(objects, VOLUME, INDOOR)
        assert rooms == (0,)
        assert not grid.labels[INSIDE].any()
        assert (grid.labels[6:54, 6:48, 3] == FLOOR).all()
        assert (grid.labels[6:54, 6:48, 33] == CEILING).all()
        assert (grid.labels[4, 6:48, 6:32] == WALL).all()


def test_rooms_are_named_by_their_place_in_the_order_given() -> None:
    table = TriangleObject("table", INDOOR.index_of("table"), box((1, 1, 0.3), (2, 2, 1)))
    room, slab = TriangleObject("room", WALL, ROOM), TriangleObject("slab", FLOOR, box((0, 0, 0), (4.8, 4.8, 0.2)))
    _, rooms = voxelize_with_rooms([table, slab, room, table, room], VOLUME, INDOOR)
    assert rooms == (2, 4)
    assert voxelize([], VOLUME, INDOOR).labels.sum() == 0
