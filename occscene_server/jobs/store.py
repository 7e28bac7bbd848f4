"""Jobs on disk: records in a database, large requests and results in files next to it, each with its checksum.

Everything is on the disk before the call that writes it returns (SQLite's WAL with synchronous=FULL; files are written,
synced and then renamed), so what was acknowledged survives the death of the process and of the machine. PostgreSQL and
an artifact store on the network can take SQLite's and the folder's place; several servers can then share the jobs.
"""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from occscene.v1 import job_pb2

from occscene_server.jobs.artifacts import FolderArtifacts, open_artifacts
from occscene_server.jobs.clock import StoreClock
from occscene_server.jobs.database import Database, faults
from occscene_server.jobs.disk import DISK_FULL, LEAST_FREE_BYTES, Reserve, checksum
from occscene_server.jobs.errors import StoreError, StoreFullError
from occscene_server.jobs.exchange import Exchange
from occscene_server.jobs.files import JobFiles
from occscene_server.jobs.sqlite_database import SqliteDatabase, opening
from occscene_server.jobs.stored_jobs import StoredJobs

FINAL_STATES = (job_pb2.JOB_STATE_SUCCEEDED, job_pb2.JOB_STATE_FAILED, job_pb2.JOB_STATE_CANCELLED)
_INLINE_BYTES = 16 * 1024  # up to this size a request or an event lies in the database, a larger one in a file

_CLOCK_SECONDS = 60.0  # after which the store's clock is written down

Written = TypeVar("Written")


@dataclass(frozen=True)
class StoreLimits:
    """How much is kept; beyond it the jobs that ended first are deleted.

    Args:
        size: bytes of the requests and results of all jobs together.
        age: seconds since a job ended, by the store's own clock.
    """

    size: int = 10 * 2**30
    age: float = 30 * 86_400.0


class JobStore(StoredJobs):
    """The jobs in one folder, or in a database that servers share. The server's event loop is its only user.

    Files are read and written by the methods that are awaited, which hold up nothing else. Every method raises
    StoreDamagedError where what it reads is not what was written, StoreFullError where it writes and the disk has no
    room, and StoreError where the disk refuses otherwise; a write that fails has changed nothing.

    Args:
        folder: made where it is missing; holds `jobs.sqlite`, `reserve`, and in `blobs` a folder per job.
        limits: how much is kept.
        database: URL of a PostgreSQL database in the place of `jobs.sqlite`.
        artifacts: URL of a store in the place of `blobs`, as fsspec has it.

    Raises:
        StoreInUseError: another process has opened the folder.
        StoreError: the folder or the database cannot be used; the message names it and says what to do.
    """

    def __init__(
        self, folder: Path, limits: StoreLimits | None = None, database: str = "", artifacts: str = ""
    ) -> None:
        self.folder = folder
        self.limits = limits or StoreLimits()
        self._kept_until = 0.0  # by the store's clock: then it is to be kept again
        self._needed = 0  # bytes that the latest job without room would have taken
        self._orphans: set[str] = set()  # ids of which there are files and no job, when it was looked last
        with opening(folder):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            blobs = open_artifacts(artifacts) if artifacts else FolderArtifacts(folder / "blobs")
            self._reserve = Reserve(folder / "reserve")
            opened: Database = _open_postgres(database) if database else SqliteDatabase(folder / "jobs.sqlite")
            super().__init__(opened, JobFiles(blobs, folder, is_near=not artifacts))
            try:
                self._size = self._total()
                self._clock = StoreClock(self._last_seen())
                if not self._db.is_shared:
                    blobs.sweep(self._ids())
                for path in folder.glob("*.part"):
                    path.unlink()
            except BaseException:
                self._db.close()
                raise
        self.exchange = Exchange(self._db)
        """What is told to other servers on the database."""
        self.leads = not self._db.is_shared
        """Whether this server hands out the jobs."""
        self._reserve.take()

    def close(self) -> None:
        """Releases the folder, or the lead."""
        if self.leads:
            with contextlib.suppress(StoreError):  # results then age a little less
                self._keep_time()
        self._files.close()
        self._db.close()

    def take_lead(self) -> bool:
        """Whether this server hands out the jobs from now on: it has them to itself, or no other server does so."""
        if not self.leads:
            with faults(self._db):
                self.leads = self._db.take_lead()
                if self.leads:
                    self._clock = StoreClock(self._last_seen())
                    self.exchange.forget()
        return self.leads

    def is_there(self) -> bool:
        """Whether the store answers; if not, another server may have taken the lead."""
        return self._db.is_there()

    @property
    def size(self) -> int:
        """Bytes that the requests and results of all jobs take."""
        return self._size

    def disk(self) -> tuple[int, int]:
        """Bytes of the store's disk that are used, and that it has.

        Raises:
            OSError: it does not answer.
        """
        usage = shutil.disk_usage(self.folder)
        return usage.total - usage.free, usage.total

    def has_room(self) -> bool:
        """Whether there is likely space for a job's results; checks the disk again if there was none."""
        if not self._reserve.take() or shutil.disk_usage(self.folder).free < max(self._needed, LEAST_FREE_BYTES):
            return False
        self._needed = 0
        return True

    async def create(self, job: job_pb2.Job, request: bytes, admit: Callable[[], None] = lambda: None) -> None:
        """Stores a new job and its serialised SubmitJobRequest, at the cost of old jobs where there is no room.

        Args:
            job: its record.
            request: what was asked.
            admit: called when it is about to be stored, and no other server stores one; what it raises refuses the job.
        """
        await self.prune(len(request))
        if self._size + len(request) > self.limits.size:
            raise StoreFullError(
                f"the jobs that have not ended take {self._size:,} of the {self.limits.size:,} bytes of the store"
            )
        if not self._reserve.take():
            raise StoreFullError(DISK_FULL)
        record = job.SerializeToString()
        sums = checksum(record), checksum(request)
        async with self._filed(job.id, "request", request) as inline:
            with self._writing(alone=True):
                admit()
                self._db.execute(
                    "INSERT INTO jobs (id, request_id, client, state, bytes, record, request, record_sum, request_sum)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                    (job.id, job.request_id, job.client, job.state, len(request), record, inline, *sums),
                )
                self._db.notify("submitted", job.id)
        self._size += len(request)

    def save(self, job: job_pb2.Job, attempts: int = 0) -> None:
        """Stores a job's changed record, and adds to the number of times that it began to run."""
        with self._writing():
            self._save(job, attempts)

    def mark_cancelled(self, job_id: str) -> None:
        """Marks a job as not to run again."""
        self._surely(lambda: self._mark_cancelled(job_id))

    async def append(self, job: job_pb2.Job, event: job_pb2.JobEvent) -> None:
        """Stores an event of any size together with the job's record that it changed."""
        data = event.SerializeToString()
        with self._noting_need(job, data):
            async with self._filed(job.id, str(event.sequence), data) as inline:
                self._append(job, event.sequence, data, inline)

    def append_inline(self, job: job_pb2.Job, event: job_pb2.JobEvent) -> None:
        """Stores an event that needs no file, at once; a final one may take the reserve."""
        data = event.SerializeToString()
        with self._noting_need(job, data):
            if job.state in FINAL_STATES:
                self._surely(lambda: self._append(job, event.sequence, data, data))
            else:
                self._append(job, event.sequence, data, data)

    async def delete(self, job_id: str) -> None:
        """Deletes a job, its request and its results; on a full disk too."""
        try:
            freed = self._surely(lambda: self._delete(job_id))
        except StoreFullError:
            await self._files.remove(job_id)  # its own files make the room
            freed = self._delete(job_id)
        self._size -= freed
        await self._files.remove(job_id)
        if not self._reserve.held:
            with faults(self._db):
                self._db.give_back()
            self._reserve.take()

    async def prune(self, room: int = 0) -> None:
        """Deletes what ended too long ago, then the jobs that ended first until `room` more bytes fit.

        The job that ended last stays whatever its size, since a client is about to fetch it. A server that does not
        lead leaves what is too old to the one that does.
        """
        if self.leads and self._clock.now() > self._kept_until:
            self._keep_time()
        if self._db.is_shared:
            with faults(self._db):
                self._size = self._total()
        oldest = self._clock.now() - self.limits.age if self.leads else 0.0
        while rows := self._rows("SELECT id, ended FROM jobs WHERE ended IS NOT NULL ORDER BY ended, number LIMIT 2"):
            job_id, ended = rows[0]
            too_much = self._size + room > self.limits.size and len(rows) == 2
            if ended >= oldest and not too_much:
                return
            await self.delete(job_id)

    async def sweep(self) -> None:
        """Removes the files of no job, where other servers may write some now: those that were of none before, too."""
        found = await self._files.jobs()
        with faults(self._db):
            orphans = found - self._ids()
        for job_id in orphans & self._orphans:
            await self._files.remove(job_id)
        self._orphans = orphans

    def _total(self) -> int:
        """Bytes of all jobs."""
        return int(self._db.execute("SELECT coalesce(sum(bytes), 0) FROM jobs").fetchone()[0])

    def _ids(self) -> set[str]:
        return {row[0] for row in self._db.execute("SELECT id FROM jobs")}

    def _last_seen(self) -> float | None:
        """What the store's clock said last; in a store of a version without one, when the last job ended."""
        ((kept, ended),) = self._db.execute("SELECT (SELECT max(seconds) FROM clock), (SELECT max(ended) FROM jobs)")
        return kept if kept is not None or ended is None else min(ended, time.time())

    def _keep_time(self) -> None:
        with self._writing():
            self._db.execute("DELETE FROM clock")
            self._db.execute("INSERT INTO clock VALUES (?)", (self._clock.now(),))
        self._kept_until = self._clock.now() + _CLOCK_SECONDS

    def _surely(self, write: Callable[[], Written]) -> Written:
        """Writes, and if the disk is full, again in the space of the reserve."""
        try:
            return write()
        except StoreFullError:
            if not self._reserve.release():
                raise
            return write()

    @contextmanager
    def _writing(self, alone: bool = False) -> Iterator[None]:
        """A transaction that is undone when the database refuses any part of it."""
        with faults(self._db), self._db.transaction(alone):
            yield

    @asynccontextmanager
    async def _filed(self, job_id: str, name: str, data: bytes) -> AsyncIterator[bytes | None]:
        """Writes what is too large for the database to a file, which is removed again if the block raises.

        Yields what is to lie in the database: `data`, or None for a file.
        """
        if len(data) <= _INLINE_BYTES:
            yield data
            return
        await self._files.write(job_id, name, data)
        try:
            yield None
        except Exception:
            await self._files.remove(job_id, name)
            raise

    @contextmanager
    def _noting_need(self, job: job_pb2.Job, data: bytes) -> Iterator[None]:
        """Remembers how much room a job needs for which there is none."""
        try:
            yield
        except StoreFullError:
            self._needed = self._rows("SELECT bytes FROM jobs WHERE id = ?", job.id)[0][0] + len(data)
            raise

    def _mark_cancelled(self, job_id: str) -> None:
        with self._writing():
            self._db.execute("UPDATE jobs SET cancelled = 1 WHERE id = ?", (job_id,))
            self._db.notify("cancel", job_id)

    def _append(self, job: job_pb2.Job, sequence: int, data: bytes, inline: bytes | None) -> None:
        with self._writing():
            self._db.execute("INSERT INTO events VALUES (?, ?, ?, ?)", (job.id, sequence, inline, checksum(data)))
            self._db.execute("UPDATE jobs SET bytes = bytes + ? WHERE id = ?", (len(data), job.id))
            self._save(job)
            if job.state in FINAL_STATES:
                self.exchange.forget(job.id)
            self._db.notify("event", job.id)
        self._size += len(data)

    def _save(self, job: job_pb2.Job, attempts: int = 0) -> None:
        ended = self._clock.now() if job.HasField("end_time") else None
        record = job.SerializeToString()
        self._db.execute(
            "UPDATE jobs SET state = ?, attempts = attempts + ?, ended = ?, record = ?, record_sum = ? WHERE id = ?",
            (job.state, attempts, ended, record, checksum(record), job.id),
        )

    def _delete(self, job_id: str) -> int:
        """Deletes a job's rows and returns the bytes that it took."""
        with self._writing():
            row = self._db.execute("DELETE FROM jobs WHERE id = ? RETURNING bytes", (job_id,)).fetchone()
            self._db.notify("deleted", job_id)
        return 0 if row is None else int(row[0])


def _open_postgres(url: str) -> Database:
    try:
        from occscene_server.jobs.postgres_database import PostgresDatabase
    except ModuleNotFoundError as error:
        raise StoreError(f"--database needs psycopg ({error}); run: pip install 'occscene-server[cluster]'") from error
    return PostgresDatabase(url)
