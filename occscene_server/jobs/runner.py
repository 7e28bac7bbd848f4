"""What becomes of jobs that were accepted: their turn, their runs, their end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable

from google.rpc import code_pb2
from occscene.events import FINAL_EVENTS
from occscene.v1 import job_pb2, scene_service_pb2

from occscene_server.engine.deaths import JobInterruptedError
from occscene_server.engine.events import failed_event
from occscene_server.engine.interface import Engine
from occscene_server.jobs.disk import DISK_FULL
from occscene_server.jobs.errors import StoreDamagedError, StoreError, StoreFullError
from occscene_server.jobs.feed import TRANSIENT, EventFeed, SharedFeed
from occscene_server.jobs.queue import FairQueue
from occscene_server.jobs.records import apply_event, now
from occscene_server.jobs.store import FINAL_STATES, JobStore
from occscene_server.jobs.timeouts import Timeouts, timed_out
from occscene_server.jobs.traces import JobTraces

log = logging.getLogger(__name__)

MAX_ATTEMPTS = 2
"""A job whose worker or server dies or hangs is retried once and then fails."""

_SEQUENCE_GAP = 2**16
"""More events than a job has in memory: after a restart, a watcher must find larger numbers than it has seen."""

_PRUNE_SECONDS = 600.0
_SWEEP_SECONDS = 3600.0  # far more than a submission takes
_ROOM_SECONDS = 5.0  # between two checks of a full disk
_STALL_SECONDS = 0.5  # between two checks of what is drained
Observer = Callable[[job_pb2.Job, job_pb2.JobEvent], None]


class JobRunner:
    """Hands jobs to an engine in turn, and decides about those that it does not bring to an end.

    Everything happens in one event loop. Results and states are stored before they are sent; of previews, progress and
    places in the queue only the newest of each kind are kept, so a slow watcher misses some of these. Of several
    servers on one store, the leader alone runs jobs, those included that the others have taken.

    Args:
        store: where jobs are kept.
        engine: what runs them.
        observe: called with every job and event, after the job's record has changed.
    """

    def __init__(self, store: JobStore, engine: Engine, observe: Observer) -> None:
        self._store = store
        self._engine = engine
        self._observe = observe
        self._active: dict[str, job_pb2.Job] = {}  # queued and running jobs, by id
        self._queue = FairQueue()
        self._places: dict[str, int] = {}  # in the queue, as watchers were told
        self._running: dict[str, asyncio.Task[None]] = {}
        self._timeouts = Timeouts(self._expire)
        self._traces = JobTraces()
        self.feed = SharedFeed(store.exchange) if store.exchange.is_shared else EventFeed()
        """What watchers wait for."""
        self.leads = store.leads
        """Whether this server hands out the jobs."""
        self._seconds: deque[float] = deque(maxlen=8)  # that the latest jobs ran
        self._work = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._tasks: list[asyncio.Task[None]] = []
        self._stopped = False
        self._pruning = asyncio.Event()
        self._room = True  # in the store, as far as is known
        self._held_until = 0.0  # by the loop's clock: nothing is begun before
        self.draining = False
        """No further job is accepted or begun."""

    def start(self) -> None:
        """Takes up the jobs that an earlier process left behind, and begins to run.

        Raises:
            StoreError: the list of jobs cannot be read.
        """
        self.leads = True
        if isinstance(self.feed, SharedFeed):
            self.feed.leads = True
        for job in self._store.unfinished():
            job.last_sequence += _SEQUENCE_GAP
            try:
                if self._settle(job):
                    continue
                self._requeue(job)
            except StoreError as error:  # the same at its turn
                log.error("job %s: %s", job.id, error, extra={"job_id": job.id})
                job.state = job_pb2.JOB_STATE_QUEUED
            self._take_up(job)
        self._tasks = [
            asyncio.create_task(self._hand_out(), name="jobs"),
            asyncio.create_task(self._prune_regularly(), name="prune"),
        ]
        if self._store.exchange.is_shared:
            self._tasks.append(asyncio.create_task(self._sweep_regularly(), name="sweep"))
        self.engine_changed()

    async def drain(self) -> None:
        """Accepts and begins no further job, and waits until those that run have ended, or do not move any more."""
        self.draining = True
        while not self._idle.is_set() and not self._engine.stalled:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), _STALL_SECONDS)

    async def stop(self) -> None:
        """Stops at once; jobs that run are put back into the queue, and all that wait are kept for the next start.

        Watchers get the events that are there, and then a ShuttingDownError.
        """
        self.draining = True
        self._timeouts.close()
        begun = [self._active[job_id] for job_id in self._running if job_id in self._active]
        interrupted = [job for job in begun if job.state == job_pb2.JOB_STATE_RUNNING]
        tasks = [*self._tasks, *self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for job in interrupted:
            with contextlib.suppress(StoreError):  # it then counts as interrupted, and runs once more
                self._requeue(job, attempts=-1)
        self._stopped = True
        self.feed.notify_all()

    def engine_changed(self) -> None:
        """Call when the engine's state has changed: jobs may run now, or watchers must learn that they cannot."""
        self._work.set()
        self.feed.notify_all()
        self._tell_servers()

    def engine_info(self) -> scene_service_pb2.GetServerInfoResponse:
        """How the engine stands that runs the jobs: state, message, device and models."""
        engine = self._engine
        message = engine.message or ("" if self._room or not self._queue else f"{DISK_FULL}; jobs wait")
        return scene_service_pb2.GetServerInfoResponse(
            state=engine.state, message=message, device=engine.device, models=engine.models
        )

    @property
    def queued(self) -> int:
        """Jobs that wait."""
        return len(self._queue)

    @property
    def queued_by_client(self) -> dict[str, int]:
        """Jobs of each client that wait."""
        return self._queue.clients()

    @property
    def running(self) -> int:
        """Jobs that run."""
        return len(self._running)

    async def _hand_out(self) -> None:
        """Begins jobs, as many at a time as the engine takes."""
        while True:
            await self._work.wait()
            self._work.clear()
            while self._queue and not self.draining and len(self._running) < self._engine.capacity:
                if not await self._engine.ready():
                    break  # `engine_changed` wakes it again
                room = asyncio.get_running_loop().time() >= self._held_until and self._store.has_room()
                if room != self._room:
                    self._room = room
                    self._tell_servers()
                if not room:
                    asyncio.get_running_loop().call_later(_ROOM_SECONDS, self._work.set)
                    break
                if not self._queue or self.draining:
                    break
                job_id = self._queue.pop()
                self._idle.clear()
                self._running[job_id] = asyncio.create_task(self._run(self._active[job_id]), name=f"job {job_id}")
                self._running[job_id].add_done_callback(lambda _, job_id=job_id: self._ended(job_id))  # type: ignore[misc]
                self._tell_positions()

    def _ended(self, job_id: str) -> None:
        del self._running[job_id]
        if not self._running:
            self._idle.set()
        self._work.set()

    async def _run(self, job: job_pb2.Job) -> None:
        """Runs a job to its end, or back into the queue."""
        start = asyncio.get_running_loop().time()
        try:
            if self._settle(job):
                return
            request = await self._store.request(job.id)
            if self._settle(job):  # it was cancelled meanwhile
                return
            job.state = job_pb2.JOB_STATE_RUNNING
            job.start_time.CopyFrom(now())
            self._store.save(job, attempts=1)
        except StoreDamagedError as error:
            self._fail(job, failed_event("DATA_LOSS", str(error), code_pb2.DATA_LOSS))
            return
        except StoreError as error:
            self._wait_for_room(job, error)
            return
        try:
            with self._traces.run(job):
                await self._engine.run(job.id, request, lambda event: self._receive(job, event))
            self._seconds.append(asyncio.get_running_loop().time() - start)
        except JobInterruptedError as error:
            self._interrupted(job, error)
        except StoreFullError as error:
            self._fail(job, failed_event("STORE_FULL", str(error), code_pb2.RESOURCE_EXHAUSTED))
        except StoreError as error:
            self._held_until = asyncio.get_running_loop().time() + _ROOM_SECONDS
            self._interrupted(job, JobInterruptedError(failed_event("STORE_FAILED", str(error))))
        except Exception as error:
            log.exception("job %s: the engine failed", job.id, extra={"job_id": job.id})
            self._fail(job, failed_event("INTERNAL", f"{type(error).__name__}: {error}"))
        self._pruning.set()

    def _settle(self, job: job_pb2.Job) -> bool:
        """Ends a job that is not to run any more: it was cancelled, or ran too often without coming to an end."""
        if self._store.is_cancelled(job.id):
            self._emit(job, job_pb2.JobEvent(cancelled=job_pb2.JobCancelled()))
        elif self._timeouts.is_over(job.id):
            self._emit(job, timed_out(job))
        elif self._store.attempts(job.id) >= MAX_ATTEMPTS:
            text = f"the server or its worker died or hung {MAX_ATTEMPTS} times while this job ran"
            self._emit(job, failed_event("SERVER_RESTARTED", text, code_pb2.ABORTED))
        return job.state in FINAL_STATES

    def _interrupted(self, job: job_pb2.Job, error: JobInterruptedError) -> None:
        """Puts a job before all that wait, or fails it where it has had its runs."""
        log.warning("job %s: interrupted: %s", job.id, error, extra={"job_id": job.id})
        try:
            if self._store.is_cancelled(job.id):
                self._emit(job, job_pb2.JobEvent(cancelled=job_pb2.JobCancelled()))
            elif self._timeouts.is_over(job.id):
                self._emit(job, timed_out(job))
            elif error.begun and self._store.attempts(job.id) >= MAX_ATTEMPTS:
                error.failure.failed.failure.message += f"; it has run {MAX_ATTEMPTS} times"
                self._emit(job, error.failure)
            else:
                self._requeue(job, attempts=0 if error.begun else -1)
                self._queue.put_back(job)
                self._traces.wait(job)
                self._tell_positions()
        except StoreError as unstored:
            self._wait_for_room(job, unstored)

    def _fail(self, job: job_pb2.Job, event: job_pb2.JobEvent) -> None:
        """Fails a job, unless that cannot be stored: then no event is sent, and it waits."""
        if job.state in FINAL_STATES:
            return
        try:
            self._emit(job, event)
        except StoreError as error:
            self._wait_for_room(job, error)

    def _wait_for_room(self, job: job_pb2.Job, error: StoreError) -> None:
        """Puts a job back in memory only; whether it runs is decided at its turn."""
        log.error(
            "job %s: it waits, for what becomes of it cannot be stored: %s", job.id, error, extra={"job_id": job.id}
        )
        self._held_until = asyncio.get_running_loop().time() + _ROOM_SECONDS
        job.state = job_pb2.JOB_STATE_QUEUED
        job.ClearField("start_time")
        self._queue.put_back(job)
        self._traces.wait(job)
        self._tell_positions()

    async def _prune_regularly(self) -> None:
        """Deletes old jobs after each job, and from time to time."""
        while True:
            self._pruning.clear()
            try:
                await self._store.prune()
            except StoreError as error:
                log.error("old jobs cannot be deleted: %s", error)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_PRUNE_SECONDS):
                    await self._pruning.wait()

    async def _sweep_regularly(self) -> None:
        """Removes files that servers which died have left behind."""
        while True:
            try:
                await self._store.sweep()
            except StoreError as error:
                log.error("files of no job cannot be removed: %s", error)
            await asyncio.sleep(_SWEEP_SECONDS)

    def _requeue(self, job: job_pb2.Job, attempts: int = 0) -> None:
        job.state = job_pb2.JOB_STATE_QUEUED
        job.ClearField("start_time")
        self._store.save(job, attempts)

    def _take_up(self, job: job_pb2.Job) -> None:
        """Lets a stored job wait for its turn."""
        self._active[job.id] = job
        self._queue.append(job)
        self._timeouts.begin(job)
        self._traces.wait(job)
        self._tell_positions()
        self._work.set()

    def _expire(self, job_id: str) -> None:
        """Ends a job whose timeout is over; one that runs ends as a cancelled one does."""
        if job_id in self._queue:
            self._queue.remove(job_id)
            self._fail(self._active[job_id], timed_out(self._active[job_id]))
            self._tell_positions()
        elif job_id in self._running:
            self._engine.cancel(job_id)

    def _tell_servers(self) -> None:
        """Tells other servers on the same store how the engine stands."""
        if self.leads:
            with contextlib.suppress(StoreError):  # a server whose database has gone ends
                self._store.exchange.publish(self.engine_info())

    def _tell_positions(self) -> None:
        """Tells the watchers of each job that waits where it stands, if it stands elsewhere than before."""
        before, self._places = self._places, {job_id: position for position, job_id in enumerate(self._queue)}
        for job_id, position in self._places.items():
            if before.get(job_id) != position:
                self._emit(self._active[job_id], job_pb2.JobEvent(queued=job_pb2.JobQueued(position=position)))

    async def _receive(self, job: job_pb2.Job, event: job_pb2.JobEvent) -> None:
        """As `_emit`, for what comes from the engine: results are large, and written in a thread."""
        event = self._timeouts.ending(job, event)
        if event.WhichOneof("kind") in (*TRANSIENT, *FINAL_EVENTS):
            self._emit(job, event)
            return
        changed = _changed(job, event)
        self.feed.flush()
        await self._store.append(changed, event)
        self._take_over(job, changed, event)

    def _emit(self, job: job_pb2.Job, event: job_pb2.JobEvent) -> None:
        """Numbers an event, stores it or keeps it for watchers, and wakes them.

        Raises:
            StoreError: it could not be stored; nothing has changed.
        """
        if event.WhichOneof("kind") in TRANSIENT:
            apply_event(job, event)
            self.feed.keep(job.id, event)
            self._tell(job, event)
            return
        changed = _changed(job, event)
        self.feed.flush()
        self._store.append_inline(changed, event)
        self._take_over(job, changed, event)

    def _take_over(self, job: job_pb2.Job, changed: job_pb2.Job, event: job_pb2.JobEvent) -> None:
        """Lets the record be what a stored event has made of it."""
        job.CopyFrom(changed)
        if job.state in FINAL_STATES:
            self._active.pop(job.id, None)
            self._timeouts.end(job.id)
            self._traces.end(job.id)
            self.feed.forget(job.id)
            log.info("job %s: %s", job.id, event.WhichOneof("kind"), extra={"job_id": job.id})
        self._tell(job, event)

    def _tell(self, job: job_pb2.Job, event: job_pb2.JobEvent) -> None:
        self._observe(job, event)
        self.feed.notify(job.id)


def _changed(job: job_pb2.Job, event: job_pb2.JobEvent) -> job_pb2.Job:
    """A copy of a job's record, as an event changes it."""
    changed = job_pb2.Job()
    changed.CopyFrom(job)
    apply_event(changed, event)
    return changed
