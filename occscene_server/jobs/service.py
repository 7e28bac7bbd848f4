"""The life of jobs: accepted, queued, run by an engine, watched, cancelled."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Protocol

from google.protobuf.timestamp_pb2 import Timestamp
from occscene.v1 import job_pb2, scene_service_pb2

from occscene_server.engine.events import failed_event
from occscene_server.jobs.store import FINAL_STATES, JobStore

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 2
"""A job that runs when the server dies runs once more and then fails."""


class Engine(Protocol):
    """What runs jobs."""

    async def ready(self) -> bool:
        """Waits until jobs can run (True), or it is known that they cannot."""

    async def run(
        self,
        job_id: str,
        request: bytes,
        emit: Callable[[job_pb2.JobEvent], None],
    ) -> None:
        """Runs a serialised SubmitJobRequest and emits its events, the last of them a final one."""

    def cancel(self, job_id: str) -> None:
        """Asks the engine to end a job that it runs; the job's final event tells when it has."""


class JobNotFoundError(LookupError):
    """There is no such job, or it was deleted."""


class QueueFullError(RuntimeError):
    """No further job may wait."""


class JobActiveError(RuntimeError):
    """The job is queued or runs."""


class JobService:
    """Takes jobs, runs them one after another, and tells watchers what happens.

    Everything happens in one event loop. Results and states are stored before anyone hears of them; previews, progress
    and places in the queue are kept in memory, the newest of each kind alone, so a slow watcher misses some of these.

    Args:
        store: where jobs are kept.
        engine: what runs them.
        max_queued: jobs that may wait.
    """

    def __init__(self, store: JobStore, engine: Engine, max_queued: int = 32) -> None:
        self._store = store
        self._engine = engine
        self.max_queued = max_queued
        self._active: dict[str, job_pb2.Job] = {}  # queued and running jobs, by id
        self._queue: deque[str] = deque()
        self._running: str | None = None
        self._passing: dict[str, dict[tuple[object, ...], job_pb2.JobEvent]] = {}  # newest events that are not stored
        self._news: dict[str, asyncio.Event] = {}  # set, and forgotten, at a job's next event
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._paused = False
        self._runner: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Takes up the jobs that an earlier process left behind, and begins to run."""
        for job in self._store.unfinished():
            self._active[job.id] = job
            if job.state == job_pb2.JOB_STATE_RUNNING and self._store.attempts(job.id) >= MAX_ATTEMPTS:
                reason = "the server died twice while this job ran"
                self._emit(job, failed_event("SERVER_RESTARTED", reason, "Try a smaller request, or see the log."))
                continue
            job.state = job_pb2.JOB_STATE_QUEUED
            self._queue.append(job.id)
            self._emit(job, job_pb2.JobEvent(queued=job_pb2.JobQueued(position=len(self._queue) - 1)))
        self._work.set()
        self._runner = asyncio.create_task(self._run_jobs(), name="jobs")

    async def drain(self) -> None:
        """Begins no further job, and waits until the running one has ended."""
        self._paused = True
        await self._idle.wait()

    async def stop(self) -> None:
        """Stops at once; a running job is put back into the queue, and all that wait are kept for the next start."""
        self._paused = True
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.gather(self._runner, return_exceptions=True)
        job = self._active.get(self._running or "")
        if job is not None:
            self._store.add_attempt(job.id, -1)
            job.state = job_pb2.JOB_STATE_QUEUED
            self._store.save(job)

    @property
    def queued(self) -> int:
        """Jobs that wait."""
        return len(self._queue)

    @property
    def running(self) -> int:
        """Jobs that run."""
        return int(self._running is not None)

    def find(self, request_id: str) -> job_pb2.Job | None:
        """The job that was submitted under a request id."""
        job = self._store.find(request_id) if request_id else None
        return self.get(job.id) if job else None

    def submit(self, request: scene_service_pb2.SubmitJobRequest) -> job_pb2.Job:
        """Stores a checked request as a new job; a repeated request id gives the job that there is.

        Raises:
            QueueFullError: too many jobs wait.
        """
        known = self.find(request.request_id)
        if known is not None:
            return known
        if len(self._queue) >= self.max_queued:
            raise QueueFullError(f"{len(self._queue)} jobs wait; the limit is {self.max_queued}")
        job = job_pb2.Job(
            id=uuid.uuid4().hex,
            request_id=request.request_id or str(uuid.uuid4()),
            kind=(
                job_pb2.JOB_KIND_GENERATE_SCENE
                if request.HasField("generate_scene")
                else job_pb2.JOB_KIND_PREDICT_OCCUPANCY
            ),
            state=job_pb2.JOB_STATE_QUEUED,
            prompt=request.generate_scene.prompt if request.HasField("generate_scene") else "",
            create_time=now(),
        )
        self._store.create(job, request.SerializeToString())
        self._active[job.id] = job
        self._queue.append(job.id)
        self._emit(job, job_pb2.JobEvent(queued=job_pb2.JobQueued(position=len(self._queue) - 1)))
        self._work.set()
        return self.get(job.id)

    def get(self, job_id: str) -> job_pb2.Job:
        """A copy of the job as it stands.

        Raises:
            JobNotFoundError: there is none.
        """
        job = self._active.get(job_id) or self._store.get(job_id)
        if job is None:
            raise JobNotFoundError(f"there is no job {job_id!r}; it was never accepted, or it was deleted")
        copy = job_pb2.Job()
        copy.CopyFrom(job)
        if job_id in self._queue:
            copy.queue_position = self._queue.index(job_id)
        return copy

    def newest(self, limit: int) -> list[job_pb2.Job]:
        """At most `limit` jobs, newest first."""
        return [self.get(job.id) for job in self._store.newest(limit)]

    def cancel(self, job_id: str) -> job_pb2.Job:
        """Ends a queued job now, or asks the engine to end a running one; a finished one stays as it is.

        Raises:
            JobNotFoundError: there is none.
        """
        if job_id in self._queue:
            self._queue.remove(job_id)
            self._emit(self._active[job_id], job_pb2.JobEvent(cancelled=job_pb2.JobCancelled()))
            self._tell_positions()
        elif job_id == self._running:
            self._engine.cancel(job_id)
        return self.get(job_id)

    def delete(self, job_id: str) -> None:
        """Forgets a finished job.

        Raises:
            JobNotFoundError: there is none.
            JobActiveError: it is queued or runs.
        """
        job = self.get(job_id)
        if job.state not in FINAL_STATES:
            raise JobActiveError(f"job {job_id} has not ended; cancel it first")
        self._store.delete(job_id)
        self._notify(job_id)

    async def watch(self, job_id: str, after: int) -> AsyncIterator[job_pb2.JobEvent]:
        """Yields a job's events with sequence numbers above `after`, past and future, until the final one.

        Raises:
            JobNotFoundError: there is none, or it is deleted meanwhile.
        """
        while True:
            job = self.get(job_id)
            news = self._news.setdefault(job_id, asyncio.Event())
            passing = {event.sequence: event for event in self._passing.get(job_id, {}).values()}
            sequences = [*self._store.sequences(job_id, after), *(s for s in passing if s > after)]
            for sequence in sorted(sequences):
                event = passing.get(sequence) or self._store.event(job_id, sequence)
                if event is None:
                    break
                yield event
                after = sequence
            if not sequences:
                if job.state in FINAL_STATES:
                    self._news.pop(job_id, None)
                    return
                await news.wait()

    async def _run_jobs(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            while self._queue and not self._paused:
                if not await self._engine.ready():
                    return  # what waits is kept for a start with a model that works
                if not self._queue or self._paused:
                    break
                self._running = self._queue.popleft()
                self._idle.clear()
                await self._run(self._active[self._running])
                self._running = None
                self._idle.set()

    async def _run(self, job: job_pb2.Job) -> None:
        self._tell_positions()
        self._store.add_attempt(job.id, 1)
        job.state = job_pb2.JOB_STATE_RUNNING
        job.start_time.CopyFrom(now())
        self._store.save(job)
        try:
            await self._engine.run(job.id, self._store.request(job.id), lambda event: self._emit(job, event))
        except Exception as error:
            log.exception("job %s: the engine failed", job.id)
            if job.state == job_pb2.JOB_STATE_RUNNING:
                self._emit(job, failed_event("INTERNAL", f"{type(error).__name__}: {error}", "See the server's log."))
        self._store.prune()

    def _tell_positions(self) -> None:
        for position, job_id in enumerate(self._queue):
            self._emit(self._active[job_id], job_pb2.JobEvent(queued=job_pb2.JobQueued(position=position)))

    def _emit(self, job: job_pb2.Job, event: job_pb2.JobEvent) -> None:
        """Numbers an event, stores it or keeps it in memory, and wakes the watchers."""
        job.last_sequence += 1
        event.sequence = job.last_sequence
        event.time.CopyFrom(now())
        kind = event.WhichOneof("kind")
        if kind in ("succeeded", "failed", "cancelled"):
            job.state = {
                "succeeded": job_pb2.JOB_STATE_SUCCEEDED,
                "failed": job_pb2.JOB_STATE_FAILED,
                "cancelled": job_pb2.JOB_STATE_CANCELLED,
            }[kind]
            job.end_time.CopyFrom(event.time)
            if kind == "failed":
                job.failure.CopyFrom(event.failed.failure)
            self._store.append(job, event)
            self._active.pop(job.id, None)
            self._passing.pop(job.id, None)
            log.info("job %s: %s", job.id, kind)
        elif kind in ("preview", "queued", "progress"):
            key = (kind, event.preview.view) if kind == "preview" else (kind,)
            self._passing.setdefault(job.id, {})[key] = event
            self._store.save(job)  # a watcher who returns after a restart must find larger numbers than it has seen
        else:
            self._store.append(job, event)
        self._notify(job.id)

    def _notify(self, job_id: str) -> None:
        news = self._news.pop(job_id, None)
        if news is not None:
            news.set()


def now() -> Timestamp:
    """The present as a message."""
    stamp = Timestamp()
    stamp.GetCurrentTime()
    return stamp
