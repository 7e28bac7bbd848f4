"""The engine of one machine: a worker process, watched and restarted."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import multiprocessing
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Any

from google.rpc import code_pb2
from occscene.v1 import job_pb2, scene_service_pb2

from occscene_server.engine.events import FINAL_EVENTS, failed_event
from occscene_server.engine.interface import Emit
from occscene_server.engine.pipeline_loader import load_pipeline
from occscene_server.engine.worker import Loader, work

log = logging.getLogger(__name__)

MAX_LOADS = 3
"""Times in a row that the worker may die while it loads the model."""


class LocalEngine:
    """Runs jobs one at a time in a child process, so that a crash there does not end the server.

    Args:
        model: a folder or a hub id.
        device: "auto", "cpu", "cuda" or "cuda:N".
        loader: loads the pipeline in the child; must be importable by name.
        on_state: called in the event loop whenever `state` has changed.
    """

    def __init__(
        self,
        model: str,
        device: str = "auto",
        loader: Loader = load_pipeline,
        on_state: Callable[[scene_service_pb2.ServerState], None] = lambda state: None,
    ) -> None:
        self.state = scene_service_pb2.SERVER_STATE_LOADING
        self.message = ""
        self.device = ""
        self.model: scene_service_pb2.ModelInfo | None = None
        self.restarts = 0
        self.capacity = 1
        self._arguments = (loader, model, device)
        self._on_state = on_state
        self._settled = asyncio.Event()  # the model is loaded, or cannot be
        self._inbox: asyncio.Queue[tuple[Any, ...]] = asyncio.Queue()
        self._process: SpawnProcess | None = None
        self._pipe: Connection | None = None
        self._sender = ThreadPoolExecutor(1, "worker-send")  # one thread: messages keep their order and never mix
        self._cancelled: str | None = None
        self._loads = 0
        self._stopping = False

    def start(self) -> None:
        """Starts the worker; returns before the model is loaded."""
        self._loads += 1
        context = multiprocessing.get_context("spawn")
        self._pipe, child_end = context.Pipe()
        self._process = context.Process(
            target=work, args=(child_end, *self._arguments), name="occscene-worker", daemon=True
        )
        self._process.start()
        child_end.close()  # so that the worker's death closes the pipe
        loop = asyncio.get_running_loop()
        arguments = (loop, self._pipe, self._process)
        thread = threading.Thread(target=self._listen, args=arguments, name="worker-pipe", daemon=True)
        thread.start()

    async def stop(self) -> None:
        """Ends the worker and waits for its end."""
        self._stopping = True
        process, self._process = self._process, None
        if process is not None:
            process.kill()  # it has nothing to save, and may be in the middle of a long step
            await asyncio.to_thread(process.join)
            process.close()
        self._sender.shutdown(wait=False)

    @property
    def worker_pid(self) -> int | None:
        """The worker's process id."""
        return self._process.pid if self._process else None

    async def ready(self) -> bool:
        """Waits until the model is loaded, or cannot be, and says which."""
        await self._settled.wait()
        return self.state == scene_service_pb2.SERVER_STATE_READY

    async def run(self, job_id: str, request: bytes, emit: Emit) -> None:
        """Runs a job to its final event; a worker that dies meanwhile makes that a failure."""
        while await self.ready():
            if self._cancelled == job_id:
                emit(job_pb2.JobEvent(cancelled=job_pb2.JobCancelled()))
                return
            self._inbox = asyncio.Queue()
            self._send(("run", job_id, request))
            if await self._follow(job_id, emit):
                return
        advice = "Start the server with another --model."
        emit(failed_event("MODEL_NOT_LOADED", self.message, advice, code_pb2.UNAVAILABLE))

    async def _follow(self, job_id: str, emit: Emit) -> bool:
        """Emits what the worker tells of a job to its end; False if the worker died before it began the job."""
        started = ended = False
        try:
            while not ended:
                message = await self._inbox.get()
                if message[0] == "died":
                    ended = True
                    if not started:
                        return False
                    advice = "Send it again; if it fails again, use fewer cameras, smaller images or a smaller grid."
                    text = f"the worker process died while it ran this job ({message[1]})"
                    emit(failed_event("WORKER_DIED", text, advice))
                elif message[1] == job_id:
                    event = job_pb2.JobEvent.FromString(message[2])
                    started, ended = True, event.WhichOneof("kind") in FINAL_EVENTS
                    emit(event)
            return True
        finally:
            if not ended:  # nobody wants its results any more
                self._send(("cancel", job_id))

    def cancel(self, job_id: str) -> None:
        """Asks the worker to end a job after the present step."""
        self._cancelled = job_id
        self._send(("cancel", job_id))

    def _send(self, message: tuple[Any, ...]) -> None:
        pipe = self._pipe
        assert pipe is not None

        def send() -> None:
            with contextlib.suppress(OSError):  # the worker is dead, which the listener tells
                pipe.send(message)

        self._sender.submit(send)

    def _listen(self, loop: asyncio.AbstractEventLoop, pipe: Connection, process: SpawnProcess) -> None:
        """Passes the worker's messages to the event loop, until the pipe closes (in a thread of its own)."""
        with contextlib.suppress(RuntimeError):  # the loop was closed
            while True:
                try:
                    message = pipe.recv()
                except (EOFError, OSError):
                    break
                loop.call_soon_threadsafe(self._on_message, message)
            pipe.close()
            if self._stopping:
                return
            process.join(5.0)  # an exit code is worth a little patience with what libraries do at the end
            if process.is_alive():
                process.kill()
                process.join()
            loop.call_soon_threadsafe(self._on_death, process.exitcode)

    def _on_message(self, message: tuple[Any, ...]) -> None:
        if message[0] == "ready":
            self.device, self.model = message[1], scene_service_pb2.ModelInfo.FromString(message[2])
            self._loads = 0
            self._set_state(scene_service_pb2.SERVER_STATE_READY, "")
        elif message[0] == "broken":
            self._set_state(scene_service_pb2.SERVER_STATE_FAILED, f"the model could not be loaded: {message[1]}")
        else:
            self._inbox.put_nowait(message)

    def _on_death(self, exit_code: int | None) -> None:
        if self._stopping or self.state == scene_service_pb2.SERVER_STATE_FAILED:
            return
        assert self._process is not None
        self._process.close()
        self._process = None
        text = _death(exit_code)
        log.error("the worker process died (%s)", text)
        self._inbox.put_nowait(("died", text))
        if self._loads >= MAX_LOADS:
            text = f"the worker died {self._loads} times while it loaded the model ({text}); is there enough memory?"
            self._set_state(scene_service_pb2.SERVER_STATE_FAILED, text)
            return
        self.restarts += 1
        self._set_state(scene_service_pb2.SERVER_STATE_LOADING, "")
        self.start()

    def _set_state(self, state: scene_service_pb2.ServerState, message: str) -> None:
        self.state, self.message = state, message
        if state == scene_service_pb2.SERVER_STATE_LOADING:
            self._settled.clear()
        else:
            self._settled.set()
        self._on_state(state)


def _death(exit_code: int | None) -> str:
    """How a process ended, in words."""
    if exit_code is None or exit_code >= 0:
        return f"exit code {exit_code}"
    name = signal.Signals(-exit_code).name
    return f"{name}; the machine has probably run out of memory" if name == "SIGKILL" else name
