"""Jobs in a real PostgreSQL."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from occscene.v1 import camera_pb2, job_pb2

from occscene_server.jobs.errors import StoreError, StoreInUseError
from occscene_server.jobs.store import JobStore, StoreLimits
from tests.occscene_server.postgres import postgres
from tests.patience import PATIENCE, wait_until

pytestmark = pytest.mark.slow

LARGE = bytes(range(256)) * 400


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with postgres() as url:
        yield url


@pytest.fixture
def database(server: str) -> str:
    import psycopg

    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS occscene CASCADE")
    return server


async def lived(store: JobStore) -> list[object]:
    """What a store says while jobs come, run, end and go."""
    told: list[object] = []
    for number in range(4):
        job = job_pb2.Job(id=f"job{number}", request_id=f"request{number}", state=job_pb2.JOB_STATE_QUEUED)
        await store.create(job, LARGE if number % 2 else b"small")
        job.state = job_pb2.JOB_STATE_RUNNING
        store.save(job, attempts=1)
        for data in (b"small", LARGE):
            job.last_sequence += 3
            view = job_pb2.JobView(image=camera_pb2.EncodedImage(data=data))
            await store.append(job, job_pb2.JobEvent(sequence=job.last_sequence, view=view))
        if number < 2:
            job.state = job_pb2.JOB_STATE_SUCCEEDED
            job.end_time.FromMicroseconds(int(time.time() * 1e6) - 1000 + number)
            store.save(job)
    store.mark_cancelled("job2")
    told += [store.is_cancelled("job2"), store.is_cancelled("job3"), store.attempts("job1"), store.size]
    told += [[job.id for job in store.newest(3)], [job.id for job in store.unfinished()]]
    told += [store.find("request1").id, store.get("nothing"), store.find("")]
    told += [store.sequences("job1", 3), store.sequences("job1", 2**64 - 1), await store.event("job1", 5)]
    told += [
        (await store.event("job1", 6)).view.image.data == LARGE,
        await store.request("job1") == LARGE,
        await store.request("job2"),
    ]
    await store.delete("job3")
    store.limits = StoreLimits(size=150_000)
    await store.prune()
    told += [[job.id for job in store.newest(9)], store.size]
    return told


async def test_it_keeps_jobs_as_sqlite_does(database: str, tmp_path: Path) -> None:
    stores = [JobStore(tmp_path / "sqlite"), JobStore(tmp_path / "postgres", database=database)]
    assert await lived(stores[0]) == await lived(stores[1])
    for store in stores:
        store.close()
    again = JobStore(tmp_path / "postgres", database=database)
    assert (again.size, [job.id for job in again.newest(9)]) == (stores[0].size, ["job2", "job1"])
    assert again.event("job2", 6).view.image.data == LARGE
    assert not (tmp_path / "postgres/jobs.sqlite").exists()
    again.close()


_HOLDER = """
import asyncio, sys, time
from pathlib import Path
from occscene.v1 import job_pb2
from occscene_server.jobs.store import JobStore

async def main():
    store = JobStore(Path(sys.argv[1]), database=sys.argv[2])
    await store.create(job_pb2.Job(id="job", request_id="request", state=1), b"small")
    print("holds", flush=True)
    time.sleep(1e6)

asyncio.run(main())
"""


def test_one_server_has_the_queue_until_it_is_killed(database: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", _HOLDER, str(tmp_path), database]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "holds\n"
    with pytest.raises(StoreInUseError, match="another server has the queue"):
        JobStore(tmp_path, database=database)
    holder.send_signal(signal.SIGKILL)
    holder.wait(PATIENCE)
    stores: list[JobStore] = []

    def is_free() -> bool:
        try:
            stores.append(JobStore(tmp_path, database=database))
        except StoreInUseError:
            return False
        return True

    wait_until(is_free)
    assert [job.id for job in stores[0].newest(9)] == ["job"]
    stores[0].close()


async def test_a_server_that_lost_its_connection_writes_no_more(database: str, tmp_path: Path) -> None:
    import psycopg

    store = JobStore(tmp_path, database=database)
    job = job_pb2.Job(id="job", request_id="request", state=job_pb2.JOB_STATE_QUEUED)
    await store.create(job, b"small")
    assert store.is_ours()
    with psycopg.connect(database, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
    next_store = JobStore(tmp_path, database=database)
    with pytest.raises(StoreError, match="has lost its database"):
        store.save(job)
    with pytest.raises(StoreError, match="has lost its database"):
        store.get("job")
    assert not store.is_ours()
    assert next_store.get("job") == job
    next_store.close()
    store.close()


def test_other_versions_and_addresses_are_told_without_the_password(database: str, tmp_path: Path) -> None:
    import psycopg

    JobStore(tmp_path, database=database).close()
    with psycopg.connect(database, autocommit=True) as other:
        other.execute("UPDATE occscene.store SET version = 99")
    with pytest.raises(StoreError, match="another version of this program"):
        JobStore(tmp_path, database=database)
    with pytest.raises(StoreError, match="check --database") as refusal:
        JobStore(tmp_path, database="postgresql://somebody:secret@127.0.0.1:1/jobs")
    assert "secret" not in str(refusal.value)
    with pytest.raises(StoreError, match="check --database"):
        JobStore(tmp_path, database="mysql://127.0.0.1/jobs")
