"""Real networks of a tiny size: the worker is killed in the middle of a job, and the result is the same."""

from __future__ import annotations

import os
import signal

import grpc
import psutil
import pytest
from occscene.v1 import job_pb2, scene_service_pb2, scene_service_pb2_grpc

from tests.occscene_server.requests import generate_request
from tests.occscene_server.serve_process import worker_of
from tests.occscene_server.serving import kinds, submitted, watched

pytestmark = pytest.mark.weights


def worker_behind(address: str) -> psutil.Process:
    """The worker of the server that this process started and that listens there."""
    port = int(address.rsplit(":", 1)[1])
    for child in psutil.Process().children():
        if any(place.laddr.port == port for place in child.net_connections("tcp") if place.status == "LISTEN"):
            return worker_of(child.pid)
    raise AssertionError(f"no child of this process listens at {address}")


async def test_job_of_a_killed_worker_runs_again(composing: str) -> None:
    async with grpc.aio.insecure_channel(composing) as channel:
        stub = scene_service_pb2_grpc.SceneServiceStub(channel)
        request = generate_request(steps=8, views=1, seed=5)
        before = await watched(stub, (await submitted(stub, request)).id)
        worker = worker_behind(composing)
        job = await submitted(stub, request)
        async for response in stub.WatchJob(scene_service_pb2.WatchJobRequest(job_id=job.id)):
            if response.event.progress.phase == job_pb2.JOB_PHASE_DENOISING:
                os.kill(worker.pid, signal.SIGKILL)
                break
        after = await watched(stub, job.id)
        assert kinds(after) == ["started", "started", "view", "occupancy", "succeeded"]
        assert [event.view for event in after if event.HasField("view")] == [
            event.view for event in before if event.HasField("view")
        ]
