"""The server put together: store, engine, jobs, and the gRPC edge before them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIServer

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from occscene.client.address import is_loopback
from occscene.limits import MAX_MESSAGE_BYTES
from occscene.v1 import job_pb2, scene_service_pb2, scene_service_pb2_grpc

from occscene_server.api.access import TlsFiles, check_exposure, endpoint, why_not_bound
from occscene_server.api.admission import AdmissionInterceptor
from occscene_server.api.metrics import MeteringInterceptor, Metrics
from occscene_server.api.process import allowed_connections, raise_file_limit, return_large_blocks
from occscene_server.api.servicer import SceneServicer
from occscene_server.api.tokens import Clients, TokenInterceptor, Tokens
from occscene_server.engine.interface import Engine
from occscene_server.engine.local import LocalEngine
from occscene_server.engine.pipeline_loader import load_pipeline
from occscene_server.engine.worker import Loader
from occscene_server.jobs.errors import StoreError
from occscene_server.jobs.service import JobService
from occscene_server.jobs.store import JobStore, StoreLimits

log = logging.getLogger(__name__)

SERVICE = scene_service_pb2.DESCRIPTOR.services_by_name["SceneService"].full_name

_OPTIONS = [
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", -1),  # a view or a grid is as large as the request made it
    ("grpc.compression_enabled_algorithms_bitset", 1),  # identity only: grids and images are packed already
    ("grpc.so_reuseport", 0),  # a second server on the same port is an error
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 30_000),
    ("grpc.http2.max_ping_strikes", 0),  # pings that queued up while this machine stood still come all at once
    ("grpc.keepalive_time_ms", 60_000),  # a watcher whose machine is gone without a word is let go
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.server_handshake_timeout_ms", 5_000),  # a connection that says nothing is closed
    ("grpc.max_connection_idle_ms", 30_000),  # so is one without a call; clients connect again by themselves
    ("grpc.max_concurrent_streams", 1024),  # calls of one connection: beyond them gRPC refuses without a reason
    ("grpc.http2.bdp_probe", 0),  # else a client may send megabytes of a message that is not read yet
]

_GUARD_SECONDS = 1.0  # between two questions whether the database is there, and whether another server has the lead

OnState = Callable[[scene_service_pb2.ServerState], None]


@dataclass(frozen=True)
class ServerOptions:
    """Options of `occscene-server serve`.

    Args:
        model: a folder or a hub id; "" for the bundled models of both domains.
        store: folder for jobs and results.
        host, port: where to listen; port 0 takes a free one.
        device: "auto", "cpu", "cuda" or "cuda:N".
        max_queued: jobs that may wait.
        max_queued_each: jobs of one client that may.
        store_limits: how much is kept of jobs that have ended.
        tokens: what clients must send, by their names; none asks for none.
        tls: the server's identity; None serves without TLS.
        metrics_host, metrics_port: where Prometheus finds the metrics; port 0 takes a free one; None disables them.
        log_prompts: whether the log may hold what people wrote.
        loader: loads the pipeline where the jobs run.
        engine: makes what runs the jobs.
        database: URL of a PostgreSQL database, where servers that share one queue keep their jobs.
        artifacts: URL of the store for large requests and results, in the place of a folder.
    """

    model: str
    store: Path
    host: str = "127.0.0.1"
    port: int = 50051
    device: str = "auto"
    max_queued: int = 64
    max_queued_each: int = 32
    store_limits: StoreLimits = field(default_factory=StoreLimits)
    tokens: Tokens = field(default_factory=dict)
    tls: TlsFiles | None = None
    metrics_host: str = "127.0.0.1"
    metrics_port: int | None = None
    log_prompts: bool = False
    loader: Loader = load_pipeline
    engine: Callable[[str, str, Loader, OnState], Engine] = LocalEngine
    database: str = ""
    artifacts: str = ""


class Server:
    """A running server; `start` it, and at the end `drain` and `stop` it, all in one event loop.

    Raises:
        ValueError: the address needs TLS and a token, or the TLS files cannot be used.
        StoreError: the store cannot be used, or another server has it to itself.
    """

    def __init__(self, options: ServerOptions) -> None:
        check_exposure(options.host, options.tls, options.tokens)
        self._credentials = options.tls.credentials() if options.tls else None
        self._options = options
        self._health = health.aio.HealthServicer()  # type: ignore[attr-defined]
        self._store = JobStore(options.store, options.store_limits, options.database, options.artifacts)
        if options.tls and (warning := options.tls.warning()):
            log.warning("%s", warning)
        self.engine = options.engine(options.model, options.device, options.loader, self._on_engine_state)
        self.metrics = Metrics()
        limits = options.max_queued, options.max_queued_each
        self.jobs = JobService(self._store, self.engine, *limits, self._observe, self._show_health)
        self.metrics.follow(self.jobs, self.engine, self._store)
        self._clients = Clients(options.tokens)
        self._servicer = SceneServicer(self.jobs, self._clients)
        self._health_tasks: set[asyncio.Task[None]] = set()
        self._grpc: grpc.aio.Server | None = None
        self._metrics_server: WSGIServer | None = None
        self.port = 0
        self.metrics_port = 0
        self.store_lost = asyncio.Event()
        """Set when the database has gone, and another server may run the jobs; what is left is to `stop`."""
        self.leading = asyncio.Event()
        """Set when this server runs the jobs: from the start, or since the one that did has ended."""
        self._guarding: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listens, and runs the jobs unless another server on the database does; returns before the model is loaded.

        Raises:
            OSError: the address cannot be bound.
            StoreError: the jobs cannot be read.
        """
        options = self._options
        raise_file_limit()
        return_large_blocks()
        interceptors: list[grpc.aio.ServerInterceptor[Any, Any]] = [MeteringInterceptor(self.metrics)]
        if options.tokens:
            interceptors.append(TokenInterceptor(self._clients))
        interceptors.append(AdmissionInterceptor(self._servicer.checks))
        connections = ("grpc.max_allowed_incoming_connections", allowed_connections())
        self._grpc = grpc.aio.server(interceptors=interceptors, options=[*_OPTIONS, connections])
        scene_service_pb2_grpc.add_SceneServiceServicer_to_server(self._servicer, self._grpc)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._grpc)
        if is_loopback(options.host):
            names = (SERVICE, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, self._grpc)
        await self._set_health(health_pb2.HealthCheckResponse.NOT_SERVING)
        address = endpoint(options.host, options.port)
        try:
            if self._credentials is not None:
                self.port = self._grpc.add_secure_port(address, self._credentials)
            else:
                self.port = self._grpc.add_insecure_port(address)
        except RuntimeError as error:
            raise OSError(f"cannot listen on {address}: {why_not_bound(options.host, options.port)}") from error
        if options.metrics_port is not None:
            self._metrics_server = self.metrics.serve(options.metrics_host, options.metrics_port)
            self.metrics_port = self._metrics_server.server_port
        self.jobs.listen()
        await self._grpc.start()
        self._try_to_lead()
        if options.database:
            self._guarding = asyncio.create_task(self._guard_store(), name="guard-store")

    async def drain(self) -> None:
        """Takes no new jobs and waits until the running one has ended; watchers still get its results."""
        self.jobs.draining = True
        await self._health.enter_graceful_shutdown()  # NOT_SERVING from now on
        await self.jobs.drain()

    async def stop(self) -> None:
        """Closes everything; jobs that have not ended are kept for the next start."""
        self.jobs.draining = True
        if self._guarding is not None:
            self._guarding.cancel()
        await self._health.enter_graceful_shutdown()
        await self.jobs.stop()
        assert self._grpc is not None
        await self._grpc.stop(grace=1.0)
        self._servicer.checks.shutdown(wait=False, cancel_futures=True)
        await self.engine.stop()
        if self._metrics_server is not None:
            await asyncio.to_thread(self._metrics_server.shutdown)
            self._metrics_server.server_close()
        self._store.close()

    async def _guard_store(self) -> None:
        try:
            while self._store.is_there():
                if not self.jobs.draining:
                    self._try_to_lead()
                await asyncio.sleep(_GUARD_SECONDS)
        except StoreError as error:
            log.error("%s", error)
        self.store_lost.set()

    def _try_to_lead(self) -> None:
        """Begins to run the jobs, unless another server does."""
        if not self.leading.is_set() and self._store.take_lead():
            self.engine.start()
            self.jobs.start()
            self.leading.set()

    def _observe(self, job: job_pb2.Job, event: job_pb2.JobEvent) -> None:
        self.metrics.observe(job, event)
        if self._options.log_prompts and event.sequence == 1 and job.prompt:
            log.info("job %s: prompt %r", job.id, job.prompt, extra={"job_id": job.id})

    def _on_engine_state(self, state: scene_service_pb2.ServerState) -> None:
        self.jobs.engine_changed()
        self._show_health()

    def _show_health(self) -> None:
        known = health_pb2.HealthCheckResponse
        ready = self.jobs.engine_info().state == scene_service_pb2.SERVER_STATE_READY
        task = asyncio.get_running_loop().create_task(self._set_health(known.SERVING if ready else known.NOT_SERVING))
        self._health_tasks.add(task)
        task.add_done_callback(self._health_tasks.discard)

    async def _set_health(self, status: health_pb2.HealthCheckResponse.ServingStatus) -> None:
        for name in ("", SERVICE):
            await self._health.set(name, status)
