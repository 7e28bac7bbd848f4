"""Jobs whose result is of no use after a time that their request says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from google.rpc import code_pb2
from occscene.v1 import job_pb2

from occscene_server.engine.events import failed_event
from occscene_server.jobs.records import now


class Timeouts:
    """When jobs are over.

    Args:
        expire: called in the event loop with the id of each job whose time is over.
    """

    def __init__(self, expire: Callable[[str], None]) -> None:
        self._expire = expire
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._over: set[str] = set()

    def begin(self, job: job_pb2.Job) -> None:
        """Counts down for a job that has a timeout; from here on by a clock that cannot be set."""
        if job.HasField("expire_time"):
            total, left = (_seconds(job, since) for since in (job.create_time, now()))
            loop = asyncio.get_running_loop()
            self._timers[job.id] = loop.call_later(min(max(left, 0.0), total), self._end, job.id)

    def end(self, job_id: str) -> None:
        """Forgets a job."""
        self._over.discard(job_id)
        if timer := self._timers.pop(job_id, None):
            timer.cancel()

    def close(self) -> None:
        """Forgets all."""
        for job_id in list(self._timers):
            self.end(job_id)

    def is_over(self, job_id: str) -> bool:
        """Whether a job that has not ended should have."""
        return job_id in self._over

    def ending(self, job: job_pb2.Job, event: job_pb2.JobEvent) -> job_pb2.JobEvent:
        """A running job's event; where its time was over, its cancellation is the failure that it stands for."""
        return timed_out(job) if event.HasField("cancelled") and self.is_over(job.id) else event

    def _end(self, job_id: str) -> None:
        self._over.add(job_id)
        self._expire(job_id)


def timed_out(job: job_pb2.Job) -> job_pb2.JobEvent:
    """The final event of a job whose time was over."""
    seconds = _seconds(job, job.create_time)
    number = f"{seconds:g}" if seconds < 100_000 else f"{seconds:,.0f}"
    text = f"the job had not ended {number} seconds after it was submitted"
    return failed_event("JOB_TIMEOUT", text, code_pb2.DEADLINE_EXCEEDED)


def _seconds(job: job_pb2.Job, since: object) -> float:
    return (job.expire_time.ToNanoseconds() - since.ToNanoseconds()) / 1e9  # type: ignore[attr-defined]
