"""What the server counts and times, for Prometheus."""

from __future__ import annotations

import socket
import threading
import time
import traceback
from collections.abc import Awaitable, Callable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import grpc
from google.rpc import error_details_pb2, status_pb2
from occscene.events import FINAL_EVENTS
from occscene.v1 import job_pb2, scene_service_pb2
from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    make_wsgi_app,
)

from occscene_server.api.access import endpoint, why_not_bound
from occscene_server.api.present import Present
from occscene_server.engine.interface import Engine
from occscene_server.jobs.service import JobService
from occscene_server.jobs.store import JobStore

_WAIT_BUCKETS = (0.1, 1, 5, 15, 60, 300, 900, 3600, 14_400)  # seconds
_STEP_BUCKETS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30)
_MAX_SCRAPES = 8  # at a time
_STATUS = "grpc-status-details-bin"

_SERVICE = scene_service_pb2.DESCRIPTOR.services_by_name["SceneService"]
_LABELS = {f"/{_SERVICE.full_name}/{method.name}": method.name for method in _SERVICE.methods}


class Metrics:
    """The metrics of one server, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self._ended = Counter(
            "occscene_jobs_ended",
            "Jobs that ended, by final state and reason",
            ["state", "reason"],
            registry=self.registry,
        )
        self._wait = Histogram(
            "occscene_queue_wait_seconds",
            "From a job's submission to its start",
            buckets=_WAIT_BUCKETS,
            registry=self.registry,
        )
        self._step = Histogram(
            "occscene_step_seconds", "One denoising step", buckets=_STEP_BUCKETS, registry=self.registry
        )
        # By job; seconds of a clock that cannot be set, for an event's own time is the machine's.
        self._submitted: dict[str, float] = {}
        self._latest_step: dict[str, tuple[int, float]] = {}
        self.received = Counter(
            "occscene_received_bytes", "Bytes of requests, by method", ["method"], registry=self.registry
        )
        self.sent = Counter("occscene_sent_bytes", "Bytes of answers, by method", ["method"], registry=self.registry)
        self.rejections = Counter(
            "occscene_rejections", "Calls that ended with an error, by reason", ["reason"], registry=self.registry
        )

    def follow(self, jobs: JobService, engine: Engine, store: JobStore) -> None:
        """Adds what is asked of the server at the moment of a scrape."""
        self.registry.register(Present(jobs, engine, store))

    def observe(self, job: job_pb2.Job, event: job_pb2.JobEvent) -> None:
        """Takes note of a job's event."""
        kind, now = str(event.WhichOneof("kind")), time.monotonic()
        if kind == "queued":
            self._submitted.setdefault(job.id, now)  # after a restart, what it has waited since
        elif kind == "started":
            if job.id not in self._latest_step:  # else it runs again, and has waited before
                self._wait.observe(now - self._submitted.get(job.id, now))
            self._latest_step[job.id] = 0, now
        elif kind == "progress" and event.progress.phase == job_pb2.JOB_PHASE_DENOISING:
            step, since = self._latest_step.get(job.id, (0, now))
            steps = event.progress.step - step
            if step and steps > 0:  # the first step holds the preparation
                self._step.observe((now - since) / steps)
            self._latest_step[job.id] = event.progress.step, now
        elif kind in FINAL_EVENTS:
            self._submitted.pop(job.id, None)
            self._latest_step.pop(job.id, None)
            self._ended.labels(kind, event.failed.failure.reason).inc()

    def serve(self, host: str, port: int) -> WSGIServer:
        """Serves GET /metrics to all who reach the address, in its own threads; port 0 takes a free one.

        Raises:
            OSError: the address cannot be bound.
        """
        kind = _MetricsServer6 if ":" in host else _MetricsServer
        try:
            server = make_server(host.strip("[]"), port, make_wsgi_app(self.registry), kind, _MetricsHandler)
        except OSError as error:
            reason = why_not_bound(host, port).replace("--host", "--metrics-host").replace("--port", "--metrics-port")
            raise OSError(f"cannot serve metrics on {endpoint(host, port)}: {reason}") from error
        threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
        return server


class _MetricsServer(ThreadingMixIn, WSGIServer):
    """Answers a few connections at a time and closes further ones, so that the files stay for the store."""

    daemon_threads = True

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._places = threading.BoundedSemaphore(_MAX_SCRAPES)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Begins to answer, or hangs up."""
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answers."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()


class _MetricsServer6(_MetricsServer):
    address_family = socket.AF_INET6


class _MetricsHandler(WSGIRequestHandler):
    timeout = 2.0  # seconds for a request to arrive

    def log_message(self, format: str, *arguments: Any) -> None:
        """Keeps scrapes out of the log."""


class MeteringInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]
    """Counts the bytes of every message as it is on the wire, and the calls that end with an error.

    What it wraps are the handlers of AdmissionInterceptor and TokenInterceptor, which take bytes.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Wraps the method's own handler."""
        handler = await continuation(handler_call_details)
        if handler is None:
            return None
        method = _LABELS.get(handler_call_details.method, "other")  # never a name that the caller made up
        received, sent = self._metrics.received.labels(method), self._metrics.sent.labels(method)
        name = "stream_stream" if handler.response_streaming else "stream_unary"
        return handler._replace(
            request_deserializer=_counting_in(received),
            response_serializer=_counting_out(handler.response_serializer, sent),
            **{name: self._counting_errors(getattr(handler, name))},
        )

    def _counting_errors(self, behavior: Callable[..., Any]) -> Callable[..., Any]:
        async def call(requests: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            try:
                return await behavior(requests, context)
            except grpc.aio.AbortError as error:
                self._count_error(context)
                # gRPC keeps the error in the call, and its trace would keep the call and the request with it: such a
                # cycle stays until Python happens to look for one.
                traceback.clear_frames(error.__traceback__)
                raise error.with_traceback(None) from None
            finally:
                del requests, context

        return call

    def _count_error(self, context: Any) -> None:
        """Reads the reason out of the status that the call ends with."""
        info = error_details_pb2.ErrorInfo()
        for key, value in context.trailing_metadata() or ():
            if key == _STATUS:
                status_pb2.Status.FromString(value).details[0].Unpack(info)
        self._metrics.rejections.labels(info.reason or "OTHER").inc()


def _counting_in(counter: Counter) -> Callable[[bytes], bytes]:
    def count(data: bytes) -> bytes:
        counter.inc(len(data))
        return data

    return count


def _counting_out(serialize: Callable[[Any], bytes] | None, counter: Counter) -> Callable[[Any], bytes]:
    def count(message: Any) -> bytes:
        data = serialize(message) if serialize else message
        counter.inc(len(data))
        return data

    return count
