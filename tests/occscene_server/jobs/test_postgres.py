"""Jobs in a real PostgreSQL."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from occscene.v1 import camera_pb2, job_pb2, scene_service_pb2

from occscene_server.jobs.errors import StoreError
from occscene_server.jobs.store import JobStore, StoreLimits
from tests.occscene_server.postgres import postgres
from tests.patience import PATIENCE, until, wait_until

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
    assert (await again.event("job2", 6)).view.image.data == LARGE
    assert not (tmp_path / "postgres/jobs.sqlite").exists()
    again.close()


_LEADER = """
import sys, time
from pathlib import Path
from occscene_server.jobs.store import JobStore

store = JobStore(Path(sys.argv[1]), database=sys.argv[2])
print(store.take_lead(), flush=True)
time.sleep(1e6)
"""


async def test_one_server_has_the_lead_until_it_is_killed(database: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", _LEADER, str(tmp_path / "one"), database]
    leader = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert leader.stdout is not None
    assert leader.stdout.readline() == "True\n"
    store = JobStore(tmp_path / "two", database=database)
    assert not store.take_lead()
    await store.create(job_pb2.Job(id="job", request_id="request", state=job_pb2.JOB_STATE_QUEUED), b"small")
    leader.send_signal(signal.SIGKILL)
    leader.wait(PATIENCE)
    wait_until(store.take_lead)
    assert [job.id for job in store.unfinished()] == ["job"]
    store.close()


async def test_servers_hear_what_others_do_and_see_what_passes(database: str, tmp_path: Path) -> None:
    leader, other = (JobStore(tmp_path / name, database=database) for name in ("one", "two"))
    heard: list[tuple[str, str]] = []
    leader.exchange.listen(lambda *notice: heard.append(("leader", *notice)))
    other.exchange.listen(lambda *notice: heard.append(("other", *notice)))
    assert leader.take_lead()
    job = job_pb2.Job(id="job", request_id="request", state=job_pb2.JOB_STATE_QUEUED)
    await other.create(job, b"small")
    await until(lambda: heard == [("leader", "submitted", "job")])
    assert (other.waiting(), other.count(job_pb2.JOB_STATE_QUEUED)) == ({"": 1}, 1)
    for sequence in (1, 2):
        progress = job_pb2.JobEvent(sequence=sequence, progress=job_pb2.JobProgress(step=sequence))
        leader.exchange.pass_on([("job", "progress", progress)])
    preview = job_pb2.JobEvent(sequence=3, preview=job_pb2.JobPreview(image=camera_pb2.EncodedImage(data=LARGE)))
    leader.exchange.pass_on([("job", "preview 0", preview)])
    await until(lambda: heard[1:] == [("other", "event", "job")] * 3)
    assert other.exchange.passing("job") == {2: progress, 3: preview}
    assert other.exchange.passing("job", after=2) == {3: preview}
    other.mark_cancelled("job")
    await until(lambda: heard[-1] == ("leader", "cancel", "job"))
    assert leader.is_cancelled("job")
    job.state = job_pb2.JOB_STATE_CANCELLED
    job.end_time.GetCurrentTime()
    leader.append_inline(job, job_pb2.JobEvent(sequence=4, cancelled=job_pb2.JobCancelled()))
    assert other.exchange.passing("job") == {}
    await other.delete("job")
    await until(lambda: heard[-1] == ("leader", "deleted", "job"))
    info = scene_service_pb2.GetServerInfoResponse(device="cpu")
    leader.exchange.publish(info)
    await until(lambda: heard[-1] == ("other", "engine", ""))
    assert other.exchange.published() == info
    for store in (leader, other):
        store.close()


async def test_a_file_that_another_server_writes_is_not_swept(database: str, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    store, other = (JobStore(tmp_path / name, database=database, artifacts=str(shared)) for name in ("one", "two"))
    await store._files.write("job", "request", LARGE)  # its job is stored a moment later
    await other.sweep()
    job = job_pb2.Job(id="job", request_id="request", state=job_pb2.JOB_STATE_QUEUED)
    await store.create(job, LARGE)
    (shared / "of_no_job").mkdir()
    for is_there in (True, False):
        await other.sweep()
        assert (shared / "of_no_job").exists() is is_there
    assert await other.request("job") == LARGE
    for opened in (store, other):
        opened.close()


async def test_a_server_that_lost_its_connection_writes_no_more(database: str, tmp_path: Path) -> None:
    import psycopg

    store = JobStore(tmp_path / "one", database=database)
    assert store.take_lead()
    job = job_pb2.Job(id="job", request_id="request", state=job_pb2.JOB_STATE_QUEUED)
    await store.create(job, b"small")
    assert store.is_there()
    with psycopg.connect(database, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
    next_store = JobStore(tmp_path / "two", database=database)
    wait_until(next_store.take_lead)
    with pytest.raises(StoreError, match="has lost its database"):
        store.save(job)
    with pytest.raises(StoreError, match="has lost its database"):
        store.get("job")
    assert not store.is_there()
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
