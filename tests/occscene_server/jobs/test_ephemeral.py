"""Ephemeral jobs are gone when nobody watches them any more, whatever they were busy with, and after a crash."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from occscene.v1 import job_pb2

from occscene_server.jobs import ephemeral
from occscene_server.jobs.errors import JobNotFoundError
from occscene_server.jobs.service import JobService
from occscene_server.jobs.store import JobStore
from tests.occscene_server.jobs.test_service import SteeredEngine, done, running
from tests.occscene_server.requests import generate_request
from tests.patience import PATIENCE


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[JobStore]:
    store = JobStore(tmp_path)
    yield store
    store.close()


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ephemeral, "UNWATCHED_SECONDS", 0.02)
    monkeypatch.setattr(ephemeral, "_AGAIN_SECONDS", 0.02)


async def submit(service: JobService, is_ephemeral: bool = True) -> job_pb2.Job:
    request = generate_request()
    request.ephemeral = is_ephemeral
    return await service.submit(request)


async def gone(service: JobService, job_id: str) -> None:
    """Waits until there is no such job."""
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                service.get(job_id)
            except JobNotFoundError:
                return
            await asyncio.sleep(0.01)


@pytest.mark.usefixtures("hurried")
async def test_what_nobody_watches_is_cancelled_and_forgotten(store: JobStore) -> None:
    engine = SteeredEngine()
    service = JobService(store, engine)
    service.start()
    runs, waits = await submit(service), await submit(service)
    kept = await submit(service, is_ephemeral=False)
    assert (runs.ephemeral, kept.ephemeral) == (True, False)
    await running(service, runs.id)
    await gone(service, runs.id)  # the engine was asked to end it
    await gone(service, waits.id)
    assert [job.id for job in store.newest(10)] == [kept.id]
    await service.stop()


async def test_what_is_watched_stays_until_its_events_were_seen(
    store: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = SteeredEngine()
    service = JobService(store, engine)
    service.start()
    job = await submit(service)
    seen = []

    async def watch() -> None:
        async for event in service.watch(job.id, 0):
            seen.append(event.WhichOneof("kind"))

    watching = asyncio.create_task(watch())
    await running(service, job.id)
    assert not service._ephemeral._timers  # nothing counts down while it is watched
    monkeypatch.setattr(ephemeral, "UNWATCHED_SECONDS", 0.02)
    await asyncio.sleep(0.1)
    assert service.get(job.id).state == job_pb2.JOB_STATE_RUNNING
    engine.events.put_nowait(done())
    await watching
    assert seen[-1] == "succeeded"
    await gone(service, job.id)
    assert store.newest(10) == []
    await service.stop()


async def test_none_outlives_the_server(store: JobStore) -> None:
    engine = SteeredEngine()
    service = JobService(store, engine)
    service.start()
    ended, runs, waits = await submit(service), await submit(service), await submit(service)
    kept = await submit(service, is_ephemeral=False)
    await running(service, ended.id)
    engine.events.put_nowait(done())
    await running(service, runs.id)
    await service.stop()
    again = JobService(store, SteeredEngine())
    again.start()
    for job in (ended, runs, waits):
        await gone(again, job.id)
    assert [job.id for job in store.newest(10)] == [kept.id]
    await again.stop()
