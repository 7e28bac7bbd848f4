"""One job on a server, from its submission to its final event, through broken connections and server restarts."""

from __future__ import annotations

import json
from collections.abc import Callable
from time import sleep
from typing import Any, Protocol, TypeVar

import grpc
from occscene.grid import SemanticGrid
from occscene.mesh import TriangleMesh
from occscene.placed_layout import placed_to_json
from occscene.v1 import job_pb2, scene_service_pb2, scene_service_pb2_grpc

from .failures import Failure, failure_of
from .requests import check_abilities, event_layout, event_messages, occupancy_grid
from .result_folder import BLOCKOUT_FILE, LAYOUT_FILE, OCCUPANCY_FILE, ResultFolder, not_written
from .server import ServerConnections

RPC_TIMEOUT = 20.0
"""Seconds that a call other than watching may take; sending a large grid included."""

FIRST_PAUSE, LONGEST_PAUSE = 0.5, 30.0
"""Seconds between attempts while nobody answers: each pause is twice as long as the one before, up to the longest."""

PATIENCE = 600.0
"""Seconds of such pauses after which the job is given up; it can be watched again later."""

_BROKEN = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.CANCELLED)
"""How a call ends whose server died, restarts or does not answer."""

_FINAL = ("succeeded", "failed", "cancelled")

_Answer = TypeVar("_Answer")


class Send(Protocol):
    """Sends an event to Blender."""

    def __call__(self, head: dict[str, Any], body: bytes = b"") -> None:
        """Its fields and its body."""


class RemoteJob:
    """Submits, watches or cancels a job, and repeats what a broken connection has cut off.

    A submission is safe to repeat, because it carries its request id.

    Args:
        connections: where the channel is opened.
        head: the command's fields.
        send: gets the events.
        is_replaced: whether a newer command follows the job; then this one ends.

    Raises:
        Failure, grpc.RpcError: out of all methods: it cannot go on.
    """

    def __init__(
        self,
        connections: ServerConnections,
        head: dict[str, Any],
        send: Send,
        is_replaced: Callable[[], bool] = lambda: False,
    ) -> None:
        self._head = head
        self._send = send
        self._is_replaced = is_replaced
        channel, self._metadata = connections.open(head["server"])
        self._stub = scene_service_pb2_grpc.SceneServiceStub(channel)
        self._attempt = 0
        self._paused = 0.0
        self._after = int(head.get("after_sequence", 0))

    def submit(
        self,
        submission: scene_service_pb2.SubmitJobRequest,
        blockout: SemanticGrid | None,
        mesh: TriangleMesh | None = None,
        note: str = "",
    ) -> None:
        """Hands the request in and follows the job; `note` goes to the artist.

        A server that is not there, or has no prior for it, is told at once, before anything is sent; from then on a
        lost answer is asked for again until it comes.
        """
        if not self._head.get("is_repeat"):
            request = scene_service_pb2.GetServerInfoRequest()
            info = self._stub.GetServerInfo(request, timeout=RPC_TIMEOUT, metadata=self._metadata)
            check_abilities(submission, info)
        if blockout is not None:
            try:
                ResultFolder(self._head["directory"]).write_grid(BLOCKOUT_FILE, blockout, mesh)
            except OSError as error:
                raise self._not_written(error, "Make room there, and generate again.") from error

        def call() -> str:
            timeout = RPC_TIMEOUT * (1 + self._attempt)  # a line that is too slow for the first is given more
            return str(self._stub.SubmitJob(submission, timeout=timeout, metadata=self._metadata).job.id)

        job_id = self._insist(call, refusal="MODEL_NOT_LOADED")
        self._send({"event": "accepted", "job_id": job_id, "note": note})
        self._follow(job_id)

    def watch(self) -> None:
        """Follows the job; one whose id was never heard is found by its request id."""
        job_id = self._head["job_id"]
        if not job_id:
            job_id = self._insist(self._find)
            self._send({"event": "accepted", "job_id": job_id, "note": ""})
        self._follow(job_id)

    def cancel(self) -> None:
        """Asks the server to end the job."""
        request = scene_service_pb2.CancelJobRequest(job_id=self._head["job_id"])
        self._insist(lambda: self._stub.CancelJob(request, timeout=RPC_TIMEOUT, metadata=self._metadata))
        self._send({"event": "cancelling"})

    def _find(self) -> str:
        request = scene_service_pb2.ListJobsRequest(limit=1000)
        answer = self._stub.ListJobs(request, timeout=RPC_TIMEOUT, metadata=self._metadata)
        for job in answer.jobs:
            if job.request_id == self._head["request_id"]:
                return str(job.id)
        raise Failure("NEVER_ARRIVED", "The request never reached the server.", "Generate again.")

    def _follow(self, job_id: str) -> None:
        """Hands on the job's events; a broken connection is taken up again where it broke."""
        try:
            folder = ResultFolder(self._head["directory"])
            if not self._insist(lambda: self._watch_once(job_id, folder)):
                self._after = 0  # all had come: the final event comes again
                if not self._insist(lambda: self._watch_once(job_id, folder)):
                    raise Failure("NO_END", "The server does not tell how the job ended.", "Press Reconnect.")
        except OSError as error:
            raise self._not_written(error, "The server keeps them: make room there, then press Reconnect.") from error

    def _watch_once(self, job_id: str, folder: ResultFolder) -> bool:
        """Watches as long as the connection holds; says whether the final event came."""
        if self._attempt:  # what waits has nothing new to tell that would show that the server is there again
            job = self._stub.GetJob(
                scene_service_pb2.GetJobRequest(job_id=job_id), timeout=RPC_TIMEOUT, metadata=self._metadata
            ).job
            self._send({"event": "reconnected", "is_queued": job.state == job_pb2.JOB_STATE_QUEUED})
        request = scene_service_pb2.WatchJobRequest(job_id=job_id, after_sequence=self._after)
        events = self._stub.WatchJob(request, metadata=self._metadata)
        for response in events:
            if self._is_replaced():
                events.cancel()  # type: ignore[no-untyped-call]
                raise _replaced()
            self._heard()
            head, body = event_messages(response.event)
            if head["event"] == "view":
                head["file"] = folder.write_view(head["name"], body)
            elif head["event"] == "occupancy":
                folder.write_grid(OCCUPANCY_FILE, occupancy_grid(response.event))
                head["file"] = OCCUPANCY_FILE
            elif head["event"] == "layout":
                fields = placed_to_json(event_layout(response.event), head["notes"])
                folder.write_text(LAYOUT_FILE, json.dumps(fields, indent=1) + "\n")
                head |= {"file": LAYOUT_FILE, "layout": fields}
            elif head["event"] == "succeeded":
                folder.remove_parts()
            self._send(head, body)
            self._after = response.event.sequence
            if head["event"] in _FINAL:
                return True
        return False

    def _insist(self, call: Callable[[], _Answer], refusal: str = "") -> _Answer:
        """Calls until the server answers or patience is over; an error for the reason `refusal` is an answer too."""
        while True:
            try:
                answer = call()
            except grpc.RpcError as error:
                failure = failure_of(error, self._head["server"]["address"])
                if error.code() not in _BROKEN or failure.reason == refusal:
                    raise
                self._pause(failure)
            else:
                self._heard()
                return answer

    def _not_written(self, error: OSError, advice: str) -> Failure:
        return Failure("RESULTS_NOT_WRITTEN", not_written(self._head["directory"], error), advice)

    def _heard(self) -> None:
        self._attempt, self._paused = 0, 0.0

    def _pause(self, failure: Failure) -> None:
        if self._is_replaced():
            raise _replaced()
        if self._paused >= PATIENCE:
            failure.is_lost = True
            raise failure
        self._send({"event": "reconnecting", "message": failure.message})
        pause = min(FIRST_PAUSE * 2**self._attempt, LONGEST_PAUSE)
        self._attempt += 1
        self._paused += pause
        sleep(pause)


def _replaced() -> Failure:
    return Failure("REPLACED", "Another command follows the job.")
