"""Jobs on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from occscene.v1 import camera_pb2, job_pb2

from occscene_server.jobs.store import JobStore, StoreInUseError


def make_job(store: JobStore, number: int, state: job_pb2.JobState = job_pb2.JOB_STATE_QUEUED) -> job_pb2.Job:
    job = job_pb2.Job(id=f"job{number}", request_id=f"request{number}", state=state)
    store.create(job, b"request")
    return job


def append(store: JobStore, job: job_pb2.Job, event: job_pb2.JobEvent) -> None:
    job.last_sequence += 1
    event.sequence = job.last_sequence
    store.append(job, event)


def test_all_is_there_after_reopening(tmp_path: Path) -> None:
    store = JobStore(tmp_path)
    job = make_job(store, 1)
    large = job_pb2.JobView(view=0, image=camera_pb2.EncodedImage(data=bytes(100_000)))
    append(store, job, job_pb2.JobEvent(started=job_pb2.JobStarted(device="cpu")))
    append(store, job, job_pb2.JobEvent(view=large))
    store.close()

    store = JobStore(tmp_path)
    assert store.get("job1") == store.find("request1") == job
    assert store.request("job1") == b"request"
    assert store.sequences("job1", 0) == [1, 2]
    assert store.sequences("job1", 1) == [2]
    assert store.event("job1", 2).view == large
    assert [found.id for found in store.unfinished()] == ["job1"]
    store.delete("job1")
    assert store.get("job1") is None
    assert store.sequences("job1", 0) == []
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == []
    store.close()


def test_oldest_finished_jobs_go_first(tmp_path: Path) -> None:
    store = JobStore(tmp_path, max_finished=2)
    make_job(store, 0)
    for number in range(1, 5):
        make_job(store, number, job_pb2.JOB_STATE_SUCCEEDED)
    store.prune()
    assert [job.id for job in store.newest(10)] == ["job4", "job3", "job0"]
    store.close()


def test_one_server_at_a_time(tmp_path: Path) -> None:
    store = JobStore(tmp_path)
    with pytest.raises(StoreInUseError, match="another server"):
        JobStore(tmp_path)
    store.close()
    JobStore(tmp_path).close()
