"""What the edge costs: the server with an engine that does nothing, against bare grpc.aio handlers of the same methods.

Each runs in a process of its own. The peer has no token, no checks, no jobs and no store: it answers with messages of
the same size out of its memory.

    python -m tests.benchmarks.serving
"""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import cache
from pathlib import Path
from time import perf_counter
from typing import Any

import grpc
import numpy as np
import psutil
from occscene import limits
from occscene.camera import PinholeCamera
from occscene.codec import camera_to_message, grid_to_message
from occscene.grid import SemanticGrid
from occscene.v1 import camera_pb2, job_pb2, scene_service_pb2, scene_service_pb2_grpc
from rich.console import Console

from occscene_server.api.server import Server, ServerOptions
from occscene_server.engine.interface import Deliver
from tests.benchmarks.table import Row, print_table

TOKEN = "a-token-of-the-benchmark"
METADATA = (("authorization", f"Bearer {TOKEN}"),)
CHANNEL = [("grpc.max_receive_message_length", -1)]
PEER = "bare grpc.aio handler"
CALLS, EVENTS, JOBS, ROUNDS = 10, 1000, 10, 20  # short rounds: the best of them is one that nothing disturbed
VIEWS, VIEW_BYTES = 64, 2**20
UNARY_BUDGET_MS = 2.0
STREAM_BUDGET = 1.5  # times the peer
LATENCIES, LATENCY_BUDGET_MS = 400, 150.0


def view_event(number: int, size: int) -> job_pb2.JobEvent:
    """A result of `size` bytes."""
    image = camera_pb2.EncodedImage(format=camera_pb2.IMAGE_FORMAT_PNG, data=bytes(size), width=512, height=512)
    return job_pb2.JobEvent(sequence=number, view=job_pb2.JobView(view=number, name="camera", image=image))


class NoOpEngine:
    """Answers a job whose prompt is "COUNT SIZE" with COUNT views of SIZE bytes."""

    state = scene_service_pb2.SERVER_STATE_READY
    message, device, model, restarts, capacity = "", "none", None, 0, 1
    stalled, device_memory = False, None

    def __init__(self, *arguments: object) -> None: ...

    def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def ready(self) -> bool:
        return True

    async def run(self, job_id: str, request: bytes, deliver: Deliver) -> None:
        count, size = map(int, scene_service_pb2.SubmitJobRequest.FromString(request).generate_scene.prompt.split())
        await deliver(job_pb2.JobEvent(started=job_pb2.JobStarted(device="none")))
        for number in range(count):
            await deliver(view_event(number, size))
        await deliver(job_pb2.JobEvent(succeeded=job_pb2.JobSucceeded()))

    def cancel(self, job_id: str) -> None: ...


class BareServicer(scene_service_pb2_grpc.SceneServiceServicer):
    """The peer; the id of a job is the request's prompt."""

    async def SubmitJob(self, request: scene_service_pb2.SubmitJobRequest, context: Any) -> Any:  # noqa: N802
        return scene_service_pb2.SubmitJobResponse(job=job_pb2.Job(id=request.generate_scene.prompt))

    async def GetJob(self, request: scene_service_pb2.GetJobRequest, context: Any) -> Any:  # noqa: N802
        return scene_service_pb2.GetJobResponse(job=job_pb2.Job(id=request.job_id, request_id=32 * "-", prompt="1 1"))

    async def WatchJob(self, request: scene_service_pb2.WatchJobRequest, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        for response in _answers(request.job_id):
            yield response


@cache
def _answers(job_id: str) -> list[scene_service_pb2.WatchJobResponse]:
    """All responses of a job, ready in memory."""
    count, size = map(int, job_id.split())
    events = [job_pb2.JobEvent(started=job_pb2.JobStarted(device="none"))]
    events += [view_event(number, size) for number in range(count)]
    events += [job_pb2.JobEvent(succeeded=job_pb2.JobSucceeded())]
    return [scene_service_pb2.WatchJobResponse(event=event) for event in events]


async def serve_ours(store: Path) -> None:
    server = Server(ServerOptions(model="none", store=store, port=0, tokens={"": TOKEN}, engine=NoOpEngine))
    await server.start()
    print(server.port, flush=True)
    await asyncio.to_thread(sys.stdin.read)  # until the benchmark ends
    await server.stop()


async def serve_bare() -> None:
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", 16 * 2**20)])
    scene_service_pb2_grpc.add_SceneServiceServicer_to_server(BareServicer(), server)
    print(server.add_insecure_port("127.0.0.1:0"), flush=True)
    await server.start()
    await asyncio.to_thread(sys.stdin.read)


def scene_request(count: int, size: int) -> scene_service_pb2.SubmitJobRequest:
    """A typical room of 60 x 60 x 36 voxels and four cameras of 512 x 512 pixels."""
    labels = np.zeros((60, 60, 36), np.uint8)
    labels[:, :, 0], labels[:, 59, :], labels[10:30, 10:20, 1:8] = 2, 3, 6
    pose = np.array([[1, 0, 0, 2.4], [0, 0, 1, -2], [0, -1, 0, 1.5], [0, 0, 0, 1]], np.float64)
    cameras = [PinholeCamera(f"camera {n}", 512, 512, 500.0, 500.0, 256.0, 256.0, pose) for n in range(4)]
    grid = SemanticGrid(labels, 0.08, np.eye(4), "indoor")
    task = job_pb2.GenerateScene(
        grid=grid_to_message(grid), cameras=map(camera_to_message, cameras), prompt=f"{count} {size}"
    )
    return scene_service_pb2.SubmitJobRequest(generate_scene=task)


class Subject:
    """One of the two servers and a channel to it."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "tests.benchmarks.serving", *arguments]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        port = self.process.stdout.readline().strip()
        self.address = f"127.0.0.1:{port}"
        self._channel = grpc.aio.insecure_channel(self.address, options=CHANNEL)
        self.small = ""  # a job
        self.stub: Any = scene_service_pb2_grpc.SceneServiceStub(self._channel)

    async def submit(self, count: int, size: int) -> str:
        return str((await self.stub.SubmitJob(scene_request(count, size), metadata=METADATA)).job.id)

    async def watch(self, job_id: str) -> int:
        """Follows a job to its end; returns the bytes of its views."""
        call = self.stub.WatchJob(scene_service_pb2.WatchJobRequest(job_id=job_id), metadata=METADATA)
        return sum([len(response.event.view.image.data) async for response in call])

    def resident_mib(self) -> float:
        return psutil.Process(self.process.pid).memory_info().rss / 2**20

    async def close(self) -> None:
        await self._channel.close()
        self.process.communicate("")


async def best_of(
    work: Callable[[Subject], Awaitable[object]], subjects: tuple[Subject, ...], parts: int
) -> list[float]:
    """The least milliseconds of `work`, one of its `parts`, on each subject; rounds alternate between them."""
    best = [float("inf")] * len(subjects)
    for _ in range(ROUNDS):
        for index, subject in enumerate(subjects):
            begin = perf_counter()
            await work(subject)
            best[index] = min(best[index], (perf_counter() - begin) * 1000 / parts)
    return best


async def get_jobs(subject: Subject) -> None:
    for _ in range(CALLS):
        await subject.stub.GetJob(scene_service_pb2.GetJobRequest(job_id=subject.small), metadata=METADATA)


async def refused(subject: Subject) -> None:
    """Requests that are checked whole and then refused for one field."""
    request = scene_request(1, 1)
    request.generate_scene.steps = 101
    for _ in range(CALLS):
        call = subject.stub.SubmitJob(request, metadata=METADATA)
        await call.code()


async def submitted(subject: Subject) -> None:
    for _ in range(JOBS):
        await subject.watch(await subject.submit(0, 0))


async def parallel_jobs(subject: Subject) -> None:
    async def run() -> None:
        await subject.watch(await subject.submit(1, 1000))

    await asyncio.gather(*[run() for _ in range(JOBS)])


def large_request() -> scene_service_pb2.SubmitJobRequest:
    """The largest message that is allowed, refused after its checks: images that are no pictures."""
    room = limits.MAX_MESSAGE_BYTES - 4096
    image = camera_pb2.EncodedImage(format=camera_pb2.IMAGE_FORMAT_PNG, data=bytes(room), width=512, height=512)
    task = job_pb2.PredictOccupancy(images=[image], cameras=scene_request(1, 1).generate_scene.cameras[:1])
    return scene_service_pb2.SubmitJobRequest(predict_occupancy=task)


def send_large_requests(address: str) -> None:
    """Sends one after the other until the benchmark ends."""
    with grpc.insecure_channel(address) as channel:
        stub = scene_service_pb2_grpc.SceneServiceStub(channel)
        request = large_request()
        print("ready", flush=True)
        while True:
            with contextlib.suppress(grpc.RpcError):
                stub.SubmitJob(request, metadata=METADATA)


async def beside_large_requests(subject: Subject) -> tuple[float, float]:
    """Median and longest milliseconds of GetJob while another client sends the largest requests."""
    command = [sys.executable, "-m", "tests.benchmarks.serving", "large", subject.address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sender:
        assert sender.stdout is not None
        await asyncio.to_thread(sender.stdout.readline)
        times = []
        for _ in range(LATENCIES):
            begin = perf_counter()
            await subject.stub.GetJob(scene_service_pb2.GetJobRequest(job_id=subject.small), metadata=METADATA)
            times.append((perf_counter() - begin) * 1000)
            await asyncio.sleep(0.005)
        sender.kill()
    return statistics.median(times), max(times)


async def main() -> None:
    with tempfile.TemporaryDirectory() as store:
        ours, bare = Subject("ours", store), Subject("bare")
        pair = (ours, bare)
        for subject in pair:
            subject.small = await subject.submit(1, 1)
        at_rest = [subject.resident_mib() for subject in pair]
        rows = []

        async def compare(
            case: str, work: Callable[[Subject], Awaitable[object]], parts: int, budget: float | None = None
        ) -> Row:
            mine, theirs = await best_of(work, pair, parts)
            rows.append(Row(case, mine, PEER, theirs, budget))
            return rows[-1]

        await compare("GetJob, token", get_jobs, CALLS, UNARY_BUDGET_MS)
        await compare("SubmitJob, token, whole check, refused", refused, CALLS, UNARY_BUDGET_MS)
        await compare("SubmitJob (stored, synced) and WatchJob of an empty job", submitted, JOBS)
        await compare(f"one job of {JOBS} at a time, a view each (stored, synced)", parallel_jobs, JOBS)
        many = {subject: await subject.submit(EVENTS, 100) for subject in pair}
        large = {subject: await subject.submit(VIEWS, VIEW_BYTES) for subject in pair}
        for job in (many, large):
            await ours.watch(job[ours])  # until it has ended, so that all comes from the store
        await compare(f"one event of {EVENTS} that are replayed", lambda subject: subject.watch(many[subject]), EVENTS)
        row = await compare(f"{VIEWS} MiB of results", lambda subject: subject.watch(large[subject]), 1)
        assert row.peer_ms is not None
        rows[-1] = Row(row.case, row.ours_ms, PEER, row.peer_ms, round(STREAM_BUDGET * row.peer_ms, 1))
        (median, longest), (bare_median, bare_longest) = [await beside_large_requests(subject) for subject in pair]
        text = "GetJob beside a client that sends 16 MiB after 16 MiB"
        rows += [
            Row(f"{text}: median", median, PEER, bare_median, None),
            Row(f"{text}: longest", longest, PEER, bare_longest, LATENCY_BUDGET_MS),
        ]
        print_table(f"the edge, best of {ROUNDS} rounds (no-op engine)", rows)
        Console(highlight=False).print(
            f"memory at rest: {at_rest[0]:.0f} MiB, bare {at_rest[1]:.0f} MiB; "
            f"after the run: {ours.resident_mib():.0f} MiB, bare {bare.resident_mib():.0f} MiB"
        )
        for subject in pair:
            await subject.close()


if __name__ == "__main__":
    if sys.argv[1:2] == ["ours"]:
        asyncio.run(serve_ours(Path(sys.argv[2])))
    elif sys.argv[1:2] == ["bare"]:
        asyncio.run(serve_bare())
    elif sys.argv[1:2] == ["large"]:
        send_large_requests(sys.argv[2])
    else:
        asyncio.run(main())
