"""Scores of layouts: full marks for what was asked, none for its opposite, and copies are found however turned."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from occscene.layout import Layout, LayoutRoom

from occscene_server.data.layouts import LayoutPrompt, Mention
from occscene_server.evaluation.layout_scores import (
    RoomIndex,
    kind_divergence,
    layout_scores,
    mean_likeness,
    surfaces_right,
)
from occscene_server.evaluation.layout_sheet import layout_sheet
from occscene_server.models.layout_tokens import turned_boxes
from occscene_server.studio.layouts import room_record


def test_real_rooms_have_what_their_prompts_name() -> None:
    records = [room_record(seed) for seed in range(20)]
    layouts = [record.layout for record in records for _ in record.prompts]
    scores = layout_scores(layouts, [prompt for record in records for prompt in record.prompts])
    assert scores["kinds_named"] == scores["colors_named"] == scores["relations_named"] == 1.0
    assert scores["outside"] == scores["blocked_doors"] == 0
    assert scores["overlapping"] < 0.02
    assert scores["counts_named"] > 0.8


def test_what_is_missing_costs() -> None:
    layout = room_record(3).layout
    sofa = next(obj for obj in layout.objects if obj.name == "sofa")
    other = "red" if sofa.color_word != "red" else "blue"
    asked = LayoutPrompt("", (Mention("sofa", other, 2), Mention("bed", "", 1)), (("sofa", "under", "window"),))
    scores = layout_scores([layout], [asked])
    assert scores["kinds_named"] == 0.5
    assert scores["colors_named"] == scores["counts_named"] == scores["relations_named"] == 0.0


def test_surfaces_count_where_they_are_said() -> None:
    records = [room_record(seed) for seed in range(4)]
    real = [record.layout for record in records]
    walls = LayoutPrompt("a room with such walls and a floor lamp")
    assert surfaces_right(real, real, [walls] * 4) == {"wall_color": 1.0, "floor_color": 0.0}
    other = [replace(layout, room=LayoutRoom((4.0, 4.0, 2.5), "none", "none")) for layout in real]
    assert surfaces_right(real, other, [LayoutPrompt("walls and a tiled floor")] * 4) == {
        "wall_color": 0.0, "floor_color": 0.0,
    }  # fmt: skip


def test_kinds_diverge_where_they_differ() -> None:
    layouts = [room_record(seed).layout for seed in range(12)]
    assert kind_divergence(layouts, layouts) == pytest.approx(0, abs=1e-9)
    bare = [replace(layout, objects=layout.objects[:3]) for layout in layouts]
    assert kind_divergence(layouts, bare) > 0.2


def test_a_turned_copy_is_found() -> None:
    layouts = [room_record(seed).layout for seed in range(6)]
    index = RoomIndex(layouts)
    for row in (0, 4):
        room = layouts[row].room
        assert room is not None
        boxes = np.array([(*obj.center, *obj.size, obj.turn) for obj in layouts[row].objects])
        turned = turned_boxes(boxes, True, 3).tolist()
        objects = tuple(
            replace(obj, center=tuple(box[:3]), turn=box[6])
            for obj, box in zip(layouts[row].objects, turned, strict=True)
        )
        size = (room.size[1], room.size[0], room.size[2])
        found = index.similarities(Layout("indoor", LayoutRoom(size), objects))
        assert found.argmax() == row
        assert found[row] == pytest.approx(1.0)
        assert np.delete(found, row).max() < 0.6
    assert 0 < mean_likeness(layouts) < 0.5


def test_plans_are_drawn() -> None:
    records = [room_record(seed) for seed in range(5)]
    sheet = layout_sheet([record.layout for record in records], [record.prompts[0].text for record in records])
    assert sheet.size == (1600, 2 * 496)
    assert len(np.unique(np.asarray(sheet)[100:, :400].reshape(-1, 3), axis=0)) > 5
