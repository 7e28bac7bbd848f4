"""The whole chain of training commands on a handful of tiny scenes, up to a pipeline that generates."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import ModelMixin
from occscene.camera import PinholeCamera
from occscene.grid import GridObject, SemanticGrid
from typer.testing import CliRunner

from occscene_server.data.dataset import RenderedScene, SceneInfo, read_scene, write_scene
from occscene_server.data.prompts import VARIANTS, prompt_variants
from occscene_server.data.scenes import SceneSet
from occscene_server.models.denoiser import OccSceneDenoiser
from occscene_server.models.perception import OccupancyPerception
from occscene_server.pipelines.occscene import OccScenePipeline
from occscene_server.training.bundle import BUNDLED_STEPS
from occscene_server.training.cli import train_app
from occscene_server.training.generated_views import generate_views
from tests.occscene_server.training.small_prior import small_denoiser

pytestmark = pytest.mark.slow
SIDE = 64
ITEMS = (
    {"id": 1, "name": "sofa", "class": "sofa", "phrase": "a red sofa", "share": 0.3},
    {"id": 2, "name": "wall", "class": "wall", "phrase": "white walls", "share": 0.5},
)


def tiny_scene(seed: int) -> RenderedScene:
    rng = np.random.default_rng(seed)
    labels = np.zeros((12, 12, 8), np.uint8)
    labels[:, :, 0], labels[2:5, 6:9, 1:4], labels[:, -1] = 2, 7, 3
    instances = (labels == 7).astype(np.uint16) + 2 * (labels == 3).astype(np.uint16)
    objects = (GridObject(1, "sofa", (0.8, 0.1, 0.1)), GridObject(2, "wall", (0.9, 0.9, 0.9)))
    true = labels.copy()
    true[2:5, 6, 3] = 0
    pose = np.eye(4)
    pose[:3, :3] = [[1, 0, 0], [0, 0, 1], [0, -1, 0]]
    pose[:3, 3] = (1.2, 0.2, 0.9)
    cameras = tuple(PinholeCamera(str(i), SIDE, SIDE, 45.0, 45.0, 28.0 + 8 * i, 32.0, pose) for i in range(2))
    views = rng.integers(0, 255, (2, SIDE, SIDE, 3), np.uint8)
    grids = [SemanticGrid(kind, 0.2, np.eye(4), "indoor", instances, objects) for kind in (true, labels)]
    info = SceneInfo(seed, "indoor", "a red sofa", "study", "modern", "overcast", "white", "brown", ITEMS)
    return RenderedScene(info, *grids, cameras, views)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("chain")
    for seed in (1, 2, 3, 4):
        write_scene(root / "data", tiny_scene(seed))

    def run(command: str, *options: str) -> None:
        result = CliRunner().invoke(train_app, [command, *options], catch_exceptions=False)
        assert result.exit_code == 0, result.output

    data = ("--data", str(root / "data"))
    run("autoencoder", *data, "--output", str(root / "a"), "--steps", "3", "--batch", "2", "--crop", "64")
    run("perception", *data, "--output", str(root / "p"), "--steps", "2", "--pixel-steps", "1", "--batch", "1")
    vae = ("--vae", str(root / "a/vae"))
    few = ("--steps", "2", "--batch", "2")
    small_denoiser(12, 12).save_pretrained(root / "small")
    begun = ("--initial", str(root / "small"))
    run("regression-prior", *data, *vae, "--output", str(root / "g"), *few, *begun)
    initial = ("--initial", str(root / "g/denoiser"))
    run("denoiser", *data, *vae, *initial, "--output", str(root / "d"), "--steps", "2", "--batch", "2")
    networks = (*vae, "--denoiser", str(root / "d/denoiser"), "--perception", str(root / "p/perception"))
    run("joint", *data, *networks, "--output", str(root / "j"), "--steps", "2", "--batch", "1")
    trained = (*vae, "--denoiser", str(root / "j/denoiser"), "--perception", str(root / "j/perception"))
    run("bundle", *trained, "--output", str(root / "bundle"))
    generator = ("--generator", str(root / "bundle"), "--rooms", "2")
    options = ("--steps", "2", "--pixel-steps", "0", "--batch", "1")
    run("perception", *data, *generator, "--output", str(root / "q"), *options)
    return root


def test_the_bundle_generates(chain: Path) -> None:
    assert not list((chain / "bundle").glob("text_encoder*"))
    pipe = OccScenePipeline.from_pretrained(str(chain / "bundle"))
    scene = read_scene(chain / "data/scene_000002")
    output = pipe("a red sofa", scene.cameras, scene.blockout, num_inference_steps=2)
    assert output.images.shape == (2, SIDE, SIDE, 3)
    assert output.grid.shape == scene.blockout.shape


def test_perception_can_keep_a_share_of_what_it_was(chain: Path, tmp_path: Path) -> None:
    start = chain / "p/perception"
    options = ("--data", str(chain / "data"), "--steps", "2", "--pixel-steps", "0", "--batch", "1")
    results = {}
    for keep in ("0", "0.5", "1"):
        whole = ("perception", *options, "--initial", str(start), "--output", str(tmp_path / keep), "--keep", keep)
        assert CliRunner().invoke(train_app, whole, catch_exceptions=False).exit_code == 0
        results[keep] = OccupancyPerception.from_pretrained(tmp_path / keep / "perception").state_dict()
    for name, value in OccupancyPerception.from_pretrained(start).state_dict().items():
        torch.testing.assert_close(results["1"][name], value)
        torch.testing.assert_close(results["0.5"][name], (results["0"][name] + value) / 2, atol=1e-4, rtol=0)
    assert any((results["0"][name] != results["1"][name]).any() for name in results["0"])


def test_there_must_be_weights_to_keep(chain: Path) -> None:
    options = ("--data", str(chain / "data"), "--output", str(chain / "refused"), "--keep", "0.3")
    result = CliRunner().invoke(train_app, ["perception", *options])
    assert result.exit_code == 2
    assert "0.3 of the initial weights cannot be kept" in " ".join(result.output.replace("│", "").split())


def test_views_for_perception_are_generated_once(chain: Path) -> None:
    pipe = OccScenePipeline.from_pretrained(str(chain / "bundle"))
    scenes, folder = SceneSet(chain / "data", "train"), chain / "q/generated"
    stamps = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert set(stamps) == {"000002.npy", "000003.npy"}
    first = [np.load(folder / name) for name in sorted(stamps)]
    (folder / "000002.npy").unlink()  # as if the run had been killed before
    again = generate_views(pipe, chain / "data", scenes, 2, folder)
    np.testing.assert_array_equal(again, first)
    assert (folder / "000003.npy").stat().st_mtime_ns == stamps["000003.npy"]
    assert torch.equal(scenes.with_views(again).batch([1]).views[0], again[1])
    assert not torch.equal(scenes.batch([1]).views[0], again[1])
    assert torch.equal(scenes.with_views(again).batch([1]).blockout.labels, scenes.batch([1]).blockout.labels)


@pytest.mark.parametrize(
    ("part", "kind", "matrix"),
    [
        ("denoiser", OccSceneDenoiser, "unet.conv_in.weight"),
        ("perception", OccupancyPerception, "gather_fine.weight"),
    ],
)
def test_the_bundle_rounds_matrices_a_little(chain: Path, part: str, kind: type[ModelMixin], matrix: str) -> None:
    trained = kind.from_pretrained(chain / "j" / part).state_dict()
    bundled = kind.from_pretrained(chain / "bundle" / part).state_dict()
    for name, weight in trained.items():
        spread = float(weight.std()) if weight.ndim > 1 else 0.0
        torch.testing.assert_close(bundled[name], weight, rtol=2**-10, atol=spread / BUNDLED_STEPS[part] + 1e-7)
    assert len(bundled[matrix].unique()) < min(1000, len(trained[matrix].unique()))


def test_the_regression_prior_is_trained_by_its_own_stage_alone(chain: Path) -> None:
    prior, denoiser, joint = (
        OccSceneDenoiser.from_pretrained(chain / stage / "denoiser").state_dict() for stage in "gdj"
    )
    assert prior["regression_prior.outlet.4.bias"].any()
    for name, value in prior.items():
        if name.startswith("regression_prior."):
            assert torch.equal(denoiser[name], value), name
            assert torch.equal(joint[name], value), name
    assert not torch.equal(denoiser["unet.conv_in.weight"], prior["unet.conv_in.weight"])


def test_a_denoiser_without_a_regression_prior_is_refused(chain: Path, tmp_path: Path) -> None:
    OccSceneDenoiser(
        latent_channels=4, block_out_channels=(32, 32, 64), layers_per_block=1, prediction_type="epsilon"
    ).save_pretrained(tmp_path)
    options = ("--data", str(chain / "data"), "--vae", str(chain / "a/vae"), "--output", str(chain / "refused"))
    result = CliRunner().invoke(train_app, ["regression-prior", *options, "--initial", str(tmp_path)])
    assert result.exit_code == 2
    assert "has no regression prior" in " ".join(result.output.replace("│", "").split())


def test_every_stage_logs_its_loss(chain: Path) -> None:
    for stage in "apgdjq":
        rows = [json.loads(line) for line in (chain / stage / "log.jsonl").read_text().splitlines()]
        assert np.isfinite(rows[0]["loss"])


def test_prompt_variants_are_stable_and_differ() -> None:
    info = tiny_scene(2).info
    variants = prompt_variants(info)
    assert len(variants) == VARIANTS
    assert variants == prompt_variants(info)
    assert variants[1] == "a modern study, white walls, overcast"
