"""Jobs on disk: records in SQLite, requests and results in files beside it.

Everything is written before the call that writes it returns, so what was acknowledged survives the death of the
process (WAL with synchronous=NORMAL: also of the machine, but for the last moments before a loss of power).
"""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

from occscene.v1 import job_pb2

FINAL_STATES = (job_pb2.JOB_STATE_SUCCEEDED, job_pb2.JOB_STATE_FAILED, job_pb2.JOB_STATE_CANCELLED)
_INLINE_BYTES = 4096  # an event up to this size lies in the database, a larger one in a file

_SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    request_id TEXT NOT NULL UNIQUE,
    state INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    record BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS events (
    job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    sequence INTEGER NOT NULL,
    payload BLOB,
    PRIMARY KEY (job_id, sequence)
) WITHOUT ROWID;
"""


class StoreInUseError(RuntimeError):
    """Another process has opened the store."""


class JobStore:
    """The jobs in one folder. Not thread-safe: the server's event loop is the only user.

    Args:
        folder: made where it is missing; holds `jobs.sqlite` and a folder per job.
        max_finished: finished jobs that are kept; the oldest beyond this number are deleted.

    Raises:
        StoreInUseError: another process has opened the folder.
    """

    def __init__(self, folder: Path, max_finished: int = 200) -> None:
        self.folder = folder
        self.max_finished = max_finished
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._db = sqlite3.connect(folder / "jobs.sqlite", timeout=0.5, isolation_level=None)
        try:
            # An exclusive lock, held until `close` or death, keeps a second server away from the same queue.
            self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute("PRAGMA foreign_keys=ON")
            self._db.executescript(_SCHEMA)
        except sqlite3.OperationalError as error:
            self._db.close()
            if "locked" not in str(error):
                raise
            raise StoreInUseError(
                f"the store {folder} is in use by another server; stop that one or choose another folder"
            ) from error

    def close(self) -> None:
        """Releases the folder."""
        self._db.close()

    def create(self, job: job_pb2.Job, request: bytes) -> None:
        """Stores a new job and its serialised SubmitJobRequest."""
        self._write_file(job.id, "request", request)
        self._db.execute(
            "INSERT INTO jobs (id, request_id, state, record) VALUES (?, ?, ?, ?)",
            (job.id, job.request_id, job.state, job.SerializeToString()),
        )

    def save(self, job: job_pb2.Job) -> None:
        """Stores a job's changed record."""
        self._db.execute(
            "UPDATE jobs SET state = ?, record = ? WHERE id = ?", (job.state, job.SerializeToString(), job.id)
        )

    def add_attempt(self, job_id: str, count: int) -> None:
        """Adds `count` to the number of times that a job began to run."""
        self._db.execute("UPDATE jobs SET attempts = attempts + ? WHERE id = ?", (count, job_id))

    def attempts(self, job_id: str) -> int:
        """How often a job began to run."""
        return int(self._db.execute("SELECT attempts FROM jobs WHERE id = ?", (job_id,)).fetchone()[0])

    def append(self, job: job_pb2.Job, event: job_pb2.JobEvent) -> None:
        """Stores an event together with the job's record that it changed."""
        data: bytes | None = event.SerializeToString()
        if data is not None and len(data) > _INLINE_BYTES:
            self._write_file(job.id, str(event.sequence), data)
            data = None
        self._db.execute("BEGIN")
        self._db.execute("INSERT INTO events VALUES (?, ?, ?)", (job.id, event.sequence, data))
        self.save(job)
        self._db.execute("COMMIT")

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
        return (self.folder / job_id / "request").read_bytes()

    def sequences(self, job_id: str, after: int) -> list[int]:
        """The sequence numbers of a job's stored events that are greater than `after`, rising."""
        rows = self._db.execute(
            "SELECT sequence FROM events WHERE job_id = ? AND sequence > ? ORDER BY sequence", (job_id, after)
        )
        return [row[0] for row in rows]

    def event(self, job_id: str, sequence: int) -> job_pb2.JobEvent | None:
        """One stored event; None where the job has been deleted."""
        row = self._db.execute(
            "SELECT payload FROM events WHERE job_id = ? AND sequence = ?", (job_id, sequence)
        ).fetchone()
        if row is None:
            return None
        data = row[0] if row[0] is not None else (self.folder / job_id / str(sequence)).read_bytes()
        return job_pb2.JobEvent.FromString(data)

    def delete(self, job_id: str) -> None:
        """Forgets a job, its request and its results."""
        self._db.execute("DELETE FROM jobs WHERE id = ?", (job_id,))
        shutil.rmtree(self.folder / job_id, ignore_errors=True)

    def prune(self) -> None:
        """Deletes the oldest finished jobs beyond `max_finished`."""
        rows = self._db.execute(
            "SELECT id FROM jobs WHERE state IN (?, ?, ?) ORDER BY number DESC LIMIT -1 OFFSET ?",
            (*FINAL_STATES, self.max_finished),
        ).fetchall()
        for (job_id,) in rows:
            self.delete(job_id)

    def _write_file(self, job_id: str, name: str, data: bytes) -> None:
        """Writes a file whole or not at all."""
        folder = self.folder / job_id
        folder.mkdir(exist_ok=True)
        part = folder / f"{name}.part"
        part.write_bytes(data)
        part.replace(folder / name)
