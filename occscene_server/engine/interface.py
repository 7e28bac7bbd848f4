"""What an engine is to the rest of the server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from occscene.v1 import job_pb2, scene_service_pb2

Emit = Callable[[job_pb2.JobEvent], None]
"""Takes the events of a job where it runs."""

Deliver = Callable[[job_pb2.JobEvent], Awaitable[None]]
"""Takes them from the engine; awaited before the next one, for it may store a large one."""


class Engine(Protocol):
    """What runs jobs: a worker process here, or replicas elsewhere. All methods are called in one event loop."""

    state: scene_service_pb2.ServerState
    """LOADING, READY, or FAILED: the model cannot be loaded for now."""

    message: str
    """Why the state is not READY, where there is more to say than that the model is being loaded."""

    device: str
    """Where jobs run; empty until it is known."""

    models: list[scene_service_pb2.ModelInfo]
    """What runs, or is loaded at its first request; empty until it is known."""

    restarts: int
    """Times that a worker died and was replaced."""

    capacity: int
    """Jobs that run at the same time."""

    @property
    def device_memory(self) -> tuple[int, int] | None:
        """Bytes of the device that are used and that it has; None where that is not known."""

    @property
    def stalled(self) -> bool:
        """Whether what runs has not moved for so long that a server which is to end leaves it."""

    def start(self) -> None:
        """Begins to load the model and returns at once."""

    async def stop(self) -> None:
        """Ends everything that runs."""

    async def ready(self) -> bool:
        """Waits until jobs can run (True), or it is known that they cannot for now."""

    async def run(self, job_id: str, request: bytes, deliver: Deliver) -> None:
        """Runs a serialised SubmitJobRequest and delivers its events, the last of them a final one.

        Cancelling this coroutine, or an exception out of `deliver`, gives the job up.

        Raises:
            JobInterruptedError: what ran the job died or hung before its final event; it may run again.
        """

    def cancel(self, job_id: str) -> None:
        """Asks a running job to end; its final event says when it has."""
