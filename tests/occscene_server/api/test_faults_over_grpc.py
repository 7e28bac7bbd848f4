"""How a client learns of the server's own faults, and how it asks for a job after losing the connection."""

from __future__ import annotations

import os
import signal
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status
from occscene.v1 import job_pb2, scene_service_pb2

from occscene_server.api.server import Server
from tests.occscene_server.requests import generate_request
from tests.occscene_server.serving import connected, kinds, serving, submitted, watched
from tests.occscene_server.stand_in import ENDLESS
from tests.patience import until

if TYPE_CHECKING:  # the name is in the stubs only
    from occscene.v1.scene_service_pb2_grpc import SceneServiceAsyncStub as Stub


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with serving(tmp_path / "store") as running:
        yield running


@pytest.fixture
async def stub(server: Server) -> AsyncIterator[Stub]:
    async with connected(server) as connection:
        yield connection


def reason_of(error: grpc.aio.AioRpcError) -> str:
    info = error_details_pb2.ErrorInfo()
    rpc_status.from_call(error).details[0].Unpack(info)
    return info.reason


async def health_of(server: Server) -> int:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        return (await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest())).status


@pytest.mark.parametrize("damage", ["flipped", "missing"])
async def test_damaged_result_is_data_loss(stub: Stub, tmp_path: Path, damage: str) -> None:
    job = await submitted(stub, generate_request(side=128))
    assert kinds(await watched(stub, job.id))[-1] == "succeeded"
    view = next(path for path in (tmp_path / "store/blobs" / job.id).iterdir())
    if damage == "missing":
        view.unlink()
    else:
        data = bytearray(view.read_bytes())
        data[len(data) // 2] ^= 1
        view.write_bytes(data)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await watched(stub, job.id)
    assert (caught.value.code(), reason_of(caught.value)) == (grpc.StatusCode.DATA_LOSS, "DATA_LOSS")
    assert damage.replace("flipped", "damaged") in str(caught.value.details())
    assert str(tmp_path) not in str(caught.value.details())
    await stub.DeleteJob(scene_service_pb2.DeleteJobRequest(job_id=job.id))


async def test_hung_worker_does_not_keep_a_cancelled_job(stub: Stub, server: Server) -> None:
    """Its patience is that of `serve`; the next job runs."""
    job = await submitted(stub, generate_request(ENDLESS))
    async for event in server.jobs.watch(job.id, 0):
        if event.progress.phase == job_pb2.JOB_PHASE_DENOISING:
            break
    os.kill(server.engine.worker_pid, signal.SIGSTOP)
    following = await submitted(stub, generate_request())
    await stub.CancelJob(scene_service_pb2.CancelJobRequest(job_id=job.id))
    assert kinds(await watched(stub, job.id)) == ["started", "cancelled"]
    await stub.DeleteJob(scene_service_pb2.DeleteJobRequest(job_id=job.id))
    assert kinds(await watched(stub, following.id))[-1] == "succeeded"


async def test_job_by_its_request_id_and_with_its_request(stub: Stub) -> None:
    request = generate_request("with words")
    request.request_id = str(uuid.uuid4())
    job = await submitted(stub, request)
    by_request = scene_service_pb2.GetJobRequest(request_id=request.request_id, with_request=True)
    answer = await stub.GetJob(by_request)
    assert (answer.job.id, answer.request) == (job.id, request)
    assert not (await stub.GetJob(scene_service_pb2.GetJobRequest(job_id=job.id))).HasField("request")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.GetJob(scene_service_pb2.GetJobRequest(request_id=str(uuid.uuid4())))
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


async def test_watchers_of_waiting_jobs_hear_that_the_model_cannot_be_loaded(tmp_path: Path) -> None:
    """The worker dies again and again while it loads, until what it lacks is there."""
    model = tmp_path / "dies"
    model.mkdir()
    async with serving(tmp_path / "store", model=str(model)) as server, connected(server) as stub:
        running = await submitted(stub, generate_request(ENDLESS))
        waiting = await submitted(stub, generate_request())
        async for event in server.jobs.watch(running.id, 0):
            if event.progress.phase == job_pb2.JOB_PHASE_DENOISING:
                break
        model.rmdir()
        os.kill(server.engine.worker_pid, signal.SIGKILL)
        for job in (waiting, running):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await watched(stub, job.id)
            assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
            assert reason_of(caught.value) == "MODEL_NOT_LOADED"
            assert "before it began a job" in str(caught.value.details())
        info = await stub.GetServerInfo(scene_service_pb2.GetServerInfoRequest())
        assert info.state == scene_service_pb2.SERVER_STATE_FAILED
        assert "before it began a job" in info.message
        assert await health_of(server) == health_pb2.HealthCheckResponse.NOT_SERVING
        model.mkdir()
        await stub.CancelJob(scene_service_pb2.CancelJobRequest(job_id=running.id))
        assert kinds(await watched(stub, running.id))[-1] == "cancelled"
        await until(lambda: server.engine.state == scene_service_pb2.SERVER_STATE_READY)
        assert kinds(await watched(stub, waiting.id))[-1] == "succeeded"
