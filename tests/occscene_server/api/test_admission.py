"""No client is kept out by another's streams, connections, slow or large messages; real sockets and real processes."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status
from occscene.v1 import job_pb2, scene_service_pb2, scene_service_pb2_grpc

from occscene_server.api import admission
from occscene_server.api.server import Server
from tests.occscene_server.hostile import field, scene
from tests.occscene_server.requests import generate_request, predict_request
from tests.occscene_server.serve_process import ServeProcess
from tests.occscene_server.serving import kinds, serving, submitted, watched
from tests.occscene_server.stand_in import ENDLESS
from tests.patience import PATIENCE, wait_until

MIB = 2**20
SERVICE = "/occscene.v1.SceneService"
HEALTH = "/grpc.health.v1.Health"
TOKEN = "a-token-of-the-test-0123456789"
Watch = scene_service_pb2.WatchJobRequest


def reasons(error: Any) -> tuple[str, str, int]:
    """Code, reason, and the seconds after which another try makes sense, 0 for none."""
    details = rpc_status.from_call(error).details
    info, retry = error_details_pb2.ErrorInfo(), error_details_pb2.RetryInfo()
    assert details[0].Unpack(info)
    if len(details) > 1:
        details[1].Unpack(retry)
    return error.code().name, info.reason, retry.retry_delay.seconds


@contextlib.asynccontextmanager
async def own_connection(server: Server, number: int = 0) -> AsyncIterator[grpc.aio.Channel]:
    """A channel that shares its connection with no other one of this process."""
    options = [("grpc.max_send_message_length", -1), ("test.number", number)]
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}", options=options) as channel:
        yield channel


async def assert_serves(channel: grpc.aio.Channel) -> None:
    """Health, a submission, a watcher and a cancel."""
    checked = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=PATIENCE)
    assert checked.status == health_pb2.HealthCheckResponse.SERVING
    stub = scene_service_pb2_grpc.SceneServiceStub(channel)
    job = await submitted(stub, generate_request(ENDLESS))
    watching = asyncio.create_task(watched(stub, job.id))
    await stub.CancelJob(scene_service_pb2.CancelJobRequest(job_id=job.id), timeout=PATIENCE)
    assert kinds(await watching)[-1] == "cancelled"


async def outcomes(calls: list[Any]) -> Counter[Any]:
    """How many streams are open, and why the others are not; each has an answer before this returns."""
    waiting = [asyncio.ensure_future(call.read()) for call in calls]
    done, _ = await asyncio.wait(waiting, timeout=PATIENCE)
    assert len(done) == len(calls)
    found: Counter[Any] = Counter()
    for read in waiting:
        error = read.exception()
        found["open" if error is None else reasons(error)] += 1
    return found


@pytest.mark.parametrize("count", [128, 400])
async def test_health_watches_keep_nobody_out(tmp_path: Path, count: int) -> None:
    async with serving(tmp_path) as server, own_connection(server, 1) as flooding, own_connection(server, 2) as other:
        assert await server.engine.ready()
        health = health_pb2_grpc.HealthStub(flooding)
        watches = [health.Watch(health_pb2.HealthCheckRequest()) for _ in range(count)]
        found = await outcomes(watches)
        assert found == {"open": 4, ("RESOURCE_EXHAUSTED", "TOO_MANY_STREAMS", 10): count - 4}
        await assert_serves(other)
        await assert_serves(flooding)
        assert (await health_pb2_grpc.HealthStub(other).Watch(health_pb2.HealthCheckRequest()).read()).status == 1


async def test_watchers_keep_nobody_out_and_leave_their_places(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, own_connection(server, 1) as many, own_connection(server, 2) as other:
        assert await server.engine.ready()
        stub = scene_service_pb2_grpc.SceneServiceStub(many)
        job = await submitted(stub, generate_request(ENDLESS))
        for _ in range(2):  # again, once the first ones have hung up
            watches = [stub.WatchJob(Watch(job_id=job.id)) for _ in range(200)]
            found = await outcomes(watches)
            assert found == {"open": 64, ("RESOURCE_EXHAUSTED", "TOO_MANY_STREAMS", 10): 136}
            assert (
                await stub.GetJob(scene_service_pb2.GetJobRequest(job_id=job.id), timeout=PATIENCE)
            ).job.id == job.id
            for watch in watches:
                watch.cancel()
            await asyncio.gather(*[watch.code() for watch in watches])
            await stub.GetServerInfo(scene_service_pb2.GetServerInfoRequest(), timeout=PATIENCE)
        await stub.CancelJob(scene_service_pb2.CancelJobRequest(job_id=job.id), timeout=PATIENCE)
        await assert_serves(other)


async def test_slow_senders_hold_up_nobody_else_and_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calls that never send their request: two of them have the connection's turns, the third one waits for one."""
    monkeypatch.setattr(admission, "_SUBMIT_SECONDS", 2 * PATIENCE)
    async with serving(tmp_path) as server, own_connection(server, 1) as slow, own_connection(server, 2) as other:
        assert await server.engine.ready()
        silent = [slow.stream_unary(f"{SERVICE}/SubmitJob")() for _ in range(3)]
        await assert_serves(other)
        assert not any(call.done() for call in silent)
        for call in silent:
            call.cancel()
        monkeypatch.setattr(admission, "_SUBMIT_SECONDS", 0.5)
        for call in [slow.stream_unary(f"{SERVICE}/SubmitJob")() for _ in range(3)]:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert reasons(caught.value) == ("DEADLINE_EXCEEDED", "REQUEST_TOO_SLOW", 1)
        await assert_serves(slow)


async def test_turns_go_by_order_and_share() -> None:
    turns = admission.Turns(each=1, total=2)
    order: list[str] = []

    async def work(peer: str) -> None:
        async with turns.turn(peer):
            order.append(peer)
            await asyncio.sleep(0.01)

    first = [asyncio.create_task(work("a")) for _ in range(4)]
    rest = [asyncio.create_task(work(peer)) for peer in "bcd"]
    await asyncio.sleep(0)
    first[3].cancel()  # while it waits
    await asyncio.gather(*first, *rest, return_exceptions=True)
    assert order == ["a", "b", "a", "c", "a", "d"]
    assert not turns._held
    assert not turns._waiting


@pytest.mark.parametrize(
    ("method", "data"),
    [
        *[(f"{SERVICE}/{name}", b"\xff" * 10) for name in ("GetServerInfo", "SubmitJob", "WatchJob", "ListJobs")],
        *[(f"{SERVICE}/{name}", b"\x0a\x02\xff\xff") for name in ("SubmitJob", "GetJob", "CancelJob", "DeleteJob")],
        *[(f"{HEALTH}/{name}", b"\x0a\x02\xff\xff") for name in ("Check", "Watch")],
        (f"{SERVICE}/GetJob", field(1, bytes(2 * MIB))),
        (f"{HEALTH}/Check", field(1, bytes(15 * MIB))),
    ],
)
async def test_bytes_that_are_no_request_are_refused_with_a_reason(tmp_path: Path, method: str, data: bytes) -> None:
    async with serving(tmp_path) as server, own_connection(server) as channel:
        if method.endswith("Watch") or method.endswith("WatchJob"):
            call: Any = channel.unary_stream(method)(data).read()
        else:
            call = channel.unary_unary(method)(data)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call
        assert reasons(caught.value) == ("INVALID_ARGUMENT", "MALFORMED_REQUEST", 0)


async def test_call_without_a_request_is_refused_with_a_reason(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, own_connection(server) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await channel.stream_unary(f"{SERVICE}/SubmitJob")(iter([]))
        assert reasons(caught.value) == ("INVALID_ARGUMENT", "MALFORMED_REQUEST", 0)


@contextlib.contextmanager
def peak(serve: ServeProcess) -> Iterator[list[int]]:
    """The most memory that the process takes during the block, beyond what it took before."""
    before, found, ended = serve.resident_bytes(), [0], threading.Event()

    def look() -> None:
        while not ended.wait(0.002):
            found[0] = max(found[0], serve.resident_bytes() - before)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        yield found
    finally:
        ended.set()
        watcher.join()


def refused(address: str, data: bytes, number: int = 0) -> str:
    """The code with which a server refuses a submission."""
    options = [("grpc.max_send_message_length", -1), ("test.number", number)]
    with grpc.insecure_channel(address, options) as channel, pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(f"{SERVICE}/SubmitJob")(data, timeout=PATIENCE)
    return str(caught.value.code().name)  # type: ignore[attr-defined]


@pytest.mark.slow
def test_large_requests_that_are_refused_take_little_memory_and_leave_none(tmp_path: Path) -> None:
    cameras = scene(field(4, b"") * (8 * MIB - 10))
    image = predict_request()
    image.predict_occupancy.images[0].data = bytes(15 * MIB)
    prompt = generate_request("x" * (15 * MIB))
    serve = ServeProcess(tmp_path, tmp_path / "store", "--model", "x")
    assert refused(serve.address, b"\xff") == "INVALID_ARGUMENT"
    before = serve.resident_bytes()
    for data, times in ((cameras, 9), (image.SerializeToString(), 20), (prompt.SerializeToString(), 9)):
        with peak(serve) as most:
            assert {refused(serve.address, data) for _ in range(times)} == {"INVALID_ARGUMENT"}
        assert most[0] < 64 * MIB
    with peak(serve) as most, ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda number: refused(serve.address, cameras, number), range(6)))
    assert answers == ["INVALID_ARGUMENT"] * 6
    assert most[0] < 6 * 64 * MIB
    wait_until(lambda: serve.resident_bytes() - before <= 10 * MIB)
    serve.interrupted()
    assert serve.process.returncode == 0


def test_messages_of_strangers_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "token").chmod(0o600)
    serve = ServeProcess(tmp_path, tmp_path / "store", "--model", "x", "--token-file", tmp_path / "token")
    data = scene(field(4, b"") * (8 * MIB - 10))
    assert refused(serve.address, b"") == "UNAUTHENTICATED"
    with peak(serve) as most, ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda number: refused(serve.address, data, number % 8), range(40)))
    assert answers == ["UNAUTHENTICATED"] * 40
    assert most[0] < 20 * MIB
    serve.interrupted()


@pytest.mark.slow
def test_server_ends_while_requests_are_checked(tmp_path: Path) -> None:
    request = generate_request()
    for number in range(65_535):
        request.generate_scene.grid.objects.add(id=number + 1, name="o")
    data = request.SerializeToString()
    serve = ServeProcess(tmp_path, tmp_path / "store", "--model", "x")

    def send(number: int) -> None:
        with grpc.insecure_channel(serve.address, [("test.number", number)]) as channel:
            calls = [channel.unary_unary(f"{SERVICE}/SubmitJob").future(data, timeout=PATIENCE) for _ in range(10)]
            for call in calls:
                call.exception()

    before = serve.cpu_seconds()
    with ThreadPoolExecutor(4) as pool:
        pool.map(send, range(4))
        wait_until(lambda: serve.cpu_seconds() > before + 0.2)
        serve.process.terminate()
        serve.process.communicate(timeout=PATIENCE)
    assert serve.process.returncode == 0


def test_silent_connections_keep_nobody_out_and_end_no_job(tmp_path: Path) -> None:
    """400 of them, where the server may have 256 files open; its soft limit is lower still."""
    serve = ServeProcess(tmp_path, tmp_path / "store", "--model", "x", "--metrics-port", 0, files=256)
    host, port = serve.address.split(":")
    with grpc.insecure_channel(serve.address) as channel:
        stub = scene_service_pb2_grpc.SceneServiceStub(channel)
        job = stub.SubmitJob(generate_request("slow", steps=20, views=4, side=256), timeout=PATIENCE).job
        events = stub.WatchJob(Watch(job_id=job.id), timeout=PATIENCE)
        next(events)
        silent = [socket.create_connection((host, int(port)), timeout=PATIENCE) for _ in range(400)]
        assert serve.open_files() < 200
        kinds_seen = [str(response.event.WhichOneof("kind")) for response in events]
        assert kinds_seen.count("view") == 4
        assert kinds_seen[-1] == "succeeded"
        for connection in silent:  # each is closed by the server
            with contextlib.suppress(ConnectionResetError):
                while connection.recv(2**12):
                    pass
            connection.close()
    with grpc.insecure_channel(serve.address, [("test.number", 2)]) as channel:
        stub = scene_service_pb2_grpc.SceneServiceStub(channel)
        assert stub.GetJob(scene_service_pb2.GetJobRequest(job_id=job.id), timeout=PATIENCE).job.state == (
            job_pb2.JOB_STATE_SUCCEEDED
        )
    serve.interrupted()
    assert serve.process.returncode == 0


async def test_silent_connections_to_the_metrics_take_no_files(tmp_path: Path) -> None:
    import urllib.request

    async with serving(tmp_path, metrics_port=0) as server:
        silent = [socket.create_connection(("127.0.0.1", server.metrics_port), timeout=PATIENCE) for _ in range(50)]
        ended = 0
        for connection in silent:
            ended += (await asyncio.to_thread(connection.recv, 1)) == b""
            connection.close()
        assert ended == 50
        url = f"http://127.0.0.1:{server.metrics_port}/metrics"
        answer = await asyncio.to_thread(lambda: urllib.request.urlopen(url, timeout=PATIENCE).read())
        assert b"occscene_jobs" in answer


async def test_large_requests_wait_for_their_threads_and_nobody_else_does(tmp_path: Path) -> None:
    """The threads that parse and check are busy: what is asked of the server otherwise does not need them."""
    release = threading.Event()
    async with serving(tmp_path) as server, own_connection(server, 1) as large, own_connection(server, 2) as other:
        for _ in range(2):
            server._servicer.checks.submit(release.wait)
        data = scene(field(4, b"") * MIB)
        calls = [large.unary_unary(f"{SERVICE}/SubmitJob")(data, timeout=PATIENCE) for _ in range(4)]
        for channel in (other, large):
            stub = scene_service_pb2_grpc.SceneServiceStub(channel)
            for _ in range(20):
                info = await stub.GetServerInfo(scene_service_pb2.GetServerInfoRequest(), timeout=PATIENCE)
                assert info.limits.views == 16
        assert not any(call.done() for call in calls)
        calls[3].cancel()
        release.set()
        assert [await call.code() for call in calls[:3]] == [grpc.StatusCode.INVALID_ARGUMENT] * 3
        stub = scene_service_pb2_grpc.SceneServiceStub(other)
        job = await submitted(stub, generate_request(steps=1, views=1))
        assert kinds(await watched(stub, job.id))[-1] == "succeeded"
