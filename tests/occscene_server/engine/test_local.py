"""The worker process."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from google.rpc import code_pb2
from occscene.v1 import job_pb2, scene_service_pb2

from occscene_server.engine.local import MAX_LOADS, LocalEngine
from tests.occscene_server.requests import generate_request
from tests.occscene_server.stand_in import load_stand_in


@pytest.fixture
async def engine() -> AsyncIterator[LocalEngine]:
    engine = LocalEngine("stand-in", loader=load_stand_in)
    engine.start()
    yield engine
    await engine.stop()


async def run(engine: LocalEngine, prompt: str = "a room", **options: int) -> list[job_pb2.JobEvent]:
    """All events of a job."""
    events: list[job_pb2.JobEvent] = []
    await engine.run(prompt, generate_request(prompt, **options).SerializeToString(), events.append)
    return events


async def begun(engine: LocalEngine, prompt: str = "slow") -> tuple[asyncio.Task[None], list[job_pb2.JobEvent]]:
    """A long job in its first steps."""
    events: list[job_pb2.JobEvent] = []
    request = generate_request(prompt, steps=100).SerializeToString()
    task = asyncio.create_task(engine.run(prompt, request, events.append))
    while not any(event.progress.phase == job_pb2.JOB_PHASE_DENOISING for event in events):
        await asyncio.sleep(0.01)
    return task, events


async def test_killed_worker_fails_the_job_and_is_replaced() -> None:
    states: list[int] = []
    engine = LocalEngine("stand-in", loader=load_stand_in, on_state=states.append)
    engine.start()
    assert await engine.ready()
    first_worker = engine.worker_pid
    task, events = await begun(engine)
    assert first_worker is not None
    os.kill(first_worker, signal.SIGKILL)
    await task
    failure = events[-1].failed.failure
    assert (failure.reason, failure.code) == ("WORKER_DIED", code_pb2.INTERNAL)
    assert "SIGKILL; the machine has probably run out of memory" in failure.message

    assert (await run(engine))[-1].HasField("succeeded")
    assert engine.worker_pid != first_worker
    assert engine.restarts == 1
    assert states == [2, 1, 2]  # ready, loading, ready
    await engine.stop()


async def test_job_given_to_a_dead_worker_runs_on_the_next(engine: LocalEngine) -> None:
    assert await engine.ready()
    assert engine.worker_pid is not None
    os.kill(engine.worker_pid, signal.SIGKILL)
    assert (await run(engine))[-1].HasField("succeeded")


async def test_cancel_ends_a_job_within_a_step(engine: LocalEngine) -> None:
    task, events = await begun(engine)
    step = events[-1].progress.step
    engine.cancel("slow")
    await task
    assert events[-1].HasField("cancelled")
    steps = [event.progress.step for event in events if event.progress.phase == job_pb2.JOB_PHASE_DENOISING]
    assert steps[-1] <= step + 1  # the step that was under way


async def test_cancel_of_an_earlier_job_does_not_touch_the_next(engine: LocalEngine) -> None:
    await run(engine)
    engine.cancel("a room")
    assert (await run(engine, "another room"))[-1].HasField("succeeded")


async def test_job_that_nobody_waits_for_makes_way(engine: LocalEngine) -> None:
    """A caller that gives up, as where the disk is full, leaves neither work nor stale events behind."""
    task, _ = await begun(engine)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    events = await run(engine, "the next")
    assert [event.WhichOneof("kind") for event in events].count("started") == 1
    assert events[-1].HasField("succeeded")
    assert engine.restarts == 0


async def test_out_of_memory_tells_what_would_fit(engine: LocalEngine) -> None:
    failure = (await run(engine, "hungry", views=8, side=128))[-1].failed.failure
    assert (failure.reason, failure.code) == ("OUT_OF_MEMORY", code_pb2.RESOURCE_EXHAUSTED)
    assert failure.message == "the model ran out of memory: no room for the views"
    assert failure.advice == (
        "It would fit with 4 of the 8 views, or with all views at 85 x 85 instead of 128 x 128 pixels."
    )
    assert (await run(engine, "hungry", views=4, side=128))[-1].HasField("succeeded")
    assert (await run(engine, "hungry", views=8, side=64))[-1].HasField("succeeded")
    assert engine.restarts == 0


async def test_lost_device_costs_one_job_and_the_worker(engine: LocalEngine) -> None:
    failure = (await run(engine, "broken"))[-1].failed.failure
    assert "illegal memory access" in failure.message
    while engine.restarts == 0:
        await asyncio.sleep(0.01)
    assert (await run(engine))[-1].HasField("succeeded")


async def test_worker_that_dies_while_loading_is_tried_a_few_times() -> None:
    engine = LocalEngine("dies", loader=load_stand_in)
    engine.start()
    assert not await engine.ready()
    assert engine.state == scene_service_pb2.SERVER_STATE_FAILED
    assert f"{MAX_LOADS} times" in engine.message
    failure = (await run(engine))[-1].failed.failure
    assert failure.reason == "MODEL_NOT_LOADED"
    await engine.stop()


_HOLDER = """
import asyncio
from occscene_server.engine.local import LocalEngine
from tests.occscene_server.requests import generate_request
from tests.occscene_server.stand_in import load_stand_in

async def hold():
    engine = LocalEngine("stand-in", loader=load_stand_in)
    engine.start()
    await engine.ready()
    tell = lambda event: print(engine.worker_pid, flush=True)
    await engine.run("a", generate_request("asleep", steps=100).SerializeToString(), tell)

if __name__ == "__main__":
    asyncio.run(hold())
"""


def test_worker_ends_with_its_server_amidst_a_step(tmp_path: Path) -> None:
    script = tmp_path / "holder.py"
    script.write_text(_HOLDER)
    root = Path(__file__).resolve().parents[3]
    environment = os.environ | {"PYTHONPATH": f"{root}:{root / 'protos'}"}
    server = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True, env=environment)
    assert server.stdout is not None
    worker = int(server.stdout.readline())
    os.kill(worker, signal.SIGTERM)  # as systemd sends it to all processes of a service
    server.stdout.readline()  # it goes on
    server.kill()
    server.communicate()
    deadline = time.monotonic() + 20
    while _lives(worker):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
