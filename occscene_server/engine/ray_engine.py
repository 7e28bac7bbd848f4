"""The engine of a Ray cluster: replicas of the model behind this server's own edge."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

from google.rpc import code_pb2
from occscene import tracing
from occscene.events import FINAL_EVENTS
from occscene.v1 import job_pb2, scene_service_pb2

from occscene_server.engine.deaths import JobInterruptedError
from occscene_server.engine.events import failed_event
from occscene_server.engine.interface import Deliver
from occscene_server.engine.ray_options import ClusterState, RayOptions
from occscene_server.engine.worker import Loader
from occscene_server.engine.worker_process import WorkerProcess

log = logging.getLogger(__name__)

_LONGEST_PAUSE = 10.0  # seconds between two tries to reach the cluster
_LEAVE_SECONDS = 30.0
_DRAIN_SECONDS = 60.0  # without an event, after which a server that is to end no longer waits for a job


class RayEngine:
    """Runs as many jobs at a time as there are replicas.

    A cluster that goes away is waited for: what ran there runs again when it is back, and counts no attempt.

    Args:
        options: which cluster, and how many replicas.
        prepare: called first in the process that speaks to the cluster; sets up its log.
        model: a hub id, a folder that every node has, or a URL of one that all can read; "" for the bundled ones.
        device: "auto", "cpu", "cuda" or "cuda:N".
        loader: loads the pipeline in a replica; must be importable by name on every node.
        on_state: called in the event loop whenever `state`, `message` or `capacity` has changed.
    """

    def __init__(
        self,
        options: RayOptions,
        prepare: Callable[[], None],
        model: str,
        device: str,
        loader: Loader,
        on_state: Callable[[scene_service_pb2.ServerState], None] = lambda state: None,
    ) -> None:
        self.state: scene_service_pb2.ServerState = scene_service_pb2.SERVER_STATE_LOADING
        self.message = f"connecting to the Ray cluster ({options.address})"
        self.device = ""
        self.models: list[scene_service_pb2.ModelInfo] = []
        self.restarts = 0
        self.capacity = 1
        self.device_memory: tuple[int, int] | None = None  # Ray has metrics of its own
        self._arguments = (loader, model, device, options, prepare)
        self._on_state = on_state
        self._settled = asyncio.Event()  # the model is loaded, or cannot be
        self._driver: WorkerProcess | None = None
        self._loaded = False  # the driver that runs now has said so
        self._device = ""  # of one replica
        self._broken = self._fault = ""  # why the driver that runs now cannot go on, in words and in one
        self._pauses = 0
        self._runs: dict[int, asyncio.Queue[tuple[Any, ...]]] = {}
        self._numbers: dict[str, int] = {}  # of the runs of jobs
        self._latest = 0
        self._moved = time.monotonic()
        self._restarting: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begins to connect and to deploy, and returns at once."""
        self._restarting, self._loaded, self._broken, self._fault = None, False, "", ""
        driver = WorkerProcess(
            self._arguments,
            lambda message: self._on_message(driver, message),
            lambda failure: self._on_end(driver),
            target=_drive,
        )
        self._driver = driver

    async def stop(self) -> None:
        """Takes the deployment out of the cluster, and ends a cluster that was started here."""
        if self._restarting is not None:
            self._restarting.cancel()
        driver, self._driver = self._driver, None
        if driver is not None:
            driver.send(("leave",))
            if not await driver.ended(_LEAVE_SECONDS):
                driver.kill()
                await driver.ended()

    @property
    def stalled(self) -> bool:
        """Whether what runs has not moved for so long that a server which is to end leaves it."""
        return self._driver is None or time.monotonic() - self._moved > _DRAIN_SECONDS

    async def ready(self) -> bool:
        """Waits until a replica has loaded the model, or none can for now, and says which."""
        await self._settled.wait()
        return self.state == scene_service_pb2.SERVER_STATE_READY

    async def run(self, job_id: str, request: bytes, deliver: Deliver) -> None:
        """Runs a job to its final event.

        Raises:
            JobInterruptedError: its replica died or lost its device, or the cluster has gone.
        """
        driver = self._driver
        if driver is None or self.state != scene_service_pb2.SERVER_STATE_READY:
            raise self._gone()
        self._latest += 1
        self._moved = time.monotonic()
        number = self._numbers[job_id] = self._latest
        inbox = self._runs[number] = asyncio.Queue()
        driver.send(("run", number, job_id, request, tracing.carrier()))
        ended = False
        try:
            while not ended:
                kind, *content = await inbox.get()
                if kind == "gone":
                    ended = True
                    raise self._gone()
                if kind == "interrupted":
                    ended = True
                    self.restarts += 1
                    raise JobInterruptedError(job_pb2.JobEvent.FromString(content[0]), begun=content[1])
                event = job_pb2.JobEvent.FromString(content[0])
                ended = event.WhichOneof("kind") in FINAL_EVENTS
                await deliver(event)
        finally:
            del self._runs[number], self._numbers[job_id]
            if not ended:  # its results are no longer wanted
                driver.send(("cancel", number))

    def cancel(self, job_id: str) -> None:
        """Asks a replica to end a job after the present step."""
        if self._driver is not None and job_id in self._numbers:
            self._driver.send(("cancel", self._numbers[job_id]))

    def _gone(self) -> JobInterruptedError:
        failure = failed_event("MODEL_NOT_LOADED", self.message, code=code_pb2.UNAVAILABLE)
        return JobInterruptedError(failure, begun=False)

    def _on_message(self, driver: WorkerProcess, message: tuple[Any, ...]) -> None:
        if driver is not self._driver:
            return
        if message[0] == "ready":
            self._pauses, self._loaded = 0, True  # the state comes next
            self._device, self.models = (
                message[1],
                [scene_service_pb2.ModelInfo.FromString(model) for model in message[2]],
            )
        elif message[0] == "broken":
            self._broken, self._fault = message[1:]
        elif message[0] == "cluster":
            self._take_state(*message[1:])
        else:
            self._moved = time.monotonic()
            inbox = self._runs.get(message[1])
            if inbox is not None:
                inbox.put_nowait((message[0], *message[2:]))

    def _take_state(self, cluster: ClusterState, answers: bool) -> None:
        ready = self._loaded and answers and cluster.running > 0
        state = scene_service_pb2.SERVER_STATE_READY if ready else scene_service_pb2.SERVER_STATE_LOADING
        message = cluster.message or cluster.failure
        capacity = max(cluster.capacity, 1)
        if (state, message, capacity) == (self.state, self.message, self.capacity):
            return
        self.capacity = capacity
        if self._loaded:
            self.device = f"{cluster.running} x {self._device}"
        self._set_state(state, message)

    def _on_end(self, driver: WorkerProcess) -> None:
        if driver is not self._driver:
            return
        self._driver = None
        pause = min(2.0**self._pauses, _LONGEST_PAUSE)
        self._pauses += 1
        text = self._broken or self.message or "the connection to the Ray cluster was lost"
        log.error("%s; the next try is in %g s", text, pause)
        failed = self._fault == "model" or (self._fault == "absent" and not self.models)
        self._set_state(
            scene_service_pb2.SERVER_STATE_FAILED if failed else scene_service_pb2.SERVER_STATE_LOADING, text
        )
        for inbox in self._runs.values():
            inbox.put_nowait(("gone",))
        self._restarting = asyncio.get_running_loop().call_later(pause, self.start)

    def _set_state(self, state: scene_service_pb2.ServerState, message: str = "") -> None:
        self.state, self.message = state, message
        if state == scene_service_pb2.SERVER_STATE_LOADING:
            self._settled.clear()
        else:
            self._settled.set()
        self._on_state(state)


def _drive(*arguments: Any) -> None:
    """What the child runs; Ray is imported there only."""
    from occscene_server.engine.ray_driver import drive

    drive(*arguments)
