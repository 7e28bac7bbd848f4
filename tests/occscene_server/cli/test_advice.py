"""What the command line says of a server that cannot take a job, and what it does about it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from occscene.camera import save_cameras
from occscene.client import SceneClient
from occscene.events import REASONS
from occscene.v1 import scene_service_pb2
from typer.testing import CliRunner

from occscene_server.cli.root import app
from tests.occscene_server.requests import generate_request, looking_camera
from tests.occscene_server.serve_process import ENVIRONMENT, ServeProcess, worker_of
from tests.occscene_server.small_disk import fill, small_disk
from tests.patience import PATIENCE


def generate(serve: ServeProcess, folder: Path, code: int) -> str:
    save_cameras(folder / "cameras.json", [looking_camera(f"view {number}", side=256) for number in range(4)])
    command = ("generate", "--cameras", folder / "cameras.json", "--output", folder / "out", "--server", serve.address)
    result = CliRunner().invoke(app, [str(argument) for argument in command])
    assert result.exit_code == code, result.output + str(result.exception)
    return " ".join(result.output.split())


def test_a_full_store(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        serve = ServeProcess(tmp_path, disk / "store")
        fill(disk)
        output = generate(serve, tmp_path, 1)
        serve.interrupted()
    assert output.endswith(f"error: the disk of the server's store is full. {REASONS['STORE_FULL'].advice}")


@pytest.mark.slow
def test_a_model_that_cannot_be_loaded(tmp_path: Path) -> None:
    serve = without_model(tmp_path)
    output = generate(serve, tmp_path, 1)
    serve.interrupted()
    assert "before it began a job" in output
    assert output.endswith(REASONS["MODEL_NOT_LOADED"].advice)


def without_model(folder: Path) -> ServeProcess:
    """A server whose model was there when it started, and is no more when its worker starts anew."""
    model = folder / "dies"
    model.mkdir()
    serve = ServeProcess(folder, folder / "store", "--model", model)
    with SceneClient(serve.address) as client:
        while client.info().state != scene_service_pb2.SERVER_STATE_READY:
            pass
        model.rmdir()
        worker_of(serve.process.pid).kill()
        while client.info().state != scene_service_pb2.SERVER_STATE_FAILED:
            pass
    return serve


@pytest.mark.slow
def test_a_server_that_is_shutting_down_is_waited_for(tmp_path: Path) -> None:
    """It says so, then it is gone, then it is back: the request is sent once more by itself."""
    serve = ServeProcess(tmp_path, tmp_path / "store")
    port = int(serve.address.split(":")[1])
    with SceneClient(serve.address) as client:
        running = client.submit(generate_request("asleep"))  # it holds the server until it is cancelled
        events = client.watch(running.id)
        while not next(events).HasField("started"):
            pass
        serve.interrupt()
        command = [sys.executable, "-m", "occscene_server.cli", "generate", "--output", str(tmp_path / "out")]
        generating = subprocess.Popen(
            [*command, "--server", serve.address, "--steps", "1"],
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert generating.stdout is not None
        lines = iter(generating.stdout)
        line_shown = next(line for line in lines if "waiting" in line)
        assert "the server is shutting down" in line_shown
        assert REASONS["SHUTTING_DOWN"].advice in line_shown
        assert "It is asked again in 5 s." in line_shown
        client.cancel(running.id)
        serve.interrupt()
    serve.process.communicate(timeout=PATIENCE)
    serve = ServeProcess(tmp_path, tmp_path / "store", port=port)
    assert "4 views" in "".join(lines)
    assert generating.wait(60) == 0
    serve.interrupted()
