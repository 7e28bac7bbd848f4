"""The measurement of the main job, on the bundled weights at a small size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from occscene_server.cli.root import app
from occscene_server.evaluation.speed import SceneTimes, main_job, time_scenes, typical
from occscene_server.pipelines.occscene import OccScenePipeline
from occscene_server.weights import default_model
from tests.occscene_server.pipelines.tiny_checkpoints import save_tiny_kit


@pytest.mark.parametrize("taxonomy", ["indoor", "outdoor"])
def test_every_camera_looks_at_the_furniture(taxonomy: str) -> None:
    job = main_job(taxonomy, views=16)
    size = np.array(job.grid.shape) * job.grid.voxel_size
    middle = job.grid.world_from_grid[:3, 3] + size * (0.5, 0.5, 0.25)
    for camera in job.cameras:
        pixel, depth = camera.project(middle)
        np.testing.assert_allclose(pixel, 128.0, atol=1e-6)
        assert 0 < depth < size.max()
        local = camera.world_from_camera[:3, 3] - job.grid.world_from_grid[:3, 3]
        assert (local > 0).all()
        assert (local < size).all()


@pytest.mark.weights
@pytest.mark.slow
def test_phases_add_up_and_leave_the_pipeline_as_it_was() -> None:
    pipe = OccScenePipeline.from_pretrained(str(default_model()))
    pipe.set_progress_bar_config(disable=True)
    (times,) = time_scenes(pipe, main_job(views=1, side=64), 1, num_inference_steps=4)
    assert sum(times.phases.values()) == pytest.approx(times.total)
    assert all(seconds > 0 for seconds in times.phases.values())
    assert "perceive" not in vars(pipe)
    assert "encode_condition" not in vars(pipe.denoiser)


def test_typical_is_the_median() -> None:
    runs = [SceneTimes(total, {"text": total / 10}) for total in (3.0, 1.0, 9.0)]
    assert typical(runs) == SceneTimes(3.0, {"text": 0.3})


@pytest.mark.weights
@pytest.mark.slow
def test_the_command_prints_where_the_time_goes() -> None:
    result = CliRunner().invoke(
        app, ["benchmark", "--scenes", "1", "--views", "1", "--side", "64", "--steps", "5", "--device", "cpu"]
    )
    assert result.exit_code == 0, result.output
    for word in ("compact-indoor: 1 views", "dual alignment", "denoising", "a scene (median)", "2 steps of UniPC"):
        assert word in " ".join(result.output.split())


def test_a_checkpoint_is_timed_with_its_options(tmp_path: Path) -> None:
    save_tiny_kit(tmp_path, "sdxl", union=True)
    given = ["--model", tmp_path / "checkpoint", "--control", f"depth={tmp_path / 'control'}", "--draft", "none"]
    sizes = ["--scenes", 1, "--views", 2, "--side", 64, "--steps", 2, "--device", "cpu"]
    result = CliRunner().invoke(app, ["benchmark", *map(str, given + sizes)])
    assert result.exit_code == 0, result.output
    printed = " ".join(result.output.split())
    for word in ("checkpoint: 2 views", "denoising", "decoding", "2 steps of DPMSolverMultistepScheduler in float32"):
        assert word in printed
    missing = CliRunner().invoke(app, ["benchmark", "--model", "no/such"])
    assert missing.exit_code == 2
    assert "models get no/such" in " ".join(missing.output.split())
