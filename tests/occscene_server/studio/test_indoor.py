"""Procedural rooms: deterministic, of closed meshes, within the volume, with blockouts where the objects are."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np
import pytest
import trimesh
from occscene.taxonomy import INDOOR

from occscene_server.studio.indoor import build_room
from occscene_server.studio.materials import KINDS
from occscene_server.studio.prompt import compose_prompt, plural
from occscene_server.studio.room import Box, Item, Part, Room
from occscene_server.studio.scene_grids import room_grids

SEEDS = range(60)
SHELL = {"floor", "ceiling", "south wall", "north wall", "west wall", "east wall", "skirting board", "door", "window"}
DECOR = {"picture", "curtain", "vase", "books", "fruit bowl", "table lamp", "ceiling lamp", "rug", "television"}
CLASSES = {"floor", "ceiling", "wall", "window", "chair", "bed", "sofa", "table", "tvs", "furn", "objs"}


@lru_cache(maxsize=128)
def room_of(seed: int) -> Room:
    return build_room(seed)


def as_trimesh(part: Part) -> trimesh.Trimesh:
    triangles = [(face[0], *pair) for face in part.faces for pair in pairwise(face[1:])]
    return trimesh.Trimesh(part.vertices, triangles, process=False)


def kind_of(item: Item) -> str:
    return item.name.rstrip(" 0123456789")


def item_bounds(item: Item) -> np.ndarray:
    points = np.concatenate([part.vertices for part in item.parts])
    return np.array([points.min(axis=0), points.max(axis=0)])


def box_bounds(boxes: tuple[Box, ...]) -> np.ndarray:
    corners = []
    for box in boxes:
        cosine, sine = abs(np.cos(box.angle)), abs(np.sin(box.angle))
        half = (
            np.array(
                [cosine * box.size[0] + sine * box.size[1], sine * box.size[0] + cosine * box.size[1], box.size[2]]
            )
            / 2
        )
        corners += [np.asarray(box.center) - half, np.asarray(box.center) + half]
    return np.array([np.min(corners, axis=0), np.max(corners, axis=0)])


def test_the_same_seed_gives_the_same_room() -> None:
    first, second = build_room(11), build_room(11)
    assert first.materials == second.materials
    assert [item.phrase for item in first.items] == [item.phrase for item in second.items]
    for one, other in zip(first.items, second.items, strict=True):
        assert one.blockout == other.blockout
        assert one.color == other.color
        for a, b in zip(one.parts, other.parts, strict=True):
            assert np.array_equal(a.vertices, b.vertices)
            assert np.array_equal(a.local, b.local)
    assert [item.phrase for item in build_room(12).items] != [item.phrase for item in first.items]


@pytest.mark.parametrize("seed", range(0, 24, 2))
def test_meshes_are_closed_and_face_outwards(seed: int) -> None:
    for item in room_of(seed).items:
        for part in item.parts:
            mesh = as_trimesh(part)
            assert mesh.is_watertight, (item.name, part.material)
            assert mesh.is_winding_consistent, (item.name, part.material)
            assert mesh.volume > 0, (item.name, part.material)


@pytest.mark.parametrize("seed", SEEDS)
def test_everything_lies_within_the_indoor_volume(seed: int) -> None:
    room = room_of(seed)
    middle = np.array([room.size[0] / 2, room.size[1] / 2])
    points = np.concatenate([part.vertices for item in room.items for part in item.parts])
    assert np.all(np.abs(points[:, :2] - middle) <= 2.4)
    assert np.ptp(points[:, 2]) <= 2.88
    assert len(points) < 60_000
    for item in room.items:
        if kind_of(item) not in SHELL:
            low, high = item_bounds(item)
            assert np.all(low >= -0.04)
            assert np.all(high <= np.asarray(room.size) + 0.04), item.name


@pytest.mark.parametrize("seed", SEEDS)
def test_the_shell_in_the_grid_ends_where_the_room_does(seed: int) -> None:
    room = room_of(seed)
    grid, _ = room_grids(room)
    origin, walls = grid.world_from_grid[:3, 3], grid.labels == INDOOR.index_of("wall")
    floor = grid.labels == INDOOR.index_of("floor")
    for axis in (0, 1):
        counts = walls.sum(axis=tuple({0, 1, 2} - {axis}))
        full = np.flatnonzero(counts > 0.3 * counts.max())  # and not the skirting boards
        faces = origin[axis] + grid.voxel_size * np.array([full[full < 30].max() + 1, full[full >= 30].min()])
        np.testing.assert_allclose(faces, [0.0, room.size[axis]], atol=0.0101)
    assert not floor[:, :, 1].any()
    assert abs(origin[2] + grid.voxel_size) < 0.0101


@pytest.mark.parametrize("seed", SEEDS)
def test_materials_classes_and_colors_are_known(seed: int) -> None:
    room = room_of(seed)
    assert {part.material for item in room.items for part in item.parts} == set(room.materials)
    assert {spec.kind for spec in room.materials.values()} <= set(KINDS)
    assert {item.class_name for item in room.items} <= CLASSES
    for item in room.items:
        assert 0.0 <= min(item.color) <= max(item.color) <= 1.0
        for part in item.parts:
            assert part.vertices.shape == part.local.shape
            assert np.isfinite(part.vertices).all()
            assert np.isfinite(part.local).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_blockout_boxes_lie_where_the_item_is(seed: int) -> None:
    for item in room_of(seed).items:
        if not item.blockout:
            continue
        true, coarse = item_bounds(item), box_bounds(item.blockout)
        assert np.abs(true - coarse)[:, :2].max() < 0.45, item.name
        overlap = np.minimum(true[1], coarse[1]) - np.maximum(true[0], coarse[0])
        assert np.all(overlap > 0.25 * (true[1] - true[0])), (item.name, overlap, true, coarse)


def test_furniture_does_not_stand_in_furniture() -> None:
    for seed in SEEDS:
        solid = [item for item in room_of(seed).items if item.class_name in ("bed", "sofa", "furn", "table")]
        bounds = [item_bounds(item) for item in solid]
        for i, a in enumerate(bounds):
            for b in bounds[:i]:
                assert np.min(np.minimum(a[1], b[1]) - np.maximum(a[0], b[0])) <= 0.001


def test_rooms_are_varied() -> None:
    rooms = [room_of(seed) for seed in SEEDS]
    assert len({kind_of(item) for room in rooms for item in room.items} - SHELL - DECOR) >= 15
    assert len({room.style for room in rooms}) >= 8
    assert len({room.kind for room in rooms}) >= 4
    assert len({room.wall_color for room in rooms}) >= 8
    missing = [not item.blockout for room in rooms for item in room.items if kind_of(item) not in SHELL | DECOR]
    assert 0.01 < np.mean(missing) < 0.15


def test_a_prompt_names_the_room_and_counts_equal_objects() -> None:
    for seed in SEEDS:
        room = room_of(seed)
        prompt = compose_prompt(room, [item.name for item in room.items], np.random.default_rng(seed))
        assert room.style in prompt
        assert room.kind in prompt
        assert 12 <= len(prompt.split()) <= 62
    assert plural("a red stool", 3) == "three red stools"
    assert plural("an oak bookshelf", 2) == "two oak bookshelves"
    assert plural("a green plant in a white pot", 2) == "two green plants in a white pot"
    assert plural("a white chest of drawers", 2) == "two white chests of drawers"
