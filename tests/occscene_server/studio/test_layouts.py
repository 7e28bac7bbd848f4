"""Rooms as layouts: as the grammar built them, with parts, relations that hold and prompts that say the truth."""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from occscene_server.data.layouts import LayoutFile, write_layouts
from occscene_server.geometry.layout_rules import blocked_doors, floating, outside
from occscene_server.geometry.relations import CORNER, relations_of
from occscene_server.studio.cli import studio_app
from occscene_server.studio.indoor import build_room
from occscene_server.studio.layouts import layout_items, quaternions, room_record, write_rooms
from tests.occscene_server.studio.claims import check_mentions

SEEDS = range(24)
room_of, record_of = lru_cache(64)(build_room), lru_cache(64)(room_record)


def test_rooms_are_those_that_rendered_data_show() -> None:
    """Rendered scenes are functions of the seed: what these rooms are must never change."""
    for seed, items, parts, total in ((3, 23, 202, 25365.62), (20000, 25, 382, 35277.37), (123456, 24, 127, 28035.06)):
        room = room_of(seed)
        assert len(room.items) == items
        assert sum(len(item.parts) for item in room.items) == parts
        assert sum(part.vertices.sum() for item in room.items for part in item.parts) == pytest.approx(total, abs=0.01)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_box_is_what_its_meshes_take(seed: int) -> None:
    room = room_of(seed)
    record = record_of(seed)
    half = np.array([room.size[0] / 2, room.size[1] / 2, 0.0])
    for item, obj in zip(layout_items(room), record.layout.objects, strict=True):
        if obj.name in ("door", "window"):
            continue
        points = np.concatenate([part.vertices for part in item.parts]) - half - obj.center
        local = points @ obj.axes
        np.testing.assert_allclose(
            [local.min(0), local.max(0)], [-np.array(obj.size) / 2, np.array(obj.size) / 2], atol=1e-6
        )


@pytest.mark.parametrize("seed", SEEDS)
def test_parts_in_their_boxes_are_the_meshes(seed: int) -> None:
    """Each primitive's oriented box, put back into the world, is the bounds of its mesh along the primitive's axes."""
    room, record = room_of(seed), record_of(seed)
    half = np.array([room.size[0] / 2, room.size[1] / 2, 0.0])
    for item, obj, parts in zip(layout_items(room), record.layout.objects, record.parts, strict=True):
        for i, part in enumerate(item.parts):
            if parts.kind[i] == "blade":
                continue  # leaves bend
            rotation = obj.axes @ matrix_of(parts.turn[i].astype(float))
            center = obj.axes @ (parts.box[i, :3] / 1000) + obj.center
            local = (part.vertices - half - center) @ rotation
            reach = np.abs(local).max(0) - parts.box[i, 3:] / 2000
            slack = 0.04 if parts.kind[i] == "curtain" else 0.004
            assert (np.abs(reach) < slack + 0.06 * parts.box[i, 3:] / 2000).all(), (item.name, parts.kind[i], reach)


def matrix_of(quaternion: np.ndarray) -> np.ndarray:
    w, x, y, z = quaternion / np.linalg.norm(quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def test_quaternions_are_the_rotations() -> None:
    rng = np.random.default_rng(0)
    drawn = rng.normal(size=(200, 4))
    drawn /= np.linalg.norm(drawn, axis=1, keepdims=True)
    drawn[:4] = np.eye(4)
    drawn *= np.where(drawn[:, :1] < 0, -1.0, 1.0)
    found = quaternions(np.stack([matrix_of(row) for row in drawn]))
    np.testing.assert_allclose(np.abs((found * drawn).sum(1)), 1.0, atol=1e-9)
    assert (found[:, 0] >= 0).all()


@pytest.mark.parametrize("seed", SEEDS)
def test_prompts_say_what_is_there(seed: int) -> None:
    record = record_of(seed)
    objects = record.layout.objects
    check_mentions(record)
    held = {
        (objects[r.subject].name, r.name, "" if r.anchor == CORNER else objects[r.anchor].name)
        for r in relations_of(record.layout)
    }
    for prompt in record.prompts:
        assert set(prompt.relations) <= held
        for _, relation, _ in prompt.relations:
            said = {"beside": ("beside", "next to"), "opposite": ("opposite", "facing"), "above": ("above", "over"),
                    "at": ("at", "around"), "in the corner": ("in the corner", "in a corner")}  # fmt: skip
            assert any(f" {words}" in prompt.text for words in said.get(relation, (relation,)))


@pytest.mark.slow
def test_prompts_name_nothing_twice() -> None:
    """In all that a prompt names there are no more objects of a kind, or of a kind and colour, than in the room."""
    for seed in range(30000, 30040):
        record = record_of(seed)
        there = Counter(obj.name for obj in record.layout.objects)
        colored = Counter((obj.name, obj.color_word) for obj in record.layout.objects)
        for prompt in record.prompts:
            named: Counter[str] = Counter()
            named_colored: Counter[tuple[str, str]] = Counter()
            for mention in prompt.mentions:
                named[mention.kind] += mention.count
                named_colored[mention.kind, mention.color_word] += mention.count if mention.color_word else 0
            assert named <= there, prompt.text
            assert +named_colored <= colored, prompt.text
            assert not re.search(r"\ba books\b", prompt.text)


def test_prompts_relate_objects_and_some_do_not() -> None:
    prompts = [prompt for seed in SEEDS for prompt in record_of(seed).prompts]
    related = sum(bool(prompt.relations) for prompt in prompts)
    assert 0.3 < related / len(prompts) < 0.8
    assert {relation for prompt in prompts for _, relation, _ in prompt.relations} >= {"on", "under", "beside", "above"}


@pytest.mark.parametrize("seed", SEEDS)
def test_real_rooms_have_free_doors_and_keep_inside(seed: int) -> None:
    layout = record_of(seed).layout
    assert not any(outside(layout))
    assert not any(floating(layout))
    assert blocked_doors(layout) == 0


def test_a_file_gives_back_its_rooms(tmp_path: Path) -> None:
    records = [record_of(seed) for seed in range(5)]
    write_layouts(tmp_path / "layouts_00000000.npz", records)
    file = LayoutFile(tmp_path / "layouts_00000000.npz")
    assert len(file) == 5
    for index, record in enumerate(records):
        found = file.record(index)
        assert (found.seed, found.words, found.phrases, found.relations, found.prompts) == (
            record.seed, record.words, record.phrases, record.relations, record.prompts,
        )  # fmt: skip
        for a, b in zip(found.layout.objects, record.layout.objects, strict=True):
            assert (a.name, a.class_name, a.color_word) == (b.name, b.class_name, b.color_word)
            np.testing.assert_allclose([*a.center, *a.size, a.turn], [*b.center, *b.size, b.turn], atol=1e-5)
        for own, other in zip(found.parts, record.parts, strict=True):
            assert (own.kind, own.material_kind) == (other.kind, other.material_kind)
            for name in ("box", "turn", "taper", "material", "color"):
                np.testing.assert_array_equal(getattr(own, name), getattr(other, name))


def test_files_of_the_first_prompts_are_read_and_said_to_be_older(tmp_path: Path) -> None:
    path = tmp_path / "layouts_00000000.npz"
    write_layouts(path, [record_of(0)])
    assert LayoutFile(path).prompt_version == 2
    with np.load(path) as members:
        older = {name: members[name] for name in members.files if name != "prompt_version"}
    np.savez(path, **older)
    assert LayoutFile(path).prompt_version == 1
    assert LayoutFile(path).prompts(0) == record_of(0).prompts


def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "layouts_00000000.npz"
    write_layouts(path, [record_of(0)])
    with np.load(path) as members:
        changed = {name: members[name] for name in members.files} | {"version": np.array(7)}
    np.savez(path, **changed)
    with pytest.raises(ValueError, match="version 7"):
        LayoutFile(path)


@pytest.mark.parametrize("scenes", ["0:1500", "20:2000", "0:2000:2"])
def test_seeds_that_are_no_whole_thousands_are_refused(tmp_path: Path, scenes: str) -> None:
    result = CliRunner().invoke(studio_app, ["layouts", "--output", str(tmp_path), "--scenes", scenes])
    assert result.exit_code == 2
    assert "multiples of 1000" in result.output


def test_rooms_are_written_by_several_workers_and_kept(tmp_path: Path) -> None:
    assert [path.name for path in write_rooms(tmp_path, range(3), 2)] == ["layouts_00000000.npz"]
    assert LayoutFile(tmp_path / "layouts_00000000.npz").seeds == [0, 1, 2]
    assert list(write_rooms(tmp_path, range(3), 1)) == []
