"""Jobs on disk."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from occscene.v1 import camera_pb2, job_pb2

from occscene_server.jobs.errors import StoreError, StoreFullError, StoreInUseError
from occscene_server.jobs.store import JobStore, StoreLimits

LARGE = job_pb2.JobView(view=0, image=camera_pb2.EncodedImage(data=bytes(100_000)))


async def make_job(store: JobStore, number: int, ended: float | None = None, size: int = 1000) -> job_pb2.Job:
    """A stored job; one that `ended` N seconds ago has succeeded."""
    job = job_pb2.Job(id=f"job{number}", request_id=f"request{number}", state=job_pb2.JOB_STATE_QUEUED)
    await store.create(job, bytes(size))
    if ended is not None:
        job.state = job_pb2.JOB_STATE_SUCCEEDED
        job.end_time.FromMicroseconds(int((time.time() - ended) * 1e6))
        store.save(job)
        store._db.execute("UPDATE jobs SET ended = ended - ? WHERE id = ?", (ended, job.id))
    return job


async def append(store: JobStore, job: job_pb2.Job, event: job_pb2.JobEvent) -> None:
    job.last_sequence += 1
    event.sequence = job.last_sequence
    await store.append(job, event)


def names(store: JobStore) -> list[str]:
    return [job.id for job in store.newest(100)]


async def test_all_is_there_after_reopening(tmp_path: Path) -> None:
    store = JobStore(tmp_path)
    job = await make_job(store, 1)
    await make_job(store, 2, size=100_000)
    await append(store, job, job_pb2.JobEvent(started=job_pb2.JobStarted(device="cpu")))
    await append(store, job, job_pb2.JobEvent(view=LARGE))
    size = store.size
    assert size > 200_000
    store.close()

    store = JobStore(tmp_path)
    assert store.size == size
    assert store.get("job1") == store.find("request1") == job
    assert (len(await store.request("job1")), len(await store.request("job2"))) == (1000, 100_000)
    assert store.sequences("job1", 0) == [1, 2]
    assert store.sequences("job1", 1) == [2]
    assert store.sequences("job1", 2**64 - 1) == []
    assert (await store.event("job1", 2)).view == LARGE
    assert [found.id for found in store.unfinished()] == ["job1", "job2"]
    for number in (1, 2):
        await store.delete(f"job{number}")
    assert store.get("job1") is None
    assert store.sequences("job1", 0) == []
    assert list((tmp_path / "blobs").iterdir()) == []
    assert store.size == 0
    store.close()


_WRITER = """
import asyncio, sys
from pathlib import Path
from occscene.v1 import camera_pb2, job_pb2
from occscene_server.jobs.store import JobStore

async def main():
    store = JobStore(Path(sys.argv[1]))
    job = job_pb2.Job(id="job", request_id="request", state=job_pb2.JOB_STATE_RUNNING)
    await store.create(job, bytes(50_000))
    for sequence in range(1, 100_000):
        job.last_sequence = sequence
        data = bytes([sequence % 251]) * (20_000 if sequence % 2 else 10)
        view = job_pb2.JobView(image=camera_pb2.EncodedImage(data=data))
        await store.append(job, job_pb2.JobEvent(sequence=sequence, view=view))
        print(sequence, flush=True)

asyncio.run(main())
"""


async def test_what_was_acknowledged_survives_a_kill(tmp_path: Path) -> None:
    """A process that writes events is killed at a random moment; each event that it reported is there and whole."""
    writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    for _ in range(40):
        acknowledged = int(writer.stdout.readline())
    writer.send_signal(signal.SIGKILL)
    acknowledged = max([acknowledged, *map(int, writer.stdout.read().split())])
    writer.wait()
    (tmp_path / "blobs/job/999.part").write_bytes(b"half")
    (tmp_path / "blobs/of_no_job").mkdir()

    store = JobStore(tmp_path)
    job = store.get("job")
    assert job is not None
    assert job.last_sequence >= acknowledged
    assert store.sequences("job", 0) == list(range(1, job.last_sequence + 1))
    for sequence in range(1, job.last_sequence + 1):
        data = (await store.event("job", sequence)).view.image.data
        assert data == bytes([sequence % 251]) * (20_000 if sequence % 2 else 10)
    assert sorted(os.listdir(tmp_path / "blobs")) == ["job"]
    assert not list(tmp_path.rglob("*.part"))
    store.close()


async def test_jobs_that_ended_first_go_first_when_the_room_ends(tmp_path: Path) -> None:
    store = JobStore(tmp_path, StoreLimits(size=250_000))
    await make_job(store, 0, size=50_000)  # queued: never deleted
    await make_job(store, 1, ended=5, size=100_000)
    await make_job(store, 2, ended=10, size=50_000)
    await make_job(store, 3, size=50_000)
    assert names(store) == ["job3", "job2", "job1", "job0"]
    await make_job(store, 4, size=50_000)  # 300,000 bytes: the one that ended first has to go
    assert names(store) == ["job4", "job3", "job1", "job0"]
    assert store.size == 250_000
    await make_job(store, 5, ended=1, size=0)
    await make_job(store, 6, size=20_000)
    assert names(store) == ["job6", "job5", "job4", "job3", "job0"]
    with pytest.raises(StoreFullError, match="170,000 of the 250,000 bytes"):
        await make_job(store, 7, size=90_000)
    assert names(store) == ["job6", "job5", "job4", "job3", "job0"]
    store.close()


async def test_the_job_that_ended_last_stays_whatever_its_size(tmp_path: Path) -> None:
    store = JobStore(tmp_path, StoreLimits(size=50_000))
    await make_job(store, 1, ended=2)
    job = await make_job(store, 2, ended=1)
    await append(store, job, job_pb2.JobEvent(view=LARGE))
    await store.prune()
    assert names(store) == ["job2"]
    store.close()


async def test_what_ended_too_long_ago_goes(tmp_path: Path) -> None:
    store = JobStore(tmp_path, StoreLimits(age=60.0))
    await make_job(store, 1, ended=61)
    await make_job(store, 2, ended=59)
    await make_job(store, 3)
    await store.prune()
    assert names(store) == ["job3", "job2"]
    store.close()


async def test_refused_write_changes_nothing(tmp_path: Path) -> None:
    store = JobStore(tmp_path)
    job = await make_job(store, 1)
    (tmp_path / "blobs/job1").write_bytes(b"a file where the job's folder should be")
    size = store.size
    with pytest.raises(StoreError, match="File exists"):
        await append(store, job, job_pb2.JobEvent(view=LARGE))
    assert store.get("job1").last_sequence == 0
    assert store.sequences("job1", 0) == []
    assert store.size == size
    await append(store, job, job_pb2.JobEvent(started=job_pb2.JobStarted(device="small enough for the database")))
    assert store.sequences("job1", 0) == [2]
    store.close()


def test_one_server_at_a_time(tmp_path: Path) -> None:
    store = JobStore(tmp_path)
    with pytest.raises(StoreInUseError, match="another server"):
        JobStore(tmp_path)
    store.close()
    JobStore(tmp_path).close()


def test_store_of_another_version_is_refused(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "jobs.sqlite") as other:
        other.execute("CREATE TABLE jobs (id TEXT)")
    other.close()
    with pytest.raises(StoreError, match="another version"):
        JobStore(tmp_path)
