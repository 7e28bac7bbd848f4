"""The process that holds the model: it loads once, runs one job at a time, and listens for a cancel between steps.

Both directions of the pipe carry pickled tuples between two processes of the same installation; what clients sent
stays inside them as serialised protobuf. To the worker: ("run", job_id, request), ("cancel", job_id). From it:
("ready", device, model info), ("broken", text), ("event", job_id, event).
"""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection

from occscene.v1 import job_pb2, scene_service_pb2

from occscene_server.engine.events import failed_event
from occscene_server.engine.pipeline_loader import LoadedPipeline
from occscene_server.engine.task import run_task

log = logging.getLogger(__name__)

Loader = Callable[[str, str], LoadedPipeline]


def work(pipe_end: Connection, loader: Loader, model: str, device: str) -> None:
    """Runs the worker until the other end of the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the server decides what it means
    try:
        loaded = loader(model, device)
    except (OSError, ValueError) as error:
        pipe_end.send(("broken", str(error)))
        return
    except Exception as error:
        log.exception("the model %s could not be loaded", model)
        pipe_end.send(("broken", f"{type(error).__name__}: {error}"))
        return
    pipe_end.send(("ready", loaded.device, loaded.model.SerializeToString()))
    try:
        while True:
            message = pipe_end.recv()
            if message[0] == "run":  # a cancel that arrives here came too late for its job
                _run(pipe_end, loaded, message[1], message[2])
    except (EOFError, BrokenPipeError):
        return


def _run(pipe_end: Connection, loaded: LoadedPipeline, job_id: str, data: bytes) -> None:
    def emit(event: job_pb2.JobEvent) -> None:
        pipe_end.send(("event", job_id, event.SerializeToString()))

    def cancelled() -> bool:
        while pipe_end.poll():
            if pipe_end.recv() == ("cancel", job_id):
                return True
        return False

    emit(job_pb2.JobEvent(started=job_pb2.JobStarted(device=loaded.device)))
    try:
        run_task(loaded.pipe, scene_service_pb2.SubmitJobRequest.FromString(data), emit, cancelled)
    except (EOFError, BrokenPipeError):
        raise
    except Exception as error:
        log.exception("job %s failed", job_id)
        emit(_failure(error))


def _failure(error: Exception) -> job_pb2.JobEvent:
    # torch.OutOfMemoryError by name: importing torch here would slow the start of every stand-in
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        advice = "Use fewer cameras, smaller images or a smaller grid."
        return failed_event("OUT_OF_MEMORY", f"the model ran out of memory: {error}", advice)
    if isinstance(error, ValueError):
        return failed_event("UNSUPPORTED_REQUEST", str(error), "Change the request and send it again.")
    return failed_event("PIPELINE_ERROR", f"{type(error).__name__}: {error}", "See the server's log.")
