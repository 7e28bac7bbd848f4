"""The engine of one machine: a worker process, watched and replaced."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.rpc import code_pb2
from occscene import tracing
from occscene.events import FINAL_EVENTS
from occscene.v1 import job_pb2, scene_service_pb2

from occscene_server.engine.deaths import JobInterruptedError, device_lost, hung
from occscene_server.engine.events import failed_event
from occscene_server.engine.interface import Deliver
from occscene_server.engine.pipeline_loader import load_pipeline
from occscene_server.engine.worker import Loader
from occscene_server.engine.worker_process import WorkerProcess

log = logging.getLogger(__name__)

MAX_LOADS = 3
"""Times in a row that a worker may die before it has begun a job; then the next one starts after a pause."""

_LONGEST_PAUSE = 60.0
_CHECK_SECONDS = 0.25


@dataclass(frozen=True)
class Patience:
    """Seconds that the worker is waited for.

    Args:
        step: without progress of the job, or of loading the model, before it is replaced.
        cancel: after a cancel that it does not answer, before it is replaced.
        silence: without a sign of life, before the server says that it cannot run jobs.
        drain: without progress of the job, before a server that is to end no longer waits for it.
    """

    step: float = 1800.0
    cancel: float = 10.0
    silence: float = 15.0
    drain: float = 60.0


class LocalEngine:
    """Runs jobs one at a time in a child process, so that a crash or a hang there does not end the server.

    Args:
        model: a folder or a hub id; "" for the bundled models of both domains.
        device: "auto", "cpu", "cuda" or "cuda:N".
        loader: loads the pipeline in the child; must be importable by name.
        on_state: called in the event loop whenever `state` or `message` has changed.
        patience: how long the worker is waited for.
    """

    def __init__(
        self,
        model: str,
        device: str = "auto",
        loader: Loader = load_pipeline,
        on_state: Callable[[scene_service_pb2.ServerState], None] = lambda state: None,
        patience: Patience = Patience(),
    ) -> None:
        self.state = scene_service_pb2.SERVER_STATE_LOADING
        self.message = ""
        self.device = ""
        self.models: list[scene_service_pb2.ModelInfo] = []
        self.restarts = 0
        self.capacity = 1
        self._arguments = (loader, model, device)
        self._on_state = on_state
        self._patience = patience
        self._settled = asyncio.Event()  # the model is loaded, or cannot be
        self._worker: WorkerProcess | None = None
        self._loaded = False  # by this worker
        self._broken = ""  # why this worker cannot load it
        self._failures = 0  # workers in a row that began no job
        self._pauses = 0
        self._run = 0  # the number of the latest run
        self._ended = 0  # the latest run that the worker has ended
        self._job_id = ""  # what it runs, until it ends
        self._inbox: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue()
        self._cancels: dict[int, float] = {}  # runs that were asked to end, and when
        self._watching: asyncio.Task[None] | None = None
        self._restarting: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Starts the worker; returns before the model is loaded."""
        self._start_worker()
        self._watching = asyncio.create_task(self._watch(), name="watch-worker")

    async def stop(self) -> None:
        """Ends the worker and waits for its end."""
        if self._watching is not None:
            self._watching.cancel()
        if self._restarting is not None:
            self._restarting.cancel()
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.kill()
            await worker.ended()

    @property
    def worker_pid(self) -> int | None:
        """The worker's process id."""
        return self._worker.pid if self._worker else None

    @property
    def device_memory(self) -> tuple[int, int] | None:
        """Bytes of the device that are used and that it has, as the worker said last."""
        return self._worker.memory if self._worker else None

    @property
    def stalled(self) -> bool:
        """Whether the job that runs has not moved for so long that a server which is to end leaves it."""
        if self._worker is None:
            return True
        now = time.monotonic()
        silent = now - self._worker.received > self._patience.silence
        return silent or now - self._worker.moved > self._patience.drain

    async def ready(self) -> bool:
        """Waits until the model is loaded, or cannot be for now, and says which."""
        await self._settled.wait()
        return self.state == scene_service_pb2.SERVER_STATE_READY

    async def run(self, job_id: str, request: bytes, deliver: Deliver) -> None:
        """Runs a job to its final event.

        Raises:
            JobInterruptedError: the worker died or hung meanwhile, or was not there.
        """
        worker = self._worker
        if worker is None or self.state != scene_service_pb2.SERVER_STATE_READY:
            failure = failed_event("MODEL_NOT_LOADED", self.message, code=code_pb2.UNAVAILABLE)
            raise JobInterruptedError(failure, begun=False)
        self._run += 1
        self._job_id, self._inbox = job_id, asyncio.Queue()
        run, begun, ended = self._run, False, False
        worker.moved = time.monotonic()
        worker.send(("run", run, job_id, request, tracing.carrier()))
        try:
            while not ended:
                kind, *content = await self._inbox.get()
                if kind == "died":
                    ended = True
                    failure, cancelled = content
                    if not cancelled:
                        raise JobInterruptedError(failure, begun)
                    event = job_pb2.JobEvent(cancelled=job_pb2.JobCancelled())
                else:
                    event = job_pb2.JobEvent.FromString(content[0])
                    begun, ended = True, event.WhichOneof("kind") in FINAL_EVENTS
                await deliver(event)
        finally:
            self._job_id = ""
            if not ended:  # its results are no longer wanted
                self._cancel(run)

    def cancel(self, job_id: str) -> None:
        """Asks the worker to end a job after the present step, and replaces it if it does not."""
        if job_id == self._job_id:
            self._cancel(self._run)

    def _cancel(self, run: int) -> None:
        if self._worker is not None and run != self._ended:
            self._cancels.setdefault(run, time.monotonic())
            self._worker.send(("cancel", run))

    def _start_worker(self) -> None:
        self._loaded, self._broken, self._restarting = False, "", None
        self._cancels.clear()
        worker = WorkerProcess(
            self._arguments,
            lambda message: self._on_message(worker, message),
            lambda failure: self._on_death(worker, failure),
        )
        self._worker = worker

    def _on_message(self, worker: WorkerProcess, message: tuple[Any, ...]) -> None:
        if worker is not self._worker:
            return
        if message[0] == "ready":
            self.device, self.models = (
                message[1],
                [scene_service_pb2.ModelInfo.FromString(model) for model in message[2]],
            )
            self._loaded = True
            self._set_state(scene_service_pb2.SERVER_STATE_READY)
        elif message[0] == "broken":
            self._broken = message[1]
        elif message[0] == "ended":
            self._ended = message[1]
            self._cancels.pop(self._ended, None)
        elif message[0] == "lost":
            worker.kill(device_lost(message[2]))
        else:
            self._failures = self._pauses = 0
            if message[1] == self._run:
                self._inbox.put_nowait(("event", message[2]))

    def _on_death(self, worker: WorkerProcess, failure: job_pb2.JobEvent) -> None:
        if worker is not self._worker:
            return
        self._worker = None
        reason = failure.failed.failure.message
        log.error("the worker process ended: %s", self._broken or reason)
        self._inbox.put_nowait(("died", failure, self._run in self._cancels))
        self._failures += 1
        self.restarts += 1
        if not self._broken and self._failures < MAX_LOADS:
            self._set_state(scene_service_pb2.SERVER_STATE_LOADING)
            self._start_worker()
            return
        pause = min(2.0**self._pauses, _LONGEST_PAUSE)
        self._pauses += 1
        if self._broken:
            text = f"the model could not be loaded: {self._broken}"
        else:
            text = f"the worker died {self._failures} times before it began a job; the last time: {reason}"
        log.error("%s; the next try is in %g s", text, pause)
        self._set_state(scene_service_pb2.SERVER_STATE_FAILED, text)
        self._restarting = asyncio.get_running_loop().call_later(pause, self._start_worker)

    async def _watch(self) -> None:
        """Watches for a worker that hangs."""
        checked = time.monotonic()
        while True:
            await asyncio.sleep(_CHECK_SECONDS)
            now, worker = time.monotonic(), self._worker
            stood_still, checked = now - checked > 4 * _CHECK_SECONDS, now  # this process itself; let it receive first
            if worker is not None and not stood_still:
                self._check_worker(worker, now)

    def _check_worker(self, worker: WorkerProcess, now: float) -> None:
        silence = now - worker.received
        if self._loaded and silence > self._patience.silence:
            if self.state == scene_service_pb2.SERVER_STATE_READY:
                text = "the worker process gives no sign of life; it is replaced if none comes, or after a cancel"
                self._set_state(scene_service_pb2.SERVER_STATE_LOADING, text)
        elif self._loaded and self.state != scene_service_pb2.SERVER_STATE_READY:
            self._set_state(scene_service_pb2.SERVER_STATE_READY)
        busy = self._job_id or not self._loaded
        if (now - worker.moved if busy else silence) > self._patience.step:
            worker.kill(hung(self._patience.step))
        elif any(now - asked > self._patience.cancel for asked in self._cancels.values()):
            worker.kill(hung(self._patience.cancel))

    def _set_state(self, state: scene_service_pb2.ServerState, message: str = "") -> None:
        self.state, self.message = state, message
        if state == scene_service_pb2.SERVER_STATE_LOADING:
            self._settled.clear()
        else:
            self._settled.set()
        self._on_state(state)
