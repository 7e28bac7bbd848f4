"""Many clients, many requests and hostile bytes: right answers, flat memory, and the next request works."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import os
import random
import socket
import struct
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import grpc
import numpy as np
import pytest
from google.protobuf.message import Message
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from occscene.codec import grid_to_message
from occscene.grid import SemanticGrid
from occscene.v1 import grid_pb2, scene_service_pb2, scene_service_pb2_grpc

from tests.occscene_server.hostile import hostile_messages, hostile_submissions
from tests.occscene_server.requests import generate_request
from tests.occscene_server.serve_process import ServeProcess
from tests.occscene_server.serving import connected, kinds, serving, submitted, watched
from tests.patience import PATIENCE, wait_until

MEBIBYTE = 2**20
SERVICE = "/occscene.v1.SceneService"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServeProcess]:
    folder = tmp_path_factory.mktemp("serve")
    serve = ServeProcess(folder, folder / "store", "--model", "x")
    yield serve
    serve.interrupted()
    assert serve.process.returncode == 0


@pytest.fixture
def channel(served: ServeProcess) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(served.address, [("grpc.max_send_message_length", -1)]) as channel:
        yield channel


def assert_serves(channel: grpc.Channel) -> None:
    """A small job runs to its end."""
    stub = scene_service_pb2_grpc.SceneServiceStub(channel)
    job = stub.SubmitJob(generate_request(steps=1, views=1), timeout=PATIENCE).job
    request = scene_service_pb2.WatchJobRequest(job_id=job.id)
    assert [response.event for response in stub.WatchJob(request, timeout=PATIENCE)][-1].HasField("succeeded")


@pytest.mark.slow
async def test_fifty_clients_at_once(tmp_path: Path) -> None:
    async def one(number: int) -> None:
        async with connected(server) as stub:
            request = generate_request(seed=number, steps=1, views=1)
            request.request_id = str(uuid.uuid4())
            first, second = await asyncio.gather(submitted(stub, request), submitted(stub, request))
            assert first.id == second.id
            events = await watched(stub, first.id)
            assert kinds(events) == ["started", "view", "occupancy", "succeeded"]
            assert await watched(stub, first.id, events[-2].sequence) == events[-1:]

    async with serving(tmp_path, max_queued=50, max_queued_each=50) as server:
        await asyncio.gather(*[one(number) for number in range(50)])
        assert (server.jobs.running, server.jobs.queued, server.jobs.feed.size) == (0, 0, 0)
        async with connected(server) as stub:
            assert len((await stub.ListJobs(scene_service_pb2.ListJobsRequest(limit=1000))).jobs) == 50


async def test_watcher_that_does_not_read_misses_previews_but_no_result(tmp_path: Path) -> None:
    """Views of 2 MiB each fill the connection; the server keeps no more for this watcher than the newest previews."""
    async with serving(tmp_path) as server, connected(server) as stub:
        job = await submitted(stub, generate_request(steps=100, views=4, side=768, previews=True))
        call = stub.WatchJob(scene_service_pb2.WatchJobRequest(job_id=job.id))
        await call.read()
        quick = await watched(stub, job.id)
        await asyncio.sleep(0.1)
        events = []
        while (response := await call.read()) is not grpc.aio.EOF:
            events.append(response.event)
        assert [event.view.view for event in events if event.HasField("view")] == [0, 1, 2, 3]
        assert kinds(events) == kinds(quick)[-len(kinds(events)) :]
        assert events[-1].HasField("succeeded")


@pytest.mark.slow
def test_two_thousand_requests_take_no_memory(served: ServeProcess, channel: grpc.Channel) -> None:
    stub = scene_service_pb2_grpc.SceneServiceStub(channel)
    wrong = generate_request(steps=0)
    right = generate_request(steps=1, views=1)

    def requests(count: int) -> None:
        for number in range(count):
            kind = number % 20
            if kind == 0:
                job = stub.SubmitJob(right, timeout=PATIENCE).job
                list(stub.WatchJob(scene_service_pb2.WatchJobRequest(job_id=job.id), timeout=PATIENCE))
            elif kind < 8:
                stub.GetServerInfo(scene_service_pb2.GetServerInfoRequest(), timeout=PATIENCE)
            elif kind < 12:
                stub.GetJob(scene_service_pb2.GetJobRequest(job_id=job.id), timeout=PATIENCE)
            elif kind < 14:
                stub.ListJobs(scene_service_pb2.ListJobsRequest(limit=20), timeout=PATIENCE)
            elif kind < 17:
                list(stub.WatchJob(scene_service_pb2.WatchJobRequest(job_id=job.id), timeout=PATIENCE))
            else:
                with pytest.raises(grpc.RpcError):
                    stub.SubmitJob(wrong, timeout=PATIENCE)

    requests(300)
    before = served.resident_bytes()
    requests(2000)
    assert served.resident_bytes() - before < 20 * MEBIBYTE


def test_small_request_works_after_large_ones_were_refused(served: ServeProcess, channel: grpc.Channel) -> None:
    stub = scene_service_pb2_grpc.SceneServiceStub(channel)
    assert_serves(channel)
    before = served.resident_bytes()
    for size in (17 * MEBIBYTE, 100 * MEBIBYTE):
        request = generate_request()
        request.generate_scene.grid.labels.data = bytes(size)
        with pytest.raises(grpc.RpcError) as caught:
            stub.SubmitJob(request, timeout=PATIENCE)
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert_serves(channel)
    assert served.resident_bytes() - before < 20 * MEBIBYTE


def test_bombs_over_the_wire_take_no_memory(served: ServeProcess, channel: grpc.Channel) -> None:
    """Small messages that would unpack to a gibibyte of prompt: gRPC's own compression is not spoken at all."""
    submit = channel.unary_unary(f"{SERVICE}/SubmitJob")
    assert_serves(channel)
    before = served.resident_bytes()
    bomb = gzip.compress(gzip.compress(bytes(256 * MEBIBYTE), 1), 1)
    with pytest.raises(grpc.RpcError) as caught:
        submit(bytes(15 * MEBIBYTE), timeout=PATIENCE, compression=grpc.Compression.Gzip)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
    stub = scene_service_pb2_grpc.SceneServiceStub(channel)
    for compression in (grid_pb2.COMPRESSION_ZSTD, grid_pb2.COMPRESSION_ZLIB, grid_pb2.COMPRESSION_NONE):
        for declared in (120, 2**62):
            request = generate_request()
            block = request.generate_scene.grid.labels
            block.compression, block.data, block.raw_size = compression, bomb, declared
            with pytest.raises(grpc.RpcError) as caught:
                stub.SubmitJob(request, timeout=PATIENCE)
            assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert_serves(channel)
    assert served.resident_bytes() - before < 20 * MEBIBYTE


def test_random_bytes_are_no_requests(served: ServeProcess, channel: grpc.Channel) -> None:
    rng = random.Random(0)
    whole = generate_request().SerializeToString()
    before = served.resident_bytes()
    for number in range(300):
        data = rng.randbytes(rng.randrange(200)) if number % 2 else whole[: rng.randrange(1, len(whole))]
        method = rng.choice(["SubmitJob", "GetJob", "ListJobs", "CancelJob", "DeleteJob", "NoSuchMethod"])
        with contextlib.suppress(grpc.RpcError):
            channel.unary_unary(f"{SERVICE}/{method}")(data, timeout=PATIENCE)
        with contextlib.suppress(grpc.RpcError):
            list(channel.unary_stream(f"{SERVICE}/WatchJob")(data, timeout=PATIENCE))
    assert_serves(channel)
    assert served.resident_bytes() - before < 20 * MEBIBYTE


def test_other_protocols_on_the_port_are_hung_up_on(served: ServeProcess, channel: grpc.Channel) -> None:
    host, port = served.address.split(":")
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    frames = [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        bytes(1000),
        preface + os.urandom(1000),
        preface + struct.pack(">I", 2**24 - 1)[1:] + b"\x00" * 6,  # a frame that says it is 16 MiB
    ]
    for data in frames:
        with socket.create_connection((host, int(port)), timeout=PATIENCE) as connection, contextlib.suppress(OSError):
            connection.sendall(data)
            while connection.recv(2**16):
                pass
        assert_serves(channel)


METHODS = {
    "GetServerInfo": scene_service_pb2.GetServerInfoRequest,
    "WatchJob": scene_service_pb2.WatchJobRequest,
    "GetJob": scene_service_pb2.GetJobRequest,
    "ListJobs": scene_service_pb2.ListJobsRequest,
    "CancelJob": scene_service_pb2.CancelJobRequest,
    "DeleteJob": scene_service_pb2.DeleteJobRequest,
}
ALLOWED = (
    grpc.StatusCode.OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_hostile_messages_get_an_answer(channel: grpc.Channel, data: st.DataObject) -> None:
    """Whatever parses is answered or refused with a reason; none ends as an error of the server's own."""
    stub = scene_service_pb2_grpc.SceneServiceStub(channel)
    method = data.draw(st.sampled_from(["SubmitJob"] * 6 + list(METHODS)))
    request: Message = data.draw(hostile_submissions() if method == "SubmitJob" else hostile_messages(METHODS[method]))
    call = getattr(stub, method)
    if method == "WatchJob":
        answer = call(request, timeout=PATIENCE)
        with contextlib.suppress(grpc.RpcError):
            list(answer)
    else:
        answer = call.future(request, timeout=PATIENCE)
        if answer.exception() is None and method == "SubmitJob":
            stub.CancelJob(scene_service_pb2.CancelJobRequest(job_id=answer.result().job.id), timeout=PATIENCE)
    assert answer.code() in ALLOWED, answer.details()


def test_large_grids_whose_senders_hang_up_take_no_memory(served: ServeProcess, channel: grpc.Channel) -> None:
    """Each would take 100 MiB while it is checked; what is freed goes back to the system."""
    stub = scene_service_pb2_grpc.SceneServiceStub(channel)
    labels = np.zeros((512, 512, 128), np.uint8)
    labels[:, :, 0] = 2
    request = generate_request(steps=0)
    request.generate_scene.grid.CopyFrom(grid_to_message(SemanticGrid(labels, 0.08, np.eye(4), "indoor")))
    assert_serves(channel)
    before = served.resident_bytes()
    for _ in range(20):
        call = stub.SubmitJob.future(request, timeout=PATIENCE)
        time.sleep(0.01)
        call.cancel()
    wait_until(lambda: served.resident_bytes() - before <= 20 * MEBIBYTE)
    assert_serves(channel)
