"""Jobs on disk: records in SQLite, large requests and results in files beside it.

Everything is on the disk before the call that writes it returns (WAL with synchronous=FULL; files are written, synced
and then renamed), so what was acknowledged survives the death of the process and of the machine.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from occscene.v1 import job_pb2

from occscene_server.jobs.errors import StoreFullError, StoreInUseError

FINAL_STATES = (job_pb2.JOB_STATE_SUCCEEDED, job_pb2.JOB_STATE_FAILED, job_pb2.JOB_STATE_CANCELLED)
_INLINE_BYTES = 16 * 1024  # up to this size a request or an event lies in the database, a larger one in a file
_VERSION = 2  # of the schema

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    request_id TEXT NOT NULL UNIQUE,
    state INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    ended REAL,
    bytes INTEGER NOT NULL,
    record BLOB NOT NULL,
    request BLOB
);
CREATE INDEX IF NOT EXISTS jobs_ended ON jobs (ended) WHERE ended IS NOT NULL;
CREATE TABLE IF NOT EXISTS events (
    job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    sequence INTEGER NOT NULL,
    payload BLOB,
    PRIMARY KEY (job_id, sequence)
) WITHOUT ROWID;
"""


@dataclass(frozen=True)
class StoreLimits:
    """How much is kept; beyond it the jobs that ended first are deleted.

    Args:
        size: bytes of the requests and results of all jobs together.
        age: seconds since a job ended.
    """

    size: int = 10 * 2**30
    age: float = 30 * 86_400.0


class JobStore:
    """The jobs in one folder. Not thread-safe: the server's event loop is the only user.

    Args:
        folder: made where it is missing; holds `jobs.sqlite`, and in `blobs` a folder per job.
        limits: how much is kept.

    Raises:
        StoreInUseError: another process has opened the folder.
        ValueError: the folder was written by another version of this program.
    """

    def __init__(self, folder: Path, limits: StoreLimits | None = None) -> None:
        self.folder = folder
        self.limits = limits or StoreLimits()
        self._blobs = folder / "blobs"
        self._blobs.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._db = sqlite3.connect(folder / "jobs.sqlite", timeout=0.5, isolation_level=None)
        try:
            self._open()
        except sqlite3.OperationalError as error:
            self._db.close()
            if "locked" not in str(error):
                raise
            raise StoreInUseError(
                f"the store {folder} is in use by another server; stop that one or choose another folder"
            ) from error
        except ValueError:
            self._db.close()
            raise
        self._size = int(self._db.execute("SELECT coalesce(sum(bytes), 0) FROM jobs").fetchone()[0])
        self._sweep()

    def close(self) -> None:
        """Releases the folder."""
        self._db.close()

    @property
    def size(self) -> int:
        """Bytes that the requests and results of all jobs take."""
        return self._size

    def create(self, job: job_pb2.Job, request: bytes) -> None:
        """Stores a new job and its serialised SubmitJobRequest, at the cost of old jobs where there is no room.

        Raises:
            StoreFullError: jobs that have not ended take all the room, or the disk is full.
        """
        self.prune(len(request))
        if self._size + len(request) > self.limits.size:
            raise StoreFullError(
                f"the jobs that have not ended take {self._size:,} of the {self.limits.size:,} bytes of the store"
            )
        with self._writing():
            inline = self._inline(job.id, "request", request)
            self._db.execute(
                "INSERT INTO jobs (id, request_id, state, bytes, record, request) VALUES (?, ?, ?, ?, ?, ?)",
                (job.id, job.request_id, job.state, len(request), job.SerializeToString(), inline),
            )
        self._size += len(request)

    def save(self, job: job_pb2.Job, attempts: int = 0) -> None:
        """Stores a job's changed record, and adds to the number of times that it began to run.

        Raises:
            StoreFullError: the disk is full.
        """
        with self._writing():
            self._save(job, attempts)

    def attempts(self, job_id: str) -> int:
        """How often a job began to run."""
        return int(self._db.execute("SELECT attempts FROM jobs WHERE id = ?", (job_id,)).fetchone()[0])

    def append(self, job: job_pb2.Job, event: job_pb2.JobEvent) -> None:
        """Stores an event together with the job's record that it changed.

        Raises:
            StoreFullError: the disk is full; nothing has changed.
        """
        data = event.SerializeToString()
        with self._writing():
            inline = self._inline(job.id, str(event.sequence), data)
            self._db.execute("INSERT INTO events VALUES (?, ?, ?)", (job.id, event.sequence, inline))
            self._db.execute("UPDATE jobs SET bytes = bytes + ? WHERE id = ?", (len(data), job.id))
            self._save(job)
        self._size += len(data)

    def get(self, job_id: str) -> job_pb2.Job | None:
        """The job with that id."""
        row = self._db.execute("SELECT record FROM jobs WHERE id = ?", (job_id,)).fetchone()
        return job_pb2.Job.FromString(row[0]) if row else None

    def find(self, request_id: str) -> job_pb2.Job | None:
        """The job that was submitted under that request id."""
        row = self._db.execute("SELECT record FROM jobs WHERE request_id = ?", (request_id,)).fetchone()
        return job_pb2.Job.FromString(row[0]) if row else None

    def newest(self, limit: int) -> list[job_pb2.Job]:
        """At most `limit` jobs, newest first."""
        rows = self._db.execute("SELECT record FROM jobs ORDER BY number DESC LIMIT ?", (limit,))
        return [job_pb2.Job.FromString(row[0]) for row in rows]

    def unfinished(self) -> list[job_pb2.Job]:
        """Jobs that are queued or run, oldest first."""
        rows = self._db.execute(
            "SELECT record FROM jobs WHERE state IN (?, ?) ORDER BY number",
            (job_pb2.JOB_STATE_QUEUED, job_pb2.JOB_STATE_RUNNING),
        )
        return [job_pb2.Job.FromString(row[0]) for row in rows]

    def request(self, job_id: str) -> bytes:
        """The serialised SubmitJobRequest of a job."""
        (data,) = self._db.execute("SELECT request FROM jobs WHERE id = ?", (job_id,)).fetchone()
        return data if data is not None else (self._blobs / job_id / "request").read_bytes()

    def sequences(self, job_id: str, after: int) -> list[int]:
        """The sequence numbers of a job's stored events that are greater than `after`, rising."""
        rows = self._db.execute(
            "SELECT sequence FROM events WHERE job_id = ? AND sequence > ? ORDER BY sequence",
            (job_id, min(after, 2**63 - 1)),
        )
        return [row[0] for row in rows]

    def event(self, job_id: str, sequence: int) -> job_pb2.JobEvent | None:
        """One stored event; None where the job has been deleted."""
        row = self._db.execute(
            "SELECT payload FROM events WHERE job_id = ? AND sequence = ?", (job_id, sequence)
        ).fetchone()
        if row is None:
            return None
        data = row[0] if row[0] is not None else (self._blobs / job_id / str(sequence)).read_bytes()
        return job_pb2.JobEvent.FromString(data)

    def delete(self, job_id: str) -> None:
        """Forgets a job, its request and its results."""
        with self._writing():
            row = self._db.execute("DELETE FROM jobs WHERE id = ? RETURNING bytes", (job_id,)).fetchone()
        if row is not None:
            self._size -= row[0]
        shutil.rmtree(self._blobs / job_id, ignore_errors=True)

    def prune(self, room: int = 0) -> None:
        """Deletes what ended too long ago, then the jobs that ended first until `room` more bytes fit.

        The job that ended last stays whatever its size, for someone is about to fetch it.
        """
        first_two = "SELECT id, ended FROM jobs WHERE ended IS NOT NULL ORDER BY ended, number LIMIT 2"
        oldest = time.time() - self.limits.age
        while rows := self._db.execute(first_two).fetchall():
            job_id, ended = rows[0]
            too_much = self._size + room > self.limits.size and len(rows) == 2
            if ended >= oldest and not too_much:
                return
            self.delete(job_id)

    def _open(self) -> None:
        # An exclusive lock, held until `close` or death, keeps a second server away from the same queue.
        self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        self._db.execute("PRAGMA foreign_keys=ON")
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        tables = self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables and version != _VERSION:
            raise ValueError(
                f"the store {self.folder} was written by another version of this program; choose another folder"
            )
        self._db.executescript(_SCHEMA)
        self._db.execute(f"PRAGMA user_version={_VERSION}")

    def _sweep(self) -> None:
        """Removes the files of writes that a dying process left half done."""
        known = {row[0] for row in self._db.execute("SELECT id FROM jobs")}
        for path in self._blobs.iterdir():
            if path.name not in known:
                shutil.rmtree(path, ignore_errors=True)
        for path in self._blobs.glob("*/*.part"):
            path.unlink()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A transaction that is undone when the disk refuses any part of it."""
        try:
            with self._db:
                self._db.execute("BEGIN")
                yield
        except (OSError, sqlite3.OperationalError) as error:
            raise StoreFullError(f"the server cannot write to its store: {error}") from error

    def _save(self, job: job_pb2.Job, attempts: int = 0) -> None:
        ended = job.end_time.ToMicroseconds() / 1e6 if job.HasField("end_time") else None
        self._db.execute(
            "UPDATE jobs SET state = ?, attempts = attempts + ?, ended = ?, record = ? WHERE id = ?",
            (job.state, attempts, ended, job.SerializeToString(), job.id),
        )

    def _inline(self, job_id: str, name: str, data: bytes) -> bytes | None:
        """The data where it is to lie in the database; a large one is written to a file, whole or not at all."""
        if len(data) <= _INLINE_BYTES:
            return data
        folder = self._blobs / job_id
        if not folder.is_dir():
            folder.mkdir()
            _sync_folder(self._blobs)
        part = folder / f"{name}.part"
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(folder / name)
        _sync_folder(folder)
        return None


def _sync_folder(folder: Path) -> None:
    """Puts the folder's entries themselves onto the disk."""
    if os.name == "nt":
        return  # Windows cannot open a folder, and journals its entries itself
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
