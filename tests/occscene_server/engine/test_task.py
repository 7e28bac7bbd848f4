"""A request run on a pipeline, in this process."""

from __future__ import annotations

import itertools

import pytest
from occscene.v1 import job_pb2

from occscene_server.engine import task
from occscene_server.engine.task import run_task
from tests.occscene_server.requests import generate_request, predict_request
from tests.occscene_server.stand_in import StandInPipeline


@pytest.mark.parametrize("seconds_a_step", [0.001, 0.05, 0.1, 0.26, 2.0])
def test_at_most_four_previews_a_second(seconds_a_step: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock moves with the steps; no two rounds of previews are closer than a quarter of a second."""
    now = 0.0
    rounds: list[float] = []

    def emit(event: job_pb2.JobEvent) -> None:
        nonlocal now
        if event.progress.phase == job_pb2.JOB_PHASE_DENOISING:
            now += seconds_a_step
        elif event.HasField("preview") and event.preview.view == 0:
            rounds.append(now)

    monkeypatch.setattr(task.time, "monotonic", lambda: now)
    run_task(StandInPipeline(), generate_request(steps=100, previews=True), emit)
    assert rounds
    assert all(later - earlier >= 0.25 for earlier, later in itertools.pairwise(rounds))
    assert len(rounds) == 99 or seconds_a_step < 0.25  # a slow model shows every step but the last


@pytest.mark.parametrize("polls", [0, 1, 3])
def test_cancel_is_asked_for_before_and_after_every_step(polls: int) -> None:
    asked = itertools.count()
    events: list[job_pb2.JobEvent] = []
    run_task(StandInPipeline(), generate_request(steps=10), events.append, lambda: next(asked) == polls)
    assert events[-1].HasField("cancelled")
    assert sum(event.progress.phase == job_pb2.JOB_PHASE_DENOISING for event in events) == max(polls - 1, 0)
    assert not any(event.HasField("view") for event in events)


def test_cancelled_prediction_sends_no_occupancy() -> None:
    asked = itertools.count()
    events: list[job_pb2.JobEvent] = []
    run_task(StandInPipeline(), predict_request(), events.append, lambda: next(asked) == 1)
    assert events[-1].HasField("cancelled")
    assert not any(event.HasField("occupancy") for event in events)
