"""Spans of a pipeline's steps, made of the progress that it reports."""

from __future__ import annotations

import time

from occscene import tracing
from occscene.events import FINAL_EVENTS
from occscene.v1 import job_pb2

from occscene_server.engine.interface import Emit

_DONE = {
    job_pb2.JOB_PHASE_DENOISING: "denoise",
    job_pb2.JOB_PHASE_PREDICTING: "predict",
    job_pb2.JOB_PHASE_COMPOSING: "compose",
    job_pb2.JOB_PHASE_ENCODING: "decode",
}
"""What was done before a phase's progress was reported; of the encoding only the beginning is."""


class StepSpans:
    """Passes events on, and records what was done between two of them.

    Args:
        emit: gets the events.
    """

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._since = time.time_ns()

    def __call__(self, event: job_pb2.JobEvent) -> None:
        """Takes an event."""
        progress = event.progress
        name = _DONE.get(progress.phase)
        if name and (progress.step or progress.phase == job_pb2.JOB_PHASE_ENCODING):
            self._since = tracing.past(name, self._since, step=progress.step)
        elif event.WhichOneof("kind") in FINAL_EVENTS:
            tracing.past("encode", self._since)
        self._emit(event)
