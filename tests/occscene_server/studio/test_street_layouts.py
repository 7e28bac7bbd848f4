"""Streets as layouts: as the rendered street is, with prompts that say the truth, and parts that fit."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pytest
from occscene.grid import SemanticGrid
from occscene.layout import PART_KINDS, LayoutObject, LayoutPart
from occscene.part_shapes import WALLS
from occscene.taxonomy import OUTDOOR
from occscene.volumes import default_volume
from typer.testing import CliRunner

from occscene_server.data.layouts import LayoutFile, LayoutRecord, layout_files, write_layouts
from occscene_server.data.recorded_parts import recorded_solids
from occscene_server.geometry.layout_grid import layout_grid, object_voxels
from occscene_server.geometry.relations import relation_names
from occscene_server.geometry.solids import Solids
from occscene_server.geometry.street_layout import GROUND, street_layout
from occscene_server.geometry.street_rules import floating, overlapping
from occscene_server.models.layout_tokens import RANGES
from occscene_server.models.part_groups import grouped, ungrouped
from occscene_server.models.part_tokens import MAX_PARTS, UNITS, decode_parts, encode_parts
from occscene_server.studio.cli import studio_app
from occscene_server.studio.layouts import room_record
from occscene_server.studio.street_layouts import street_record
from occscene_server.studio.streets.grids import street_grids
from occscene_server.studio.streets.street import build_street
from tests.occscene_server.studio.claims import check_mentions

SEEDS = (1, 8)
"""A suburb that bends, with crossroads; a village with a church. Both are level."""

record_of = lru_cache(4)(street_record)


@lru_cache(4)
def truth_of(seed: int) -> SemanticGrid:
    return street_grids(build_street(seed))[0]


@lru_cache(4)
def boxes_of(seed: int) -> SemanticGrid:
    record = record_of(seed)
    return layout_grid(street_layout(record.layout.objects, record.course), default_volume("outdoor"))


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_boxes_stand_where_the_street_has_what_they_are(seed: int) -> None:
    truth, boxes = truth_of(seed), boxes_of(seed)
    assert truth.shape == boxes.shape
    iou = {}
    for name in ("road", "building", "car", "sidewalk"):
        a, b = truth.labels == OUTDOOR.index_of(name), boxes.labels == OUTDOOR.index_of(name)
        iou[name] = (a & b).sum() / (a | b).sum()
    assert iou["road"] > 0.85
    assert iou["building"] > 0.5
    assert iou["car"] > 0.4
    assert iou["sidewalk"] > 0.6


@pytest.mark.parametrize("seed", SEEDS)
def test_a_plan_begins_with_its_ground_and_holds_what_a_prior_can(seed: int) -> None:
    objects = record_of(seed).layout.objects
    ground = [obj.name in GROUND for obj in objects]
    assert ground == sorted(ground, reverse=True)
    assert 20 < len(objects) <= RANGES["outdoor"].most
    assert not any(floating(record_of(seed).layout))
    deep = overlapping(record_of(seed).layout)
    assert sum(deep) <= 0.05 * len(deep)


@pytest.mark.parametrize("seed", SEEDS)
def test_prompts_say_what_is_there(seed: int) -> None:
    record = record_of(seed)
    objects = record.layout.objects
    check_mentions(record)
    sides = {(obj.name, "on the left" if obj.center[1] > 0 else "on the right", "") for obj in objects}
    world = relation_names(street_layout(objects, record.course))
    for prompt in record.prompts:
        assert set(prompt.relations) <= sides & world, prompt.text
        assert all(name in prompt.text for _, name, _ in prompt.relations)
    assert any(prompt.relations for prompt in record.prompts)


def parts_of(record: LayoutRecord) -> dict[str, list[Solids]]:
    found: dict[str, list[Solids]] = defaultdict(list)
    for obj, parts in zip(record.layout.objects, record.parts, strict=True):
        if parts.kind:
            found[obj.name].append(recorded_solids(parts))
    return found


def test_wheels_stand_and_roofs_slope() -> None:
    """Cars roll along their box's y axis, and a house has sheets that lean against each other."""
    found = parts_of(record_of(8))
    for solids in found["car"]:
        size = np.sort(solids.size, axis=1)
        discs = (size[:, 2] - size[:, 1] < 0.01) & (size[:, 0] < 0.5 * size[:, 1]) & (size[:, 2] > 0.5)
        assert discs.sum() == 4
        axle = np.abs(solids.axes[discs][np.arange(4), :, solids.size[discs].argmin(1)])
        np.testing.assert_allclose(axle, np.tile((1.0, 0.0, 0.0), (4, 1)), atol=1e-2)
    slopes = [np.abs(solids.axes[:, 2, 2]).min() for solids in found["house"] + found["barn"]]
    assert np.mean(np.array(slopes) < 0.95) > 0.5
    for several in found.values():
        assert all(len(grouped(solids)[0]) <= MAX_PARTS for solids in several)


def test_dwellings_have_walls_with_windows_that_look_outwards() -> None:
    """A house with gardens around it has windows on several sides; in a row it has them in front, where its door is."""
    walls = [PART_KINDS.index(kind) for kind in WALLS]
    for seed, sides in ((8, 3), (21, 1)):
        for solids in parts_of(record_of(seed))["house"]:
            rows = np.flatnonzero(np.isin(solids.kind, walls))
            assert len(rows) >= sides
            outward = solids.axes[rows] @ (0.0, 1.0, 0.0)
            body = solids.take([int(np.prod(solids.size, axis=1).argmax())])
            np.testing.assert_array_less(0.0, ((solids.center[rows] - body.center) * outward).sum(1))
            fronts = outward[:, 1] > 0.9
            assert fronts.sum() == 1
            assert {PART_KINDS[kind] for kind in solids.kind[rows[~fronts]]} <= {"window wall"}
            assert PART_KINDS[solids.kind[rows[fronts]][0]] in ("facade", "shop front")
    assert not np.isin(parts_of(record_of(8))["barn"][0].kind, walls).any()


def test_walls_are_said_in_numbers_and_mirrored_ones_look_outwards() -> None:
    for solids, obj in houses_of(record_of(8)):
        groups, symmetry = grouped(solids)
        materials = tuple(sorted(set(groups.material)))
        rows = np.array([materials.index(word) for word in groups.material])
        box = np.array(obj.size)
        numbers = encode_parts(groups, symmetry, rows, np.broadcast_to(box, (len(groups), 3)), UNITS["outdoor"])
        back, mirrored = decode_parts(numbers, materials, box, UNITS["outdoor"])
        every = ungrouped(back, mirrored, np.random.default_rng(0))
        np.testing.assert_array_equal(np.sort(every.kind), np.sort(solids.kind))
        walls = np.flatnonzero(every.kind >= PART_KINDS.index(WALLS[0]))
        for row in walls:
            there = [
                other for other in walls_of(solids) if np.abs(solids.center[other] - every.center[row]).max() < 0.15
            ]
            assert len(there) == 1
            np.testing.assert_allclose(every.axes[row], solids.axes[there[0]], atol=1e-6)
            np.testing.assert_allclose(every.size[row], solids.size[there[0]], atol=0.25)


def walls_of(solids: Solids) -> list[int]:
    return np.flatnonzero(solids.kind >= PART_KINDS.index(WALLS[0])).tolist()


def houses_of(record: LayoutRecord) -> list[tuple[Solids, LayoutObject]]:
    return [
        (recorded_solids(parts), obj)
        for obj, parts in zip(record.layout.objects, record.parts, strict=True)
        if obj.name == "house"
    ]


def test_parts_are_nearer_to_the_meshes_than_boxes_are() -> None:
    """IoU with the voxels of the true meshes around each object, those of other classes left out."""
    record, truth = record_of(8), truth_of(8)
    labels = {entry.name: entry.index for entry in OUTDOOR.classes}
    scores: dict[str, list[float]] = defaultdict(list)
    for obj, parts in zip(record.layout.objects, record.parts, strict=True):
        if obj.name not in ("house", "church", "car", "van", "person"):
            continue
        placed = street_layout([obj], record.course).objects[0]
        around = shown(placed, [LayoutPart("box", (0, 0, 0), tuple(np.array(obj.size) + truth.voxel_size))], truth)
        true = around & (truth.labels == labels[obj.class_name])
        seen = around & ((truth.labels == 0) | true)
        for name, primitives in (
            ("parts", recorded_solids(parts).layout_parts()),
            ("box", (LayoutPart("box", (0, 0, 0), obj.size),)),
        ):
            found = shown(placed, primitives, truth) & seen
            scores[f"{obj.name} {name}"].append(float((found & true).sum() / (found | true).sum()))
    mean = {name: float(np.mean(values)) for name, values in scores.items()}
    for kind, least in (("house", 0.85), ("church", 0.85), ("car", 0.7), ("van", 0.8), ("person", 0.6)):
        assert mean[f"{kind} parts"] > least, mean
        assert mean[f"{kind} parts"] > mean[f"{kind} box"] + 0.04, mean


def shown(obj: LayoutObject, parts: Sequence[LayoutPart], grid: SemanticGrid) -> np.ndarray:
    low, kept = object_voxels(replace(obj, parts=tuple(parts)), grid)
    voxels = np.zeros(grid.shape, bool)
    voxels[tuple(slice(a, a + n) for a, n in zip(low.tolist(), kept.shape, strict=True))] = kept
    return voxels


def test_a_file_gives_back_its_streets_and_domains_stay_apart(tmp_path: Path) -> None:
    records = [record_of(seed) for seed in SEEDS]
    write_layouts(tmp_path / "layouts_00000000.npz", records)
    file = LayoutFile(tmp_path / "layouts_00000000.npz")
    assert file.taxonomy == "outdoor"
    for index, record in enumerate(records):
        found = file.record(index)
        assert found.layout.taxonomy == "outdoor"
        assert found.layout.room is None
        assert (found.words, found.phrases, found.prompts) == (record.words, record.phrases, record.prompts)
        assert found.relations == record.relations
        np.testing.assert_allclose(found.scene, record.scene, rtol=1e-5)
        for a, b in zip(found.layout.objects, record.layout.objects, strict=True):
            assert (a.name, a.class_name, a.color_word) == (b.name, b.class_name, b.color_word)
            np.testing.assert_allclose([*a.center, *a.size, a.turn], [*b.center, *b.size, b.turn], atol=1e-4)
        for own, other in zip(found.parts, record.parts, strict=True):
            np.testing.assert_array_equal(own.box, other.box)
    write_layouts(tmp_path / "layouts_00001000.npz", [room_record(1000)])
    with pytest.raises(ValueError, match="several domains"):
        layout_files(tmp_path)


def test_an_unknown_domain_is_refused(tmp_path: Path) -> None:
    result = CliRunner().invoke(studio_app, ["layouts", "--output", str(tmp_path), "--domain", "underwater"])
    assert result.exit_code == 2
    assert "indoor, outdoor" in result.output
