"""A worker process, or another child, as the server sees it: messages to and from it, and how it ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import multiprocessing
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from occscene.v1 import job_pb2

from occscene_server.engine.deaths import kills_for_memory, worker_died
from occscene_server.engine.worker import work

log = logging.getLogger(__name__)

_JOIN_SECONDS = 5.0  # time for what libraries do at exit, so that there is an exit code


class WorkerProcess:
    """Starts the worker.

    Args:
        arguments: of `target` after its end of the pipe; for a worker what it loads: loader, model, device.
        on_message: called in the event loop with each message of the worker but its signs of life.
        on_death: called in the event loop once it has ended, with the failure of the job that it ran.
        target: what it runs.
    """

    def __init__(
        self,
        arguments: tuple[Any, ...],
        on_message: Callable[[tuple[Any, ...]], None],
        on_death: Callable[[job_pb2.JobEvent], None],
        target: Callable[..., None] = work,
    ) -> None:
        self._on_message = on_message
        self._on_death = on_death
        self._reason: job_pb2.JobEvent | None = None  # why it was killed from here
        self._kills = kills_for_memory()
        self.received = self.moved = time.monotonic()
        """When its last message came, and when its work last moved on."""
        self.memory: tuple[int, int] | None = None
        """Bytes of its device that are used and that it has, as far as is known."""
        context = multiprocessing.get_context("spawn")
        self._pipe, child_end = context.Pipe()
        self._process = context.Process(
            target=target, args=(child_end, *arguments), name="occscene-worker", daemon=True
        )
        self._process.start()
        child_end.close()  # so that the worker's death closes the pipe
        self.pid = self._process.pid
        self._joined = threading.Event()  # only the listener joins: of two threads, one would not get the exit code
        self._sender = ThreadPoolExecutor(1, "worker-send")  # one thread: messages keep their order and never mix
        loop = asyncio.get_running_loop()
        threading.Thread(target=self._listen, args=(loop,), name="worker-pipe", daemon=True).start()

    def send(self, message: tuple[Any, ...]) -> None:
        """Sends a message; one that comes too late is dropped."""

        def send() -> None:
            with contextlib.suppress(OSError):  # the worker is dead, which the listener reports
                self._pipe.send(message)

        with contextlib.suppress(RuntimeError):  # so is the thread that sends
            self._sender.submit(send)

    def kill(self, reason: job_pb2.JobEvent | None = None) -> None:
        """Ends it, in the middle of a step or of a hang: it has nothing to save.

        Args:
            reason: what its job fails with; the signal itself if absent.
        """
        self._reason = self._reason or reason
        self._process.kill()

    async def ended(self, seconds: float = 2 * _JOIN_SECONDS) -> bool:
        """Waits for its end, but not for ever: a process may hang in a driver beyond the reach of signals."""
        return await asyncio.to_thread(self._joined.wait, seconds)

    def _listen(self, loop: asyncio.AbstractEventLoop) -> None:
        """Passes the worker's messages to the event loop, until the pipe closes (in a thread of its own)."""
        with contextlib.suppress(RuntimeError):  # the loop was closed
            while True:
                try:
                    message = self._pipe.recv()
                except (EOFError, OSError):
                    break
                loop.call_soon_threadsafe(self._take, message)
            self._process.join(_JOIN_SECONDS)
            if self._process.is_alive():
                self._process.kill()
                self._process.join(_JOIN_SECONDS)
            exit_code = self._process.exitcode
            if exit_code is None:
                log.error("the worker process %d does not end; a new one is started next to it", self.pid)
            self._sender.shutdown(wait=exit_code is not None)  # nothing holds up what is sent to the dead
            failure = self._reason or worker_died(exit_code, kills_for_memory() - self._kills)
            loop.call_soon_threadsafe(self._end, exit_code, failure)
            self._joined.set()

    def _end(self, exit_code: int | None, failure: job_pb2.JobEvent) -> None:
        self._pipe.close()
        if exit_code is not None:
            self._process.close()
        self._on_death(failure)

    def _take(self, message: tuple[Any, ...]) -> None:
        self.received = time.monotonic()
        if message[0] == "alive":
            self.memory = message[1]
        else:
            self.moved = self.received
            self._on_message(message)
