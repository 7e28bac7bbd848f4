"""The process that holds the model: it loads once, runs one job at a time, and listens for a cancel between steps.

Both directions of the pipe carry pickled tuples between two processes of the same installation; what clients sent
stays inside them as serialised protobuf. A run has a number, for a job may run twice. To the worker:
("run", number, job_id, request, context of its trace), ("cancel", number). From it: ("ready", device, model infos),
("broken", text), ("event", number, event), ("ended", number) after a run's last event, ("lost", number, text) where the
device is lost amidst it, and ("alive", memory) once a second: bytes of the device that are used and that it has, or
None.
"""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

from google.rpc import code_pb2
from occscene import tracing
from occscene.v1 import job_pb2, scene_service_pb2

from occscene_server.engine.deaths import DeviceLostError, is_device_lost
from occscene_server.engine.events import failed_event
from occscene_server.engine.interface import Emit
from occscene_server.engine.memory import DeviceMemory, advice_on_memory
from occscene_server.engine.pipeline_loader import LoadedPipeline
from occscene_server.engine.served_models import ModelNotLoadedError, ServedModels
from occscene_server.engine.step_spans import StepSpans
from occscene_server.engine.task import run_task
from occscene_server.models.device_memory import is_out_of_memory, release_memory

log = logging.getLogger(__name__)

Loader = Callable[[str, str], LoadedPipeline]

SERVER_GONE = (EOFError, BrokenPipeError, ConnectionResetError)
"""What the pipe raises when the server has ended."""
_ALIVE_SECONDS = 1.0


def work(pipe_end: Connection, loader: Loader, model: str, device: str) -> None:
    """Runs the worker until the other end of the pipe is closed."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # they go to the whole group; the server decides what they mean
    server = ServerEnd(pipe_end)
    threading.Thread(target=end_with_server, name="end-with-server", daemon=True).start()
    memory = DeviceMemory()
    threading.Thread(target=server.tell_of_life, args=(memory,), name="heartbeat", daemon=True).start()
    try:
        loaded = loader(model, device)
    except (OSError, ValueError) as error:
        server.send(("broken", str(error)))
        return
    except Exception as error:
        log.exception("the model %s could not be loaded", model)
        server.send(("broken", f"{type(error).__name__}: {error}"))
        return
    served = ServedModels(loaded)
    memory.device = served.device
    server.send(("ready", served.device, [model.SerializeToString() for model in served.models]))
    try:
        while True:
            message = pipe_end.recv()
            if message[0] == "run":  # a cancel that arrives here came too late for its job
                _, number, job_id, request, carrier = message
                run = _Run(server, number)
                try:
                    with tracing.span("work", carrier, job_id=job_id):
                        execute(served, job_id, request, run.emit, run.cancelled)
                    server.send(("ended", number))
                except DeviceLostError as error:
                    server.send(("lost", number, str(error)))
                    return
    except SERVER_GONE:
        return


def end_with_server() -> None:
    """Ends this process when the server's has died, amidst a step if need be: its successor needs the memory."""
    server = multiprocessing.parent_process()
    assert server is not None
    server.join()
    os._exit(1)


class ServerEnd:
    """The server's end of the pipe, to which two threads write."""

    def __init__(self, pipe_end: Connection) -> None:
        self.pipe_end = pipe_end
        self._lock = threading.Lock()

    def send(self, message: tuple[object, ...]) -> None:
        """Sends a message.

        Raises:
            BrokenPipeError, ConnectionResetError: the server has gone.
        """
        with self._lock:
            self.pipe_end.send(message)

    def tell_of_life(self, memory: DeviceMemory | None = None) -> None:
        """Sends a heartbeat once a second: this process is not stopped, and its device answers."""
        with contextlib.suppress(OSError):
            while True:
                time.sleep(_ALIVE_SECONDS)
                self.send(("alive", memory.now() if memory else None))


class _Run:
    """One run of a job: its events go to the server, and a cancel may come from there."""

    def __init__(self, server: ServerEnd, number: int) -> None:
        self._server = server
        self._number = number
        self._cancel_asked = False

    def emit(self, event: job_pb2.JobEvent) -> None:
        """Sends an event.

        Raises:
            BrokenPipeError, ConnectionResetError: the server has gone.
        """
        self._server.send(("event", self._number, event.SerializeToString()))

    def cancelled(self) -> bool:
        """Whether the server has asked for the run's end."""
        pipe_end = self._server.pipe_end
        while not self._cancel_asked and pipe_end.poll():
            self._cancel_asked = pipe_end.recv() == ("cancel", self._number)
        return self._cancel_asked


def execute(served: ServedModels, job_id: str, data: bytes, emit: Emit, cancelled: Callable[[], bool]) -> None:
    """Runs a serialised request to its final event, on the model of its domain.

    Raises:
        EOFError, BrokenPipeError, ConnectionResetError: out of `emit` or `cancelled`, as `SERVER_GONE` says.
        DeviceLostError: the device is of no use to this process any more, and the job has not ended.
    """
    emit(job_pb2.JobEvent(started=job_pb2.JobStarted(device=served.device)))
    request = scene_service_pb2.SubmitJobRequest.FromString(data)
    memory_error = ""
    loaded: LoadedPipeline | None = None
    try:
        loaded = served.of(request, emit)
        run_task(loaded.pipe, request, StepSpans(emit), cancelled, loaded.priors)
    except SERVER_GONE:
        raise
    except Exception as error:
        log.exception("job %s failed", job_id, extra={"job_id": job_id})
        if is_out_of_memory(error):
            memory_error = str(error) or type(error).__name__
        elif is_device_lost(error):
            raise DeviceLostError(f"{type(error).__name__}: {error}") from error
        else:
            emit(_failure(error))
    if memory_error and loaded is not None:  # outside of `except`, whose frames hold the memory
        release_memory()
        advice = advice_on_memory(loaded.pipe, request, cancelled)
        text = f"the model ran out of memory: {memory_error}"
        emit(failed_event("OUT_OF_MEMORY", text, code_pb2.RESOURCE_EXHAUSTED, advice))


def _failure(error: Exception) -> job_pb2.JobEvent:
    if isinstance(error, ValueError):
        return failed_event("UNSUPPORTED_REQUEST", str(error), code_pb2.INVALID_ARGUMENT)
    if isinstance(error, ModelNotLoadedError):
        return failed_event("MODEL_NOT_LOADED", str(error), code_pb2.UNAVAILABLE)
    return failed_event("PIPELINE_ERROR", f"{type(error).__name__}: {error}")
