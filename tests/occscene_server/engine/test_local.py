"""The worker process."""

from __future__ import annotations

import asyncio
import os
import signal

from occscene.v1 import job_pb2, scene_service_pb2

from occscene_server.engine.local import MAX_LOADS, LocalEngine
from tests.occscene_server.requests import generate_request
from tests.occscene_server.stand_in import load_stand_in


async def test_killed_worker_fails_the_job_and_is_replaced() -> None:
    states: list[int] = []
    engine = LocalEngine("stand-in", loader=load_stand_in, on_state=states.append)
    engine.start()
    assert await engine.ready()
    first_worker = engine.worker_pid
    events: list[job_pb2.JobEvent] = []
    request = generate_request("slow", steps=100).SerializeToString()
    task = asyncio.create_task(engine.run("a", request, events.append))
    while not any(event.HasField("progress") for event in events):
        await asyncio.sleep(0.01)
    assert first_worker is not None
    os.kill(first_worker, signal.SIGKILL)
    await task
    assert events[-1].failed.failure.reason == "WORKER_DIED"

    events.clear()
    await engine.run("b", generate_request().SerializeToString(), events.append)
    assert events[-1].HasField("succeeded")
    assert engine.worker_pid != first_worker
    assert states == [2, 1, 2]  # ready, loading, ready
    await engine.stop()


async def test_cancel_of_an_earlier_job_does_not_touch_the_next() -> None:
    engine = LocalEngine("stand-in", loader=load_stand_in)
    engine.start()
    events: list[job_pb2.JobEvent] = []
    await engine.run("a", generate_request().SerializeToString(), events.append)
    engine.cancel("a")
    await engine.run("b", generate_request().SerializeToString(), events.append)
    assert [event.WhichOneof("kind") for event in events].count("succeeded") == 2
    await engine.stop()


async def test_worker_that_dies_while_loading_is_tried_a_few_times() -> None:
    engine = LocalEngine("dies", loader=load_stand_in)
    engine.start()
    assert not await engine.ready()
    assert engine.state == scene_service_pb2.SERVER_STATE_FAILED
    assert f"{MAX_LOADS} times" in engine.message
    await engine.stop()
