"""Cut connections, killed workers and killed servers: the result arrives, or the reason why not."""

from __future__ import annotations

import asyncio
import os
import random
import sys
import uuid
from pathlib import Path

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from occscene.camera import save_cameras
from occscene.client.client import SceneClient
from occscene.grid import save_grid
from occscene.v1 import job_pb2
from PIL import Image

from occscene_server.jobs.store import JobStore
from tests.occscene_server.proxy import cutting_proxy
from tests.occscene_server.requests import generate_request, looking_camera, sample_grid
from tests.occscene_server.serve_process import ENVIRONMENT, ServeProcess, worker_of
from tests.occscene_server.serving import connected, kinds, serving, submitted, watched
from tests.occscene_server.stand_in import ENDLESS, StandInPipeline
from tests.patience import PATIENCE, until


async def port_of(folder: Path, port: int = 0) -> tuple[ServeProcess, int]:
    """A new server process on the folder's store, and its port."""
    serve = await asyncio.to_thread(ServeProcess, folder, folder / "store", "--model", "x", port=port)
    return serve, int(serve.address.split(":")[1])


def kill(serve: ServeProcess) -> None:
    serve.process.kill()
    serve.process.communicate()


async def denoising(client: SceneClient, job_id: str, steps: int = 1) -> None:
    """Waits until the job runs and a client that begins to watch has seen it do steps."""

    def wait() -> None:
        seen = 0
        for event in client.watch(job_id):
            seen += event.progress.phase == job_pb2.JOB_PHASE_DENOISING
            if seen == steps:
                return

    await asyncio.to_thread(wait)


@pytest.mark.slow
async def test_command_gets_its_result_through_a_cut_connection_and_a_killed_server(tmp_path: Path) -> None:
    """A job is submitted with the command line, its connection is cut, the server is killed, another one starts."""
    save_grid(tmp_path / "grid.npz", sample_grid())
    save_cameras(tmp_path / "cameras.json", [looking_camera("front"), looking_camera("left", 0.1)])
    first, port = await port_of(tmp_path)
    async with cutting_proxy(port) as proxy:
        options = "--grid grid.npz --cameras cameras.json --seed 3 --steps 4 --output out"
        command = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "occscene_server.cli", "generate", *options.split()),
            *("--prompt", f"until {tmp_path / 'go'}", "--server", f"127.0.0.1:{proxy.port}"),
            env=ENVIRONMENT,
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        with SceneClient(first.address) as client:
            jobs: list[job_pb2.Job] = []
            await until(lambda: bool(jobs or jobs.extend(client.jobs())))
            await denoising(client, jobs[0].id)
            proxy.cut()
            await denoising(client, jobs[0].id, steps=10)  # it goes on
        kill(first)
        (tmp_path / "go").touch()
        second, proxy.target = await port_of(tmp_path)
        output, _ = await asyncio.wait_for(command.communicate(), PATIENCE)
    assert command.returncode == 0, output.decode()
    assert sorted(os.listdir(tmp_path / "out")) == [
        "blockout.npz",
        "cameras.json",
        "occupancy.npz",
        "result.json",
        "view_front.png",
        "view_left.png",
    ]
    await asyncio.to_thread(second.interrupted)
    store = JobStore(tmp_path / "store")
    (job,) = store.newest(10)
    assert job.state == job_pb2.JOB_STATE_SUCCEEDED
    assert store.attempts(job.id) == 2
    store.close()

    cameras = [looking_camera("front"), looking_camera("left", 0.1)]
    expected = StandInPipeline()("", cameras, sample_grid(), seed=3, num_inference_steps=1).images
    for name, view in zip(("front", "left"), expected, strict=True):  # the second run's bytes are the request's own
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / f"out/view_{name}.png")), view)


@pytest.mark.slow
async def test_queued_jobs_survive_a_kill_and_a_job_that_kills_twice_fails(tmp_path: Path) -> None:
    serve, _ = await port_of(tmp_path)
    with SceneClient(serve.address) as client:
        deadly = client.submit(generate_request(ENDLESS))
        queued = [client.submit(generate_request(seed=seed)) for seed in range(2)]
        await denoising(client, deadly.id)
    kill(serve)
    serve, _ = await port_of(tmp_path)
    with SceneClient(serve.address) as client:
        await denoising(client, deadly.id)
        assert [client.get(job.id).state for job in queued] == [job_pb2.JOB_STATE_QUEUED] * 2
    kill(serve)
    serve, _ = await port_of(tmp_path)
    with SceneClient(serve.address) as client:
        for job in queued:
            assert list(client.watch(job.id))[-1].HasField("succeeded")
        failure = client.get(deadly.id).failure
        assert (failure.reason, failure.message) == (
            "SERVER_RESTARTED",
            "the server or its worker died or hung 2 times while this job ran",
        )
        assert list(client.watch(deadly.id))[-1].failed.failure == failure
    serve.interrupted()


async def test_events_are_replayed_where_the_connection_broke(tmp_path: Path) -> None:
    """The connection is cut again and again while a job is watched; every result comes once and in order."""
    rng = random.Random(0)
    events: list[job_pb2.JobEvent] = []
    async with serving(tmp_path) as server, cutting_proxy(server.port) as proxy:
        with SceneClient(f"127.0.0.1:{proxy.port}") as client:
            request = generate_request("slow", steps=12, views=8, previews=True)
            job = await asyncio.to_thread(client.submit, request)
            watcher = asyncio.create_task(asyncio.to_thread(lambda: events.extend(client.watch(job.id))))
            cuts = 0
            while not watcher.done():
                enough = len(events) + rng.randrange(1, 5)
                await until(lambda enough=enough: len(events) >= enough or watcher.done())
                proxy.cut()
                cuts += 1
            await watcher
        assert cuts >= 3
        sequences = [event.sequence for event in events]
        assert sequences == sorted(set(sequences))
        assert kinds(events) == ["started", *["view"] * 8, "occupancy", "succeeded"]
        async with connected(server) as stub:
            assert events[-10:] == (await watched(stub, job.id))[-10:]


async def test_submission_is_safe_to_repeat(tmp_path: Path) -> None:
    """The answer to a submission is lost on its way; the client's own repeat finds the job."""
    request = generate_request()
    request.request_id = str(uuid.uuid4())
    async with serving(tmp_path) as server, cutting_proxy(server.port) as proxy:
        with SceneClient(f"127.0.0.1:{proxy.port}") as client:
            await asyncio.to_thread(client.info)  # the connection stands
            proxy.loses_answers = True
            submission = asyncio.create_task(asyncio.to_thread(client.submit, request))
            await until(lambda: server.jobs.find(request.request_id) is not None)
            assert not submission.done()
            proxy.loses_answers = False
            proxy.cut()
            job = await submission
        async with connected(server) as stub:
            assert (await submitted(stub, request)).id == job.id
            assert kinds(await watched(stub, job.id))[-1] == "succeeded"


@pytest.mark.slow
async def test_hung_worker_is_told_by_health_and_does_not_hold_the_server(tmp_path: Path) -> None:
    """The worker is stopped in a job: health says so, a signal ends the server, and the job runs after the restart."""
    serve, _ = await port_of(tmp_path)
    worker = worker_of(serve.process.pid)
    with SceneClient(serve.address) as client, grpc.insecure_channel(serve.address) as channel:
        job = await asyncio.to_thread(client.submit, generate_request("slow", steps=10))
        await denoising(client, job.id)
        health = health_pb2_grpc.HealthStub(channel)
        statuses = (answer.status for answer in health.Watch(health_pb2.HealthCheckRequest()))
        assert await asyncio.to_thread(next, statuses) == health_pb2.HealthCheckResponse.SERVING
        worker.suspend()
        assert await asyncio.to_thread(next, statuses) == health_pb2.HealthCheckResponse.NOT_SERVING
        assert "no sign of life" in client.info().message
        serve.process.terminate()
        await asyncio.to_thread(serve.process.communicate, timeout=PATIENCE / 4)  # sooner than it waits for a live one
    assert not worker.is_running()
    serve, _ = await port_of(tmp_path)
    with SceneClient(serve.address) as client:
        assert (await asyncio.to_thread(list, client.watch(job.id)))[-1].HasField("succeeded")
    await asyncio.to_thread(serve.interrupted)
