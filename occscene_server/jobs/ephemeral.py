"""Ephemeral jobs: of use only to those who watch them."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

from occscene.v1 import job_pb2

from occscene_server.jobs.errors import StoreError

log = logging.getLogger(__name__)

UNWATCHED_SECONDS = 5.0
"""How long an ephemeral job stays while nobody watches it: a connection that broke is there again by then."""

_AGAIN_SECONDS = 1.0
"""After which a job that runs, or could not be forgotten, is looked at again."""


class EphemeralJobs:
    """Which jobs are ephemeral, and how many watch each.

    Args:
        forget: ends and deletes a job, and says whether it is gone; called in the event loop.
    """

    def __init__(self, forget: Callable[[str], Awaitable[bool]]) -> None:
        self._forget = forget
        self._watchers: Counter[str] = Counter()
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, job: job_pb2.Job, seconds: float | None = None) -> None:
        """Counts down for a job if it is ephemeral; without `seconds` as for a new one."""
        if job.ephemeral:
            self._wait(job.id, UNWATCHED_SECONDS if seconds is None else seconds)

    @contextmanager
    def watched(self, job: job_pb2.Job) -> Iterator[None]:
        """While it lasts, one more watches the job."""
        if not job.ephemeral:
            yield
            return
        self._watchers[job.id] += 1
        self._stop(job.id)
        try:
            yield
        finally:
            self._watchers[job.id] -= 1
            if not self._watchers[job.id]:
                del self._watchers[job.id]
                self._wait(job.id, UNWATCHED_SECONDS)

    def end(self, job_id: str) -> None:
        """Counts down no longer: the job is gone."""
        self._stop(job_id)

    def close(self) -> None:
        """Counts down for none: the next start forgets them."""
        for job_id in list(self._timers):
            self._stop(job_id)
        for task in self._tasks:
            task.cancel()

    def _wait(self, job_id: str, seconds: float) -> None:
        self._stop(job_id)
        self._timers[job_id] = asyncio.get_running_loop().call_later(seconds, self._unwatched, job_id)

    def _stop(self, job_id: str) -> None:
        if timer := self._timers.pop(job_id, None):
            timer.cancel()

    def _unwatched(self, job_id: str) -> None:
        del self._timers[job_id]
        task = asyncio.create_task(self._try_to_forget(job_id), name=f"forget {job_id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _try_to_forget(self, job_id: str) -> None:
        try:
            is_gone = await self._forget(job_id)
        except StoreError as error:
            log.warning("job %s: it is ephemeral and cannot be forgotten yet: %s", job_id, error)
            is_gone = False
        if not is_gone and not self._watchers[job_id]:
            self._wait(job_id, _AGAIN_SECONDS)
