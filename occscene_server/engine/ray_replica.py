"""What runs on the nodes of a Ray cluster: one replica, which holds the model and runs one job at a time."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator

from occscene.v1 import job_pb2

from occscene_server.engine.deaths import DeviceLostError
from occscene_server.engine.worker import Loader, execute

_LAST_WORDS = 1.0  # seconds in which the last event or error leaves a process that ends itself


class SceneReplica:
    """Loads the model when it is made.

    Args:
        loader: loads the pipeline; must be importable by name on the node.
        model: a folder that the node has, or a hub id.
        device: "auto", "cpu", "cuda" or "cuda:N".
    """

    def __init__(self, loader: Loader, model: str, device: str) -> None:
        self._loaded = loader(model, device)

    def describe(self) -> tuple[str, bytes]:
        """The device, and the serialised ModelInfo."""
        return self._loaded.device, self._loaded.model.SerializeToString()

    async def run(self, job_id: str, request: bytes) -> AsyncIterator[bytes]:
        """Yields the serialised events of a job to the final one; cancelled, it ends the job after the present step."""
        loop = asyncio.get_running_loop()
        events: asyncio.Queue[bytes | None] = asyncio.Queue()
        given_up = threading.Event()

        def emit(event: job_pb2.JobEvent) -> None:
            loop.call_soon_threadsafe(events.put_nowait, event.SerializeToString())

        def work() -> None:
            try:
                execute(self._loaded, job_id, request, emit, given_up.is_set)
            except DeviceLostError:  # Ray makes a new replica
                loop.call_soon_threadsafe(loop.call_later, _LAST_WORDS, os._exit, 1)
                raise

        working = loop.run_in_executor(None, work)
        working.add_done_callback(lambda _: events.put_nowait(None))
        try:
            while (event := await events.get()) is not None:
                yield event
            await working
        finally:
            given_up.set()
            await asyncio.wait([working])  # the next job finds the device free
