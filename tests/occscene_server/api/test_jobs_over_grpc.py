"""Jobs through a real server, a real channel and a real worker process."""

from __future__ import annotations

import math
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import numpy as np
import pytest
import pytest_asyncio
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status
from occscene.codec import grid_from_message
from occscene.v1 import job_pb2, scene_service_pb2, scene_service_pb2_grpc

from occscene_server.api.server import SERVICE, Server
from occscene_server.engine.task import decode_image
from tests.occscene_server.requests import generate_request, predict_request, sample_grid, text_request
from tests.occscene_server.serving import connected, kinds, serving, submitted, watched
from tests.occscene_server.stand_in import ENDLESS

if TYPE_CHECKING:  # the name is in the stubs only
    from occscene.v1.scene_service_pb2_grpc import SceneServiceAsyncStub as Stub

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    async with serving(tmp_path_factory.mktemp("store"), max_queued=3) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def stub(server: Server) -> AsyncIterator[Stub]:
    async with connected(server) as connection:
        yield connection


async def test_blockout_to_scene(stub: Stub) -> None:
    job = await submitted(stub, generate_request(previews=True))
    assert job.state == job_pb2.JOB_STATE_QUEUED
    events = await watched(stub, job.id)
    assert kinds(events) == ["started", "view", "view", "occupancy", "succeeded"]
    sequences = [event.sequence for event in events]
    assert sequences == sorted(set(sequences))
    views = [event.view for event in events if event.HasField("view")]
    assert [(view.view, view.name) for view in views] == [(0, "camera 0"), (1, "camera 1")]
    assert decode_image(views[0].image).shape == (64, 64, 3)
    grid = next(grid_from_message(event.occupancy.grid) for event in events if event.HasField("occupancy"))
    np.testing.assert_array_equal(grid.labels, sample_grid().labels)
    final = (await stub.GetJob(scene_service_pb2.GetJobRequest(job_id=job.id))).job
    assert final.state == job_pb2.JOB_STATE_SUCCEEDED
    assert final.HasField("end_time")


async def test_text_to_scene(stub: Stub) -> None:
    events = await watched(stub, (await submitted(stub, text_request())).id)
    assert kinds(events) == ["started", "view", "occupancy", "succeeded"]


async def test_images_to_occupancy(stub: Stub) -> None:
    events = await watched(stub, (await submitted(stub, predict_request(red=5))).id)
    assert kinds(events) == ["started", "occupancy", "succeeded"]
    grid = next(grid_from_message(event.occupancy.grid) for event in events if event.HasField("occupancy"))
    assert (grid.labels == 5).all()


async def test_same_seed_same_bytes(stub: Stub) -> None:
    async def first_view(seed: int) -> bytes:
        events = await watched(stub, (await submitted(stub, generate_request(seed=seed))).id)
        return next(event.view.image.data for event in events if event.HasField("view"))

    assert await first_view(1) == await first_view(1) != await first_view(2)


async def test_replay_from_any_sequence(stub: Stub) -> None:
    job = await submitted(stub, generate_request())
    await watched(stub, job.id)
    events = await watched(stub, job.id)
    for index, event in enumerate(events[:-1]):
        assert await watched(stub, job.id, event.sequence) == events[index + 1 :]
    assert await watched(stub, job.id, events[-1].sequence) == []


async def test_request_id_repeats_the_job(stub: Stub) -> None:
    request = generate_request()
    request.request_id = str(uuid.uuid4())
    first, second = await submitted(stub, request), await submitted(stub, request)
    assert first.id == second.id
    assert first.request_id == request.request_id
    await watched(stub, first.id)
    assert (await submitted(stub, request)).state == job_pb2.JOB_STATE_SUCCEEDED


async def test_previews_and_progress_come_while_it_runs(stub: Stub) -> None:
    job = await submitted(stub, generate_request("slow", steps=8, previews=True))
    events = await watched(stub, job.id)
    previews = [event for event in events if event.HasField("preview")]
    assert previews[0].preview.image.data.startswith(b"\xff\xd8")
    assert previews[0].sequence < next(event.sequence for event in events if event.HasField("view"))
    steps = [e.progress.step for e in events if e.progress.phase == job_pb2.JOB_PHASE_DENOISING]
    assert steps == sorted(set(steps))
    assert steps


async def test_cancel_running_and_queued(stub: Stub) -> None:
    running = await submitted(stub, generate_request(ENDLESS))
    queued = await submitted(stub, generate_request(ENDLESS))
    async for response in stub.WatchJob(scene_service_pb2.WatchJobRequest(job_id=running.id)):
        if response.event.progress.step >= 1:
            break
    answer = await stub.CancelJob(scene_service_pb2.CancelJobRequest(job_id=queued.id))
    assert answer.job.state == job_pb2.JOB_STATE_CANCELLED
    assert kinds(await watched(stub, queued.id)) == ["cancelled"]
    await stub.CancelJob(scene_service_pb2.CancelJobRequest(job_id=running.id))
    assert kinds(await watched(stub, running.id))[-1] == "cancelled"
    again = (await stub.CancelJob(scene_service_pb2.CancelJobRequest(job_id=running.id))).job
    assert again.state == job_pb2.JOB_STATE_CANCELLED


async def test_full_queue_is_refused_with_retry_info(stub: Stub) -> None:
    jobs = [await submitted(stub, generate_request(ENDLESS))]
    async for response in stub.WatchJob(scene_service_pb2.WatchJobRequest(job_id=jobs[0].id)):
        if response.event.HasField("started"):
            break
    jobs += [await submitted(stub, generate_request(ENDLESS)) for _ in range(3)]
    assert (await stub.GetJob(scene_service_pb2.GetJobRequest(job_id=jobs[3].id))).job.queue_position == 2
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await submitted(stub, generate_request())
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    details = rpc_status.from_call(caught.value).details
    assert details[0].Unpack(info)
    assert details[1].Unpack(retry)
    assert info.reason == "QUEUE_FULL"
    assert 1 <= retry.retry_delay.seconds <= 60
    for job in reversed(jobs):
        await stub.CancelJob(scene_service_pb2.CancelJobRequest(job_id=job.id))
        assert kinds(await watched(stub, job.id))[-1] == "cancelled"


async def test_pipeline_error_fails_the_job_alone(stub: Stub) -> None:
    events = await watched(stub, (await submitted(stub, generate_request("error"))).id)
    assert kinds(events) == ["started", "failed"]
    assert "asked for an error" in events[-1].failed.failure.message
    events = await watched(stub, (await submitted(stub, generate_request())).id)
    assert kinds(events)[-1] == "succeeded"


async def test_job_that_crashes_its_worker_twice_fails_and_the_next_one_runs(stub: Stub, server: Server) -> None:
    restarts = server.engine.restarts
    events = await watched(stub, (await submitted(stub, generate_request("crash"))).id)
    assert kinds(events) == ["started", "started", "failed"]
    assert events[-1].failed.failure.reason == "WORKER_DIED"
    assert "exit code 9" in events[-1].failed.failure.message
    events = await watched(stub, (await submitted(stub, generate_request())).id)
    assert kinds(events)[-1] == "succeeded"
    assert server.engine.restarts == restarts + 2


async def test_list_and_delete(stub: Stub) -> None:
    job = await submitted(stub, generate_request("slow", steps=3))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.DeleteJob(scene_service_pb2.DeleteJobRequest(job_id=job.id))
    assert caught.value.code() == grpc.StatusCode.FAILED_PRECONDITION
    await watched(stub, job.id)
    listed = (await stub.ListJobs(scene_service_pb2.ListJobsRequest(limit=2))).jobs
    assert len(listed) == 2
    assert listed[0].id == job.id
    await stub.DeleteJob(scene_service_pb2.DeleteJobRequest(job_id=job.id))
    for call in (
        stub.GetJob(scene_service_pb2.GetJobRequest(job_id=job.id)),
        stub.CancelJob(scene_service_pb2.CancelJobRequest(job_id=job.id)),
        stub.DeleteJob(scene_service_pb2.DeleteJobRequest(job_id=job.id)),
        watched(stub, job.id),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert caught.value.code() == grpc.StatusCode.NOT_FOUND


async def test_wrong_request_names_its_fields(stub: Stub) -> None:
    request = generate_request(views=16)
    for camera in request.generate_scene.cameras:
        camera.fx, camera.fy, camera.cx, camera.cy, camera.width = -1.0, -1.0, math.nan, math.inf, 63
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await submitted(stub, request)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    status = rpc_status.from_call(caught.value)
    info, detail = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    assert status.details[0].Unpack(info)
    assert (info.reason, info.domain) == ("INVALID_REQUEST", "occscene")
    assert status.details[1].Unpack(detail)
    fields = [violation.field for violation in detail.field_violations]
    assert len(fields) >= 25
    assert fields[:3] == [f"generate_scene.cameras[0].{field}" for field in ("width", "fx", "fy")]
    assert f"80 fields are wrong (the first {len(fields)} are listed)" in status.message


async def test_refusal_fits_into_the_trailers_whatever_it_quotes(stub: Stub) -> None:
    request = generate_request(views=16)
    for camera in request.generate_scene.cameras:
        camera.name, camera.width = "\N{PILE OF POO}" * 200, 63
    request.request_id = "\N{PILE OF POO}" * 1000
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await submitted(stub, request)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.GetJob(scene_service_pb2.GetJobRequest(job_id="\N{PILE OF POO}" * 100_000))
    assert caught.value.code() == grpc.StatusCode.NOT_FOUND


async def test_info(stub: Stub) -> None:
    info = await stub.GetServerInfo(scene_service_pb2.GetServerInfoRequest())
    assert info.state == scene_service_pb2.SERVER_STATE_READY
    assert info.models[0].default_steps == 12
    assert list(info.models[0].taxonomies) == ["indoor"]
    assert info.limits.grid_side == 512


async def test_health_and_reflection(server: Server) -> None:
    from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        for name in ("", SERVICE):
            answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=name))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        call = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([request]))
        names = [entry.name async for answer in call for entry in answer.list_services_response.service]
        assert SERVICE in names


async def test_not_serving_while_the_model_loads(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, model="late") as server,
        grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel,
    ):
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=SERVICE))
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        job = await submitted(scene_service_pb2_grpc.SceneServiceStub(channel), generate_request())
        assert job.state == job_pb2.JOB_STATE_QUEUED
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING


async def test_gzip_is_not_spoken(stub: Stub) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stub.SubmitJob(generate_request(), compression=grpc.Compression.Gzip)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


async def test_small_request_works_after_a_large_one_was_refused(stub: Stub) -> None:
    request = generate_request()
    request.generate_scene.grid.labels.data = bytes(17 * 2**20)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await submitted(stub, request)
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    events = await watched(stub, (await submitted(stub, generate_request())).id)
    assert kinds(events)[-1] == "succeeded"


async def test_model_that_cannot_be_loaded(tmp_path: Path) -> None:
    async with serving(tmp_path, model="missing") as server, connected(server) as stub:
        await server.engine.ready()
        info = await stub.GetServerInfo(scene_service_pb2.GetServerInfoRequest())
        assert info.state == scene_service_pb2.SERVER_STATE_FAILED
        assert "no such model" in info.message
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await submitted(stub, generate_request())
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
