"""The priors on streets at a tiny size: trained, scored, and composing a street in a volume."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from occscene.layout import Layout, LayoutObject
from occscene.placed_layout import PlacedLayout
from occscene.v1 import job_pb2
from occscene.volumes import default_volume
from typer.testing import CliRunner

from occscene_server.data.layouts import write_layouts
from occscene_server.engine.layout_task import layout_draft
from occscene_server.evaluation.cli import evaluate_app
from occscene_server.pipelines.blockout_parts import BlockoutParts
from occscene_server.pipelines.layout_composition import Composition, compose
from occscene_server.pipelines.scene_priors import ScenePriors
from occscene_server.pipelines.text_to_layout import TextToLayout
from occscene_server.studio.street_layouts import street_record
from occscene_server.training.cli import train_app


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four streets, of all splits, and priors that learnt from them for two steps."""
    root = tmp_path_factory.mktemp("streets")
    (root / "data").mkdir()
    write_layouts(root / "data" / "layouts_00000000.npz", [street_record(seed) for seed in (0, 1, 2, 8)])
    for name in ("layout", "parts"):
        arguments = [name, "--data", str(root / "data"), "--output", str(root / name), "--steps", "2", "--batch", "2"]
        result = CliRunner().invoke(train_app, [*arguments, "--width", "32", "--layers", "1"], catch_exceptions=False)
        assert result.exit_code == 0, result.output
    return root


@pytest.fixture(scope="module")
def priors(folder: Path) -> ScenePriors:
    return ScenePriors(
        TextToLayout.from_pretrained(folder / "layout" / "layout"),
        BlockoutParts.from_pretrained(folder / "parts" / "parts"),
    )


@pytest.mark.slow
def test_the_layout_prior_is_scored(folder: Path) -> None:
    arguments = ["layout", "--data", str(folder / "data"), "--model", str(folder / "layout" / "layout")]
    arguments += ["--output", str(folder / "report"), "--prompts", "1", "--nearest", "0"]
    result = CliRunner().invoke(evaluate_app, arguments, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    metrics = json.loads((folder / "report" / "layout.json").read_text())
    assert metrics["real"]["kinds_named"] == 1.0
    assert metrics["real"].get("relations_named", 1.0) == 1.0
    assert metrics["real"]["overlapping"] < 0.06
    assert "blocked_doors" not in metrics["drawn"]
    assert (folder / "report" / "layout.png").stat().st_size > 1000


@pytest.mark.slow
def test_a_street_is_composed_in_its_volume(priors: ScenePriors) -> None:
    volume = default_volume("outdoor")
    placed, notes = compose(priors, Composition("a village street with two cars on the left", 3, volume))
    assert notes == []
    assert placed.layout.taxonomy == "outdoor"
    assert placed.layout.room is None
    np.testing.assert_allclose(placed.world_from_layout, np.eye(4), atol=1e-9)
    assert sum(obj.name == "car" for obj in placed.layout.objects) >= 1
    house = LayoutObject("House.001", "building", (4.0, 13.0, 4.0), (9.0, 8.0, 8.0))
    trunk = LayoutObject("tree trunk", "trunk", (-4.0, 13.0, 1.0), (0.4, 0.4, 2.0))
    given = PlacedLayout(Layout("outdoor", None, (house, trunk)))
    finer, _ = compose(priors, Composition("", 3, volume, given, furnish=False, with_parts=True))
    assert [obj.name for obj in finer.layout.objects] == ["House.001", "tree trunk"]
    assert finer.layout.objects[0].parts
    assert finer.layout.objects[1] == trunk
    more, _ = compose(priors, Composition("a street", 3, volume, given))
    assert more.layout.objects[:2] == (house, trunk)


@pytest.mark.slow
def test_text_to_scene_begins_from_a_street(priors: ScenePriors) -> None:
    volume = default_volume("outdoor")
    draft, _ = layout_draft(priors, job_pb2.GenerateScene(prompt="a city street", seed=2), volume, ())
    assert draft is not None
    grid = draft.grid
    assert grid.taxonomy == "outdoor"
    assert (grid.labels > 0).any()
    likely = np.full((20, *grid.shape), -3.0, np.float32)
    assert draft.resample(likely, 3) >= 0
    small, _ = layout_draft(priors, job_pb2.GenerateScene(prompt="a city street", seed=2), default_volume("indoor"), ())
    assert small is None
