"""A blocking client of SceneService that survives a cut connection and a restarted server."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from occscene.v1 import job_pb2, scene_service_pb2, scene_service_pb2_grpc

from occscene_server.engine.events import FINAL_EVENTS

Answer = TypeVar("Answer")

_OPTIONS = [
    ("grpc.max_receive_message_length", 64 * 2**20),  # one event: the occupancy of a large grid, or a large view
    ("grpc.max_send_message_length", -1),  # the server says what is too large
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
]
_LOST = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED)


class ServerError(RuntimeError):
    """What a server answered instead of a result, in words for people."""


class SceneClient:
    """One connection to a server; usable as a context manager.

    Args:
        address: host:port.
        token: sent with every call.
        ca: PEM file of the certificates to trust; given, the connection uses TLS.
        patience: seconds for which a lost connection is tried again.
        timeout: seconds for a call that is not a stream.
    """

    def __init__(
        self,
        address: str,
        token: str | None = None,
        ca: Path | None = None,
        identity: Path | None = None,
        patience: float = 60.0,
        timeout: float = 60.0,
    ) -> None:
        self._address = address
        self._patience = patience
        self._timeout = timeout
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()
        if ca is None:
            self._channel = grpc.insecure_channel(address, options=_OPTIONS)
        else:
            own = None if identity is None else identity.read_bytes()  # a PEM file of both: each reader takes its part
            credentials = grpc.ssl_channel_credentials(ca.read_bytes(), own, own)
            self._channel = grpc.secure_channel(address, credentials, _OPTIONS)
        self._stub = scene_service_pb2_grpc.SceneServiceStub(self._channel)

    def __enter__(self) -> SceneClient:
        return self

    def __exit__(self, *exception: object) -> None:
        self._channel.close()

    def info(self) -> scene_service_pb2.GetServerInfoResponse:
        """What the server runs and accepts."""
        return self._call(self._stub.GetServerInfo, scene_service_pb2.GetServerInfoRequest(), patience=0.0)

    def submit(self, request: scene_service_pb2.SubmitJobRequest) -> job_pb2.Job:
        """Submits a job, exactly once even where the connection is lost meanwhile."""
        request.request_id = request.request_id or str(uuid.uuid4())
        return self._call(self._stub.SubmitJob, request, self._patience).job

    def watch(self, job_id: str, after: int = 0) -> Iterator[job_pb2.JobEvent]:
        """Yields a job's events to the final one, going on where it was after a lost connection."""
        give_up: float | None = None  # set while the connection is lost
        while True:
            request = scene_service_pb2.WatchJobRequest(job_id=job_id, after_sequence=after)
            begin = time.monotonic()
            try:
                for response in self._stub.WatchJob(request, metadata=self._metadata):
                    give_up = None
                    after = response.event.sequence
                    yield response.event
                    if response.event.WhichOneof("kind") in FINAL_EVENTS:
                        return
            except grpc.RpcError as error:
                if give_up is None or time.monotonic() - begin > 5.0:  # it had been connected again meanwhile
                    give_up = time.monotonic() + self._patience
                self._retry_or_raise(error, give_up, until_restarted=True)

    def get(self, job_id: str) -> job_pb2.Job:
        """One job."""
        return self._call(self._stub.GetJob, scene_service_pb2.GetJobRequest(job_id=job_id)).job

    def find(self, reference: str) -> job_pb2.Job:
        """The one job that was submitted under that request id, or whose id begins so.

        Raises:
            ValueError: there are several.
            ServerError: there is none.
        """
        if not reference:
            raise ValueError("the job's id is empty; `occscene-server jobs list` shows the ids")
        reference = reference.lower()
        found = [j for j in self.jobs(1000) if j.id.startswith(reference) or j.request_id.lower() == reference]
        if len(found) > 1:
            raise ValueError(f"{len(found)} jobs have an id that begins with {reference!r}; give more of it")
        if found:
            return found[0]
        request = scene_service_pb2.GetJobRequest(job_id=reference, request_id=reference)  # may be older than these
        return self._call(self._stub.GetJob, request).job

    def request(self, job_id: str) -> scene_service_pb2.SubmitJobRequest:
        """What was asked of a job.

        Raises:
            ServerError: the server is older than this question, or its copy is damaged.
        """
        request = scene_service_pb2.GetJobRequest(job_id=job_id, with_request=True)
        answer = self._call(self._stub.GetJob, request, self._patience)
        if not answer.HasField("request"):
            raise ServerError("the server is too old to say what was asked of a job; update it")
        return answer.request

    def jobs(self, limit: int = 100) -> list[job_pb2.Job]:
        """The newest jobs."""
        return list(self._call(self._stub.ListJobs, scene_service_pb2.ListJobsRequest(limit=limit)).jobs)

    def cancel(self, job_id: str) -> job_pb2.Job:
        """Asks a job to end."""
        return self._call(self._stub.CancelJob, scene_service_pb2.CancelJobRequest(job_id=job_id)).job

    def delete(self, job_id: str) -> None:
        """Forgets a finished job."""
        self._call(self._stub.DeleteJob, scene_service_pb2.DeleteJobRequest(job_id=job_id))

    def _call(self, method: Callable[..., Answer], request: Message, patience: float = 0.0) -> Answer:
        deadline = time.monotonic() + patience
        while True:
            try:
                return method(request, timeout=self._timeout, metadata=self._metadata)
            except grpc.RpcError as error:
                self._retry_or_raise(error, deadline)

    def _retry_or_raise(self, error: Any, deadline: float, until_restarted: bool = False) -> None:
        """Returns after a pause where the connection was lost, not the request refused."""
        reason = _reason(error)
        lost = error.code() in _LOST and (not reason or (until_restarted and reason == "SHUTTING_DOWN"))
        if not lost or time.monotonic() >= deadline:
            raise ServerError(self._describe(error)) from error
        time.sleep(0.5)

    def _describe(self, error: Any) -> str:
        status = rpc_status.from_call(error)
        if status is None:
            if error.code() == grpc.StatusCode.UNAVAILABLE:
                return f"no server answers at {self._address}; start one with: occscene-server serve"
            return f"{error.code().name}: {error.details()}"
        lines = [status.message]
        for detail in status.details:
            bad_request = error_details_pb2.BadRequest()
            if detail.Unpack(bad_request):
                lines = [f"{item.field}: {item.description}" for item in bad_request.field_violations]
        return "\n".join(lines)


def _reason(error: Any) -> str:
    """The reason that the server itself gave, as opposed to a lost connection."""
    status = rpc_status.from_call(error)
    info = error_details_pb2.ErrorInfo()
    for detail in status.details if status else ():
        if detail.Unpack(info):
            return str(info.reason)
    return ""
