"""Jobs that wait: clients take turns, and of each client's jobs the more urgent, then the older, goes first."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from occscene.v1 import job_pb2

_REMEMBERED = 1000  # clients whose latest turn is known

_URGENCY = {job_pb2.JOB_PRIORITY_LOW: -1, job_pb2.JOB_PRIORITY_HIGH: 1}
"""By a job's priority; others are 0."""


@dataclass(frozen=True)
class _Waiting:
    client: str
    urgency: int
    arrival: int
    is_first: bool = False


class FairQueue:
    """The next turn is that of the client whose latest turn is longest ago.

    So one client with many jobs delays another by no more than the job that runs. A job that was interrupted goes
    before all others: its client has had the turn.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, _Waiting] = {}
        self._latest: dict[str, int] = {}  # turn of each client, the latest last
        self._numbers = count(1)
        self._sorted: list[str] | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, job_id: object) -> bool:
        return job_id in self._waiting

    def __iter__(self) -> Iterator[str]:
        """The jobs' ids in the order of their turns."""
        return iter(self._order())

    def position(self, job_id: str) -> int:
        """How many jobs come before it."""
        return self._order().index(job_id)

    def clients(self) -> dict[str, int]:
        """How many jobs of each client wait; other threads may ask."""
        numbers: dict[str, int] = {}
        for waiting in list(self._waiting.values()):
            numbers[waiting.client] = numbers.get(waiting.client, 0) + 1
        return numbers

    def append(self, job: job_pb2.Job) -> None:
        """Adds a job."""
        self._add(job, is_first=False)

    def put_back(self, job: job_pb2.Job) -> None:
        """Adds a job that was interrupted, before all others."""
        self._add(job, is_first=True)

    def remove(self, job_id: str) -> None:
        """Takes a job out."""
        del self._waiting[job_id]
        self._sorted = None

    def pop(self) -> str:
        """Takes out the job whose turn it is."""
        job_id = self._order()[0]
        waiting = self._waiting[job_id]
        self.remove(job_id)
        if not waiting.is_first:
            self._latest.pop(waiting.client, None)
            self._latest[waiting.client] = next(self._numbers)
            if len(self._latest) > _REMEMBERED:
                del self._latest[next(iter(self._latest))]
        return job_id

    def _add(self, job: job_pb2.Job, is_first: bool) -> None:
        urgency = _URGENCY.get(job.priority, 0)
        self._waiting[job.id] = _Waiting(job.client, urgency, next(self._numbers), is_first)
        self._sorted = None

    def _order(self) -> list[str]:
        if self._sorted is None:
            self._sorted = self._first() + self._by_turns()
        return self._sorted

    def _first(self) -> list[str]:
        """Those that were interrupted, the latest first."""
        first = [(waiting.arrival, job_id) for job_id, waiting in self._waiting.items() if waiting.is_first]
        return [job_id for _, job_id in sorted(first, reverse=True)]

    def _by_turns(self) -> list[str]:
        by_client: dict[str, list[tuple[int, int, str]]] = {}
        for job_id, waiting in self._waiting.items():
            if not waiting.is_first:
                by_client.setdefault(waiting.client, []).append((-waiting.urgency, waiting.arrival, job_id))
        heads = []
        for client, jobs in by_client.items():
            jobs.sort(reverse=True)  # the next one is the last
            heads.append((self._latest.get(client, 0), min(arrival for _, arrival, _ in jobs), client))
        heapq.heapify(heads)
        order, turns = [], count(max(self._latest.values(), default=0) + 1)
        while heads:
            _, arrival, client = heapq.heappop(heads)
            order.append(by_client[client].pop()[2])
            if by_client[client]:
                heapq.heappush(heads, (next(turns), arrival, client))
        return order
