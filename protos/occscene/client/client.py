"""A blocking client of SceneService that survives cut connections and restarts of the server."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any, TypeVar

import grpc
from google.protobuf.message import Message

from occscene import tracing
from occscene.client.address import ServerAddress, parse_address
from occscene.client.channel import Credentials, open_channel
from occscene.client.diagnosis import cause
from occscene.client.errors import (
    AddressError,
    NoEndError,
    NoServerError,
    OtherVersionError,
    RequestTooLargeError,
    SceneError,
    error_of_call,
)
from occscene.client.waiting import OnWait, Patience, Waiting
from occscene.events import FINAL_EVENTS
from occscene.limits import MAX_MESSAGE_BYTES
from occscene.v1 import job_pb2, scene_service_pb2, scene_service_pb2_grpc

Answer = TypeVar("Answer")

_HELD_SECONDS = 5.0  # a stream that held so long shows that the server was there, though no event came


class SceneClient:
    """A connection to a server; usable as a context manager.

    A call whose connection breaks is made again, and so is one that the server asks to repeat later (`RetryInfo`), as
    long as the patience lasts. That is safe: a submission carries its request id, so that it makes one job however
    often it is sent, and a job's events go on after the last one that came.

    Args:
        address: host:port, grpc://host:port, or grpcs://host:port for TLS.
        token: sent with every call, encrypted or to this machine only; "" for none.
        ca: PEM file of the authorities to trust, in place of the system's.
        identity: PEM file of the client's own key and certificates, for a server that asks for them.
        patience: how long failures in a row are waited for; seconds, or all of `Patience`.
        timeout: seconds for a call that is no stream; each further try gets as much again.
        on_wait: called before each pause, with the reason and the seconds.

    Raises:
        AddressError, CertificateError, PlaintextTokenError: it cannot be connected like this.
        SceneError: out of all methods, see `occscene.client.errors`.
    """

    def __init__(
        self,
        address: str | ServerAddress,
        token: str = "",
        ca: Path | None = None,
        identity: Path | None = None,
        *,
        patience: float | Patience = 60.0,
        timeout: float = 20.0,
        on_wait: OnWait = lambda error, seconds: None,
    ) -> None:
        self.address = _parsed(address)
        self._patience = patience if isinstance(patience, Patience) else Patience(patience)
        self._timeout = timeout
        self._on_wait = on_wait
        self._stopped = Event()
        self._streams: set[Any] = set()
        self._credentials = Credentials(token, ca, identity)
        self._channel, self._metadata = open_channel(self.address, self._credentials)
        self._stub = scene_service_pb2_grpc.SceneServiceStub(self._channel)

    def __enter__(self) -> SceneClient:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection; jobs go on."""
        self.stop()
        self._channel.close()

    def stop(self) -> None:
        """Ends what waits or watches in other threads with a StoppedError; jobs go on."""
        self._stopped.set()
        for stream in list(self._streams):
            stream.cancel()

    def info(self) -> scene_service_pb2.GetServerInfoResponse:
        """What the server runs and accepts; a server that is not there is not waited for."""
        return self._call(self._stub.GetServerInfo, scene_service_pb2.GetServerInfoRequest(), Patience(0.0))

    def submit(self, request: scene_service_pb2.SubmitJobRequest) -> job_pb2.Job:
        """Submits a job, once however often the connection breaks meanwhile; gives it a request id if it has none.

        Raises:
            RequestTooLargeError: it has more bytes than a message may.
        """
        request.request_id = request.request_id or str(uuid.uuid4())
        size = request.ByteSize()
        if size > MAX_MESSAGE_BYTES:
            raise RequestTooLargeError(f"the request has {size:,} bytes; the limit is {MAX_MESSAGE_BYTES:,}")
        return self._call(self._stub.SubmitJob, request).job

    def watch(
        self, job_id: str, after: int = 0, on_reconnect: Callable[[job_pb2.Job], None] = lambda job: None
    ) -> Iterator[job_pb2.JobEvent]:
        """Yields a job's events to the final one, and goes on where it was after a lost connection.

        Args:
            job_id: the job's.
            after: sequence number of the last event that is known; where all are, the final one comes again.
            on_reconnect: gets the job as it stands when the server is there again.

        Raises:
            NoEndError: the server ends the events without a final one.
        """
        waiting = self._waiting(self._patience)
        for is_replay in (False, True):  # again where the server had no more to say, and no end either
            while True:
                try:
                    for event in self._events(job_id, 0 if is_replay else after, waiting, on_reconnect):
                        is_final = event.WhichOneof("kind") in FINAL_EVENTS
                        if is_final or not is_replay:
                            after = event.sequence
                            yield event
                        if is_final:
                            return
                    break
                except grpc.RpcError as error:
                    waiting.pause(self._error(error))
        raise NoEndError(f"the server does not say how job {job_id} ended")

    def get(self, job_id: str) -> job_pb2.Job:
        """One job."""
        return self._call(self._stub.GetJob, scene_service_pb2.GetJobRequest(job_id=job_id)).job

    def find(self, reference: str) -> job_pb2.Job:
        """The one job that was submitted under that request id, or whose id begins so.

        Raises:
            ValueError: there are several.
            JobNotFoundError: there is none.
        """
        if not reference:
            raise ValueError("the job's id is empty; `occscene-server jobs list` shows the ids")
        reference = reference.lower()
        matching = [j for j in self.jobs(1000) if j.id.startswith(reference) or j.request_id.lower() == reference]
        if len(matching) > 1:
            raise ValueError(f"{len(matching)} jobs have an id that begins with {reference!r}; give more of it")
        if matching:
            return matching[0]
        request = scene_service_pb2.GetJobRequest(job_id=reference, request_id=reference)  # may be older than these
        return self._call(self._stub.GetJob, request).job

    def find_request(self, request_id: str) -> job_pb2.Job:
        """The job that was submitted under a request id.

        Raises:
            JobNotFoundError: there is none.
        """
        return self._call(self._stub.GetJob, scene_service_pb2.GetJobRequest(request_id=request_id)).job

    def request(self, job_id: str) -> scene_service_pb2.SubmitJobRequest:
        """What was asked of a job.

        Raises:
            OtherVersionError: the server is older than this question.
            DataLossError: its copy is damaged.
        """
        request = scene_service_pb2.GetJobRequest(job_id=job_id, with_request=True)
        answer = self._call(self._stub.GetJob, request)
        if not answer.HasField("request"):
            raise OtherVersionError("the server is too old to say what was asked of a job")
        return answer.request

    def jobs(self, limit: int = 100) -> list[job_pb2.Job]:
        """The newest jobs."""
        return list(self._call(self._stub.ListJobs, scene_service_pb2.ListJobsRequest(limit=limit)).jobs)

    def cancel(self, job_id: str) -> job_pb2.Job:
        """Asks a job to end."""
        return self._call(self._stub.CancelJob, scene_service_pb2.CancelJobRequest(job_id=job_id)).job

    def delete(self, job_id: str) -> None:
        """Deletes a finished job."""
        self._call(self._stub.DeleteJob, scene_service_pb2.DeleteJobRequest(job_id=job_id))

    def _events(
        self, job_id: str, after: int, waiting: Waiting, on_reconnect: Callable[[job_pb2.Job], None]
    ) -> Iterator[job_pb2.JobEvent]:
        """A job's events as long as the connection holds.

        Raises:
            grpc.RpcError: it broke, or the server refuses.
        """
        if waiting.tries:  # a job that waits has nothing new to say that would show that the server is there again
            request = scene_service_pb2.GetJobRequest(job_id=job_id)
            on_reconnect(self._stub.GetJob(request, timeout=self._timeout, metadata=self._metadata).job)
        begin = time.monotonic()
        watch = scene_service_pb2.WatchJobRequest(job_id=job_id, after_sequence=after)
        stream = self._stub.WatchJob(watch, metadata=self._metadata)
        self._streams.add(stream)
        try:
            if self._stopped.is_set():  # since before the stream was there to be cancelled
                stream.cancel()  # type: ignore[no-untyped-call]
            for response in stream:
                waiting.answered()
                yield response.event
        finally:
            if time.monotonic() - begin > _HELD_SECONDS:
                waiting.answered()
            self._streams.discard(stream)
            stream.cancel()  # type: ignore[no-untyped-call]

    def _call(self, method: Callable[..., Answer], request: Message, patience: Patience | None = None) -> Answer:
        waiting = self._waiting(self._patience if patience is None else patience)
        with tracing.span(type(request).__name__.removesuffix("Request"), kind="CLIENT"):
            metadata = (*self._metadata, *tracing.carrier().items())
            while True:
                try:
                    return method(request, timeout=self._timeout * (1 + waiting.tries), metadata=metadata)
                except grpc.RpcError as error:
                    waiting.pause(self._error(error))

    def _waiting(self, patience: Patience) -> Waiting:
        return Waiting(patience, self._on_wait, self._stopped)

    def _error(self, error: grpc.RpcError) -> SceneError:
        known = error_of_call(error, self.address.target)
        if type(known) is not NoServerError or self._stopped.is_set():
            return known
        return cause(self.address, self._credentials) or known


def _parsed(address: str | ServerAddress) -> ServerAddress:
    if isinstance(address, ServerAddress):
        return address
    try:
        return parse_address(address)
    except ValueError as error:
        raise AddressError(str(error)) from error
