"""What clients ask of jobs: to be taken, watched, cancelled, deleted."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from functools import partial

from occscene.v1 import job_pb2, scene_service_pb2

from occscene_server.engine.interface import Engine
from occscene_server.jobs.callers import ANYONE, Caller
from occscene_server.jobs.ephemeral import EphemeralJobs
from occscene_server.jobs.errors import (
    JobActiveError,
    JobNotFoundError,
    ModelNotLoadedError,
    QueueFullError,
    RequestIdUsedError,
    ShuttingDownError,
    StoreDamagedError,
    StoreError,
)
from occscene_server.jobs.records import new_job
from occscene_server.jobs.runner import JobRunner, Observer
from occscene_server.jobs.store import FINAL_STATES, JobStore

log = logging.getLogger(__name__)

_RECENT = 1000  # jobs, the newest, among which a start looks for ephemeral ones: they came just before the last end
_ANSWER_SECONDS = 5.0  # for the leader to answer a cancel that another server takes


class _RepeatedError(Exception):
    """The request id has been used in the meantime."""


class JobService(JobRunner):
    """Takes jobs, runs them in turn, and sends their events to watchers.

    A job of another client than the caller's is not there for the caller, unless it sees those of all. Of several
    servers on one store each answers every call, and the leader runs the jobs.

    Args:
        store: where jobs are kept.
        engine: what runs them.
        max_queued: jobs that may wait.
        max_queued_each: jobs of one client that may.
        observe: called with every job and event, after the job's record has changed.
        on_leader: called when the leader, another server, says how its engine stands.
    """

    def __init__(
        self,
        store: JobStore,
        engine: Engine,
        max_queued: int = 64,
        max_queued_each: int = 32,
        observe: Observer = lambda job, event: None,
        on_leader: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(store, engine, observe)
        self._on_leader = on_leader
        self._leader = scene_service_pb2.GetServerInfoResponse(state=scene_service_pb2.SERVER_STATE_LOADING)
        self.max_queued, self.max_queued_each = max_queued, max_queued_each
        self._ephemeral = EphemeralJobs(self._forget)
        self.watchers = 0
        """Calls that follow a job."""

    def listen(self) -> None:
        """Begins to heed other servers on the same store; call it in the event loop, before calls are taken.

        Raises:
            StoreError: the store refuses.
        """
        self._store.exchange.listen(self._on_notice)
        self._hear_leader()

    def engine_info(self) -> scene_service_pb2.GetServerInfoResponse:
        """How the engine stands that runs the jobs, here or at the leader: state, message, device and models."""
        return super().engine_info() if self.leads else self._leader

    def counts(self) -> tuple[int, int]:
        """How many jobs wait, and how many run; of all servers.

        Raises:
            StoreError: the store cannot be read.
        """
        if self.leads:
            return self.queued, self.running
        return self._store.count(job_pb2.JOB_STATE_QUEUED), self._store.count(job_pb2.JOB_STATE_RUNNING)

    def start(self) -> None:
        """Takes up the jobs that an earlier process left behind, forgets ephemeral ones, and begins to run.

        Raises:
            StoreError: the list of jobs cannot be read.
        """
        super().start()
        for job in self._store.newest(_RECENT):
            self._ephemeral.begin(job, 0.0)

    async def stop(self) -> None:
        """Stops at once; see `JobRunner.stop`."""
        self._ephemeral.close()
        await super().stop()

    def find(self, request_id: str, caller: Caller = ANYONE) -> job_pb2.Job | None:
        """The job that was submitted under a request id."""
        job = self._store.find(request_id) if request_id else None
        return self.get(job.id) if job and caller.may_see(job) else None

    async def repeated(
        self, request: scene_service_pb2.SubmitJobRequest, caller: Caller = ANYONE
    ) -> job_pb2.Job | None:
        """The job that the same request made before; None for a new one.

        Raises:
            RequestIdUsedError: the request under that id was another.
        """
        job = self.find(request.request_id)
        if job is not None and not caller.may_see(job):
            raise RequestIdUsedError(f"request_id {request.request_id} was used by another client")
        if job is None or self._store.is_request(job.id, request.SerializeToString()):
            return job
        with contextlib.suppress(StoreDamagedError):  # then it counts as the same: the job says what is wrong
            kept = scene_service_pb2.SubmitJobRequest.FromString(await self._store.request(job.id))
            kept.request_id = request.request_id
            if kept != request:  # else the other bytes are those of another version
                raise RequestIdUsedError(
                    f"request_id {request.request_id} is that of job {job.id}, of which something else was asked"
                )
        return job

    async def submit(self, request: scene_service_pb2.SubmitJobRequest, caller: Caller = ANYONE) -> job_pb2.Job:
        """Stores a checked request as a new job; a repeated request id gives the job that there is.

        Raises:
            ShuttingDownError: no new jobs are taken.
            RequestIdUsedError: the request under that id was another.
            QueueFullError: too many jobs wait.
            StoreError: it cannot be stored, for lack of space or otherwise.
        """
        while (known := await self.repeated(request, caller)) is None:
            job = new_job(request, caller.name)
            with contextlib.suppress(_RepeatedError):
                self._admit(job)  # before anything is written
                await self._store.create(job, request.SerializeToString(), partial(self._admit, job))
                if self.leads:
                    self._take_up(job)
                self._ephemeral.begin(job)
                return self.get(job.id)
        return known

    def _admit(self, job: job_pb2.Job) -> None:
        """Raises why a job is not taken, if it is not; right before it is stored, and before its request is."""
        if self.draining:
            raise ShuttingDownError("the server is shutting down")
        if self._store.find(job.request_id) is not None:
            raise _RepeatedError
        waiting = self._store.waiting() if self._store.exchange.is_shared else self._queue.clients()
        total, of_client = sum(waiting.values()), waiting.get(job.client, 0)
        if total >= self.max_queued:
            raise QueueFullError(f"{total} jobs wait; the limit is {self.max_queued}", self._seconds_to_a_free_place())
        if of_client >= self.max_queued_each:
            raise QueueFullError(
                f"{of_client} jobs of yours wait; the limit for each client is {self.max_queued_each}",
                self._seconds_to_a_free_place(),
            )

    def get(self, job_id: str, caller: Caller = ANYONE) -> job_pb2.Job:
        """A copy of the job as it stands.

        Raises:
            JobNotFoundError: there is none.
        """
        job = self._active.get(job_id) or self._store.get(job_id)
        if job is None or not caller.may_see(job):
            raise JobNotFoundError(f"there is no job {job_id[:50]!r}; it was never accepted, or it was deleted")
        copy = job_pb2.Job()
        copy.CopyFrom(job)
        if job_id in self._queue:
            copy.queue_position = self._queue.position(job_id)
        elif job.state == job_pb2.JOB_STATE_QUEUED and not self.leads:
            places = [e.queued.position for e in self.feed.kept(job_id, 0).values() if e.HasField("queued")]
            copy.queue_position = places[0] if places else 0
        return copy

    async def request(self, job_id: str) -> bytes:
        """The serialised SubmitJobRequest of a job that there is.

        Raises:
            StoreDamagedError: it is not what was stored.
        """
        return await self._store.request(job_id)

    def newest(self, limit: int, caller: Caller = ANYONE) -> list[job_pb2.Job]:
        """At most `limit` jobs of the caller's, newest first."""
        return [self.get(job.id) for job in self._store.newest(limit, None if caller.sees_all else caller.name)]

    async def cancel(self, job_id: str, caller: Caller = ANYONE) -> job_pb2.Job:
        """Ends a queued job now, or asks the engine to end a running one, which will not run again whatever happens;
        a finished one stays as it is.

        Raises:
            JobNotFoundError: there is none.
            StoreError: that cannot be stored, and is not done.
        """
        job = self.get(job_id, caller)
        if self.leads:
            self._end(job_id)
        elif job.state not in FINAL_STATES:
            self._store.mark_cancelled(job_id)  # which the leader hears
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_ANSWER_SECONDS):
                    await self._until_begun(job_id)
        return self.get(job_id)

    async def delete(self, job_id: str, caller: Caller = ANYONE) -> None:
        """Deletes a finished job.

        Raises:
            JobNotFoundError: there is none.
            JobActiveError: it is queued or runs.
        """
        job = self.get(job_id, caller)
        if job.state not in FINAL_STATES:
            raise JobActiveError(f"job {job_id} has not ended; cancel it first")
        await self._store.delete(job_id)
        self._ephemeral.end(job_id)
        self._work.set()  # there may be room now
        self.feed.forget(job_id)
        self.feed.notify(job_id)

    async def watch(self, job_id: str, after: int, caller: Caller = ANYONE) -> AsyncIterator[job_pb2.JobEvent]:
        """Yields a job's events with sequence numbers above `after`, past and future, until the final one.

        Raises:
            JobNotFoundError: there is none, or it is deleted meanwhile.
            ModelNotLoadedError: the job waits for a model that cannot be loaded.
            ShuttingDownError: the server ends before the job does.
            StoreDamagedError: a result is not what was stored.
        """
        self.watchers += 1
        try:
            with self._ephemeral.watched(self.get(job_id, caller)):
                async with contextlib.aclosing(self._follow(job_id, after, caller)) as events:
                    async for event in events:
                        yield event
        finally:
            self.watchers -= 1

    async def _follow(self, job_id: str, after: int, caller: Caller) -> AsyncGenerator[job_pb2.JobEvent]:
        while True:
            job = self.get(job_id, caller)
            changed = self.feed.changed(job_id)
            kept = self.feed.kept(job_id, after)
            sequences = sorted([*self._store.sequences(job_id, after), *kept])
            for sequence in sequences:
                event = kept.get(sequence) or await self._store.event(job_id, sequence)
                if event is None:
                    break
                yield event
                after = sequence
            if sequences:
                continue
            if job.state in FINAL_STATES:
                self.feed.notify(job_id)  # nothing will: other watchers look, and end as this one
                return
            if self._stopped:
                raise ShuttingDownError("the server is shutting down; the job is kept")
            engine = self.engine_info()
            if job.state == job_pb2.JOB_STATE_QUEUED and engine.state == scene_service_pb2.SERVER_STATE_FAILED:
                raise ModelNotLoadedError(f"{engine.message}; the job is kept")
            await changed.wait()

    def _on_notice(self, topic: str, job_id: str) -> None:
        """Heeds what another server has done."""
        try:
            if topic == "engine":
                self._hear_leader()
            elif topic == "submitted" and self.leads:
                self._take_up_stored(job_id)
            elif topic == "cancel" and self.leads:
                self._end(job_id)
            elif topic == "deleted":
                self._work.set()  # there may be room now
        except StoreError as error:  # the next leader heeds it
            log.error("job %s: %s", job_id, error, extra={"job_id": job_id})
        self.feed.notify(job_id)

    def _hear_leader(self) -> None:
        if not self.leads:
            self._leader = self._store.exchange.published()
            self.feed.notify_all()
            self._on_leader()

    def _take_up_stored(self, job_id: str) -> None:
        """Takes up a job that another server has stored, unless that has been done."""
        job = None if job_id in self._active else self._store.get(job_id)
        if job is not None and job.state == job_pb2.JOB_STATE_QUEUED:
            self._take_up(job)

    def _end(self, job_id: str) -> None:
        """Ends a job of the leader's that waits, and asks the engine to end one that runs."""
        self._take_up_stored(job_id)  # its notice may be on the way
        if job_id in self._queue:
            self._emit(self._active[job_id], job_pb2.JobEvent(cancelled=job_pb2.JobCancelled()))
            self._queue.remove(job_id)
            self._tell_positions()
        elif job_id in self._running:
            self._store.mark_cancelled(job_id)
            self._engine.cancel(job_id)

    async def _until_begun(self, job_id: str) -> None:
        """Waits while a job is queued."""
        while True:
            changed = self.feed.changed(job_id)
            if self.get(job_id).state != job_pb2.JOB_STATE_QUEUED:
                return
            await changed.wait()

    async def _forget(self, job_id: str) -> bool:
        """Cancels a job that has not ended, deletes one that has, and says whether it is gone."""
        with contextlib.suppress(JobNotFoundError):
            if (await self.cancel(job_id)).state not in FINAL_STATES:
                return False
            await self.delete(job_id)
        return True

    def _seconds_to_a_free_place(self) -> int:
        mean = sum(self._seconds) / len(self._seconds) if self._seconds else 10.0
        return round(min(max(mean / self._engine.capacity, 1.0), 60.0))
