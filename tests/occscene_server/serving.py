"""A real server with the stand-in pipeline on a free port, for tests."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
from occscene.v1 import job_pb2, scene_service_pb2, scene_service_pb2_grpc

from occscene_server.api.server import Server, ServerOptions
from tests.occscene_server.stand_in import load_stand_in
from tests.patience import PATIENCE


@contextlib.asynccontextmanager
async def serving(store: Path, **options: Any) -> AsyncIterator[Server]:
    """Runs a server for the time of the block."""
    arguments: dict[str, Any] = {"model": "stand-in", "port": 0, "loader": load_stand_in} | options
    server = Server(ServerOptions(store=store, **arguments))
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@contextlib.asynccontextmanager
async def connected(server: Server) -> AsyncIterator[scene_service_pb2_grpc.SceneServiceAsyncStub]:
    """A real channel to it."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield scene_service_pb2_grpc.SceneServiceStub(channel)


async def submitted(
    stub: scene_service_pb2_grpc.SceneServiceAsyncStub, request: scene_service_pb2.SubmitJobRequest
) -> job_pb2.Job:
    """Submits a request."""
    return (await stub.SubmitJob(request, timeout=PATIENCE)).job


async def watched(
    stub: scene_service_pb2_grpc.SceneServiceAsyncStub, job_id: str, after: int = 0
) -> list[job_pb2.JobEvent]:
    """All events of a job to its final one."""
    request = scene_service_pb2.WatchJobRequest(job_id=job_id, after_sequence=after)
    return [response.event async for response in stub.WatchJob(request, timeout=PATIENCE)]


def kinds(events: list[job_pb2.JobEvent]) -> list[str]:
    """What the events are, without those that may be passed over."""
    passing = ("queued", "progress", "preview")
    return [kind for event in events if (kind := str(event.WhichOneof("kind"))) not in passing]
