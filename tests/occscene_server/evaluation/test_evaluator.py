"""The evaluator trained on a few painted scenes, and a whole evaluation of a tiny untrained model by the commands."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from huggingface_hub import constants
from occscene.camera import PinholeCamera
from occscene.grid import GridObject, SemanticGrid
from PIL import Image
from typer.testing import CliRunner

from occscene_server.cli.root import app
from occscene_server.data.dataset import RenderedScene, SceneInfo, read_scene, write_scene
from occscene_server.evaluation.evaluator import Evaluator, cell_maps
from occscene_server.evaluation.probes import fit_probe, load_probes, save_probes
from occscene_server.evaluation.seen_maps import seen_maps
from occscene_server.evaluation.segmenter import SceneSegmenter
from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.gbuffer_maps import render_gbuffer_maps
from occscene_server.geometry.grids import GridTensors
from occscene_server.metrics import two_sample
from occscene_server.metrics.palette import COLORS
from occscene_server.models.autoencoder import SceneAutoencoder
from occscene_server.models.denoiser import OccSceneDenoiser
from occscene_server.models.perception import OccupancyPerception
from occscene_server.pipelines.occscene import OccScenePipeline
from tests.occscene_server.pipelines.checkpoint_forms import FORMS, form_arguments, save_checkpoint_forms

RED, GREEN, BLUE = COLORS["red"], COLORS["green"], COLORS["blue"]


def scene(seed: int) -> RenderedScene:
    """A wall, a floor and a box; the wall is red in even scenes; the blockout's box is too high."""
    occupancy, blockout = np.zeros((2, 10, 10, 8), np.uint8)
    for labels in (occupancy, blockout):
        labels[:, :, 0], labels[:, 9] = 2, 3
    x = 1 + seed % 4
    occupancy[x : x + 4, 4:7, 1:3] = blockout[x : x + 4, 4:7, 1:5] = 7
    wall = RED if seed % 2 == 0 else GREEN
    objects = (
        GridObject(1, "floor", (0.5, 0.5, 0.5)),
        GridObject(2, "north wall", wall),
        GridObject(3, "sofa", BLUE),
    )
    instances = np.array([0, 0, 1, 2, 0, 0, 0, 3], np.uint16)
    true_grid, artists = (
        SemanticGrid(labels, 0.3, np.eye(4), "indoor", instances[labels], objects) for labels in (occupancy, blockout)
    )
    cameras = []
    for place in (1.0, 2.0):  # they look along y
        pose = np.array([[1.0, 0, 0, place], [0, 0, 1, -2.5], [0, -1, 0, 1.3], [0, 0, 0, 1]])
        cameras.append(PinholeCamera(f"x = {place} m", 64, 64, 60.0, 60.0, 32.0, 32.0, pose))
    paint = np.zeros((4, 3))
    paint[1:] = [item.hint for item in objects]
    seen = seen_maps(true_grid, cameras, (64, 64)).objects.numpy()
    views = (255 * np.clip(paint[seen], 0, 1) ** (1 / 2.2)).astype(np.uint8)
    color = "red" if seed % 2 == 0 else "green"
    items = (
        {"id": 1, "name": "floor", "class": "floor", "phrase": "a floor of many colours", "share": 0.3},
        {"id": 2, "name": "north wall", "class": "wall", "phrase": f"{color} walls", "share": 0.3},
        {"id": 3, "name": "sofa", "class": "sofa", "phrase": "a blue sofa", "share": 0.3},
    )
    info = SceneInfo(seed, "indoor", f"{color} walls", "study", "modern", "day", color, "grey", items)
    return RenderedScene(info, true_grid, artists, tuple(cameras), views)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rendered scenes, and the evaluator trained on them by the command."""
    root = tmp_path_factory.mktemp("evaluation")
    for seed in (0, 1, 2, 3, 4, 5, 20, 21, 40, 60):
        write_scene(root / "data", scene(seed))
    arguments = [
        "evaluate",
        "train",
        "--data",
        root / "data",
        "--output",
        root / "evaluator",
        "--steps",
        40,
        "--batch",
        4,
    ]
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return root


def test_maps_are_those_of_the_gbuffer() -> None:
    grid, cameras = scene(2).blockout, scene(2).cameras
    found = cell_maps(grid, cameras)
    known = render_gbuffer_maps(GridTensors.from_grids([grid]), CameraTensors.from_cameras([cameras]), (16, 16), 12)
    torch.testing.assert_close(found.labels, known.labels[0])
    torch.testing.assert_close(found.depth, known.depth[0])
    assert set(found.objects[found.labels == 3].tolist()) == {2}


def test_segmenter_is_small_and_gives_a_class_per_cell() -> None:
    model = SceneSegmenter(12)
    assert sum(parameter.numel() for parameter in model.parameters()) < 1_000_000
    output = model(torch.zeros(2, 3, 64, 96))
    assert output.logits.shape == (2, 12, 16, 24)
    assert output.features.shape == (2, sum(model.config.widths))


def test_probe_learns_a_linear_rule_and_is_kept(tmp_path: Path) -> None:
    features = torch.randn(200, 5, generator=torch.Generator().manual_seed(0))
    truth = ["left" if row[2] > 0.3 * row[0] else "right" for row in features]
    probe = fit_probe(features[:150], truth[:150], 1e-3)
    assert probe.accuracy(features[150:], truth[150:]) > 0.9
    assert probe.accuracy(features[150:], ["unheard of"] * 50) == 0
    save_probes(tmp_path / "probes.safetensors", {"side": probe})
    assert load_probes(tmp_path / "probes.safetensors")["side"].answer(features) == probe.answer(features)


@pytest.mark.slow
def test_evaluator_learns_painted_scenes(folder: Path) -> None:
    evaluator = Evaluator.load(folder / "evaluator")
    assert evaluator.metrics["segmenter_agreement"] > 0.8
    assert evaluator.metrics["wall_color_accuracy"] == 1
    assert not evaluator.segmenter.training


def test_missing_evaluator_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="evaluate train"):
        Evaluator.load(tmp_path)


@pytest.fixture(scope="module")
def model(folder: Path) -> Path:
    """A pipeline of tiny untrained networks."""
    torch.manual_seed(0)
    OccScenePipeline(
        vae=SceneAutoencoder((16, 16, 16), 1, 4, (0.0,) * 4, (1.0,) * 4),
        text_encoder=None,
        tokenizer=None,
        denoiser=OccSceneDenoiser(
            latent_channels=4, block_out_channels=(32, 32, 64), layers_per_block=1, prior_widths=(16, 16, 16)
        ),
        perception=OccupancyPerception(12, (8, 8, 16), 4, 8, (16, 16, 16), 8),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=1.0),
    ).save_pretrained(folder / "model")
    return folder / "model"


@pytest.mark.slow
@pytest.mark.usefixtures("coarse_rooms")
def test_evaluation_of_an_untrained_model(folder: Path, model: Path) -> None:
    arguments = [
        "evaluate", "run", "--model", model, "--evaluator", folder / "evaluator", "--data", folder / "data",
        "--output", folder / "report", "--steps", 2, "--device", "cpu",
    ]  # fmt: skip
    result = CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output

    metrics = json.loads((folder / "report" / "report.json").read_text())
    assert metrics["scenes"] == 4
    assert 0 < metrics["occupancy"]["blockout"]["iou"] < 1
    assert set(metrics["occupancy"]["from_generated_views"]["class_iou"]) >= {"wall", "floor", "sofa"}
    fidelity = metrics["segmenter_agreement"]
    assert fidelity["real"] < fidelity["real_with_truth"]  # the blockout's box is too high
    assert fidelity["ratio"] == pytest.approx(fidelity["generated"] / fidelity["real"])
    assert metrics["probes"]["wall_color"]["real"] == 1
    assert metrics["hint_delta_e"]["real"] < 15 < metrics["hint_delta_e"]["generated"]
    assert metrics["warp_psnr"]["real"] > metrics["warp_psnr"]["generated"]
    assert metrics["kernel_distance"]["generated"] > metrics["kernel_distance"]["between_real_halves"]
    assert metrics["kernel_distance_of_pieces"] == {}  # views of 64 pixels are whole
    assert 0 < metrics["covisible_delta_e"]["real"] < 8
    assert metrics["border_distance"]["real"] < 1 < metrics["border_distance"]["generated"]
    assert metrics["colors_by_words"]["real"] == 1
    assert metrics["colors_by_words"]["objects"] == 4 * 2
    assert metrics["seconds_per_scene"]["mean"] > 0
    page = (folder / "report" / "report.html").read_text()
    assert page.count("<img") == 4 * (3 + 4 + 3)  # as generated, from text only, and occupancy from images only
    for scored in metrics["text_to_scene"].values():
        assert scored["scenes"] == 4
        assert 0 <= scored["segmenter_agreement"] <= 1
        assert set(scored["probes"]) == {"style", "wall_color", "floor_color"}
        named = scored["named_classes"]
        assert named["real"] * named["count"] * named["ratio"] == pytest.approx(named["generated"] * named["count"])
    assert set(metrics["text_to_scene"]) == {"with_prior", "without_prior"}
    assert Image.open(folder / "report" / "text_sheet.png").width == 2 * 64
    assert "red walls" in page
    assert Image.open(folder / "report" / "sheet.png").width == 2 * 64


def evaluate(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["evaluate", *map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("checkpoints")
    save_checkpoint_forms(root)
    return root


@pytest.fixture
def hub(checkpoints: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(checkpoints / "home/hub"))


@pytest.mark.usefixtures("hub", "coarse_rooms")
@pytest.mark.parametrize("form", [pytest.param(form, marks=[pytest.mark.slow] * (form != "folder")) for form in FORMS])
def test_evaluation_of_a_checkpoint(folder: Path, checkpoints: Path, tmp_path: Path, form: str) -> None:
    """Without a draft nothing predicts an occupancy, and text to scene begins from layouts only."""
    evaluate(
        "run", *form_arguments(form, checkpoints), "--draft", "none", "--evaluator", folder / "evaluator", "--data",
        folder / "data", "--output", tmp_path, "--steps", 1, "--limit", 1, "--no-prior", "--device", "cpu",
    )  # fmt: skip
    metrics = json.loads((tmp_path / "report.json").read_text())
    assert metrics["checkpoint"]["draft"] == "none"
    assert metrics["scenes"] == 1
    assert set(metrics["occupancy"]) == {"blockout"}
    assert set(metrics["text_to_scene"]) == {"with_prior"}
    assert metrics["autoencoder"]["psnr"] > 0
    assert metrics["warp_psnr"]["real"] > metrics["warp_psnr"]["generated"]
    assert (tmp_path / "report.html").read_text().count("<img") == 3 + 2


@pytest.mark.usefixtures("hub", "coarse_rooms")
@pytest.mark.weights
@pytest.mark.release
def test_the_occupancy_of_the_draft_is_scored(folder: Path, checkpoints: Path, tmp_path: Path) -> None:
    evaluate(
        "run", *form_arguments("folder", checkpoints), "--evaluator", folder / "evaluator", "--data", folder / "data",
        "--output", tmp_path, "--steps", 1, "--limit", 1, "--device", "cpu",
    )  # fmt: skip
    metrics = json.loads((tmp_path / "report.json").read_text())
    assert set(metrics["occupancy"]) == {"blockout", "from_draft", "from_real_views", "from_real_views_alone"}
    assert set(metrics["text_to_scene"]) == {"with_prior", "without_prior"}
    assert "from draft" in (tmp_path / "report.html").read_text()


@pytest.mark.slow
@pytest.mark.usefixtures("hub", "coarse_rooms")
def test_options_of_a_checkpoint_decide_what_is_generated(folder: Path, checkpoints: Path, tmp_path: Path) -> None:
    views = {}
    for name, options in (("plain", ("none",)), ("controlled", (f"depth={checkpoints / 'control'}:1",))):
        evaluate(
            "generate", "--model", checkpoints / "checkpoint", "--control", *options, "--consistency", "none",
            "--draft", "none", "--data", folder / "data", "--output", tmp_path / name, "--limit", 1, "--no-prior",
        )  # fmt: skip
        views[name] = read_scene(next((tmp_path / name).iterdir())).views
    assert np.abs(views["plain"].astype(float) - views["controlled"]).max() > 1


@pytest.mark.usefixtures("hub", "coarse_rooms")
def test_a_checkpoint_that_is_not_there_is_named(folder: Path, checkpoints: Path, tmp_path: Path) -> None:
    given = "--evaluator", folder / "evaluator", "--data", folder / "data", "--output", tmp_path
    assert "models get sdxl" in " ".join(evaluate("run", "--model", "sdxl", *given, code=2).split())
    noisy = *form_arguments("folder", checkpoints), "--draft", "none", "--noise-scale", 0.5
    assert "noise is always 1" in " ".join(evaluate("run", *noisy, *given, code=2).split())


@pytest.mark.slow
def test_stored_views_are_scored(folder: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = "generate", "--model", model, "--data", folder / "data", "--output", tmp_path / "made"
    for split in ("test", "validation"):
        evaluate(*made, "--split", split)
    stored = {path: path.read_bytes() for path in (tmp_path / "made").glob("scene_*/view_*")}
    assert len(stored) == (4 + 2) * 2
    evaluate(*made, "--limit", 1)
    assert {path: path.read_bytes() for path in stored} == stored
    both = "--data", folder / "data", "--generated", tmp_path / "made"
    evaluate("views", "--evaluator", folder / "evaluator", *both, "--output", tmp_path / "views.json")
    metrics = json.loads((tmp_path / "views.json").read_text())
    assert metrics["scenes"] == 4
    assert metrics["warp_psnr"]["real"] > metrics["warp_psnr"]["generated"]
    monkeypatch.setattr(two_sample, "STEPS", 20)
    evaluate("two-sample", *both, "--output", tmp_path / "two.json")
    result = json.loads((tmp_path / "two.json").read_text())
    assert result["training_rooms"] == 2
    assert (result["generated"]["rooms"], result["between_real_halves"]["rooms"]) == (4, 2)


def test_what_cannot_be_compared_is_named(folder: Path, model: Path, tmp_path: Path) -> None:
    made, data = tmp_path / "made", ("--data", folder / "data")
    evaluate("generate", "--model", model, *data, "--output", made, "--limit", 1, "--size", 96)
    assert read_scene(next(made.iterdir())).views.shape == (2, 96, 96, 3)
    both = *data, "--generated", made, "--output", tmp_path / "metrics.json"
    with pytest.raises(ValueError, match="generate them at the size that the data has"):
        evaluate("views", "--evaluator", folder / "evaluator", *both)
    with pytest.raises(ValueError, match="hold no generated validation scenes"):
        evaluate("two-sample", *both)
