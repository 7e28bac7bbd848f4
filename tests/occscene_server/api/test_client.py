"""The client against real servers: refused, asked to wait, cut off, restarted, stopped."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2, duration_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from occscene.client import SceneClient
from occscene.client.errors import (
    DataLossError,
    InvalidRequestError,
    JobNotFoundError,
    ModelNotLoadedError,
    NoAnswerError,
    NoServerError,
    QueueFullError,
    RefusedError,
    RequestTooLargeError,
    SceneError,
    ShuttingDownError,
    StoppedError,
    StoreFullError,
    TooManyStreamsError,
)
from occscene.client.waiting import Patience
from occscene.events import REASONS
from occscene.v1 import job_pb2, scene_service_pb2, scene_service_pb2_grpc

from tests.occscene_server.proxy import CuttingProxy, cutting_proxy
from tests.occscene_server.requests import generate_request
from tests.occscene_server.serve_process import ServeProcess
from tests.occscene_server.serving import serving
from tests.occscene_server.small_disk import fill, small_disk
from tests.occscene_server.stand_in import ENDLESS
from tests.patience import PATIENCE, until, wait_until

TOKEN = "a-token-of-the-test-0123456789"
QUICK = Patience(60.0, 0.01, 0.2)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("serve")
    serve = ServeProcess(folder, folder / "store")
    yield serve.address
    serve.interrupted()


class Waits:
    """Keeps why a client waited."""

    def __init__(self) -> None:
        self.errors: list[tuple[SceneError, float]] = []

    def __call__(self, error: SceneError, seconds: float) -> None:
        self.errors.append((error, seconds))

    def until(self, kind: type[SceneError]) -> None:
        wait_until(lambda: any(isinstance(error, kind) for error, _ in self.errors))


class Refusing(scene_service_pb2_grpc.SceneServiceServicer):
    """Refuses every submission in its own way, as servers of other versions and of bad will do."""

    def __init__(self) -> None:
        self.reason, self.retry_seconds, self.calls = "", 0, 0
        self.over = threading.Event()

    def SubmitJob(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        self.calls += 1
        details = [error_details_pb2.ErrorInfo(reason=self.reason, domain="occscene")]
        if self.retry_seconds:
            details.append(error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=self.retry_seconds)))
        packed = [any_pb2.Any() for _ in details]
        for holder, detail in zip(packed, details, strict=True):
            holder.Pack(detail)
        status = status_pb2.Status(code=8, message="no, and that is all", details=packed)
        context.abort_with_status(rpc_status.to_status(status))

    def ListJobs(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        self.over.wait()
        return scene_service_pb2.ListJobsResponse()


@pytest.fixture
def refusing() -> Iterator[tuple[Refusing, str]]:
    servicer, server = Refusing(), grpc.server(ThreadPoolExecutor(2))
    scene_service_pb2_grpc.add_SceneServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield servicer, f"127.0.0.1:{port}"
    servicer.over.set()
    server.stop(None)


def test_a_server_that_is_not_there() -> None:
    waits = Waits()
    with SceneClient("127.0.0.1:9", patience=Patience(0.5, 0.01, 0.2), on_wait=waits) as client:
        with pytest.raises(NoServerError, match=r"no server answers at 127\.0\.0\.1:9"):
            client.info()
        assert not waits.errors
        with pytest.raises(NoServerError):
            client.submit(generate_request())
    assert 0 < sum(seconds for _, seconds in waits.errors) <= 0.5


def test_pauses_double_up_to_the_longest() -> None:
    pauses: list[float] = []

    def stop_at_the_seventh(error: SceneError, seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 7:
            client.stop()

    patience = Patience(PATIENCE, 0.01, 0.2)
    with (
        SceneClient("127.0.0.1:9", patience=patience, on_wait=stop_at_the_seventh) as client,
        pytest.raises(StoppedError),
    ):
        client.submit(generate_request())
    assert pauses == [0.01, 0.02, 0.04, 0.08, 0.16, 0.2, 0.2]


def test_a_server_that_does_not_answer_in_time(refusing: tuple[Refusing, str]) -> None:
    with SceneClient(refusing[1], patience=0.0, timeout=0.2) as client, pytest.raises(NoAnswerError):
        client.jobs()


async def test_a_full_queue_is_waited_for_as_the_server_says(tmp_path: Path) -> None:
    async with serving(tmp_path, max_queued=1) as server:
        waits, go_on = Waits(), tmp_path / "go on"

        def let_it_end(error: SceneError, seconds: float) -> None:
            waits(error, seconds)
            go_on.touch()

        with SceneClient(f"127.0.0.1:{server.port}", patience=300.0, on_wait=let_it_end) as client:

            def fill_queue() -> list[job_pb2.Job]:
                running = client.submit(generate_request(f"until {go_on}"))
                wait_until(lambda: client.get(running.id).state == job_pb2.JOB_STATE_RUNNING)
                return [running, client.submit(generate_request())]

            await asyncio.to_thread(fill_queue)
            with SceneClient(client.address, patience=0.0) as hasty, pytest.raises(QueueFullError) as caught:
                await asyncio.to_thread(hasty.submit, generate_request())
            assert caught.value.advice == REASONS["QUEUE_FULL"].advice
            job = await asyncio.to_thread(client.submit, generate_request("after all"))
            assert (await asyncio.to_thread(list, client.watch(job.id)))[-1].HasField("succeeded")
        assert {type(error) for error, _ in waits.errors} == {QueueFullError}
        assert all(seconds == error.retry_after >= 1.0 for error, seconds in waits.errors)


@pytest.mark.parametrize("seconds", [0, 3600, 2**40])
def test_a_wait_is_never_longer_than_the_patience(refusing: tuple[Refusing, str], seconds: int) -> None:
    servicer, address = refusing
    servicer.reason, servicer.retry_seconds = "QUEUE_FULL", seconds
    waits = Waits()
    with SceneClient(address, on_wait=waits) as client, pytest.raises(QueueFullError):
        client.submit(generate_request())
    assert (servicer.calls, waits.errors) == (1, [])


def test_waiting_ends_when_it_is_stopped(refusing: tuple[Refusing, str]) -> None:
    servicer, address = refusing
    servicer.reason, servicer.retry_seconds = "STORE_FULL", 600
    waits = Waits()
    with SceneClient(address, patience=6000.0, on_wait=waits) as client:
        ended = in_thread(lambda: client.submit(generate_request()))
        waits.until(StoreFullError)
        client.stop()
        assert isinstance(ended(), StoppedError)
    assert servicer.calls == 1


def test_a_reason_of_a_later_version_is_shown_with_its_message(refusing: tuple[Refusing, str]) -> None:
    refusing[0].reason = "OUT_OF_TEA"
    with SceneClient(refusing[1]) as client, pytest.raises(RefusedError) as caught:
        client.submit(generate_request())
    assert (type(caught.value), caught.value.reason) == (RefusedError, "OUT_OF_TEA")
    assert str(caught.value) == "no, and that is all."


def in_thread(call: Callable[[], object]) -> Callable[[], object]:
    """Runs a call in a thread; gives what to call for its outcome or its error."""
    outcome: list[object] = []

    def run() -> None:
        try:
            outcome.append(call())
        except SceneError as error:
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()

    def join() -> object:
        thread.join(PATIENCE)
        return outcome[0]

    return join


def test_watching_ends_when_it_is_stopped_and_the_job_goes_on(served: str, tmp_path: Path) -> None:
    with SceneClient(served) as client, SceneClient(served) as other:
        job = client.submit(generate_request(f"until {tmp_path / 'go on'}"))
        seen = threading.Event()
        ended = in_thread(lambda: [seen.set() for _ in client.watch(job.id)])
        assert seen.wait(PATIENCE)
        client.stop()
        assert isinstance(ended(), StoppedError)
        (tmp_path / "go on").touch()
        assert list(other.watch(job.id))[-1].HasField("succeeded")


def test_a_watcher_who_knows_all_gets_the_final_event_alone(served: str) -> None:
    with SceneClient(served) as client:
        job = client.submit(generate_request())
        last = list(client.watch(job.id))[-1]
        for after in (last.sequence, last.sequence + 100):
            assert list(client.watch(job.id, after)) == [last]


def test_jobs_are_found_by_their_ids(served: str) -> None:
    with SceneClient(served) as client:
        request = generate_request()
        job = client.submit(request)
        assert client.submit(request).id == job.id
        assert client.find_request(request.request_id).id == client.find(job.id[:20].upper()).id == job.id
        assert client.request(job.id) == request
        list(client.watch(job.id))
        client.delete(job.id)
        for call in (client.get, client.find, client.find_request, client.request, client.cancel):
            with pytest.raises(JobNotFoundError) as caught:
                call(job.id)
            assert "Send its request again." in str(caught.value)


def test_wrong_fields_are_named(served: str) -> None:
    request = generate_request()
    request.generate_scene.steps, request.generate_scene.cameras[0].fx = 0, -1.0
    with SceneClient(served) as client, pytest.raises(InvalidRequestError) as caught:
        client.submit(request)
    assert [field for field, _ in caught.value.violations] == ["generate_scene.cameras[0].fx", "generate_scene.steps"]
    assert "generate_scene.steps: steps is 0; it must be 1 to 100" in str(caught.value)


def test_a_request_that_is_too_large_is_not_sent(served: str) -> None:
    request = generate_request()
    request.generate_scene.mesh.vertices.data = bytes(17 * 2**20)
    with SceneClient(served) as client, pytest.raises(RequestTooLargeError, match=r"the limit is 16,777,216"):
        client.submit(request)


async def test_a_restarted_server_is_found_again(tmp_path: Path) -> None:
    """Stopped with a job in the queue and one that runs, away for a while, and back at the same port."""
    waits, reconnects, go_on = Waits(), list[job_pb2.Job](), tmp_path / "go on"
    options: dict[str, Any] = {"port": 0}
    kinds: list[str | None] = []

    def watch() -> None:
        for event in client.watch(job.id, on_reconnect=reconnects.append):
            kinds.append(event.WhichOneof("kind"))

    async with serving(tmp_path, **options) as server:
        options["port"] = server.port
        client = SceneClient(f"127.0.0.1:{server.port}", patience=QUICK, on_wait=waits)
        await asyncio.to_thread(client.submit, generate_request(f"until {go_on}"))
        job = await asyncio.to_thread(client.submit, generate_request())
        watching = asyncio.ensure_future(asyncio.to_thread(watch))
        await until(lambda: bool(kinds))
    await asyncio.to_thread(waits.until, ShuttingDownError)
    await asyncio.to_thread(waits.until, NoServerError)
    go_on.touch()
    async with serving(tmp_path, **options):
        await watching
        client.close()
    assert kinds[-1] == "succeeded"
    assert [found.id for found in reconnects] == [job.id]


async def cut_until(is_so: Callable[[], bool], proxy: CuttingProxy) -> None:
    """Cuts again and again, ever more rarely, so that every machine has the time to connect between two cuts."""
    pause = 0.1
    while not is_so():
        proxy.cut()
        await asyncio.sleep(pause)
        pause *= 1.2


async def test_a_cut_stream_goes_on_without_a_gap(tmp_path: Path) -> None:
    async with serving(tmp_path) as server, cutting_proxy(server.port) as proxy:
        events: list[job_pb2.JobEvent] = []
        reconnects: list[job_pb2.Job] = []
        go_on = tmp_path / "go on"
        with SceneClient(f"127.0.0.1:{proxy.port}", patience=QUICK) as client:
            prompt = f"slow, and it lingers, half until {go_on}"
            job = await asyncio.to_thread(client.submit, generate_request(prompt, steps=5, views=6))

            def watch() -> None:
                for event in client.watch(job.id, on_reconnect=reconnects.append):
                    events.append(event)

            watching = asyncio.ensure_future(asyncio.to_thread(watch))
            await until(lambda: bool(events))
            await cut_until(lambda: len(reconnects) >= 6, proxy)  # while it denoises, and after the first view
            go_on.touch()
            await cut_until(lambda: sum(event.HasField("view") for event in events) >= 4, proxy)
            await watching
        kinds = [event.WhichOneof("kind") for event in events]
        sequences = [event.sequence for event in events]
    assert sequences == sorted(set(sequences))
    assert (kinds.count("view"), kinds.count("occupancy"), kinds[-1]) == (6, 1, "succeeded")


async def test_a_model_that_cannot_be_loaded(tmp_path: Path) -> None:
    """Reported at once on submission; a job that waits for the model is watched until it can be loaded."""
    async with serving(tmp_path, model="missing") as server:
        await until(lambda: server.engine.state == scene_service_pb2.SERVER_STATE_FAILED)
        waits = Waits()
        client = SceneClient(f"127.0.0.1:{server.port}", on_wait=waits)
        with client, pytest.raises(ModelNotLoadedError, match="no such model") as caught:
            await asyncio.to_thread(client.submit, generate_request())
        assert str(caught.value).endswith(REASONS["MODEL_NOT_LOADED"].advice)
        assert not waits.errors


def test_a_full_store(tmp_path: Path) -> None:
    async def run() -> None:
        with small_disk(tmp_path / "disk") as disk:
            async with serving(disk / "store") as server:
                fill(disk)
                client = SceneClient(f"127.0.0.1:{server.port}", patience=0.0)
                with client, pytest.raises(StoreFullError, match="is full") as caught:
                    await asyncio.to_thread(client.submit, generate_request(views=16, side=256))
                assert caught.value.retry_after == 60.0
                assert "occscene-server jobs delete" in str(caught.value)

    asyncio.run(run())


async def test_damaged_results_and_too_many_streams(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        with SceneClient(f"127.0.0.1:{server.port}", patience=0.0) as client:
            job = await asyncio.to_thread(client.submit, generate_request(side=128))
            await asyncio.to_thread(list, client.watch(job.id))
            for path in (tmp_path / "blobs" / job.id).iterdir():
                path.write_bytes(b"damaged")
            with pytest.raises(DataLossError, match="is damaged"):
                await asyncio.to_thread(list, client.watch(job.id))
            waiting = await asyncio.to_thread(client.submit, generate_request(ENDLESS))
            streams = [client.watch(waiting.id) for _ in range(65)]

            def open_all() -> None:
                for stream in streams:
                    next(stream)

            with pytest.raises(TooManyStreamsError) as caught:
                await asyncio.to_thread(open_all)
            assert caught.value.retry_after == 10.0
            for stream in streams:
                await asyncio.to_thread(stream.close)  # gives its place back
            assert (await asyncio.to_thread(next, client.watch(waiting.id))).sequence > 0
            await asyncio.to_thread(client.cancel, waiting.id)
