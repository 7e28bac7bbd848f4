"""What `generate` leaves in its folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from occscene.v1 import job_pb2

from occscene_server.api.client import ServerError
from occscene_server.api.results import ProgressDisplay, ResultFolder, view_file_names
from occscene_server.engine.events import failed_event
from occscene_server.engine.task import run_task
from tests.occscene_server.requests import generate_request
from tests.occscene_server.stand_in import StandInPipeline


def test_job_that_ran_twice_leaves_each_view_once(tmp_path: Path) -> None:
    """The server died after the first run's views were sent; the second run sends them again."""
    request = generate_request(views=3)
    events: list[job_pb2.JobEvent] = []
    run_task(StandInPipeline(), request, events.append)
    folder = ResultFolder(tmp_path, request.generate_scene)
    first_run = [event for event in events if event.HasField("view")][:2]
    for event in [*first_run, *events]:
        folder.take(event)
    result = json.loads((tmp_path / "result.json").read_text())
    assert [view["camera"] for view in result["views"]] == ["camera 0", "camera 1", "camera 2"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "cameras.json",
        "occupancy.npz",
        "result.json",
        *(f"view_camera {number}.png" for number in range(3)),
    ]


def test_no_name_of_a_camera_leaves_the_folder() -> None:
    names = view_file_names(["../../etc/passwd", "a/b", "a_b_2", "a_b", "front"])
    assert names == ["view_.._.._etc_passwd.png", "view_a_b.png", "view_a_b_2.png", "view_a_b_3.png", "view_front.png"]


def test_failure_says_what_to_do_next() -> None:
    display = ProgressDisplay(lambda event: None)
    with pytest.raises(ServerError, match=r"ran out of memory\. It would fit with 2 views"):
        display.show(failed_event("OUT_OF_MEMORY", "it ran out of memory.", "It would fit with 2 views."))
