"""A job's record, and how events change it."""

from __future__ import annotations

import uuid

from google.protobuf.timestamp_pb2 import Timestamp
from occscene.events import FINAL_EVENTS
from occscene.v1 import job_pb2, scene_service_pb2

_KINDS = {
    "generate_scene": job_pb2.JOB_KIND_GENERATE_SCENE,
    "predict_occupancy": job_pb2.JOB_KIND_PREDICT_OCCUPANCY,
    "compose_layout": job_pb2.JOB_KIND_COMPOSE_LAYOUT,
}
_STATES = {
    "started": job_pb2.JOB_STATE_RUNNING,
    "succeeded": job_pb2.JOB_STATE_SUCCEEDED,
    "failed": job_pb2.JOB_STATE_FAILED,
    "cancelled": job_pb2.JOB_STATE_CANCELLED,
}


def new_job(request: scene_service_pb2.SubmitJobRequest, client: str) -> job_pb2.Job:
    """The record of a client's job that is about to be queued."""
    task = str(request.WhichOneof("task"))
    job = job_pb2.Job(
        id=uuid.uuid4().hex,
        request_id=request.request_id or str(uuid.uuid4()),
        kind=_KINDS[task],
        state=job_pb2.JOB_STATE_QUEUED,
        prompt=getattr(getattr(request, task), "prompt", ""),
        create_time=now(),
        client=client,
        priority=request.priority,
        ephemeral=request.ephemeral,
    )
    if request.HasField("timeout"):
        job.expire_time.FromNanoseconds(job.create_time.ToNanoseconds() + request.timeout.ToNanoseconds())
    return job


def apply_event(job: job_pb2.Job, event: job_pb2.JobEvent) -> None:
    """Gives an event its number and its time, and changes the record as it says."""
    job.last_sequence += 1
    event.sequence = job.last_sequence
    event.time.CopyFrom(now())
    kind = str(event.WhichOneof("kind"))
    job.state = _STATES.get(kind, job.state)
    if kind == "failed":
        job.failure.CopyFrom(event.failed.failure)
    if kind in FINAL_EVENTS:
        job.end_time.CopyFrom(event.time)


def now() -> Timestamp:
    """The present as a message."""
    stamp = Timestamp()
    stamp.GetCurrentTime()
    return stamp
