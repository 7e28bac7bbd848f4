"""What runs on the nodes of a Ray cluster: one replica, which holds the model and runs one job at a time."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

from occscene import tracing
from occscene.v1 import job_pb2

from occscene_server.engine.deaths import DeviceLostError
from occscene_server.engine.served_models import ServedModels
from occscene_server.engine.worker import Loader, execute

_LAST_WORDS = 1.0  # seconds in which the last event or error leaves a process that ends itself


class SceneReplica:
    """Loads the model when it is made.

    Args:
        loader: loads the pipeline; must be importable by name on the node.
        model: a folder that the node has, a URL of one, or a hub id; "" for the bundled ones.
        device: "auto", "cpu", "cuda" or "cuda:N".
        step: seconds without progress of a job after which this replica counts as hung.
        cancel: the same after a cancel.
    """

    def __init__(self, loader: Loader, model: str, device: str, step: float, cancel: float) -> None:
        self._served = ServedModels(loader(model, device))
        self._step, self._cancel = step, cancel
        # Ray takes a job that was cancelled as ended while its thread still computes: the next one waits for its turn.
        self._thread = ThreadPoolExecutor(1, "job")
        self._running: _Run | None = None  # in the thread
        self._runs: set[_Run] = set()
        self._edge = ""

    def describe(self) -> tuple[str, list[bytes]]:
        """The device, and each model's serialised ModelInfo."""
        return self._served.device, [model.SerializeToString() for model in self._served.models]

    def reconfigure(self, config: dict[str, str]) -> None:
        """Gives up the jobs of the server before: it has gone, and another (`edge`) has taken its jobs over."""
        if config["edge"] != self._edge:
            self._edge = config["edge"]
            for run in self._runs:
                run.give_up()

    def check_health(self) -> None:
        """Ray replaces a replica for which this raises.

        Raises:
            RuntimeError: its job hangs.
        """
        run = self._running
        if run is not None:
            seconds = time.monotonic() - run.moved
            if seconds > (self._cancel if run.given_up.is_set() else self._step):
                raise RuntimeError(f"the job made no progress for {seconds:.0f} seconds")

    async def run(self, job_id: str, request: bytes, carrier: dict[str, str]) -> AsyncIterator[bytes]:
        """Yields the serialised events of a job to the final one; cancelled, it ends the job after the present step."""
        loop = asyncio.get_running_loop()
        events: asyncio.Queue[bytes | None] = asyncio.Queue()
        run = _Run()

        def emit(event: job_pb2.JobEvent) -> None:
            run.moved = time.monotonic()
            loop.call_soon_threadsafe(events.put_nowait, event.SerializeToString())

        def work() -> None:
            if run.given_up.is_set():
                return
            run.moved = time.monotonic()
            self._running = run
            try:
                with tracing.span("work", carrier, job_id=job_id):
                    execute(self._served, job_id, request, emit, run.given_up.is_set)
            except DeviceLostError:  # Ray makes a new replica
                loop.call_soon_threadsafe(loop.call_later, _LAST_WORDS, os._exit, 1)
                raise
            finally:
                self._running = None

        self._runs.add(run)
        try:
            working = loop.run_in_executor(self._thread, work)
            working.add_done_callback(lambda _: events.put_nowait(None))
            while (event := await events.get()) is not None:
                yield event
            await working
        finally:
            run.give_up()
            self._runs.discard(run)


class _Run:
    """One job on its way through the thread."""

    def __init__(self) -> None:
        self.given_up = threading.Event()
        self.moved = time.monotonic()

    def give_up(self) -> None:
        """Lets it end after the present step."""
        if not self.given_up.is_set():
            self.moved = time.monotonic()
            self.given_up.set()
