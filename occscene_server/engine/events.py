"""Events that more than one room makes."""

from __future__ import annotations

from google.rpc import code_pb2
from occscene.v1 import job_pb2

FINAL_EVENTS = ("succeeded", "failed", "cancelled")
"""Kinds of events that no other follows."""


def failed_event(
    reason: str, message: str, advice: str = "", code: code_pb2.Code = code_pb2.INTERNAL
) -> job_pb2.JobEvent:
    """The final event of a job that failed.

    Args:
        reason: a fixed word for programs, in capitals.
        message: what happened, for people.
        advice: what to do next, for people.
        code: the google.rpc.Code that a call would end with.
    """
    failure = job_pb2.JobFailure(reason=reason, message=message, advice=advice, code=code)
    return job_pb2.JobEvent(failed=job_pb2.JobFailed(failure=failure))
