"""A clock that leaps deletes nothing: results age by the time for which servers run on the store."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from occscene.v1 import job_pb2
from prometheus_client import generate_latest

from occscene_server.api.metrics import Metrics
from occscene_server.jobs.clock import MAX_AWAY
from occscene_server.jobs.store import JobStore, StoreLimits
from tests.occscene_server.jobs.test_store import make_job, names

DAY = 86_400.0
LIMITS = StoreLimits(age=30 * DAY)


class Machine:
    """The machine's clocks, as the test sets them: what a person can set, and what nobody can."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wall, self.run = 0.0, 0.0
        real_wall, real_run = time.time, time.monotonic
        monkeypatch.setattr(time, "time", lambda: real_wall() + self.wall)
        monkeypatch.setattr(time, "monotonic", lambda: real_run() + self.run)

    def runs_for(self, seconds: float) -> None:
        """Lets time pass."""
        self.wall += seconds
        self.run += seconds


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(monkeypatch)


@pytest.mark.parametrize("leap", [40 * DAY, 20_000 * DAY, -3 * DAY, -20_000 * DAY])
async def test_a_leap_while_the_server_runs_deletes_nothing(tmp_path: Path, machine: Machine, leap: float) -> None:
    store = JobStore(tmp_path, LIMITS)
    await make_job(store, 1, ended=0)
    machine.wall += leap
    await make_job(store, 2, ended=0)
    await store.prune()
    machine.wall -= leap
    await make_job(store, 3, ended=0)
    await store.prune()
    assert names(store) == ["job3", "job2", "job1"]
    store.close()
    store = JobStore(tmp_path, LIMITS)
    await store.prune()
    assert names(store) == ["job3", "job2", "job1"]
    store.close()


async def test_a_leap_between_two_runs_takes_a_day_at_most(tmp_path: Path, machine: Machine) -> None:
    store = JobStore(tmp_path, LIMITS)
    await make_job(store, 1, ended=LIMITS.age - MAX_AWAY / 2)
    await make_job(store, 2, ended=LIMITS.age - 2 * MAX_AWAY)
    await make_job(store, 3, ended=0)
    store.close()
    machine.wall += 40 * DAY
    store = JobStore(tmp_path, LIMITS)
    await store.prune()
    assert names(store) == ["job3", "job2"]
    store.close()
    machine.wall -= 40 * DAY
    store = JobStore(tmp_path, LIMITS)
    await store.prune()
    assert names(store) == ["job3", "job2"]
    store.close()


async def test_results_age_while_servers_run(tmp_path: Path, machine: Machine) -> None:
    """Each run counts in full, and a day between runs too."""
    store = JobStore(tmp_path, LIMITS)
    await make_job(store, 1, ended=0)
    for _ in range(3):
        machine.runs_for(8 * DAY)
        await store.prune()
        assert names(store) == ["job1"]
        store.close()
        machine.wall += DAY
        store = JobStore(tmp_path, LIMITS)
    await store.prune()
    assert names(store) == ["job1"]
    machine.runs_for(3.1 * DAY)
    await store.prune()
    assert names(store) == []
    store.close()


async def test_a_kill_costs_no_more_than_a_minute_of_the_clock(tmp_path: Path, machine: Machine) -> None:
    store = JobStore(tmp_path, LIMITS)
    await make_job(store, 1, ended=0)
    for _ in range(31):
        machine.runs_for(DAY)
        await store.prune()
    store._db.close()  # as the system does for a process that was killed
    machine.wall -= 400 * DAY
    store = JobStore(tmp_path, StoreLimits(age=30 * DAY))
    await store.prune()
    assert names(store) == []
    store.close()


def test_times_of_jobs_are_not_counted_by_a_clock_that_leaps(machine: Machine) -> None:
    metrics, job = Metrics(), job_pb2.Job(id="job")
    job.create_time.FromSeconds(int(time.time()))

    def observe(**kind: object) -> None:
        event = job_pb2.JobEvent(**kind)  # type: ignore[arg-type]
        event.time.FromSeconds(int(time.time()))
        metrics.observe(job, event)

    def step(number: int) -> job_pb2.JobProgress:
        return job_pb2.JobProgress(phase=job_pb2.JOB_PHASE_DENOISING, step=number, steps=9)

    observe(queued=job_pb2.JobQueued())
    machine.runs_for(5.0)
    machine.wall += 40 * DAY
    observe(started=job_pb2.JobStarted())
    for number in (1, 2, 3):
        machine.runs_for(2.0)
        machine.wall += 40 * DAY * (-1) ** number
        observe(progress=step(number))
    text = generate_latest(metrics.registry).decode()
    sums = {line.split()[0]: float(line.split()[1]) for line in text.splitlines() if "_seconds_sum" in line}
    assert sums["occscene_queue_wait_seconds_sum"] == pytest.approx(5.0, abs=1.0)
    assert sums["occscene_step_seconds_sum"] == pytest.approx(4.0, abs=1.0)
