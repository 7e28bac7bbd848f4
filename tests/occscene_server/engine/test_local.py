"""The worker process."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from google.rpc import code_pb2
from occscene.v1 import job_pb2, scene_service_pb2

from occscene_server.engine.deaths import JobInterruptedError, worker_died
from occscene_server.engine.interface import Deliver
from occscene_server.engine.local import MAX_LOADS, LocalEngine, Patience
from tests.occscene_server.requests import generate_request
from tests.occscene_server.stand_in import ENDLESS, load_stand_in
from tests.patience import until, wait_until


@pytest.fixture
async def engine() -> AsyncIterator[LocalEngine]:
    engine = LocalEngine("stand-in", loader=load_stand_in)
    engine.start()
    yield engine
    await engine.stop()


def into(events: list[job_pb2.JobEvent]) -> Deliver:
    """Delivers events to a list."""

    async def deliver(event: job_pb2.JobEvent) -> None:
        events.append(event)

    return deliver


async def run(
    engine: LocalEngine, prompt: str = "a room", job_id: str = "a job", **options: int
) -> list[job_pb2.JobEvent]:
    """All events of a job."""
    assert await engine.ready()
    events: list[job_pb2.JobEvent] = []
    await engine.run(job_id, generate_request(prompt, **options).SerializeToString(), into(events))
    return events


async def begun(engine: LocalEngine) -> tuple[asyncio.Task[None], list[job_pb2.JobEvent]]:
    """A long job in its first steps."""
    assert await engine.ready()
    events: list[job_pb2.JobEvent] = []
    request = generate_request(ENDLESS).SerializeToString()
    task = asyncio.create_task(engine.run("endless", request, into(events)))
    await until(lambda: task.done() or any(event.progress.step == 2 for event in events))
    if task.done():  # says why at once
        task.result()
    return task, events


@pytest.mark.parametrize(
    ("number", "text"), [(signal.SIGKILL, "SIGKILL from outside"), (signal.SIGSEGV, "it crashed with SIGSEGV")]
)
async def test_killed_worker_interrupts_the_job_and_is_replaced(number: signal.Signals, text: str) -> None:
    states: list[int] = []
    engine = LocalEngine("stand-in", loader=load_stand_in, on_state=states.append)
    engine.start()
    assert await engine.ready()
    task, events = await begun(engine)
    first_worker = engine.worker_pid
    assert first_worker is not None
    os.kill(first_worker, number)
    with pytest.raises(JobInterruptedError) as caught:
        await task
    failure = caught.value.failure.failed.failure
    assert (failure.reason, failure.code, caught.value.begun) == ("WORKER_DIED", code_pb2.INTERNAL, True)
    assert text in failure.message
    assert "camera" not in failure.advice
    assert not any(event.HasField("failed") for event in events)

    assert (await run(engine))[-1].HasField("succeeded")
    assert engine.worker_pid != first_worker
    assert engine.restarts == 1
    assert states == [2, 1, 2]  # ready, loading, ready
    await engine.stop()


def test_want_of_memory_has_its_own_words() -> None:
    """Linux counts the processes that it ends so; it cannot be made to do that to a test's worker only."""
    failure = worker_died(-signal.SIGKILL, 1).failed.failure
    assert (failure.reason, failure.code) == ("OUT_OF_MEMORY", code_pb2.RESOURCE_EXHAUSTED)
    assert "for lack of memory" in failure.message
    assert "fewer cameras" in failure.advice
    assert worker_died(-signal.SIGKILL, 0).failed.failure.reason == "WORKER_DIED"
    assert worker_died(9, 1).failed.failure.reason == "WORKER_DIED"


async def test_job_given_to_a_dead_worker_has_not_begun(engine: LocalEngine) -> None:
    assert await engine.ready()
    assert engine.worker_pid is not None
    os.kill(engine.worker_pid, signal.SIGKILL)
    for _ in range(2):  # before the death is known, and while the next worker loads
        with pytest.raises(JobInterruptedError) as caught:
            await engine.run("a job", generate_request().SerializeToString(), into([]))
        assert not caught.value.begun
    assert (await run(engine))[-1].HasField("succeeded")


HASTE = Patience(step=2.0, cancel=0.5, silence=4.0, drain=1.0)


@pytest.fixture
async def hasty(engine: LocalEngine) -> LocalEngine:
    """An engine that has taken its time to load and is in haste from then on."""
    assert await engine.ready()
    engine._patience = HASTE
    return engine


async def test_stopped_worker_is_replaced_after_a_cancel(engine: LocalEngine) -> None:
    engine._patience = Patience(cancel=0.5)
    task, events = await begun(engine)
    stopped = engine.worker_pid
    assert stopped is not None
    os.kill(stopped, signal.SIGSTOP)
    engine.cancel("endless")
    await task
    assert events[-1].HasField("cancelled")
    await until(lambda: not _lives(stopped))
    assert (await run(engine))[-1].HasField("succeeded")


async def test_step_that_takes_too_long_interrupts_the_job(hasty: LocalEngine) -> None:
    """A driver that hangs: the process gives signs of life, and the step does not end."""
    with pytest.raises(JobInterruptedError) as caught:
        await run(hasty, "asleep", steps=3)
    hasty._patience = Patience()
    failure = caught.value.failure.failed.failure
    assert (failure.reason, failure.code, caught.value.begun) == ("STEP_TIMEOUT", code_pb2.DEADLINE_EXCEEDED, True)
    assert "--step-minutes" in failure.advice
    assert (await run(hasty))[-1].HasField("succeeded")


async def test_long_job_of_short_steps_is_no_hang(hasty: LocalEngine) -> None:
    assert (await run(hasty, "slow", steps=30))[-1].HasField("succeeded")
    await asyncio.sleep(1.2 * HASTE.step)  # nor is a worker without a job
    assert hasty.restarts == 0


async def test_loading_that_hangs_is_tried_again() -> None:
    engine = LocalEngine("hangs", loader=load_stand_in, patience=HASTE)
    engine.start()
    assert not await engine.ready()
    assert "no progress" in engine.message
    assert engine.restarts == MAX_LOADS
    await engine.stop()


async def test_silent_worker_is_known_and_back_when_it_speaks() -> None:
    states: list[int] = []
    engine = LocalEngine("stand-in", loader=load_stand_in, on_state=states.append, patience=Patience(silence=4.0))
    engine.start()
    assert await engine.ready()
    pid = engine.worker_pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    await until(lambda: engine.state != scene_service_pb2.SERVER_STATE_READY)
    assert "no sign of life" in engine.message
    assert engine.stalled
    os.kill(pid, signal.SIGCONT)
    assert (await run(engine))[-1].HasField("succeeded")
    assert (states, engine.restarts, engine.message) == ([2, 1, 2], 0, "")
    await engine.stop()


async def test_events_of_a_run_that_was_given_up_are_not_those_of_the_next(engine: LocalEngine) -> None:
    """The same job runs again while the worker still ends the run before: as where an event could not be stored."""
    task, _ = await begun(engine)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    events = await run(engine, "slow", "endless", steps=3)
    assert events[0].HasField("started")
    assert events[-1].HasField("succeeded")


async def test_cancel_ends_a_job_within_a_step(engine: LocalEngine) -> None:
    task, events = await begun(engine)
    step = events[-1].progress.step
    engine.cancel("endless")
    await task
    assert events[-1].HasField("cancelled")
    steps = [event.progress.step for event in events if event.progress.phase == job_pb2.JOB_PHASE_DENOISING]
    assert steps[-1] <= step + 1  # the step that was under way


async def test_cancel_of_an_earlier_job_does_not_touch_the_next(engine: LocalEngine) -> None:
    await run(engine, job_id="the first")
    engine.cancel("the first")
    assert (await run(engine, job_id="the next"))[-1].HasField("succeeded")


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


async def test_lost_device_interrupts_the_job_and_costs_the_worker(engine: LocalEngine) -> None:
    with pytest.raises(JobInterruptedError) as caught:
        await run(engine, "broken")
    failure = caught.value.failure.failed.failure
    assert failure.reason == "DEVICE_LOST"
    assert "illegal memory access" in failure.message
    assert "nvidia-smi" in failure.advice
    assert engine.restarts == 1
    assert (await run(engine))[-1].HasField("succeeded")


@pytest.mark.slow
async def test_worker_that_dies_while_loading_is_tried_again_after_growing_pauses(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    states: list[int] = []
    engine = LocalEngine(str(tmp_path / "dies"), loader=load_stand_in, on_state=states.append)
    engine.start()
    assert not await engine.ready()
    assert engine.state == scene_service_pb2.SERVER_STATE_FAILED
    assert f"{MAX_LOADS} times" in engine.message
    with pytest.raises(JobInterruptedError) as caught:
        await engine.run("a job", generate_request().SerializeToString(), into([]))
    assert not caught.value.begun
    await until(lambda: engine.restarts > MAX_LOADS)
    assert ["the next try is in 1 s" in caplog.text, "the next try is in 2 s" in caplog.text] == [True, True]
    (tmp_path / "dies").mkdir()  # now there is enough of what was missing
    await until(lambda: engine.state != scene_service_pb2.SERVER_STATE_FAILED)
    assert (await run(engine))[-1].HasField("succeeded")
    assert states[-2:] == [scene_service_pb2.SERVER_STATE_FAILED, scene_service_pb2.SERVER_STATE_READY]
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

    async def tell(event):
        print(engine.worker_pid, flush=True)

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
    wait_until(lambda: not _lives(worker))


def _lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"
