"""What watchers of jobs wait for: wake-ups, and the transient events that are not stored on disk."""

from __future__ import annotations

import asyncio

from occscene.v1 import job_pb2

TRANSIENT = ("queued", "progress", "preview")
"""Kinds of events of which only the newest counts."""


class EventFeed:
    """Keeps the newest preview of each view, progress and place in the queue of each job, and wakes its watchers."""

    def __init__(self) -> None:
        self._newest: dict[str, dict[tuple[object, ...], job_pb2.JobEvent]] = {}
        self._changes: dict[str, asyncio.Event] = {}

    def keep(self, job_id: str, event: job_pb2.JobEvent) -> None:
        """Keeps an event in the place of the earlier one of its kind."""
        kind = event.WhichOneof("kind")
        key = (kind, event.preview.view) if kind == "preview" else (kind,)
        self._newest.setdefault(job_id, {})[key] = event

    def forget(self, job_id: str) -> None:
        """Drops what was kept of a job."""
        self._newest.pop(job_id, None)

    def kept(self, job_id: str, after: int) -> dict[int, job_pb2.JobEvent]:
        """The events that are kept of a job with sequence numbers above `after`, by number."""
        return {e.sequence: e for e in self._newest.get(job_id, {}).values() if e.sequence > after}

    def changed(self, job_id: str) -> asyncio.Event:
        """Set at a job's next event. Get it before reading the events that are there, so that none is missed."""
        return self._changes.setdefault(job_id, asyncio.Event())

    def notify(self, job_id: str) -> None:
        """Wakes the watchers of a job."""
        changed = self._changes.pop(job_id, None)
        if changed is not None:
            changed.set()

    def notify_all(self) -> None:
        """Wakes all watchers."""
        for job_id in list(self._changes):
            self.notify(job_id)

    @property
    def size(self) -> int:
        """Jobs of which something is kept or watched."""
        return len(self._newest.keys() | self._changes.keys())
