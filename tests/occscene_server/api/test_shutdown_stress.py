"""A server that ends while many clients ask for everything at once: each call gets an answer, and nothing is lost."""

from __future__ import annotations

import asyncio
import contextlib
import random
import uuid
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from occscene.v1 import job_pb2, scene_service_pb2, scene_service_pb2_grpc

from tests.occscene_server.requests import generate_request
from tests.occscene_server.serving import connected, kinds, serving, watched
from tests.patience import PATIENCE, until

CLIENTS = 24
ENDS = {grpc.StatusCode.OK, grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.CANCELLED}


class Storm:
    """Clients with a connection each that make one call after another until the server is gone.

    Args:
        port: of the server.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self.accepted: set[str] = set()  # request ids
        self.codes: set[grpc.StatusCode] = set()
        self.calls = 0

    async def client(self, number: int) -> None:
        """Ends with the first call that finds no server."""
        dice = random.Random(number)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{self._port}") as channel:
            stub = scene_service_pb2_grpc.SceneServiceStub(channel)
            health = health_pb2_grpc.HealthStub(channel)
            job_id = ""
            code = grpc.StatusCode.OK
            while code is not grpc.StatusCode.UNAVAILABLE:
                choice = dice.randrange(5)
                if choice == 0 or not job_id:
                    request = generate_request("slow", seed=number, steps=2, views=1)
                    request.request_id = str(uuid.uuid4())
                    call: Any = stub.SubmitJob(request, timeout=PATIENCE)
                    with contextlib.suppress(grpc.aio.AioRpcError):
                        job_id = (await call).job.id
                        self.accepted.add(request.request_id)
                elif choice == 1:
                    call = stub.WatchJob(scene_service_pb2.WatchJobRequest(job_id=job_id), timeout=PATIENCE)
                    with contextlib.suppress(grpc.aio.AioRpcError):
                        async for _ in call:
                            if dice.random() < 0.3:
                                break
                    call.cancel()
                elif choice == 2:
                    call = health.Watch(health_pb2.HealthCheckRequest(), timeout=PATIENCE)
                    with contextlib.suppress(grpc.aio.AioRpcError):
                        await call.read()
                    call.cancel()
                else:
                    call = stub.ListJobs(scene_service_pb2.ListJobsRequest(limit=5), timeout=PATIENCE)
                    with contextlib.suppress(grpc.aio.AioRpcError):
                        await call
                code = await call.code()
                self.codes.add(code)
                self.calls += 1


@pytest.mark.slow
async def test_a_server_ends_amidst_a_storm_of_calls_and_loses_no_job(tmp_path: Path) -> None:
    async with serving(tmp_path, max_queued=1000, max_queued_each=1000) as server:
        storm = Storm(server.port)
        clients = [asyncio.create_task(storm.client(number)) for number in range(CLIENTS)]
        await until(lambda: storm.calls > 20 * CLIENTS)
    async with asyncio.timeout(PATIENCE):
        await asyncio.gather(*clients)
    assert storm.codes <= ENDS
    assert storm.accepted
    async with serving(tmp_path, max_queued=1000, max_queued_each=1000) as server, connected(server) as stub:
        for request_id in storm.accepted:
            found = (await stub.GetJob(scene_service_pb2.GetJobRequest(request_id=request_id))).job
            assert found.state in (job_pb2.JOB_STATE_QUEUED, job_pb2.JOB_STATE_RUNNING, job_pb2.JOB_STATE_SUCCEEDED)
        assert kinds(await watched(stub, found.id))[-1] == "succeeded"
