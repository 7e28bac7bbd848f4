"""What `generate` shows, and leaves in its folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from occscene.client.errors import JobFailedError
from occscene.grid import load_grid
from occscene.v1 import job_pb2

from occscene_server.cli.progress import JobResult, ProgressDisplay
from occscene_server.engine.events import failed_event
from occscene_server.engine.task import run_task
from tests.occscene_server.requests import mesh_request
from tests.occscene_server.stand_in import StandInPipeline


def test_job_that_ran_twice_leaves_each_view_once(tmp_path: Path) -> None:
    """The server died after the first run's views were sent; the second run sends them again."""
    request = mesh_request(views=3)
    events: list[job_pb2.JobEvent] = []
    run_task(StandInPipeline(), request, events.append)
    result = JobResult(tmp_path, request, "")
    first_run = [event for event in events if event.HasField("view")][:2]
    for event in [*first_run, *events]:
        result.take(event)
    row = json.loads((tmp_path / "result.json").read_text())
    assert [view["camera"] for view in row["views"]] == ["camera 0", "camera 1", "camera 2"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "blockout.npz",
        "cameras.json",
        "occupancy.npz",
        "result.json",
        *(f"view_camera {number}.png" for number in range(3)),
    ]
    assert [item.name for item in load_grid(tmp_path / "blockout.npz").objects] == ["floor"]


def test_failure_says_what_to_do_next() -> None:
    with pytest.raises(JobFailedError) as caught:
        ProgressDisplay().show(
            failed_event("OUT_OF_MEMORY", "it ran out of memory.", advice="It would fit with 2 views.")
        )
    assert str(caught.value) == "the job failed: it ran out of memory. It would fit with 2 views."
