"""A store that is damaged, foreign, of the version before, or on a disk that refuses."""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from occscene.v1 import camera_pb2, job_pb2
from typer.testing import CliRunner

from occscene_server.cli.root import app
from occscene_server.jobs.disk import store_error
from occscene_server.jobs.errors import StoreDamagedError, StoreError, StoreFullError
from occscene_server.jobs.store import JobStore
from tests.occscene_server.small_disk import small_disk

SMALL, LARGE = os.urandom(5_000), os.urandom(50_000)


async def filled_store(folder: Path) -> None:
    """One job with a request in a file, and two results: one in the database, one in a file."""
    store = JobStore(folder)
    job = job_pb2.Job(id="job", request_id="request", state=job_pb2.JOB_STATE_RUNNING, prompt="a very red room")
    await store.create(job, LARGE)
    for data in (SMALL, LARGE):
        job.last_sequence += 1
        view = job_pb2.JobView(image=camera_pb2.EncodedImage(data=data))
        await store.append(job, job_pb2.JobEvent(sequence=job.last_sequence, view=view))
    store.close()


def flip(path: Path, near: bytes) -> None:
    """Flips one bit where those bytes stand in a file."""
    data = bytearray(path.read_bytes())
    data[data.index(near) + len(near) // 2] ^= 4
    path.write_bytes(data)


@pytest.mark.parametrize("damage", ["flipped", "flipped in the database", "truncated", "missing"])
async def test_damaged_result_is_told_and_no_other_is_touched(tmp_path: Path, damage: str) -> None:
    await filled_store(tmp_path)
    blob, bad, good = tmp_path / "blobs/job/2", 2, 1
    if damage == "flipped":
        flip(blob, LARGE[1000:1010])
    elif damage == "truncated":
        blob.write_bytes(blob.read_bytes()[:-1])
    elif damage == "missing":
        blob.unlink()
    else:
        flip(tmp_path / "jobs.sqlite", SMALL[1000:1010])
        bad, good = 1, 2
    store = JobStore(tmp_path)
    with pytest.raises(StoreDamagedError, match=f"event {bad} of job job .* on the server's disk") as caught:
        await store.event("job", bad)
    assert str(tmp_path) not in str(caught.value)
    assert await store.event("job", good) is not None
    assert await store.request("job") == LARGE
    store.close()


async def test_damaged_request_and_record(tmp_path: Path) -> None:
    await filled_store(tmp_path)
    flip(tmp_path / "blobs/job/request", LARGE[:10])
    flip(tmp_path / "jobs.sqlite", b"very red")
    store = JobStore(tmp_path)
    with pytest.raises(StoreDamagedError, match="the request of job job is damaged"):
        await store.request("job")
    (job,) = store.newest(10)  # the prompt is lost, the job is not
    assert (job.id, job.request_id, job.state) == ("job", "request", job_pb2.JOB_STATE_RUNNING)
    assert (job.prompt, job.last_sequence) == ("", 2)
    await store.delete("job")
    store.close()


@pytest.mark.parametrize("content", [b"no database at all, but long enough to be read as one" * 100, None])
def test_database_that_is_none_is_one_sentence(tmp_path: Path, content: bytes | None) -> None:
    asyncio.run(filled_store(tmp_path))
    path = tmp_path / "jobs.sqlite"
    if content is None:  # every page but the first
        content = path.read_bytes()[:4096] + os.urandom(path.stat().st_size - 4096)
    path.write_bytes(content)
    result = CliRunner().invoke(app, ["serve", "--port", "0", "--store", str(tmp_path)])
    assert result.exit_code == 1
    assert len(result.output.splitlines()) == 1
    assert f"the store {tmp_path} is damaged" in result.output
    assert "move the folder away" in result.output
    assert (tmp_path / "blobs/job/2").exists()


def test_disk_that_is_read_only_is_one_sentence(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        asyncio.run(filled_store(disk / "store"))
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        result = CliRunner().invoke(app, ["serve", "--port", "0", "--store", str(disk / "store")])
    assert result.exit_code == 1
    assert len(result.output.splitlines()) == 1
    assert "cannot be used" in result.output
    assert "make it writable or choose another folder" in result.output


async def test_store_of_the_version_before_is_read_and_goes_on(tmp_path: Path) -> None:
    await filled_store(tmp_path)
    with sqlite3.connect(tmp_path / "jobs.sqlite") as old:
        for table, column in (
            *(("jobs", name) for name in ("record_sum", "request_sum", "cancelled")),
            ("events", "sum"),
        ):
            old.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        old.execute("DROP TABLE clock")
        old.execute("DROP INDEX jobs_client")
        old.execute("ALTER TABLE jobs DROP COLUMN client")
        old.execute("PRAGMA user_version=2")
    old.close()
    (tmp_path / "reserve").unlink()
    for _ in range(2):
        store = JobStore(tmp_path)
        assert store.get("job").prompt == "a very red room"
        assert await store.request("job") == LARGE
        assert [(await store.event("job", n)).view.image.data for n in (1, 2)] == [SMALL, LARGE]
        assert not store.is_cancelled("job")
        store.close()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/secret/place"), StoreFullError),
        (OSError(errno.EDQUOT, "Disk quota exceeded", "/secret/place"), StoreFullError),
        (OSError(errno.EMFILE, "Too many open files", "/secret/place"), StoreError),
        (OSError(errno.ENFILE, "Too many open files in system", "/secret/place"), StoreError),
        (OSError(errno.EIO, "Input/output error", "/secret/place"), StoreError),
    ],
)
def test_a_disk_is_full_only_where_it_says_so(tmp_path: Path, error: OSError, kind: type[StoreError]) -> None:
    fault = store_error(error, tmp_path)
    assert type(fault) is kind
    assert "/secret" not in str(fault)


async def test_database_that_may_not_grow_is_full(tmp_path: Path) -> None:
    """SQLite's own limit stands for the disk's, where no disk can be mounted."""
    await filled_store(tmp_path)
    store = JobStore(tmp_path)
    pages = store._db.execute("PRAGMA page_count").fetchone()[0]
    store._db.execute(f"PRAGMA max_page_count={pages}")
    job = store.get("job")
    job.last_sequence = 3
    view = job_pb2.JobView(image=camera_pb2.EncodedImage(data=bytes(10_000)))
    with pytest.raises(StoreFullError):
        await store.append(job, job_pb2.JobEvent(sequence=3, view=view))
    assert store.sequences("job", 0) == [1, 2]
    await store.delete("job")
    assert store.newest(1) == []
    store.close()


_WRITER = """
import asyncio, os, sys
from pathlib import Path
from occscene.v1 import job_pb2
from occscene_server.jobs.errors import StoreError, StoreFullError
from occscene_server.jobs.store import JobStore

async def main():
    store = JobStore(Path(sys.argv[1]))
    await store.create(job_pb2.Job(id="small", request_id="small", state=1), os.urandom(20_000))
    limit = sys.argv[2]
    import resource
    if limit == "size":
        resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, 30_000))
    else:
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) - 1, limits[1]))
    try:
        await store.create(job_pb2.Job(id="large", request_id="large", state=1), os.urandom(50_000))
    except StoreError as error:
        print(type(error).__name__, error)
    if limit == "files":
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    print([job.id for job in store.newest(9)], sorted(path.name for path in Path(sys.argv[1], "blobs").rglob("*.part")))

asyncio.run(main())
"""


@pytest.mark.skipif(os.name == "nt", reason="no limits of this kind")
@pytest.mark.parametrize(("limit", "reason"), [("size", "File too large"), ("files", "Too many open files")])
def test_other_limits_are_told_by_their_names(tmp_path: Path, limit: str, reason: str) -> None:
    command = [sys.executable, "-c", _WRITER, str(tmp_path), limit]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert output == (f"StoreError the server's store cannot be used ({reason})\n['small'] []\n")
