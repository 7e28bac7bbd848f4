"""Scores of parts: the command on a stored room, and metrics that notice what is wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from occscene.camera import PinholeCamera
from occscene.layout import Layout, LayoutObject, LayoutPart, LayoutRoom
from occscene.volumes import default_volume
from typer.testing import CliRunner

from occscene_server import terminal
from occscene_server.data.dataset import RenderedScene, SceneInfo, write_scene
from occscene_server.data.layouts import write_layouts
from occscene_server.evaluation.cli import evaluate_app
from occscene_server.evaluation.parts_scores import changed_share, likeness, outside_share
from occscene_server.geometry.layout_grid import layout_grid
from occscene_server.studio.indoor import build_room
from occscene_server.studio.layouts import room_record
from occscene_server.studio.scene_grids import room_grids

CHAIR = LayoutObject("dining chair", "chair", (0.0, 0.0, 0.44), (0.48, 0.48, 0.88))


@pytest.mark.slow
def test_a_room_is_scored_by_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "LINE_SECONDS", 0.0)
    room = build_room(60)
    truth, blockout = room_grids(room)
    info = SceneInfo(60, "indoor", "a living room with a red sofa", room.kind, room.style, room.light, "", "", ())
    camera = PinholeCamera("0", 64, 64, 64.0, 64.0, 32.0, 32.0, np.eye(4))
    write_scene(
        tmp_path / "scenes", RenderedScene(info, truth, blockout, (camera,), np.zeros((1, 64, 64, 3), np.uint8))
    )
    (tmp_path / "layouts").mkdir()
    write_layouts(tmp_path / "layouts" / "layouts_00000000.npz", [room_record(seed) for seed in range(2, 8)])
    arguments = ["parts", "--data", str(tmp_path / "scenes"), "--layouts", str(tmp_path / "layouts")]
    arguments += ["--output", str(tmp_path / "out"), "--seeds", "2", "--draws", "2"]
    result = CliRunner().invoke(evaluate_app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    metrics = json.loads((tmp_path / "out" / "parts.json").read_text())
    assert "rooms given parts: 5 of 5\n" in result.output
    assert "6 of 5" not in result.output
    arms = metrics["boxes_of_voxels"]
    assert "boxes_of_meshes" not in metrics
    assert metrics["blockout"]["miou"] < arms["most_typical_of_2"]["miou"] <= 1.0
    assert len(arms["seeds"]) == 2
    assert arms["outside_share"] == 0.0
    assert metrics["changed_share_of_modelled_furniture"] <= 0.01
    assert (tmp_path / "out" / "parts.png").stat().st_size > 1000
    empty = CliRunner().invoke(evaluate_app, [*arguments[:2], str(tmp_path / "layouts"), *arguments[3:]])
    assert empty.exit_code == 2
    assert "no finished test scene" in " ".join(empty.output.replace("│", " ").split())


def test_what_leaves_its_box_is_seen() -> None:
    room, volume = LayoutRoom((4.02, 4.02, 2.6)), default_volume("indoor")
    inside = replace(CHAIR, parts=(LayoutPart("box", (0.0, 0.0, 0.0), (0.48, 0.48, 0.88)),))
    outside = replace(CHAIR, parts=(LayoutPart("box", (0.3, 0.0, 0.0), (0.48, 0.48, 0.88)),))
    grid = layout_grid(Layout("indoor", room, (inside,)), volume)
    assert outside_share([(grid, {7: inside})]) == 0.0
    assert 0.3 < outside_share([(grid, {7: outside})]) < 0.7
    assert likeness([(grid, {7: inside})], [(grid, {7: inside})]) == 1.0
    assert 0.1 < likeness([(grid, {7: inside})], [(grid, {7: outside})]) < 0.6


def test_change_of_furniture_is_counted_and_that_of_walls_is_not() -> None:
    grid = layout_grid(Layout("indoor", LayoutRoom((4.02, 4.02, 2.6)), (CHAIR,)), default_volume("indoor"))
    labels = grid.labels.copy()
    labels[:20] = 0
    assert changed_share([grid], [replace(grid, labels=labels)]) == 0.0
    assert grid.instances is not None
    labels[grid.instances == 7] = 0
    assert changed_share([grid], [replace(grid, labels=labels)]) == pytest.approx(1.0)
