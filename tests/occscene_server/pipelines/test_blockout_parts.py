"""Blockouts made finer with the bundled parts prior: boxes become furniture, what was modelled stays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from occscene.grid import GridObject, SemanticGrid
from occscene.layout import Layout, LayoutObject, LayoutRoom
from occscene.taxonomy import INDOOR
from occscene.volumes import default_volume

from occscene_server.data.layouts import layout_files, write_layouts
from occscene_server.evaluation.part_retrieval import PieceLibrary
from occscene_server.evaluation.parts_scores import (
    ScoredRoom,
    changed_share,
    likeness,
    occupancy_score,
    outside_share,
    retrieved,
)
from occscene_server.evaluation.parts_sheet import parts_sheet
from occscene_server.geometry.layout_grid import layout_grid
from occscene_server.geometry.object_boxes import box_of_points
from occscene_server.geometry.solids import Solids
from occscene_server.pipelines.blockout_parts import BlockoutParts, most_typical
from occscene_server.studio.indoor import build_room
from occscene_server.studio.layouts import room_record
from occscene_server.studio.scene_grids import room_grids
from occscene_server.weights import default_parts_prior
from tests.occscene_server.detailed_room import detailed_room

pytestmark = pytest.mark.weights
SEEDS = (20, 40, 60, 100, 140, 780)
"""Rooms of the test split."""


@pytest.fixture(scope="module")
def writer() -> BlockoutParts:
    return BlockoutParts.from_pretrained(default_parts_prior())


@pytest.fixture(scope="module")
def rooms() -> list[ScoredRoom]:
    found = []
    for room in map(build_room, SEEDS):
        truth, blockout = room_grids(room)
        prompt = ", ".join(item.phrase for item in room.items)
        found.append(ScoredRoom(truth, blockout, prompt, {}, {}))
    return found


def test_it_is_small() -> None:
    assert sum(path.stat().st_size for path in default_parts_prior().iterdir()) < 4_000_000


@pytest.mark.slow
def test_boxes_come_nearer_to_true_rooms_than_recorded_pieces_do(
    writer: BlockoutParts, rooms: list[ScoredRoom], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("layouts")
    write_layouts(folder / "layouts_00000000.npz", [room_record(seed) for seed in range(2, 20)])
    library = PieceLibrary(layout_files(folder))
    blockout = occupancy_score(rooms, [room.blockout for room in rooms])
    baseline = occupancy_score(rooms, [retrieved(library, writer, room)[0] for room in rooms])
    drawn = [
        occupancy_score(rooms, [writer.refine(room.blockout, room.prompt, seed)[0] for room in rooms])
        for seed in range(3)
    ]
    made = {name: float(np.mean([one[name] for one in drawn])) for name in ("miou", "chair")}
    assert made["miou"] > blockout["miou"] + 0.03
    assert made["miou"] > baseline["miou"] - 0.01  # on so few rooms; on 58 it is above
    assert made["chair"] > blockout["chair"] + 0.05


@pytest.mark.slow
def test_shapes_differ_by_seed_repeat_and_stay_inside(writer: BlockoutParts, rooms: list[ScoredRoom]) -> None:
    one, same, other = ([writer.refine(room.blockout, room.prompt, seed) for room in rooms[:3]] for seed in (1, 1, 2))
    for (grid, made), (again, made_again) in zip(one, same, strict=True):
        np.testing.assert_array_equal(grid.labels, again.labels)
        assert made == made_again
    assert 0.5 < likeness(one, other) < 0.98
    assert outside_share([*one, *other]) == 0.0
    for grid, made in one:
        assert made
        assert all(obj.parts for obj in made.values())
        assert grid.objects == rooms[one.index((grid, made))].blockout.objects


@pytest.mark.slow
def test_only_voxels_of_boxes_change_and_only_to_empty(writer: BlockoutParts, rooms: list[ScoredRoom]) -> None:
    for room in rooms:
        before = room.blockout
        after, made = writer.refine(before, room.prompt, 3)
        assert before.instances is not None
        assert after.instances is not None
        changed = after.labels != before.labels
        assert changed.any()
        assert set(np.unique(after.labels[changed])) == {0}
        assert set(np.unique(before.instances[changed])) <= set(made)
        np.testing.assert_array_equal(after.labels == 0, after.instances == 0)
        shell = np.isin(before.labels, [INDOOR.index_of(name) for name in ("wall", "floor", "ceiling", "window")])
        assert not (changed & shell).any()


def test_what_is_made_of_several_boxes_stays(writer: BlockoutParts) -> None:
    labels, instances = np.zeros((60, 60, 36), np.uint8), np.zeros((60, 60, 36), np.uint16)
    sofa = INDOOR.index_of("sofa")
    boxes = ((10, 20, 0), (34, 30, 5)), ((10, 28, 0), (34, 30, 10)), ((30, 40, 0), (54, 50, 9))
    for number, (low, high) in zip((1, 1, 2), boxes, strict=True):
        place = tuple(slice(*ends) for ends in zip(low, high, strict=True))
        labels[place], instances[place] = sofa, number
    objects = (GridObject(1, "sofa"), GridObject(2, "sofa"))
    grid = SemanticGrid(labels, 0.08, np.eye(4), "indoor", instances, objects)
    finer, made = writer.refine(grid)
    assert list(made) == [2]
    np.testing.assert_array_equal(finer.labels[instances == 1], sofa)


def test_what_was_modelled_in_detail_stays(writer: BlockoutParts, rooms: list[ScoredRoom]) -> None:
    truth = [room.truth for room in rooms]
    after = [writer.refine(room.truth, room.prompt, 0)[0] for room in rooms]
    assert changed_share(truth, after) <= 0.01
    grid, _ = detailed_room()
    same, made = writer.refine(grid, "", 0)
    assert made == {}
    np.testing.assert_array_equal(same.labels, grid.labels)


def furnished(*objects: LayoutObject) -> SemanticGrid:
    return layout_grid(Layout("indoor", LayoutRoom((4.02, 4.02, 2.6)), objects), default_volume("indoor"))


SOFA = LayoutObject("sofa", "sofa", (0.0, -1.5, 0.4), (2.0, 0.88, 0.8))
TABLE = LayoutObject("dining table", "table", (0.9, 0.9, 0.36), (1.4, 0.8, 0.72))


def test_a_sofa_has_its_back_at_the_wall_wherever_the_wall_is(writer: BlockoutParts) -> None:
    for quarter in range(4):
        cosine, sine = round(math.cos(quarter * math.pi / 2)), round(math.sin(quarter * math.pi / 2))
        center = (-sine * SOFA.center[1], cosine * SOFA.center[1], 0.4)
        grid = furnished(replace(SOFA, center=center, turn=quarter * math.pi / 2))
        ((_, found),) = writer.refine(grid, "", 5)[1].items()
        np.testing.assert_allclose(found.axes[:, 1], (-sine, cosine, 0.0), atol=1e-9)
        parts = Solids.of_layout(found.parts)
        top = parts.center[:, 2] + parts.reach[:, 2]
        assert top[parts.center[:, 1] < -0.2].max() > top[parts.center[:, 1] > 0.1].max() + 0.1


def test_equal_boxes_in_turned_grids_get_equal_parts(writer: BlockoutParts) -> None:
    grid = furnished(SOFA, TABLE)
    pose = np.eye(4)
    pose[:2, :2] = [[0.6, -0.8], [0.8, 0.6]]
    pose[:3, 3] = (5.0, -3.0, 0.2)
    turned = replace(grid, world_from_grid=pose @ grid.world_from_grid)
    (one, made), (other, made_too) = writer.refine(grid, "", 5), writer.refine(turned, "", 5)
    np.testing.assert_array_equal(one.labels, other.labels)
    assert list(made) == list(made_too)
    for number, obj in made.items():
        assert obj.parts == made_too[number].parts
        np.testing.assert_allclose(
            pose[:3, :3] @ np.array(obj.center) + pose[:3, 3], made_too[number].center, atol=1e-9
        )


def test_other_objects_do_not_change_a_shape(writer: BlockoutParts) -> None:
    alone = writer.refine(furnished(TABLE), "", 5)[1]
    both = writer.refine(furnished(TABLE, replace(SOFA, name="couch.001")), "", 5)[1]
    assert next(iter(alone.values())).parts == next(iter(both.values())).parts
    assert "couch.001" in {obj.name for obj in both.values()}


def test_chairs_of_one_table_match_but_no_two_shelves_hold_the_same_books(writer: BlockoutParts) -> None:
    chair = LayoutObject("dining chair", "chair", (-1.0, 1.0, 0.44), (0.48, 0.48, 0.88))
    shelf = LayoutObject("bookshelf", "furn", (-1.0, -1.8, 0.8), (0.96, 0.32, 1.6))
    grid = furnished(*(replace(obj, center=(x, *obj.center[1:])) for obj in (chair, shelf) for x in (-1.2, 0.4)))
    chair_1, chair_2, shelf_1, shelf_2 = writer.refine(grid, "two oak dining chairs", 4)[1].values()
    assert chair_1.parts == chair_2.parts
    assert shelf_1.parts != shelf_2.parts
    boards = [[part for part in shelf.parts if part.material != "paper"] for shelf in (shelf_1, shelf_2)]
    assert boards[0] == boards[1]


@pytest.mark.parametrize("name", ["", "Cube.003", "item\u2603", "x" * 200])
def test_names_that_say_nothing_leave_it_to_class_and_size(writer: BlockoutParts, name: str) -> None:
    grid = furnished(TABLE)
    named = replace(
        grid, objects=tuple(GridObject(o.id, name if o.name == TABLE.name else o.name) for o in grid.objects)
    )
    (found,) = writer.refine(named, "", 0)[1].values()
    assert found.class_name == "table"
    assert len(found.parts) > 2


def test_other_words_for_a_kind_are_known_and_odd_objects_are_left(writer: BlockoutParts) -> None:
    box = LayoutObject("box", "objs", (0.5, 0.5, 0.2), (0.4, 0.4, 0.4))
    names = (("Ottoman", 2), ("table lamp.001", 2), ("TischLampe_02", 2), ("trophy", 0), ("lamp shade", 0), ("Bett", 0))
    for name, parts in names:
        made = writer.refine(furnished(replace(box, name=name)), "", 0)[1]
        assert sum(len(obj.parts) for obj in made.values()) >= parts
        assert bool(made) == bool(parts)


def test_what_cannot_be_made_finer_is_left(writer: BlockoutParts) -> None:
    grid = furnished(SOFA, TABLE)
    pose = np.eye(4)
    pose[1:3, 1:3] = [[math.cos(0.1), -math.sin(0.1)], [math.sin(0.1), math.cos(0.1)]]
    leaning = replace(grid, world_from_grid=pose @ grid.world_from_grid)
    unknown = replace(grid, labels=np.where(grid.labels > 0, 255, 0).astype(np.uint8))
    empty = replace(grid, labels=grid.labels * 0, instances=np.zeros_like(grid.labels, np.uint16))
    plain, street = replace(grid, instances=None, objects=()), replace(grid, taxonomy="outdoor")
    for other in (plain, leaning, street, empty, unknown):
        after, made = writer.refine(other, "", 0)
        assert made == {}
        np.testing.assert_array_equal(after.labels, other.labels)


def test_the_prompt_decides_the_shape(writer: BlockoutParts) -> None:
    """Of a table that may as well be round."""
    table = replace(TABLE, name="coffee table", size=(0.8, 0.64, 0.4), center=(0.0, 0.0, 0.2))

    def round_ones(prompt: str) -> int:
        made = [next(iter(writer.refine(furnished(table), prompt, seed)[1].values())) for seed in range(6)]
        return sum(any(part.kind == "cylinder" for part in obj.parts) for obj in made)

    assert round_ones("a living room with a round oak coffee table and a sofa") >= 5
    assert round_ones("a living room with a sofa, a round oak dining table, an oak coffee table") <= 1


@pytest.mark.parametrize("turn", [0.0, 0.02, 0.4, 0.777, 1.5, 3.0, -0.1])
def test_corners_say_exactly_where_a_box_is(writer: BlockoutParts, turn: float) -> None:
    table = replace(TABLE, center=(0.913, 0.884, 0.37), size=(1.43, 0.83, 0.74), turn=turn)
    grid = furnished(table)
    number = next(obj.id for obj in grid.objects if obj.name == table.name)
    found = writer.refine(grid, "", 0, {number: table.corners})[1][number]
    np.testing.assert_allclose(found.center, table.center, atol=1e-9)
    np.testing.assert_allclose(sorted(found.size), sorted(table.size), atol=1e-9)
    assert abs((found.turn - table.turn + math.pi / 4) % (math.pi / 2) - math.pi / 4) < 1e-9


def test_words_of_its_own_are_an_objects_phrase_and_kind(writer: BlockoutParts) -> None:
    box = replace(TABLE, name="Cube.003", center=(0.9, 0.9, 0.25), size=(0.9, 0.9, 0.5))
    grid = furnished(box)
    number = next(obj.id for obj in grid.objects if obj.name == box.name)

    def asked(words: str, prompt: str) -> str:
        objects = tuple(replace(obj, prompt=words if obj.id == number else "") for obj in grid.objects)
        phrases: list[str] = []
        with_parts = writer.with_parts

        def watched(
            objects: Sequence[LayoutObject], said: Sequence[str], seeds: Any, bodies: bool
        ) -> list[LayoutObject]:
            phrases.extend(f"{obj.name}: {words}" for obj, words in zip(objects, said, strict=True))
            return with_parts(objects, said, seeds, bodies)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(writer, "with_parts", watched)
            assert writer.refine(replace(grid, objects=objects), prompt, 0)[1][number].name == box.name
        return phrases[0]

    prompt = "a white dining table and a black coffee table"
    assert asked("a round oak coffee table", prompt) == "coffee table: a round oak coffee table"
    assert asked("a round oak dining table", prompt) == "dining table: a round oak dining table"
    assert asked("", prompt).partition(": ")[2] in ("a white dining table", "a black coffee table")


def test_what_is_no_box_keeps_an_upright_outline() -> None:
    """Round and angled objects, whose smallest outline would be turned somehow."""
    angles = np.arange(12) * np.pi / 6
    round_table = np.stack([np.cos(angles), np.sin(angles), np.zeros(12)], 1)
    corner_sofa = np.array([[0, 0, 0], [3, 0, 0], [3, 1, 0], [1, 1, 0], [1, 3, 0], [0, 3, 0.8]], np.float64)
    for points in (round_table, corner_sofa):
        box = box_of_points(points)
        assert box.turn == 0.0
        np.testing.assert_allclose(box.size, np.ptp(points, axis=0), atol=1e-12)


def test_a_plane_that_stands_upright_has_an_exact_outline() -> None:
    picture = (
        np.array([[-0.5, 0, 1], [0.5, 0, 1], [0.5, 0, 1.5], [-0.5, 0, 1.5]])
        @ LayoutObject("picture", "wall", (0, 0, 0), (1, 1, 1), 0.3).axes.T
    )
    box = box_of_points(picture)
    np.testing.assert_allclose(sorted(box.size), [0.0, 0.5, 1.0], atol=1e-9)
    assert box.turn == pytest.approx(0.3)


def test_the_most_typical_shape_is_the_one_most_like_the_others() -> None:
    full = np.ones((3, 3, 3), bool)
    holed = full.copy()
    holed[1, 1] = False
    shapes = [
        (np.zeros(3, np.int64), full),
        (np.zeros(3, np.int64), holed),
        (np.array([0, 0, 2]), full),
        (np.zeros(3, np.int64), full),
    ]
    assert most_typical(shapes) == 0
    assert most_typical(shapes[1:3]) in (0, 1)


def test_a_drawn_layout_shows_its_parts(writer: BlockoutParts) -> None:
    objects = (SOFA, TABLE, LayoutObject("picture", "objs", (0.0, 1.98, 1.5), (0.6, 0.06, 0.5), math.pi))
    with torch.no_grad():
        made = writer.with_parts(objects, ["a red velvet sofa", "a round oak dining table", ""], [1, 2, 3])
    assert all(obj.parts for obj in made)
    boxes, parts = furnished(*objects), furnished(*made)
    table = INDOOR.index_of("table")
    assert 0.1 < (parts.labels == table).sum() / (boxes.labels == table).sum() < 0.7
    sheet = np.asarray(parts_sheet(made))
    assert len(np.unique(sheet.reshape(-1, 3), axis=0)) > 20
