"""The measurement of the main job, on the bundled weights at a small size."""

from __future__ import annotations

import numpy as np
import pytest
from typer.testing import CliRunner

from occscene_server.cli.root import app
from occscene_server.evaluation.speed import SceneTimes, main_job, time_scenes, typical
from occscene_server.pipelines.occscene import OccScenePipeline
from occscene_server.weights import default_model


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
        app, ["benchmark", "--scenes", "1", "--views", "2", "--side", "64", "--steps", "5", "--device", "cpu"]
    )
    assert result.exit_code == 0, result.output
    for word in ("compact-indoor: 2 views", "dual alignment", "denoising", "a scene (median)", "3 steps of UniPC"):
        assert word in " ".join(result.output.split())
