"""What watchers of jobs wait for: wake-ups, and the transient events that are not stored on disk."""

from __future__ import annotations

import asyncio
import contextlib

from occscene.v1 import job_pb2

from occscene_server.jobs.errors import StoreError
from occscene_server.jobs.exchange import Exchange

TRANSIENT = ("queued", "progress", "preview")
"""Kinds of events of which only the newest counts."""


class EventFeed:
    """Keeps the newest preview of each view, progress and place in the queue of each job, and wakes its watchers."""

    def __init__(self) -> None:
        self._newest: dict[str, dict[str, job_pb2.JobEvent]] = {}
        self._changes: dict[str, asyncio.Event] = {}

    def keep(self, job_id: str, event: job_pb2.JobEvent) -> None:
        """Keeps an event in the place of the earlier one of its kind."""
        self._newest.setdefault(job_id, {})[_kind(event)] = event

    def flush(self) -> None:
        """Lets watchers on other servers see what was kept, before they see what comes next."""

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


class SharedFeed(EventFeed):
    """The feed of one of several servers: the leader's shows the others what it keeps, and theirs read it.

    Args:
        exchange: through which they do.
    """

    def __init__(self, exchange: Exchange) -> None:
        super().__init__()
        self.leads = False
        """Whether the events come from this server."""
        self._exchange = exchange
        self._fresh: dict[tuple[str, str], job_pb2.JobEvent] = {}  # that the other servers have not seen

    def keep(self, job_id: str, event: job_pb2.JobEvent) -> None:
        """Keeps an event in the place of the earlier one of its kind, here and, a moment later, for the others."""
        super().keep(job_id, event)
        if not self._fresh:
            asyncio.get_running_loop().call_soon(self.flush)  # with those of other jobs that come at the same time
        self._fresh[job_id, _kind(event)] = event

    def flush(self) -> None:
        """Lets watchers on other servers see what was kept, before they see what comes next."""
        fresh, self._fresh = self._fresh, {}
        if fresh:
            with contextlib.suppress(StoreError):  # they miss it, and a server whose database has gone ends
                self._exchange.pass_on([(job_id, kind, event) for (job_id, kind), event in fresh.items()])

    def kept(self, job_id: str, after: int) -> dict[int, job_pb2.JobEvent]:
        """The events that are kept of a job with sequence numbers above `after`, by number."""
        return super().kept(job_id, after) if self.leads else self._exchange.passing(job_id, after)


def _kind(event: job_pb2.JobEvent) -> str:
    """The kind of which only the newest counts: of previews, that of each view."""
    kind = str(event.WhichOneof("kind"))
    return f"{kind} {event.preview.view}" if kind == "preview" else kind
