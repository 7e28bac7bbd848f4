"""Jobs through a real server whose engine is a Ray cluster of this machine, with two replicas."""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
from occscene.v1 import job_pb2, scene_service_pb2

from occscene_server.api.server import Server
from occscene_server.engine.model_info import describe
from occscene_server.engine.pipeline_loader import LoadedPipeline
from occscene_server.engine.ray_engine import RayEngine
from occscene_server.engine.ray_options import RayOptions
from tests.occscene_server.requests import generate_request
from tests.occscene_server.serve_process import ServeProcess
from tests.occscene_server.serving import connected, kinds, serving, submitted, watched
from tests.occscene_server.stand_in import ENDLESS, Output, StandInPipeline
from tests.patience import PATIENCE, until

if TYPE_CHECKING:  # the name is in the stubs only
    from occscene.v1.scene_service_pb2_grpc import SceneServiceAsyncStub as Stub

pytest.importorskip("ray", reason="the extra 'ray' is not installed")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("ignore:Using extra keyword arguments on `Field`"),  # in Ray's own configuration
]


class OneAtATime(StandInPipeline):
    """Has state, as a scheduler has, that two jobs at once would share; takes a while to end a step."""

    job = 0

    @functools.wraps(StandInPipeline.__call__)  # whose defaults the server reads
    def __call__(self, *arguments: Any, callback_on_step_end: Callable[..., Any], **options: Any) -> Output:
        """Denoises nothing.

        Raises:
            AssertionError: another job runs.
        """
        assert self.job == 0, "two jobs run in one pipeline"
        self.job = job = id(arguments)

        def end_step(*step: Any) -> Any:
            time.sleep(0.1)
            assert self.job == job, "two jobs run in one pipeline"
            return callback_on_step_end(*step)

        try:
            return super().__call__(*arguments, callback_on_step_end=end_step, **options)
        finally:
            time.sleep(0.1)
            self.job = 0


def load_numbered(model: str, device: str) -> LoadedPipeline:
    """The stand-in with state, on a device that is called after the replica's process."""
    return LoadedPipeline(OneAtATime(), f"process {os.getpid()}", describe(model, OneAtATime()))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    engine = functools.partial(RayEngine, RayOptions("local", 2), logging.basicConfig)
    async with serving(tmp_path_factory.mktemp("store"), loader=load_numbered, engine=engine) as running:
        assert await running.engine.ready(), running.engine.message
        await until(lambda: running.engine.capacity == 2)
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def stub(server: Server) -> AsyncIterator[Stub]:
    async with connected(server) as connection:
        yield connection


async def started_on(stub: Stub, job: job_pb2.Job) -> int:
    """Waits until a job denoises, and returns the process that runs it."""
    process = 0
    async for response in stub.WatchJob(scene_service_pb2.WatchJobRequest(job_id=job.id)):
        if response.event.HasField("started"):
            process = int(response.event.started.device.split()[-1])
        if response.event.progress.step:
            break
    return process


async def test_results_are_those_of_one_machine(stub: Stub, server: Server) -> None:
    info = await stub.GetServerInfo(scene_service_pb2.GetServerInfoRequest())
    assert info.models[0].name == "stand-in"
    assert info.device.startswith("2 x process")
    assert server.engine.capacity == 2
    request = generate_request("slow", steps=3, previews=True)
    events = await watched(stub, (await submitted(stub, request)).id)
    assert kinds(events) == ["started", "view", "view", "occupancy", "succeeded"]
    assert any(event.HasField("progress") for event in events)
    views = [event.view.image.data for event in events if event.HasField("view")]
    again = await watched(stub, (await submitted(stub, request)).id)
    assert [event.view.image.data for event in again if event.HasField("view")] == views


async def test_an_error_fails_the_job_alone(stub: Stub) -> None:
    events = await watched(stub, (await submitted(stub, generate_request("error"))).id)
    assert kinds(events) == ["started", "failed"]
    assert events[-1].failed.failure.reason == "UNSUPPORTED_REQUEST"


async def test_jobs_are_spread_over_both_replicas(stub: Stub, server: Server) -> None:
    jobs = [await submitted(stub, generate_request("slow", steps=20)) for _ in range(3)]
    processes = [await started_on(stub, job) for job in jobs[:2]]
    assert len(set(processes)) == 2
    assert server.jobs.running == 2
    assert server.jobs.queued == 1
    for job in jobs:
        assert kinds(await watched(stub, job.id))[-1] == "succeeded"


async def test_cancelled_job_makes_room_for_the_next(stub: Stub, server: Server) -> None:
    jobs = [await submitted(stub, generate_request(ENDLESS)) for _ in range(2)]
    for job in jobs:
        await started_on(stub, job)
        await stub.CancelJob(scene_service_pb2.CancelJobRequest(job_id=job.id))
    for job in jobs:
        assert kinds(await watched(stub, job.id)) == ["started", "cancelled"]
    events = await asyncio.wait_for(watched(stub, (await submitted(stub, generate_request())).id), PATIENCE)
    assert kinds(events)[-1] == "succeeded"


async def test_jobs_after_a_cancel_never_share_a_pipeline(stub: Stub) -> None:
    jobs: list[job_pb2.Job] = []
    for _ in range(20):
        endless = await submitted(stub, generate_request(ENDLESS))
        await started_on(stub, endless)
        await stub.CancelJob(scene_service_pb2.CancelJobRequest(job_id=endless.id))
        jobs.append(await submitted(stub, generate_request(steps=2)))
    for job in jobs:
        assert kinds(await watched(stub, job.id)) == ["started", "view", "view", "occupancy", "succeeded"]


async def test_job_of_a_killed_replica_runs_again(stub: Stub, server: Server) -> None:
    restarts = server.engine.restarts
    job = await submitted(stub, generate_request("slow", steps=30))
    killed = await started_on(stub, job)
    os.kill(killed, signal.SIGKILL)
    events = await watched(stub, job.id)
    assert kinds(events) == ["started", "started", "view", "view", "occupancy", "succeeded"]
    first, second = (event.started.device for event in events if event.HasField("started"))
    assert first == f"process {killed}" != second
    assert server.engine.restarts == restarts + 1


async def test_model_that_cannot_be_loaded_ends_the_command(tmp_path: Path) -> None:
    options = ("--engine", "ray", "--ray-address", "local", "--model", "missing")
    serve = ServeProcess(tmp_path, tmp_path / "store", *options)
    await asyncio.to_thread(serve.process.communicate, timeout=PATIENCE)
    assert serve.process.returncode == 1
    assert "no such model" in serve.log.splitlines()[-1]
