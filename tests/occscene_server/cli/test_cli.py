"""The command line against a real server and in-process, with the stand-in for a model."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from occscene.camera import load_cameras, save_cameras
from occscene.client.client import SceneClient
from occscene.client.errors import ShuttingDownError
from occscene.codec import grid_from_message
from occscene.grid import load_grid, save_grid
from occscene.v1 import job_pb2
from PIL import Image
from typer.testing import CliRunner

from occscene_server.cli.root import app
from occscene_server.jobs.store import JobStore
from tests.occscene_server.requests import generate_request, looking_camera, mesh_request, sample_grid, sample_mesh
from tests.occscene_server.serve_process import ENVIRONMENT, ServeProcess
from tests.occscene_server.stand_in import ENDLESS
from tests.patience import PATIENCE, wait_until


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("serve")
    serve = ServeProcess(folder, folder / "store")
    yield serve.address
    output = serve.interrupted()
    assert serve.process.returncode == 0
    assert "127.0.0.1" in output
    assert "ready on cpu" in output
    assert "Ctrl-C" in output


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    save_grid(tmp_path / "grid.npz", sample_grid())
    save_cameras(tmp_path / "cameras.json", [looking_camera("front"), looking_camera("a/b", 0.1)])
    return tmp_path


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output + str(result.exception)
    return result.output


def test_generate_and_predict_on_a_server(served: str, inputs: Path) -> None:
    folder = inputs / "out"
    run(
        *("generate", "--grid", inputs / "grid.npz", "--cameras", inputs / "cameras.json", "--prompt", "a room"),
        *("--seed", 3, "--steps", 2, "--output", folder, "--server", served),
    )
    assert sorted(path.name for path in folder.iterdir()) == [
        "blockout.npz",
        "cameras.json",
        "occupancy.npz",
        "result.json",
        "view_a_b.png",
        "view_front.png",
    ]
    assert Image.open(folder / "view_front.png").size == (64, 64)
    np.testing.assert_array_equal(load_grid(folder / "occupancy.npz").labels, sample_grid().labels)
    result = json.loads((folder / "result.json").read_text())
    assert (result["prompt"], result["seed"]) == ("a room", 3)
    assert result["occupancy"]["voxels"]["floor"] == 24

    save_cameras(inputs / "front.json", [looking_camera("front")])
    run(
        *("predict", "--images", folder, "--cameras", inputs / "front.json", "--output", inputs / "seen.npz"),
        *("--blockout", inputs / "grid.npz", "--server", served),
    )
    assert load_grid(inputs / "seen.npz").shape == (6, 5, 4)


def test_a_grid_files_mesh_and_words_are_sent(served: str, inputs: Path) -> None:
    asked = mesh_request().generate_scene
    grid = grid_from_message(asked.grid)
    save_grid(inputs / "meshed.npz", grid, sample_mesh())
    run(
        *("generate", "--grid", inputs / "meshed.npz", "--cameras", inputs / "cameras.json", "--steps", 1),
        *("--output", inputs / "meshed", "--server", served, "--request-id", request_id := str(uuid.uuid4())),
    )
    with SceneClient(served) as client:
        kept = client.request(client.find(request_id).id).generate_scene
    assert kept.mesh == asked.mesh
    assert [item.prompt for item in kept.grid.objects] == ["a worn oak floor"]


def test_text_to_scene_needs_words_alone(served: str, inputs: Path) -> None:
    """The taxonomy's own volume and the default rig; what is left there feeds images to occupancy."""
    folder = inputs / "out"
    run("generate", "--prompt", "a room", "--steps", 2, "--output", folder, "--server", served)
    assert load_grid(folder / "occupancy.npz").shape == (60, 60, 36)
    cameras = load_cameras(folder / "cameras.json")
    assert [(camera.name, camera.width, camera.height) for camera in cameras] == [(name, 512, 512) for name in "1234"]
    run(
        *("predict", "--images", folder, "--cameras", folder / "cameras.json", "--output", inputs / "seen.npz"),
        *("--server", served),
    )
    assert load_grid(inputs / "seen.npz").shape == (60, 60, 36)


def test_info_and_jobs(served: str, inputs: Path) -> None:
    wait_until(lambda: "ready" in run("info", "--server", served))
    run(*("generate", "--cameras", inputs / "cameras.json", "--output", inputs / "out", "--server", served))
    job = next(line.split()[0] for line in run("jobs", "list", "--server", served).splitlines() if "succeeded" in line)
    assert "generate scene" in run("jobs", "show", job, "--server", served)
    assert "succeeded" in run("jobs", "cancel", job, "--server", served)
    assert "deleted" in run("jobs", "delete", job, "--server", served)
    assert job not in run("jobs", "list", "--server", served)


def test_same_task_in_process(inputs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from occscene_server.engine import pipeline_loader
    from tests.occscene_server.stand_in import load_stand_in

    monkeypatch.setattr(pipeline_loader, "load_pipeline", load_stand_in)
    run("generate", "--grid", inputs / "grid.npz", "--cameras", inputs / "cameras.json", "--output", inputs / "here")
    assert (inputs / "here/view_front.png").exists()


def test_commands_say_by_themselves_what_grpc_would_log(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "occscene_server.cli", "info", "--server", "grpcs://127.0.0.1:1"]
    result = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=PATIENCE)
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1, result.stderr
    assert result.stderr.startswith("error: no server answers at 127.0.0.1:1")


def test_rows_of_a_file_are_whole(served: str, inputs: Path) -> None:
    prompt = "a prompt of more than eighty columns" + " and more" * 20
    run(
        *("generate", "--cameras", inputs / "cameras.json", "--output", inputs / "out"),
        "--prompt",
        prompt,
        "--server",
        served,
    )
    lines = run("jobs", "list", "--limit", "1", "--server", served).splitlines()
    assert len(lines) == 2
    assert lines[1].rstrip().endswith(prompt[:60])


def test_user_errors_are_one_message(inputs: Path) -> None:
    result = CliRunner().invoke(app, ["info", "--server", "127.0.0.1:1"])
    assert result.exit_code == 1
    assert "no server answers" in result.output
    rows = json.loads((inputs / "cameras.json").read_text())
    (inputs / "large.json").write_text(json.dumps([row | {"width": 1025} for row in rows]))
    result = CliRunner().invoke(
        app, ["generate", "--cameras", str(inputs / "large.json"), "--output", str(inputs / "out")]
    )
    assert result.exit_code == 1
    assert "width is 1025; it must be 64 to 1024 pixels" in " ".join(result.output.split())
    result = CliRunner().invoke(app, ["serve", "--host", "0.0.0.0", "--port", "0"])
    assert result.exit_code == 1
    assert "--token-file" in result.output


def test_help_imports_nothing_slow() -> None:
    code = (
        "import sys, typer.testing\nfrom occscene_server.cli.root import app\n"
        "for arguments in (['--help'], ['serve', '--help'], ['generate', '--help']):\n"
        "    assert typer.testing.CliRunner().invoke(app, arguments).exit_code == 0\n"
        "sys.exit(any(name in sys.modules for name in ('torch', 'diffusers', 'scipy', 'bpy')))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=ENVIRONMENT)


@pytest.mark.slow
def test_second_interrupt_puts_the_running_job_back(inputs: Path) -> None:
    serve = ServeProcess(inputs, inputs / "store")
    with SceneClient(serve.address) as client, grpc.insecure_channel(serve.address) as channel:
        job = client.submit(generate_request(ENDLESS))
        wait_until(lambda: client.get(job.id).state == job_pb2.JOB_STATE_RUNNING)
        health = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert next(health).status == health_pb2.HealthCheckResponse.SERVING
        serve.interrupt()
        assert next(health).status == health_pb2.HealthCheckResponse.NOT_SERVING
        assert serve.process.poll() is None
        with SceneClient(serve.address, patience=0.0) as hasty, pytest.raises(ShuttingDownError):
            hasty.submit(generate_request())
    serve.interrupted()
    store = JobStore(inputs / "store")
    assert store.get(job.id).state == job_pb2.JOB_STATE_QUEUED
    store.close()
