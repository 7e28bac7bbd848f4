"""Who asks for jobs, and which jobs are theirs."""

from __future__ import annotations

from dataclasses import dataclass

from occscene.v1 import job_pb2


@dataclass(frozen=True)
class Caller:
    """Who asks.

    Args:
        name: that of its token, or the address that it asks from.
        sees_all: whether the jobs of others are its to see, cancel and delete as well.
    """

    name: str = ""
    sees_all: bool = True

    def may_see(self, job: job_pb2.Job) -> bool:
        """Whether a job is the caller's to see, cancel and delete."""
        return self.sees_all or job.client == self.name


ANYONE = Caller()
"""The server itself, and clients that are not told apart."""
