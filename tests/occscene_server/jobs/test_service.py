"""The life of jobs, with an engine that the test steers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from occscene.v1 import job_pb2

from occscene_server.jobs.service import JobService, QueueFullError
from occscene_server.jobs.store import JobStore
from tests.occscene_server.requests import generate_request


class SteeredEngine:
    """Emits what the test puts into `events`."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[job_pb2.JobEvent] = asyncio.Queue()
        self.ran: list[str] = []
        self.loaded = True

    async def ready(self) -> bool:
        return self.loaded

    async def run(self, job_id: str, request: bytes, emit: Callable[[job_pb2.JobEvent], None]) -> None:
        self.ran.append(job_id)
        while True:
            event = await self.events.get()
            emit(event)
            if event.WhichOneof("kind") in ("succeeded", "failed", "cancelled"):
                return

    def cancel(self, job_id: str) -> None:
        self.events.put_nowait(job_pb2.JobEvent(cancelled=job_pb2.JobCancelled()))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[JobStore]:
    store = JobStore(tmp_path)
    yield store
    store.close()


def done() -> job_pb2.JobEvent:
    return job_pb2.JobEvent(succeeded=job_pb2.JobSucceeded(seconds=1))


async def running(service: JobService, job_id: str) -> None:
    while service.get(job_id).state != job_pb2.JOB_STATE_RUNNING:
        await asyncio.sleep(0)


async def test_queued_and_running_jobs_survive_a_stop(store: JobStore) -> None:
    engine = SteeredEngine()
    service = JobService(store, engine)
    service.start()
    first, second = service.submit(generate_request()), service.submit(generate_request())
    await running(service, first.id)
    await service.stop()

    engine = SteeredEngine()
    service = JobService(store, engine)
    service.start()
    for job in (first, second):
        engine.events.put_nowait(done())
        assert [event async for event in service.watch(job.id, 0)][-1].HasField("succeeded")
    assert engine.ran == [first.id, second.id]
    assert store.attempts(first.id) == 1
    await service.stop()


async def test_job_that_ran_at_a_crash_runs_once_more_and_then_fails(store: JobStore) -> None:
    service = JobService(store, SteeredEngine())
    service.start()
    job = service.submit(generate_request())
    for _ in range(2):  # two processes die while it runs: nothing is stopped, the store alone goes on
        await running(service, job.id)
        service = JobService(store, SteeredEngine())
        service.start()
    failed = service.get(job.id)
    assert failed.state == job_pb2.JOB_STATE_FAILED
    assert failed.failure.reason == "SERVER_RESTARTED"


async def test_sequence_numbers_rise_over_a_restart(store: JobStore) -> None:
    engine = SteeredEngine()
    service = JobService(store, engine)
    service.start()
    job = service.submit(generate_request())
    await running(service, job.id)
    for step in range(5):
        engine.events.put_nowait(job_pb2.JobEvent(progress=job_pb2.JobProgress(step=step)))
    seen = 0
    async for event in service.watch(job.id, 0):
        seen = event.sequence
        if event.progress.step == 4:
            break
    engine = SteeredEngine()
    service = JobService(store, engine)
    service.start()
    engine.events.put_nowait(done())
    events = [event async for event in service.watch(job.id, seen)]
    assert events[-1].HasField("succeeded")
    assert events[0].sequence > seen


async def test_slow_watcher_loses_previews_but_no_results(store: JobStore) -> None:
    engine = SteeredEngine()
    service = JobService(store, engine)
    service.start()
    job = service.submit(generate_request())
    await running(service, job.id)
    watcher = service.watch(job.id, 0)
    await anext(watcher)
    for number in range(100):
        preview = job_pb2.JobPreview(view=number % 2)
        engine.events.put_nowait(job_pb2.JobEvent(preview=preview))
        engine.events.put_nowait(job_pb2.JobEvent(view=job_pb2.JobView(view=number)))
    while not engine.events.empty():
        await asyncio.sleep(0)
    engine.events.put_nowait(done())
    events = [event async for event in watcher]
    assert [event.view.view for event in events if event.HasField("view")] == list(range(100))
    assert sum(event.HasField("preview") for event in events) <= 2
    await service.stop()


async def test_bounded_queue(store: JobStore) -> None:
    service = JobService(store, SteeredEngine(), max_queued=2)
    service.submit(generate_request())
    service.submit(generate_request())
    with pytest.raises(QueueFullError):
        service.submit(generate_request())
    assert len(store.newest(10)) == 2


async def test_jobs_wait_where_the_model_cannot_be_loaded(store: JobStore) -> None:
    engine = SteeredEngine()
    engine.loaded = False
    service = JobService(store, engine)
    service.start()
    job = service.submit(generate_request())
    await asyncio.sleep(0.01)
    assert service.get(job.id).state == job_pb2.JOB_STATE_QUEUED
    await service.stop()


async def test_drain_finishes_the_running_job_alone(store: JobStore) -> None:
    engine = SteeredEngine()
    service = JobService(store, engine)
    service.start()
    first, second = service.submit(generate_request()), service.submit(generate_request())
    await running(service, first.id)
    draining = asyncio.create_task(service.drain())
    await asyncio.sleep(0.01)
    assert not draining.done()
    engine.events.put_nowait(done())
    await draining
    await service.stop()
    assert service.get(first.id).state == job_pb2.JOB_STATE_SUCCEEDED
    assert service.get(second.id).state == job_pb2.JOB_STATE_QUEUED
