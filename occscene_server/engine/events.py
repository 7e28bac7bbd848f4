"""Events that more than one package makes."""

from __future__ import annotations

from google.rpc import code_pb2
from occscene.events import REASONS
from occscene.v1 import job_pb2


def failed_event(
    reason: str, message: str, code: code_pb2.Code = code_pb2.INTERNAL, advice: str = ""
) -> job_pb2.JobEvent:
    """The final event of a job that failed.

    Args:
        reason: one of `occscene.events.REASONS`.
        message: what happened, for people.
        code: the google.rpc.Code that a call would end with.
        advice: what to do next, for people, where more is known than the table's advice.
    """
    advice = advice or REASONS[reason].advice
    failure = job_pb2.JobFailure(reason=reason, message=message, advice=advice, code=code)
    return job_pb2.JobEvent(failed=job_pb2.JobFailed(failure=failure))
