"""The `sd` model on a tiny checkpoint: the same as the checkpoint until trained; then trained, saved and served."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DPMSolverMultistepScheduler, EulerDiscreteScheduler, StableDiffusionPipeline
from occscene.camera import PinholeCamera
from occscene.codec import camera_to_message, grid_to_message
from occscene.grid import SemanticGrid
from occscene.v1 import job_pb2, scene_service_pb2
from typer.testing import CliRunner

from occscene_server.data.dataset import read_scene, write_scene
from occscene_server.engine.pipeline_loader import load_pipeline
from occscene_server.engine.task import run_task
from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.grids import GridTensors
from occscene_server.models.perception import OccupancyPerception
from occscene_server.pipelines import occscene as pipeline_module
from occscene_server.pipelines.occscene import OccScenePipeline
from occscene_server.pipelines.stable_diffusion import pipeline_from_stable_diffusion
from occscene_server.training.cli import train_app
from tests.occscene_server.pipelines.tiny_stable_diffusion import save_tiny_stable_diffusion
from tests.occscene_server.training.test_chain import tiny_scene

PREDICTIONS = ("epsilon", "v_prediction")


def tiny_perception() -> OccupancyPerception:
    torch.manual_seed(0)
    return OccupancyPerception(12, (8, 8, 16), 4, 8, (16, 16, 16), 8)


@pytest.fixture(scope="module", params=PREDICTIONS)
def checkpoint(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, StableDiffusionPipeline]:
    folder = tmp_path_factory.mktemp(request.param)
    return folder, save_tiny_stable_diffusion(folder, request.param)


@pytest.fixture(scope="module")
def scene() -> tuple[tuple[PinholeCamera, ...], SemanticGrid]:
    rendered = tiny_scene(1)
    return rendered.cameras, rendered.blockout


def test_the_untrained_denoiser_is_the_checkpoint(
    checkpoint: tuple[Path, StableDiffusionPipeline], scene: tuple[tuple[PinholeCamera, ...], SemanticGrid]
) -> None:
    folder, theirs = checkpoint
    ours = pipeline_from_stable_diffusion(folder, tiny_perception()).denoiser
    cameras, grid = CameraTensors.from_cameras([scene[0]]), GridTensors.from_grids([scene[1]])
    latents, text = torch.randn(1, 2, 4, 8, 8), torch.randn(1, 77, 32)
    with torch.no_grad():
        condition = ours.encode_condition(grid, cameras, (8, 8))
        mine = ours(latents, torch.tensor([300]), text, torch.ones(1, 77, dtype=torch.bool), condition)
        expected = theirs.unet(latents[0], 300, text.expand(2, -1, -1)).sample
    assert torch.equal(condition.features, torch.zeros_like(condition.features))
    torch.testing.assert_close(mine[0], expected, rtol=1e-5, atol=1e-5)


def test_the_untrained_pipeline_draws_what_the_checkpoint_draws(
    checkpoint: tuple[Path, StableDiffusionPipeline],
    scene: tuple[tuple[PinholeCamera, ...], SemanticGrid],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pipeline_module, "fast_autocast", lambda *_: nullcontext())
    folder, theirs = checkpoint
    ours = pipeline_from_stable_diffusion(folder, tiny_perception())
    ours.set_progress_bar_config(disable=True)
    noise = torch.randn(1, 2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    for kind in (DPMSolverMultistepScheduler, EulerDiscreteScheduler):
        ours.scheduler = kind.from_config(theirs.scheduler.config)
        theirs.scheduler = kind.from_config(theirs.scheduler.config)
        images = ours(
            "a red sofa", *scene, negative_prompt="blue", num_inference_steps=5, text_guidance_scale=4.0,
            latents=noise, output_type="np",
        ).images  # fmt: skip
        expected = theirs(
            ["a red sofa"] * 2, negative_prompt=["blue"] * 2, num_inference_steps=5, guidance_scale=4.0,
            latents=noise[0], height=64, width=64, output_type="np",
        ).images  # fmt: skip
        np.testing.assert_allclose(images, expected, atol=1e-4)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two trained models, `plain` and `lora`, of one checkpoint."""
    root = tmp_path_factory.mktemp("sd")
    save_tiny_stable_diffusion(root / "checkpoint", "v_prediction")
    tiny_perception().save_pretrained(root / "perception")
    for seed in (1, 2, 3):
        write_scene(root / "data", tiny_scene(seed))
    for name, options in (("plain", []), ("lora", ["--lora-rank", "2"])):
        arguments = ["sd", "--checkpoint", "checkpoint", "--data", "data", "--perception", "perception"]
        paths = [str(root / part) if (root / part).is_dir() else part for part in arguments]
        run = ["--output", str(root / name), "--steps", "3", "--learning-rate", "1e-2"]
        result = CliRunner().invoke(train_app, [*paths, *run, *options], catch_exceptions=False)
        assert result.exit_code == 0, result.output
    return root


@pytest.mark.slow
def test_training_changes_what_was_added_and_adapters_what_they_adapt(trained: Path) -> None:
    before = pipeline_from_stable_diffusion(trained / "checkpoint", tiny_perception()).denoiser
    plain, lora = (OccScenePipeline.from_pretrained(trained / name / "model").denoiser for name in ("plain", "lora"))
    start = before.unet.state_dict()
    moved = {
        name: {key for key, value in model.unet.state_dict().items() if not torch.equal(value, start[key])}
        for name, model in (("plain", plain), ("lora", lora))
    }
    assert plain.unet.state_dict().keys() == lora.unet.state_dict().keys() == start.keys()
    gates = {key for key in start if ".gate." in key}
    assert gates
    assert gates <= moved["plain"]
    assert all("processor" in key or key == "conv_in.condition.weight" for key in moved["plain"])
    assert plain.alignment.out_proj.weight.abs().max() > 0
    attention = {key for key in start if key.endswith(("to_q.weight", "to_out.0.weight"))}
    assert attention
    assert attention <= moved["lora"]
    assert moved["lora"] - moved["plain"] == {key for key in start if "attn" in key and key.endswith("weight")
                                              and ".to_" in key}  # fmt: skip


@pytest.mark.slow
def test_the_trained_model_follows_the_occupancy_and_is_served(trained: Path) -> None:
    loaded = load_pipeline(str(trained / "plain/model"), "cpu")
    assert loaded.model.taxonomies == ["indoor"]
    assert loaded.model.image_multiple == 1
    scene = read_scene(trained / "data/scene_000001")
    task = job_pb2.GenerateScene(
        grid=grid_to_message(scene.blockout),
        cameras=[camera_to_message(camera) for camera in scene.cameras],
        prompt="a red sofa", steps=3, previews=True,
    )  # fmt: skip
    events: list[job_pb2.JobEvent] = []
    run_task(loaded.pipe, scene_service_pb2.SubmitJobRequest(generate_scene=task), events.append)
    kinds = [event.WhichOneof("kind") for event in events]
    assert kinds.count("view") == 2
    assert kinds[-2:] == ["occupancy", "succeeded"]

    def views(grid: SemanticGrid) -> np.ndarray:
        return loaded.pipe("", scene.cameras, grid, num_inference_steps=2, output_type="np").images

    empty = SemanticGrid(np.zeros_like(scene.blockout.labels), 0.2, np.eye(4), "indoor")
    assert np.abs(views(scene.blockout) - views(empty)).max() > 1e-3


def test_another_folder_is_refused_with_the_way_out(trained: Path) -> None:
    with pytest.raises(ValueError, match="lacks vae, unet"):
        pipeline_from_stable_diffusion(trained / "data", tiny_perception())
