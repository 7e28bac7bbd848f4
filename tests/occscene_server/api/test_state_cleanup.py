"""However a call ends, nothing of it stays in the server, and the next request works.

After the matrix of Triton's `L0_grpc_state_cleanup`, on a pipeline with tiny random networks.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
import pytest_asyncio
from occscene.v1 import scene_service_pb2, scene_service_pb2_grpc

from occscene_server.api.server import Server
from tests.occscene_server.proxy import CuttingProxy, cutting_proxy
from tests.occscene_server.requests import generate_request
from tests.occscene_server.serving import kinds, serving, submitted, watched
from tests.occscene_server.tiny import load_tiny
from tests.patience import PATIENCE, until

if TYPE_CHECKING:  # the name is in the stubs only
    from occscene.v1.scene_service_pb2_grpc import SceneServiceAsyncStub as Stub

pytestmark = pytest.mark.asyncio(loop_scope="module")


Code = grpc.StatusCode


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    async with serving(tmp_path_factory.mktemp("store"), loader=load_tiny) as running:
        assert await running.engine.ready()
        yield running


@contextlib.asynccontextmanager
async def through_proxy(server: Server) -> AsyncIterator[tuple[CuttingProxy, Stub]]:
    """A connection that can be cut."""
    async with cutting_proxy(server.port) as proxy, grpc.aio.insecure_channel(f"127.0.0.1:{proxy.port}") as channel:
        yield proxy, scene_service_pb2_grpc.SceneServiceStub(channel)


@contextlib.contextmanager
def checks_held(server: Server) -> Iterator[None]:
    """Keeps the threads that check requests busy, so that a submission stays in the server's queue of checks.

    Begins once the threads have taken what keeps them busy: what the queue then has is a submission.
    """
    checks, release = server._servicer.checks, threading.Event()
    all_busy = threading.Barrier(checks._max_workers + 1)

    def hold() -> None:
        all_busy.wait(PATIENCE)
        release.wait()

    for _ in range(checks._max_workers):
        checks.submit(hold)
    all_busy.wait(PATIENCE)
    assert checks._work_queue.empty()
    try:
        yield
    finally:
        release.set()


def footprint() -> tuple[Counter[str], int]:
    """What the event loop holds, by coroutine, and how many files are open."""
    tasks = (task for task in asyncio.all_tasks() if not task.done())
    return Counter(task.get_coro().__qualname__ for task in tasks), len(os.listdir("/proc/self/fd"))  # type: ignore[union-attr]


async def settled_footprint() -> tuple[Counter[str], int]:
    """The footprint once what has ended is gone."""
    last, same = footprint(), 0
    while same < 10:
        await asyncio.sleep(0.02)
        now = footprint()
        last, same = now, same + 1 if now == last else 0
    return last


async def assert_nothing_more_than(before: tuple[Counter[str], int]) -> None:
    """Waits until nothing is left beyond what was there before."""
    await until(lambda: not footprint()[0] - before[0] and footprint()[1] <= before[1])


async def one_call(kind: str, ending: str, server: Server, proxy: CuttingProxy, stub: Stub) -> grpc.StatusCode:
    """Makes a call, lets it end as the case says, and returns its status."""
    timeout = 0.2 if ending == "deadline" else PATIENCE
    if kind == "unary":
        request = generate_request(steps=0 if ending == "error" else 1, views=1)
        call = stub.SubmitJob(request, timeout=timeout)
    else:
        steps = {"ok": 1, "shutdown": 20}.get(ending, 100)
        job = await submitted(stub, generate_request("slow", steps=steps))
        job_id = "unknown" if ending == "error" else job.id
        call = stub.WatchJob(scene_service_pb2.WatchJobRequest(job_id=job_id), timeout=timeout)
        if ending not in ("deadline", "error"):
            assert (await call.read()).event.sequence >= 1
    if kind == "unary" and ending not in ("ok", "error", "deadline"):
        await until(lambda: server._servicer.checks._work_queue.qsize() > 0)  # it has come to the server
    if ending == "client cancel":
        call.cancel()
    elif ending == "connection cut":
        proxy.cut()
    elif ending == "shutdown":
        await server.stop()
    with contextlib.suppress(asyncio.CancelledError, grpc.aio.AioRpcError):
        if kind == "unary":
            job_id = (await call).job.id
            await watched(stub, job_id)
        else:
            while await call.read() is not grpc.aio.EOF:
                pass
    code = await call.code()
    if kind == "stream" and ending not in ("ok", "shutdown"):
        async with through_proxy(server) as (_, again):
            await again.CancelJob(scene_service_pb2.CancelJobRequest(job_id=job.id))
            assert kinds(await watched(again, job.id))[-1] == "cancelled"
    return code


ENDINGS = {
    "ok": Code.OK,
    "client cancel": Code.CANCELLED,
    "deadline": Code.DEADLINE_EXCEEDED,
    "error": Code.INVALID_ARGUMENT,
    "connection cut": Code.UNAVAILABLE,
}


@pytest.mark.parametrize("kind", ["unary", "stream"])
@pytest.mark.parametrize("ending", list(ENDINGS))
async def test_nothing_stays(server: Server, kind: str, ending: str) -> None:
    async with through_proxy(server) as (proxy, stub):  # what gRPC itself keeps after a first call
        await stub.GetServerInfo(scene_service_pb2.GetServerInfoRequest())
    before = await settled_footprint()
    async with through_proxy(server) as (proxy, stub):
        held = kind == "unary" and ending not in ("ok", "error")
        with checks_held(server) if held else contextlib.nullcontext():
            code = await one_call(kind, ending, server, proxy, stub)
    expected = Code.NOT_FOUND if (kind, ending) == ("stream", "error") else ENDINGS[ending]
    assert code == expected
    await assert_nothing_more_than(before)
    async with through_proxy(server) as (_, stub):
        job = await submitted(stub, generate_request(steps=1, views=1))
        assert kinds(await watched(stub, job.id))[-1] == "succeeded"
    assert (server.jobs.running, server.jobs.queued, server.jobs.feed.size) == (0, 0, 0)


@pytest.mark.parametrize("kind", ["unary", "stream"])
async def test_nothing_stays_after_a_shutdown(tmp_path: Path, kind: str) -> None:
    async with serving(tmp_path) as warm:  # what gRPC itself keeps after a first server
        await warm.engine.ready()
    before = await settled_footprint()
    async with serving(tmp_path) as server:
        await server.engine.ready()
        async with through_proxy(server) as (proxy, stub):
            with checks_held(server) if kind == "unary" else contextlib.nullcontext():
                assert await one_call(kind, "shutdown", server, proxy, stub) == Code.UNAVAILABLE
    await assert_nothing_more_than(before)
    async with serving(tmp_path) as server, through_proxy(server) as (_, stub):
        jobs = (await stub.ListJobs(scene_service_pb2.ListJobsRequest())).jobs
        if kind == "unary":  # never accepted
            assert not jobs
        else:  # put back
            assert kinds(await watched(stub, jobs[0].id))[-1] == "succeeded"
