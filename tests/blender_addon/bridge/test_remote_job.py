"""A job on a server that loses answers, goes away, comes back, or sends nothing more."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from occscene.client.client import SceneClient
from occscene.client.errors import ModelNotLoadedError, NoServerError, StoppedError
from occscene.client.waiting import Patience
from occscene.events import REASONS
from occscene.results import Origin, read_result
from occscene.v1 import scene_service_pb2, scene_service_pb2_grpc

from blender_addon.bridge.cameras_head import cameras_head
from blender_addon.bridge.remote_job import CommandError, RemoteJob
from tests.blender.server_process import stand_in_server
from tests.occscene_server.requests import generate_request, looking_camera

REQUEST_ID = "7d1c7d53-5b0e-4e0c-9f6a-5d9c0d1a2b3c"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with the stand-in pipeline."""
    with stand_in_server(tmp_path_factory.mktemp("server")) as address:
        yield address


class Between(scene_service_pb2_grpc.SceneServiceServicer):
    """Stands between a client and a server, and loses what the tests want lost.

    Args:
        server: the real one's address.
    """

    def __init__(self, server: str) -> None:
        self._stub = scene_service_pb2_grpc.SceneServiceStub(grpc.insecure_channel(server))
        self.lost_answers = 0
        self.cut_streams = 0
        self.submissions = 0
        self.no_model = False

    def GetServerInfo(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return self._stub.GetServerInfo(request)

    def SubmitJob(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        self.submissions += 1
        if self.no_model:
            detail = any_pb2.Any()
            detail.Pack(error_details_pb2.ErrorInfo(reason="MODEL_NOT_LOADED", domain="occscene"))
            status = status_pb2.Status(code=14, message="the model could not be loaded", details=[detail])
            context.abort_with_status(rpc_status.to_status(status))
        answer = self._stub.SubmitJob(request)
        if self.lost_answers:
            self.lost_answers -= 1
            context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
        return answer

    def WatchJob(self, request: Any, context: grpc.ServicerContext) -> Iterator[Any]:  # noqa: N802
        for response in self._stub.WatchJob(request):
            yield response
            if self.cut_streams and response.event.WhichOneof("kind") == "view":
                self.cut_streams -= 1
                context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")

    def GetJob(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return self._stub.GetJob(request)

    def ListJobs(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802
        return self._stub.ListJobs(request)


@pytest.fixture
def between(server: str) -> Iterator[tuple[Between, str]]:
    """It, and its own address."""
    servicer = Between(server)
    own = grpc.server(ThreadPoolExecutor(4))
    scene_service_pb2_grpc.add_SceneServiceServicer_to_server(servicer, own)
    port = own.add_insecure_port("127.0.0.1:0")
    own.start()
    yield servicer, f"127.0.0.1:{port}"
    own.stop(None)


QUICK = Patience(1.0, 0.01, 0.2)


def job(
    address: str, folder: Path, patience: Patience = QUICK, **head: object
) -> tuple[RemoteJob, list[dict[str, Any]]]:
    """A job, and the events that it will send."""
    events: list[dict[str, Any]] = []
    server = {"address": address, "token": "", "ca_file": ""}
    cameras = cameras_head([looking_camera(f"camera {number}", 0.1 * number) for number in range(2)])
    result = {"directory": str(folder), "origin": asdict(Origin(kind="blockout")), "cameras": cameras}
    fields = {"server": server, "request_id": REQUEST_ID, "job_id": "", **result, **head}

    def send(head: dict[str, Any], body: bytes = b"") -> None:
        events.append(head)

    return RemoteJob(fields, send, patience), events


def submission(number: int) -> scene_service_pb2.SubmitJobRequest:
    request = generate_request()
    request.request_id = REQUEST_ID[:-2] + f"{number:02x}"
    return request


def pauses(events: list[dict[str, Any]]) -> list[float]:
    return [event["seconds"] for event in events if event["event"] == "reconnecting"]


def test_a_submission_whose_answer_was_lost_makes_one_job(
    between: tuple[Between, str], server: str, tmp_path: Path
) -> None:
    servicer, address = between
    servicer.lost_answers = 2
    remote, events = job(address, tmp_path)
    remote.submit(submission(1), None)
    kinds = [event["event"] for event in events]
    assert kinds[:3] == ["reconnecting", "reconnecting", "accepted"]
    assert kinds[-1] == "succeeded"
    assert servicer.submissions == 3
    assert pauses(events) == [0.01, 0.02]
    with SceneClient(server) as client:
        assert [entry.request_id for entry in client.jobs()].count(submission(1).request_id) == 1
    assert read_result(tmp_path).origin.job_id == events[2]["job_id"]


def test_events_go_on_where_they_were_cut_off(between: tuple[Between, str], tmp_path: Path) -> None:
    servicer, address = between
    servicer.cut_streams = 2
    remote, events = job(address, tmp_path)
    remote.submit(submission(2), None)
    kinds = [event["event"] for event in events if event["event"] not in ("queued", "progress", "preview", "started")]
    cut = ["view", "reconnecting", "reconnected"]
    assert kinds == ["accepted", *cut, *cut, "occupancy", "succeeded"]


def test_a_server_that_stays_away_is_given_up(tmp_path: Path) -> None:
    remote, events = job("127.0.0.1:9", tmp_path, job_id="some")
    with pytest.raises(NoServerError, match=r"no server answers at 127\.0\.0\.1:9"):
        remote.watch()
    assert remote.is_submitted
    assert pauses(events)[:6] == [0.01, 0.02, 0.04, 0.08, 0.16, 0.2]
    assert {event["event"] for event in events} == {"reconnecting"}
    assert all(event["is_away"] for event in events)


def test_a_server_that_is_not_there_at_first_is_an_error_at_once(tmp_path: Path) -> None:
    remote, events = job("127.0.0.1:9", tmp_path / "none")
    with pytest.raises(NoServerError):
        remote.submit(submission(3), None)
    assert not remote.is_submitted
    assert not events
    assert not (tmp_path / "none").exists()


def test_a_repeated_command_waits_for_its_server(tmp_path: Path) -> None:
    """The child that had sent it died, and the server as well: the job may be there."""
    remote, events = job("127.0.0.1:9", tmp_path, is_repeat=True)
    with pytest.raises(NoServerError):
        remote.submit(submission(4), None)
    assert remote.is_submitted
    assert len(pauses(events)) > 5


def test_a_server_without_a_model_is_an_error_at_once(between: tuple[Between, str], tmp_path: Path) -> None:
    servicer, address = between
    servicer.no_model = True
    remote, events = job(address, tmp_path)
    with pytest.raises(ModelNotLoadedError, match="could not be loaded") as caught:
        remote.submit(submission(5), None)
    assert caught.value.advice == REASONS["MODEL_NOT_LOADED"].advice
    assert not remote.is_submitted
    assert not events


def test_a_job_whose_events_were_all_sent_sends_its_end_again(server: str, tmp_path: Path) -> None:
    """Without checking the views, which were written before; events that came before tell the device and the source."""
    remote, events = job(server, tmp_path)
    remote.submit(submission(6), None)
    job_id, last = events[0]["job_id"], events[-1]["sequence"]
    expected = json.loads((tmp_path / "result.json").read_text()) | {"device": ""}
    del expected["occupancy"]["source"]
    for after in (last, last + 5):
        (tmp_path / "result.json").unlink()
        remote, events = job(server, tmp_path, job_id=job_id, after_sequence=after)
        remote.watch()
        assert [event["event"] for event in events] == ["succeeded"]
        assert json.loads((tmp_path / "result.json").read_text()) == expected


def test_a_request_that_never_arrived_is_an_error(server: str, tmp_path: Path) -> None:
    remote, _ = job(server, tmp_path, request_id="another")
    with pytest.raises(CommandError, match="never reached the server"):
        remote.watch()
    assert not remote.is_submitted


def test_the_older_of_two_commands_for_a_job_ends(server: str, tmp_path: Path) -> None:
    remote, _ = job(server, tmp_path)
    remote.submit(submission(7), None)
    remote, events = job(server, tmp_path, request_id=submission(7).request_id)
    remote.stop()
    with pytest.raises(StoppedError):
        remote.watch()
    assert [event["event"] for event in events] == ["accepted"]
    remote, events = job("127.0.0.1:9", tmp_path, job_id="some")
    remote.stop()
    with pytest.raises(StoppedError):
        remote.watch()
    assert not events


def test_a_cancel_waits_for_its_server(tmp_path: Path) -> None:
    remote, events = job("127.0.0.1:9", tmp_path, job_id="some")
    with pytest.raises(NoServerError):
        remote.cancel()
    assert {event["event"] for event in events} == {"reconnecting"}
