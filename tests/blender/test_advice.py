"""What the panel says of a server that cannot take a job, and what comes of the job."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import bpy
import pytest
from occscene.client import SceneClient
from occscene.events import REASONS
from occscene.v1 import job_pb2

from blender_addon.jobs import session, tracking
from tests.blender.test_jobs import results, wait_for
from tests.occscene_server.cli.test_advice import without_model
from tests.occscene_server.requests import generate_request
from tests.occscene_server.serve_process import ServeProcess
from tests.occscene_server.small_disk import fill, small_disk
from tests.patience import PATIENCE


@pytest.mark.slow
def test_a_full_store(blockout: bpy.types.Scene, start: Callable[..., str], tmp_path: Path) -> None:
    blockout.occscene.image_size = 256
    with small_disk(tmp_path / "disk") as disk:
        serve = ServeProcess(tmp_path, disk / "store")
        fill(disk)
        name = start(server=serve.address)
        wait_for(name, "RECONNECTING")
        message = results()[name].message
        assert message.startswith(f"the disk of the server's store is full. {REASONS['STORE_FULL'].advice}")
        tracking.cancel(blockout, results()[name])
        assert results()[name].state == "CANCELLED"
        tracking.stop_following()
        serve.interrupted()


@pytest.mark.slow
def test_a_model_that_cannot_be_loaded(blockout: bpy.types.Scene, start: Callable[..., str], tmp_path: Path) -> None:
    serve = without_model(tmp_path)
    name = start(server=serve.address)
    wait_for(name, "FAILED")
    assert results()[name].message.endswith(REASONS["MODEL_NOT_LOADED"].advice)
    assert "before it began a job" in results()[name].message
    serve.interrupted()


@pytest.mark.slow
def test_a_server_that_is_shutting_down(blockout: bpy.types.Scene, start: Callable[..., str], tmp_path: Path) -> None:
    """It says so, then it is gone, then it is back: the job is sent once more by itself."""
    serve = ServeProcess(tmp_path, tmp_path / "store")
    with SceneClient(serve.address) as client:
        running = client.submit(generate_request("asleep"))  # it holds the server until it is cancelled
        while client.get(running.id).state != job_pb2.JOB_STATE_RUNNING:
            pass
        serve.interrupt()
        name = start(server=serve.address)
        wait_for(name, "RECONNECTING")
        expected = (
            f"the server is shutting down. {REASONS['SHUTTING_DOWN'].advice} The server is asked again by itself."
        )
        assert results()[name].message == expected
        client.cancel(running.id)
        serve.interrupt()
        serve.process.communicate(timeout=PATIENCE)
    session.wait(lambda: "no server answers" in results()[name].message)
    serve = ServeProcess(tmp_path, tmp_path / "store", port=int(serve.address.split(":")[1]))
    wait_for(name, "SUCCEEDED")
    assert results()[name].message == ""
    serve.interrupted()


def test_a_job_that_the_server_no_longer_has(blockout: bpy.types.Scene, server: str, tmp_path: Path) -> None:
    """The result stays; there is nothing to reconnect to."""
    bpy.ops.occscene.generate(directory=str(tmp_path), server=server)
    result = blockout.occscene.results[0]
    with SceneClient(server) as client:
        client.delete(result.job_id)
    with pytest.raises(RuntimeError, match=REASONS["JOB_NOT_FOUND"].advice):
        bpy.ops.occscene.reconnect(result=result.name)
    assert result.state == "FAILED"
