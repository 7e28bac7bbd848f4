"""Jobs that are of no use after a while, and those that go before others."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from google.rpc import code_pb2
from occscene.v1 import job_pb2, scene_service_pb2

from occscene_server.api.server import Server
from occscene_server.api.validation import check_request
from tests.occscene_server.requests import generate_request
from tests.occscene_server.serving import connected, kinds, serving, submitted, watched
from tests.occscene_server.stand_in import ENDLESS
from tests.patience import until


def request_of(prompt: str, seconds: float = 0.0, priority: int = 0) -> scene_service_pb2.SubmitJobRequest:
    request = generate_request(prompt)
    request.priority = priority  # type: ignore[assignment]
    if seconds:
        request.timeout.FromNanoseconds(round(seconds * 1e9))
    return request


async def begun(server: Server, job_id: str) -> None:
    async for event in server.jobs.watch(job_id, 0):
        if event.progress.phase == job_pb2.JOB_PHASE_DENOISING:
            return


def failure_of(events: list[job_pb2.JobEvent]) -> job_pb2.JobFailure:
    return events[-1].failed.failure


async def test_a_job_ends_when_its_time_is_over_whether_it_runs_or_waits(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, connected(server) as stub:
        await until(lambda: bool(server.engine.device))
        running = await submitted(stub, request_of(ENDLESS, seconds=3.0))
        waiting = await submitted(stub, request_of("waits", seconds=0.5))
        patient = await submitted(stub, request_of("has the time", seconds=600.0))
        assert running.expire_time.ToNanoseconds() == running.create_time.ToNanoseconds() + 3_000_000_000
        for job, seconds in ((waiting, "0.5"), (running, "3")):
            failure = failure_of(await watched(stub, job.id))
            assert (failure.reason, failure.code) == ("JOB_TIMEOUT", code_pb2.DEADLINE_EXCEEDED)
            assert failure.message == f"the job had not ended {seconds} seconds after it was submitted"
        assert kinds(await watched(stub, waiting.id)) == ["failed"]
        assert kinds(await watched(stub, running.id)) == ["started", "failed"]
        assert kinds(await watched(stub, patient.id))[-1] == "succeeded"
        assert not server.jobs._timeouts._timers


async def test_a_cancelled_job_is_no_failure(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, connected(server) as stub:
        job = await submitted(stub, request_of(ENDLESS, seconds=600.0))
        await begun(server, job.id)
        await stub.CancelJob(scene_service_pb2.CancelJobRequest(job_id=job.id))
        assert kinds(await watched(stub, job.id)) == ["started", "cancelled"]


async def test_a_timeout_outlives_the_server(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, connected(server) as stub:
        running = await submitted(stub, request_of(ENDLESS))
        await begun(server, running.id)
        job = await submitted(stub, request_of("waits", seconds=0.2))
        await server.jobs.stop()  # before its time is over
    await asyncio.sleep(0.2)
    async with serving(tmp_path) as server, connected(server) as stub:
        assert failure_of(await watched(stub, job.id)).reason == "JOB_TIMEOUT"
        await stub.CancelJob(scene_service_pb2.CancelJobRequest(job_id=running.id))


async def test_urgent_jobs_go_first(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, connected(server) as stub:
        running = await submitted(stub, request_of(ENDLESS))
        await begun(server, running.id)
        low, high = job_pb2.JOB_PRIORITY_LOW, job_pb2.JOB_PRIORITY_HIGH
        jobs = [await submitted(stub, request_of(str(priority), priority=priority)) for priority in (low, 0, high)]
        assert [server.jobs.get(job.id).queue_position for job in jobs] == [2, 1, 0]
        await stub.CancelJob(scene_service_pb2.CancelJobRequest(job_id=running.id))
        starts = []
        for job in jobs:
            events = await watched(stub, job.id)
            starts.append(next(event.time.ToNanoseconds() for event in events if event.HasField("started")))
        assert starts == sorted(starts, reverse=True)


@pytest.mark.parametrize(
    ("field", "request_", "says"),
    [
        ("priority", request_of("x", priority=9), "priority is 9; it must be 0 to 3"),
        ("timeout", request_of("x", seconds=-1.0), "timeout is -1 seconds; it must be above 0 and at most 2,592,000"),
        ("timeout", request_of("x", seconds=1e9), "timeout is 1e+09 seconds; it must be above 0"),
    ],
)
def test_wrong_orders_are_named(field: str, request_: scene_service_pb2.SubmitJobRequest, says: str) -> None:
    (violation,) = check_request(request_)
    assert violation.field == field
    assert violation.description.startswith(says)
