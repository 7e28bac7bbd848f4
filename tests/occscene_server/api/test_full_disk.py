"""A server whose disk is full: at its start, in a job, and after there is room again."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from google.rpc import code_pb2
from occscene.events import REASONS
from occscene.v1 import job_pb2, scene_service_pb2
from typer.testing import CliRunner

from occscene_server.cli.root import app
from occscene_server.jobs.store import JobStore
from tests.occscene_server.requests import generate_request
from tests.occscene_server.serving import connected, kinds, serving, submitted, watched
from tests.occscene_server.small_disk import fill, small_disk
from tests.occscene_server.stand_in import ENDLESS
from tests.patience import until

if TYPE_CHECKING:  # the name is in the stubs only
    from occscene.v1.scene_service_pb2_grpc import SceneServiceAsyncStub as Stub

LARGE = generate_request("too large", views=16, side=256)  # 3 MB of noise


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk") as folder:
        yield folder


def test_start_on_a_full_disk_is_one_sentence(disk: Path) -> None:
    fill(disk)
    result = CliRunner().invoke(app, ["serve", "--port", "0", "--store", str(disk / "store")])
    assert result.exit_code == 1
    assert len(result.output.splitlines()) == 1
    assert f"the disk of the store {disk / 'store'} is full; free space on it" in result.output


async def waits_for_room(stub: Stub) -> bool:
    """Whether the server says that its disk is full."""
    return "disk" in (await stub.GetServerInfo(scene_service_pb2.GetServerInfoRequest())).message


async def test_job_without_room_fails_and_the_others_wait_for_it(disk: Path) -> None:
    async with serving(disk / "store") as server, connected(server) as stub:
        large = await submitted(stub, LARGE)
        waiting = [await submitted(stub, generate_request(seed=seed)) for seed in range(3)]
        failure = (await watched(stub, large.id))[-1].failed.failure
        assert (failure.reason, failure.code) == ("STORE_FULL", code_pb2.RESOURCE_EXHAUSTED)
        assert failure.advice == REASONS["STORE_FULL"].advice
        await until(partial(waits_for_room, stub))
        for job in waiting:
            answer = await stub.GetJob(scene_service_pb2.GetJobRequest(job_id=job.id))
            assert answer.job.state == job_pb2.JOB_STATE_QUEUED

    async with serving(disk / "store") as server, connected(server) as stub:  # what was reported as final is final
        events = await watched(stub, large.id)
        assert events[-1].failed.failure == failure
        other = fill(disk)  # by another program, to the last byte
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await submitted(stub, LARGE)
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert str(disk) not in str(caught.value.details())
        await stub.DeleteJob(scene_service_pb2.DeleteJobRequest(job_id=large.id))
        other.unlink()
        for job in waiting:
            assert kinds(await watched(stub, job.id))[-1] == "succeeded"


async def test_cancel_on_a_full_disk_is_kept(disk: Path) -> None:
    async with serving(disk / "store") as server, connected(server) as stub:
        running = await submitted(stub, generate_request(ENDLESS))
        waiting = await submitted(stub, generate_request())
        async for event in server.jobs.watch(running.id, 0):
            if event.progress.phase == job_pb2.JOB_PHASE_DENOISING:
                break
        fill(disk)
        for job in (waiting, running):
            await stub.CancelJob(scene_service_pb2.CancelJobRequest(job_id=job.id))
            assert kinds(await watched(stub, job.id))[-1] == "cancelled"
    store = JobStore(disk / "store")
    assert [job.state for job in store.newest(2)] == [job_pb2.JOB_STATE_CANCELLED] * 2
    store.close()


async def test_waiting_jobs_come_through_a_start_on_a_full_disk(disk: Path) -> None:
    async with serving(disk / "store", model="late") as server, connected(server) as stub:
        job = await submitted(stub, generate_request())
    (disk / "store/reserve").unlink()  # as a store of the version before
    other = fill(disk)
    async with serving(disk / "store") as server, connected(server) as stub:
        assert await server.engine.ready()
        await until(partial(waits_for_room, stub))
        assert server.jobs.get(job.id).state == job_pb2.JOB_STATE_QUEUED
        other.unlink()
        assert kinds(await watched(stub, job.id))[-1] == "succeeded"
