"""Every setting is an option of `occscene-server generate`, and reaches the request by the contract's name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from occscene.camera import save_cameras
from occscene.grid import save_grid
from occscene.settings import Setting, Settings
from occscene.settings_codec import settings_from_message
from occscene.v1 import job_pb2, scene_service_pb2, scene_service_pb2_grpc
from typer.testing import CliRunner

from occscene_server.cli.root import app
from occscene_server.cli.task_runner import TaskRunner
from tests.occscene_server.requests import looking_camera, sample_grid
from tests.occscene_server.serve_process import ServeProcess
from tests.setting_values import other_values

each_setting = pytest.mark.parametrize("setting", Settings.listed(), ids=lambda setting: setting.name)


@pytest.fixture
def inputs(tmp_path: Path) -> list[str]:
    save_grid(tmp_path / "grid.npz", sample_grid())
    save_cameras(tmp_path / "cameras.json", [looking_camera()])
    paths = {"--grid": "grid.npz", "--cameras": "cameras.json", "--output": "out"}
    return ["generate", *(word for flag, file in paths.items() for word in (flag, str(tmp_path / file)))]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[job_pb2.GenerateScene]:
    """The tasks of requests, which are not run."""
    tasks: list[job_pb2.GenerateScene] = []
    monkeypatch.setattr(TaskRunner, "check", lambda _self, request: None)
    monkeypatch.setattr(TaskRunner, "run", lambda _self, request, *_: tasks.append(request.generate_scene))
    return tasks


def run(*words: str) -> None:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output + str(result.exception)


def option(setting: Setting, value: Any) -> list[str]:
    flag = f"--{setting.name.replace('_', '-')}"
    if setting.type is bool:
        return [flag] if value else []
    return [f"{flag}={value.lower() if setting.choices else value}"]


@each_setting
@examples(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_an_option_reaches_the_request(
    inputs: list[str], sent: list[job_pb2.GenerateScene], setting: Setting, data: st.DataObject
) -> None:
    value = data.draw(other_values(setting, 2**64 - 1))
    run(*inputs, *option(setting, value))
    assert settings_from_message(sent[-1]) == replace(Settings(), **{setting.name: value})


def test_former_names_still_do(inputs: list[str], sent: list[job_pb2.GenerateScene]) -> None:
    run(*inputs, "--text-guidance", "2.6", "--occupancy-guidance=0", "--no-prior", "--quality", "DRAFT")
    wanted = Settings(text_guidance_scale=2.6, occupancy_guidance_scale=0.0, without_prior=True, quality="DRAFT")
    assert settings_from_message(sent[-1]) == wanted


@pytest.mark.parametrize("setting", [each for each in Settings.listed() if each.maximum is not None])
def test_numbers_outside_of_the_limits_are_refused_by_name(inputs: list[str], setting: Setting) -> None:
    assert setting.maximum is not None
    result = CliRunner().invoke(app, [*inputs, *option(setting, setting.maximum + 1)])
    assert result.exit_code == 2
    assert f"--{setting.name.replace('_', '-')}" in result.output


def test_all_settings_at_once_reach_the_server(inputs: list[str], tmp_path: Path) -> None:
    chosen = Settings(
        "a “red” room", "fog", 2**64 - 1, 3, 2.6, 0.0, without_prior=True, sun_elevation=12.5, sun_azimuth=0.0
    )
    serve = ServeProcess(tmp_path, tmp_path / "store")
    try:
        given = [each for each in Settings.listed() if each.name != "strength"]  # of views to begin at
        words = [word for each in given for word in option(each, getattr(chosen, each.name))]
        run(*inputs, *words, "--server", serve.address)
        with grpc.insecure_channel(serve.address) as channel:
            stub = scene_service_pb2_grpc.SceneServiceStub(channel)
            (job,) = stub.ListJobs(scene_service_pb2.ListJobsRequest()).jobs
            kept = stub.GetJob(scene_service_pb2.GetJobRequest(job_id=job.id, with_request=True))
        assert settings_from_message(kept.request.generate_scene) == chosen
    finally:
        serve.interrupted()
