"""The life of jobs, with an engine that the test steers."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from google.rpc import code_pb2
from occscene.v1 import job_pb2, scene_service_pb2

from occscene_server.engine.deaths import JobInterruptedError
from occscene_server.engine.events import failed_event
from occscene_server.engine.interface import Deliver
from occscene_server.jobs.errors import ModelNotLoadedError, QueueFullError, ShuttingDownError
from occscene_server.jobs.service import JobService
from occscene_server.jobs.store import JobStore
from tests.occscene_server.requests import generate_request


class SteeredEngine:
    """Emits, or raises, what the test puts into `events`."""

    state = scene_service_pb2.SERVER_STATE_READY
    message = device = ""
    stalled = False
    models: tuple[scene_service_pb2.ModelInfo, ...] = ()
    restarts = 0

    def __init__(self, capacity: int = 1) -> None:
        self.capacity = capacity
        self.events: asyncio.Queue[job_pb2.JobEvent | JobInterruptedError] = asyncio.Queue()
        self.ran: list[str] = []
        self.started = asyncio.Event()
        self.loaded = True

    async def ready(self) -> bool:
        return self.loaded

    async def run(self, job_id: str, request: bytes, deliver: Deliver) -> None:
        self.ran.append(job_id)
        self.started.set()
        while True:
            event = await self.events.get()
            if isinstance(event, JobInterruptedError):
                raise event
            await deliver(event)
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
    first, second = await service.submit(generate_request()), await service.submit(generate_request())
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
    job = await service.submit(generate_request())
    for _ in range(2):  # two processes die while it runs: nothing is stopped, only the store goes on
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
    job = await service.submit(generate_request())
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
    job = await service.submit(generate_request())
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
    await service.submit(generate_request())
    await service.submit(generate_request())
    with pytest.raises(QueueFullError):
        await service.submit(generate_request())
    assert len(store.newest(10)) == 2


async def test_jobs_wait_where_the_model_cannot_be_loaded(store: JobStore) -> None:
    engine = SteeredEngine()
    engine.loaded = False
    service = JobService(store, engine)
    service.start()
    job = await service.submit(generate_request())
    await asyncio.sleep(0.01)
    assert service.get(job.id).state == job_pb2.JOB_STATE_QUEUED
    await service.stop()


async def test_jobs_run_side_by_side_where_the_engine_can(store: JobStore) -> None:
    engine = SteeredEngine(capacity=2)
    service = JobService(store, engine)
    service.start()
    jobs = [await service.submit(generate_request()) for _ in range(3)]
    for job in jobs[:2]:
        await running(service, job.id)
    assert (service.running, service.queued) == (2, 1)
    assert service.get(jobs[2].id).queue_position == 0
    for _ in jobs:
        engine.events.put_nowait(done())
    for job in jobs:
        assert [event async for event in service.watch(job.id, 0)][-1].HasField("succeeded")
    assert sorted(engine.ran) == sorted(job.id for job in jobs)
    await service.stop()


async def test_places_in_the_queue_move_up(store: JobStore) -> None:
    service = JobService(store, SteeredEngine())
    jobs = [await service.submit(generate_request()) for _ in range(3)]
    watcher = service.watch(jobs[2].id, 0)
    assert (await anext(watcher)).queued.position == 2
    await service.cancel(jobs[0].id)
    assert (await anext(watcher)).queued.position == 1
    assert service.get(jobs[0].id).state == job_pb2.JOB_STATE_CANCELLED
    assert [event.WhichOneof("kind") async for event in service.watch(jobs[0].id, 0)] == ["cancelled"]


async def test_retry_delay_follows_the_jobs(store: JobStore) -> None:
    engine = SteeredEngine()
    service = JobService(store, engine, max_queued=1)
    service.start()
    first = await service.submit(generate_request())
    await running(service, first.id)
    await service.submit(generate_request())
    with pytest.raises(QueueFullError) as caught:
        await service.submit(generate_request())
    assert caught.value.retry_seconds == 10  # nothing is known yet
    engine.events.put_nowait(done())
    assert [event async for event in service.watch(first.id, 0)][-1].HasField("succeeded")
    while service.queued:
        await asyncio.sleep(0)
    await service.submit(generate_request())
    with pytest.raises(QueueFullError) as caught:
        await service.submit(generate_request())
    assert caught.value.retry_seconds == 1
    await service.stop()


def interrupted(begun: bool = True) -> JobInterruptedError:
    return JobInterruptedError(failed_event("WORKER_DIED", "the worker died"), begun)


async def test_interrupted_job_runs_before_the_others_once_more_and_then_fails(store: JobStore) -> None:
    engine = SteeredEngine()
    service = JobService(store, engine)
    service.start()
    job, following = await service.submit(generate_request()), await service.submit(generate_request())
    for error in (interrupted(begun=False), interrupted(), interrupted(begun=False), interrupted()):
        engine.events.put_nowait(error)
    failure = [event async for event in service.watch(job.id, 0)][-1].failed.failure
    assert (failure.reason, failure.message) == ("WORKER_DIED", "the worker died; it has run 2 times")
    engine.events.put_nowait(done())
    assert [event async for event in service.watch(following.id, 0)][-1].HasField("succeeded")
    assert engine.ran == [*[job.id] * 4, following.id]
    await service.stop()


@pytest.mark.parametrize("stopped", [True, False])
async def test_cancelled_job_never_runs_again(store: JobStore, stopped: bool) -> None:
    """The engine does not answer the cancel; the server is stopped, or dies."""
    engine = SteeredEngine()
    engine.cancel = lambda job_id: None  # type: ignore[method-assign]
    service = JobService(store, engine)
    service.start()
    job = await service.submit(generate_request())
    await running(service, job.id)
    await service.cancel(job.id)
    if stopped:
        await service.stop()
    engine = SteeredEngine()
    service = JobService(store, engine)
    service.start()
    assert [event async for event in service.watch(job.id, 0)][-1].HasField("cancelled")
    assert engine.ran == []
    await service.stop()


async def test_cancelled_job_of_a_dead_worker_does_not_run_again(store: JobStore) -> None:
    engine = SteeredEngine()
    engine.cancel = lambda job_id: engine.events.put_nowait(interrupted())  # type: ignore[method-assign]
    service = JobService(store, engine)
    service.start()
    job = await service.submit(generate_request())
    await running(service, job.id)
    await service.cancel(job.id)
    assert [event async for event in service.watch(job.id, 0)][-1].HasField("cancelled")
    assert engine.ran == [job.id]
    await service.stop()


async def test_watchers_of_waiting_jobs_hear_that_the_model_cannot_be_loaded(store: JobStore) -> None:
    engine = SteeredEngine()
    engine.loaded = False
    service = JobService(store, engine)
    service.start()
    job = await service.submit(generate_request())
    watcher = service.watch(job.id, 0)
    assert (await anext(watcher)).HasField("queued")
    engine.state, engine.message = scene_service_pb2.SERVER_STATE_FAILED, "no such model"
    service.engine_changed()
    with pytest.raises(ModelNotLoadedError, match="no such model; the job is kept"):
        await anext(watcher)
    engine.state, engine.loaded = scene_service_pb2.SERVER_STATE_READY, True
    service.engine_changed()
    engine.events.put_nowait(done())
    assert [event async for event in service.watch(job.id, 0)][-1].HasField("succeeded")
    await service.stop()


async def test_drain_does_not_wait_for_a_job_that_does_not_move(store: JobStore) -> None:
    engine = SteeredEngine()
    service = JobService(store, engine)
    service.start()
    job = await service.submit(generate_request())
    await running(service, job.id)
    engine.stalled = True
    await service.drain()
    await service.stop()
    assert store.get(job.id).state == job_pb2.JOB_STATE_QUEUED


async def test_damaged_request_fails_the_job_and_the_next_one_runs(store: JobStore) -> None:
    engine = SteeredEngine()
    service = JobService(store, engine)
    request = generate_request("x" * 2000)
    request.generate_scene.negative_prompt = "y" * 20_000  # too large for the database
    job, following = await service.submit(request), await service.submit(generate_request())
    (store.folder / "blobs" / job.id / "request").write_bytes(b"something else")
    service.start()
    failure = [event async for event in service.watch(job.id, 0)][-1].failed.failure
    assert (failure.reason, failure.code) == ("DATA_LOSS", code_pb2.DATA_LOSS)
    engine.events.put_nowait(done())
    assert [event async for event in service.watch(following.id, 0)][-1].HasField("succeeded")
    await service.stop()


async def test_failing_engine_fails_the_job_and_the_next_one_runs(store: JobStore) -> None:
    class FailingOnce(SteeredEngine):
        async def run(self, job_id: str, request: bytes, deliver: Deliver) -> None:
            if not self.ran:
                self.ran.append(job_id)
                raise RuntimeError("no such luck")
            await super().run(job_id, request, deliver)

    engine = FailingOnce()
    service = JobService(store, engine)
    service.start()
    job, following = await service.submit(generate_request()), await service.submit(generate_request())
    engine.events.put_nowait(done())
    assert [event async for event in service.watch(following.id, 0)][-1].HasField("succeeded")
    assert "no such luck" in service.get(job.id).failure.message
    await service.stop()


async def test_observer_sees_every_event_with_the_changed_job(store: JobStore) -> None:
    seen: list[tuple[int, str | None]] = []
    engine = SteeredEngine()
    service = JobService(store, engine, observe=lambda job, event: seen.append((job.state, event.WhichOneof("kind"))))
    service.start()
    job = await service.submit(generate_request())
    engine.events.put_nowait(job_pb2.JobEvent(started=job_pb2.JobStarted()))
    engine.events.put_nowait(done())
    assert [event async for event in service.watch(job.id, 0)][-1].HasField("succeeded")
    assert seen == [
        (job_pb2.JOB_STATE_QUEUED, "queued"),
        (job_pb2.JOB_STATE_RUNNING, "started"),
        (job_pb2.JOB_STATE_SUCCEEDED, "succeeded"),
    ]
    await service.stop()


async def test_nothing_is_taken_while_it_drains(store: JobStore) -> None:
    service = JobService(store, SteeredEngine())
    request = generate_request()
    request.request_id = str(uuid.uuid4())
    job = await service.submit(request)
    await service.drain()
    assert (await service.submit(request)).id == job.id
    with pytest.raises(ShuttingDownError):
        await service.submit(generate_request())


async def test_stop_tells_watchers_and_leaves_nothing_behind(store: JobStore) -> None:
    engine = SteeredEngine()
    service = JobService(store, engine)
    service.start()
    jobs = [await service.submit(generate_request()) for _ in range(2)]
    await engine.started.wait()
    before = set(asyncio.all_tasks())

    async def watch(job_id: str) -> None:
        with pytest.raises(ShuttingDownError):
            assert [event async for event in service.watch(job_id, 0)] == []

    watchers = [asyncio.create_task(watch(job.id)) for job in jobs for _ in range(3)]
    await asyncio.sleep(0.01)
    for watcher in watchers[::3]:
        watcher.cancel()
    await service.stop()
    results = await asyncio.gather(*watchers, return_exceptions=True)
    assert [type(result) for result in results].count(asyncio.CancelledError) == 2
    assert all(result is None for result in results if not isinstance(result, asyncio.CancelledError))
    assert {task for task in asyncio.all_tasks() if not task.done()} <= before
    assert [job.state for job in store.newest(2)] == [job_pb2.JOB_STATE_QUEUED] * 2
    assert not store.newest(2)[1].HasField("start_time")


async def test_drain_finishes_the_running_job_alone(store: JobStore) -> None:
    engine = SteeredEngine()
    service = JobService(store, engine)
    service.start()
    first, second = await service.submit(generate_request()), await service.submit(generate_request())
    await running(service, first.id)
    draining = asyncio.create_task(service.drain())
    await asyncio.sleep(0.01)
    assert not draining.done()
    engine.events.put_nowait(done())
    await draining
    await service.stop()
    assert service.get(first.id).state == job_pb2.JOB_STATE_SUCCEEDED
    assert service.get(second.id).state == job_pb2.JOB_STATE_QUEUED
