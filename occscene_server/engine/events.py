"""Events that more than one room makes."""

from __future__ import annotations

from occscene.v1 import job_pb2


def failed_event(reason: str, message: str, advice: str = "") -> job_pb2.JobEvent:
    """The final event of a job that failed.

    Args:
        reason: a fixed word for programs, in capitals.
        message: what happened, for people.
        advice: what to do next, for people.
    """
    failure = job_pb2.JobFailure(reason=reason, message=message, advice=advice)
    return job_pb2.JobEvent(failed=job_pb2.JobFailed(failure=failure))
