"""Spans of jobs on the server: while they wait, and while they run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from occscene import tracing
from occscene.v1 import job_pb2


class JobTraces:
    """Keeps the context in which each job was submitted, and the span of its waiting; neither outlives the process."""

    def __init__(self) -> None:
        self._carriers: dict[str, tracing.Carrier] = {}
        self._waiting: dict[str, Any] = {}

    def wait(self, job: job_pb2.Job) -> None:
        """A job begins to wait: in the context of the present call, or in its own if it has waited before."""
        carrier = self._carriers.setdefault(job.id, tracing.carrier())
        if job.id not in self._waiting:
            self._waiting[job.id] = tracing.begun("queue", carrier, job_id=job.id, client=job.client)

    @contextlib.contextmanager
    def run(self, job: job_pb2.Job) -> Iterator[None]:
        """A job no longer waits, and runs for the time of the block."""
        tracing.finish(self._waiting.pop(job.id, None))
        with tracing.span("run", self._carriers.get(job.id, {}), job_id=job.id):
            yield

    def end(self, job_id: str) -> None:
        """Forgets a job that has ended."""
        self._carriers.pop(job_id, None)
        tracing.finish(self._waiting.pop(job_id, None))
