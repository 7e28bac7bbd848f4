"""One job on a server, from its submission to its final event, as the events that are sent to Blender."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from occscene.client.abilities import check_abilities
from occscene.client.client import SceneClient
from occscene.client.errors import ConnectionLostError, JobNotFoundError, RefusedError, SceneError
from occscene.client.waiting import Patience
from occscene.grid import SemanticGrid
from occscene.layout_codec import layout_from_message
from occscene.mesh import TriangleMesh
from occscene.placed_layout import placed_to_json
from occscene.result_codec import write_event
from occscene.results import Origin, ResultFolder
from occscene.v1 import job_pb2, scene_service_pb2

from .cameras_head import cameras_from_head
from .requests import event_messages
from .result_folder import not_written

PATIENCE = Patience(600.0)
"""After ten minutes without the server the job is given up; it can be watched again later."""


class Send(Protocol):
    """Sends an event to Blender."""

    def __call__(self, head: dict[str, Any], body: bytes = b"") -> None:
        """Its fields and its body."""


class CommandError(Exception):
    """A command that failed for a reason of this computer.

    Args:
        reason: a fixed identifier.
        message: what happened.
        advice: what to do next.
    """

    def __init__(self, reason: str, message: str, advice: str) -> None:
        super().__init__(message)
        self.reason, self.message, self.advice = reason, message, advice


class RemoteJob:
    """Submits, watches or cancels a job; used as a context manager.

    Args:
        head: the command's fields.
        send: gets the events.
        patience: how long a server that does not answer is asked again.

    Raises:
        SceneError, CommandError: out of all methods: it cannot go on.
    """

    def __init__(self, head: dict[str, Any], send: Send, patience: Patience = PATIENCE) -> None:
        self._head = head
        self._send = send
        self._after = int(head.get("after_sequence", 0))
        self._client = open_client(head["server"], patience, self._report_waiting)
        self.is_submitted = bool(head.get("job_id"))
        """Whether the server may have the job."""

    def __enter__(self) -> RemoteJob:
        return self

    def __exit__(self, *exception: object) -> None:
        self._client.close()

    def stop(self) -> None:
        """Ends a command that runs in another thread, since a newer one follows the job; the job goes on."""
        self._client.stop()

    def submit(
        self,
        submission: scene_service_pb2.SubmitJobRequest,
        blockout: SemanticGrid | None,
        mesh: TriangleMesh | None = None,
        note: str = "",
    ) -> None:
        """Submits the request and follows the job; `note` goes to the artist.

        A server that is not there, or has no prior for the request, is an error before anything is sent; after that
        the client waits for it.
        """
        if self._head.get("is_repeat"):
            self.is_submitted = True
        else:
            check_abilities(submission, self._client.info().models)
        try:
            folder = self._folder()
            if blockout is not None:
                folder.write_blockout(blockout, mesh)
        except OSError as error:
            raise self._not_written(error, "Make room there, and generate again.") from error
        try:
            job = self._client.submit(submission)
        except ConnectionLostError:
            self.is_submitted = True
            raise
        self._accepted(job.id, note)
        self._follow(job.id, folder)

    def watch(self) -> None:
        """Follows the job; one whose id was never received is looked up by its request id."""
        job_id = self._head["job_id"]
        if not job_id:
            try:
                job_id = self._client.find_request(self._head["request_id"]).id
            except JobNotFoundError as error:
                text = "The request never reached the server."
                raise CommandError("NEVER_ARRIVED", text, "Generate again.") from error
            self._accepted(job_id)
        try:
            folder = self._folder()
        except OSError as error:
            raise self._kept(error) from error
        self._follow(job_id, folder)

    def cancel(self) -> None:
        """Asks the server to end the job."""
        self._client.cancel(self._head["job_id"])
        self._send({"event": "cancelling"})

    def _accepted(self, job_id: str, note: str = "") -> None:
        self._head["job_id"], self.is_submitted = job_id, True
        self._send({"event": "accepted", "job_id": job_id, "note": note})

    def _folder(self) -> ResultFolder:
        cameras = cameras_from_head(self._head["cameras"])
        return ResultFolder(self._head["directory"], Origin(**self._head["origin"]), cameras, self._after > 0)

    def _follow(self, job_id: str, folder: ResultFolder) -> None:
        """Sends the job's events to Blender, with the names of the files that they were written to."""
        folder.origin = replace(folder.origin, job_id=job_id)
        for event in self._client.watch(job_id, self._after, self._report_reconnected):
            head, body = event_messages(event)
            try:
                if file := write_event(folder, event):
                    head["file"] = file
            except OSError as error:
                raise self._kept(error) from error
            if event.HasField("layout"):
                head["layout"] = placed_to_json(layout_from_message(event.layout.layout), head["notes"])
            self._send(head, body)

    def _report_waiting(self, error: SceneError, seconds: float) -> None:
        is_away = isinstance(error, ConnectionLostError)
        advice = error.advice if isinstance(error, RefusedError) else ""
        fields = {"reason": error.reason, "message": error.message, "advice": advice, "is_away": is_away}
        self._send({"event": "reconnecting", **fields, "seconds": seconds})

    def _report_reconnected(self, job: job_pb2.Job) -> None:
        self._send({"event": "reconnected", "is_queued": job.state == job_pb2.JOB_STATE_QUEUED})

    def _kept(self, error: OSError) -> CommandError:
        return self._not_written(error, "The server keeps them: make room there, then press Reconnect.")

    def _not_written(self, error: OSError, advice: str) -> CommandError:
        return CommandError("RESULTS_NOT_WRITTEN", not_written(self._head["directory"], error), advice)


def open_client(server: dict[str, Any], patience: Patience, on_wait: Any = lambda error, seconds: None) -> SceneClient:
    """The client of a command's `server` field: address, token ("" for none) and CA file ("" for the system's)."""
    ca = Path(server["ca_file"]) if server.get("ca_file") else None
    return SceneClient(server["address"], server.get("token", ""), ca, patience=patience, on_wait=on_wait)
