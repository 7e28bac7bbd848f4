"""An artifact store that does not answer holds up what needs it, and nothing else: a real S3 server that is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from occscene.codec import grid_to_message
from occscene.grid import SemanticGrid
from occscene.v1 import job_pb2, scene_service_pb2

from tests.occscene_server.requests import generate_request
from tests.occscene_server.s3 import S3Server, s3_server
from tests.occscene_server.serving import connected, kinds, serving, submitted, watched
from tests.patience import PATIENCE, until

pytestmark = pytest.mark.slow


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[S3Server]:
    with s3_server(tmp_path / "data") as server:
        yield server


def large_request(prompt: str = "a room") -> scene_service_pb2.SubmitJobRequest:
    """A request that the database does not hold, of a job whose views it does not hold either."""
    request = generate_request(prompt, side=128)
    labels = np.random.default_rng(0).integers(0, 12, (40, 40, 40), np.uint8)
    request.generate_scene.grid.CopyFrom(grid_to_message(SemanticGrid(labels, 0.08, np.eye(4), "indoor")))
    return request


async def test_other_calls_are_answered_while_the_store_stalls(tmp_path: Path, s3: S3Server) -> None:
    async with (
        serving(tmp_path / "store", artifacts=s3.url) as server,
        connected(server) as stub,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        health = health_pb2_grpc.HealthStub(channel)
        ended = await submitted(stub, large_request())
        assert kinds(await watched(stub, ended.id))[-1] == "succeeded"
        running = await submitted(stub, large_request(f"until {tmp_path}/now"))
        await until(lambda: server.jobs.get(running.id).last_sequence > 2)
        s3.process.send_signal(signal.SIGSTOP)
        try:
            (tmp_path / "now").touch()  # its views are to be stored
            stalled = [
                asyncio.create_task(submitted(stub, large_request())),
                asyncio.create_task(watched(stub, ended.id)),
                asyncio.create_task(watched(stub, running.id)),
            ]
            for _ in range(20):
                status = (await health.Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE)).status
                assert status == health_pb2.HealthCheckResponse.SERVING
                assert (await stub.GetServerInfo(scene_service_pb2.GetServerInfoRequest(), timeout=PATIENCE)).running
                request = scene_service_pb2.GetJobRequest(job_id=running.id)
                assert (await stub.GetJob(request, timeout=PATIENCE)).job.state == job_pb2.JOB_STATE_RUNNING
            small = await submitted(stub, generate_request())
            request = scene_service_pb2.CancelJobRequest(job_id=small.id)
            assert (await stub.CancelJob(request, timeout=PATIENCE)).job.state == job_pb2.JOB_STATE_CANCELLED
            assert not any(call.done() for call in stalled)
        finally:
            s3.process.send_signal(signal.SIGCONT)
        assert kinds(await stalled[2])[-1] == "succeeded"  # with the run that it has left, if the first one failed
        for call in stalled[:2]:
            with contextlib.suppress(grpc.aio.AioRpcError):  # it may have been refused in the end
                await call
        assert kinds(await watched(stub, (await submitted(stub, large_request())).id))[-1] == "succeeded"
        assert kinds(await watched(stub, ended.id))[-1] == "succeeded"
