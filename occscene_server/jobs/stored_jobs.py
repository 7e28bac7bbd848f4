"""What is read of stored jobs, each part checked against its checksum."""

from __future__ import annotations

import contextlib
import logging
from typing import Any

from google.protobuf.message import DecodeError
from occscene.v1 import job_pb2

from occscene_server.jobs.database import Database, faults
from occscene_server.jobs.disk import checksum
from occscene_server.jobs.errors import StoreDamagedError
from occscene_server.jobs.files import JobFiles

log = logging.getLogger(__name__)


class StoredJobs:
    """The reading half of the store; `JobStore` is the whole, and has the errors of all methods.

    Args:
        database: the jobs' records, and what is small.
        files: what is large.
    """

    def __init__(self, database: Database, files: JobFiles) -> None:
        self._db = database
        self._files = files

    def get(self, job_id: str) -> job_pb2.Job | None:
        """The job with that id."""
        return next(iter(self._jobs("WHERE id = ?", job_id)), None)

    def find(self, request_id: str) -> job_pb2.Job | None:
        """The job that was submitted under that request id."""
        return next(iter(self._jobs("WHERE request_id = ?", request_id)), None)

    def newest(self, limit: int, client: str | None = None) -> list[job_pb2.Job]:
        """At most `limit` jobs of one client, or of all, newest first."""
        if client is None:
            return self._jobs("ORDER BY number DESC LIMIT ?", limit)
        return self._jobs("WHERE client = ? ORDER BY number DESC LIMIT ?", client, limit)

    def unfinished(self) -> list[job_pb2.Job]:
        """Jobs that are queued or run, oldest first."""
        states = (job_pb2.JOB_STATE_QUEUED, job_pb2.JOB_STATE_RUNNING)
        return self._jobs("WHERE state IN (?, ?) ORDER BY number", *states)

    def waiting(self) -> dict[str, int]:
        """How many jobs of each client wait."""
        return dict(
            self._rows("SELECT client, count(*) FROM jobs WHERE state = ? GROUP BY client", job_pb2.JOB_STATE_QUEUED)
        )

    def count(self, state: job_pb2.JobState) -> int:
        """How many jobs are in a state."""
        return int(self._rows("SELECT count(*) FROM jobs WHERE state = ?", state)[0][0])

    async def request(self, job_id: str) -> bytes:
        """The serialised SubmitJobRequest of a job."""
        ((data, kept_sum),) = self._rows("SELECT request, request_sum FROM jobs WHERE id = ?", job_id)
        return await self._checked(data, kept_sum, job_id, "request")

    def is_request(self, job_id: str, request: bytes) -> bool:
        """Whether a job's serialised SubmitJobRequest is this one, byte by byte."""
        ((kept_sum,),) = self._rows("SELECT request_sum FROM jobs WHERE id = ?", job_id)
        return bool(kept_sum == checksum(request))

    def sequences(self, job_id: str, after: int) -> list[int]:
        """The sequence numbers of a job's stored events that are greater than `after`, rising."""
        rows = self._rows(
            "SELECT sequence FROM events WHERE job_id = ? AND sequence > ? ORDER BY sequence",
            *(job_id, min(after, 2**63 - 1)),
        )
        return [row[0] for row in rows]

    async def event(self, job_id: str, sequence: int) -> job_pb2.JobEvent | None:
        """One stored event; None where the job has been deleted."""
        rows = self._rows("SELECT payload, sum FROM events WHERE job_id = ? AND sequence = ?", job_id, sequence)
        if not rows:
            return None
        payload, kept_sum = rows[0]
        data = await self._checked(payload, kept_sum, job_id, str(sequence))
        try:
            return job_pb2.JobEvent.FromString(data)
        except DecodeError as error:  # a job of the version without checksums
            raise StoreDamagedError(f"event {sequence} of job {job_id} is damaged on the server's disk") from error

    def attempts(self, job_id: str) -> int:
        """How often a job began to run."""
        return int(self._rows("SELECT attempts FROM jobs WHERE id = ?", job_id)[0][0])

    def is_cancelled(self, job_id: str) -> bool:
        """Whether a job is marked not to run again."""
        return bool(self._rows("SELECT cancelled FROM jobs WHERE id = ?", job_id)[0][0])

    def _rows(self, query: str, *values: Any) -> list[Any]:
        with faults(self._db):
            return self._db.execute(query, values).fetchall()

    def _jobs(self, which: str, *values: Any) -> list[job_pb2.Job]:
        rows = self._rows(f"SELECT id, request_id, client, state, record, record_sum FROM jobs {which}", *values)
        return [self._job(*row) for row in rows]

    def _job(
        self, job_id: str, request_id: str, client: str, state: int, record: bytes, kept_sum: bytes | None
    ) -> job_pb2.Job:
        """A job's record; where it is damaged, what else the database has of it."""
        if kept_sum is None or checksum(record) == kept_sum:
            with contextlib.suppress(DecodeError):
                return job_pb2.Job.FromString(record)
        log.error("job %s: its record is damaged; its prompt and times are lost", job_id, extra={"job_id": job_id})
        last = max(self.sequences(job_id, 0), default=0)
        job = job_pb2.Job(id=job_id, request_id=request_id, client=client, last_sequence=last)
        job.state = state  # type: ignore[assignment]
        return job

    async def _checked(self, data: bytes | None, kept_sum: bytes | None, job_id: str, name: str) -> bytes:
        """What was stored, from the database or its file."""
        what = f"{'the request' if name == 'request' else f'event {name}'} of job {job_id}"
        if data is not None:
            found_sum = checksum(data)
        else:
            try:
                data, found_sum = await self._files.read(job_id, name)
            except FileNotFoundError as error:
                raise StoreDamagedError(f"{what} is missing on the server's disk") from error
        if kept_sum is not None and found_sum != kept_sum:
            raise StoreDamagedError(f"{what} is damaged on the server's disk")
        return data
