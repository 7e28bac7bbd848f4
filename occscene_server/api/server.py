"""The server put together: store, engine, jobs, and the gRPC edge before them."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from pathlib import Path

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from occscene.limits import MAX_MESSAGE_BYTES
from occscene.v1 import scene_service_pb2, scene_service_pb2_grpc

from occscene_server.api.access import TlsFiles, TokenInterceptor, check_exposure, is_loopback
from occscene_server.api.servicer import SceneServicer
from occscene_server.engine.local import LocalEngine
from occscene_server.engine.pipeline_loader import load_pipeline
from occscene_server.engine.worker import Loader
from occscene_server.jobs.service import JobService
from occscene_server.jobs.store import JobStore

log = logging.getLogger(__name__)

SERVICE = scene_service_pb2.DESCRIPTOR.services_by_name["SceneService"].full_name

_OPTIONS = [
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", -1),  # a view or a grid is as large as the request made it
    ("grpc.compression_enabled_algorithms_bitset", 1),  # identity alone: grids and images are packed already
    ("grpc.so_reuseport", 0),  # a second server on the same port is an error
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 30_000),
]
_MAX_CONCURRENT_RPCS = 128


@dataclass(frozen=True)
class ServerOptions:
    """What `occscene-server serve` can be told.

    Args:
        model: a folder or a hub id.
        store: folder for jobs and results.
        host, port: where to listen; port 0 takes a free one.
        device: "auto", "cpu", "cuda" or "cuda:N".
        max_queued: jobs that may wait.
        max_finished: finished jobs that are kept.
        token: what clients must send; None asks for none.
        tls: the server's identity; None serves without TLS.
        loader: loads the pipeline in the worker process.
    """

    model: str
    store: Path
    host: str = "127.0.0.1"
    port: int = 50051
    device: str = "auto"
    max_queued: int = 32
    max_finished: int = 200
    token: str | None = None
    tls: TlsFiles | None = None
    loader: Loader = load_pipeline


class Server:
    """A running server; `start` it, and at the end `drain` and `stop` it, all in one event loop.

    Raises:
        ValueError: the address needs TLS and a token.
        StoreInUseError: another server has the store.
    """

    def __init__(self, options: ServerOptions) -> None:
        check_exposure(options.host, options.tls, options.token)
        self._options = options
        self._health = health.aio.HealthServicer()  # type: ignore[attr-defined]
        self._store = JobStore(options.store, options.max_finished)
        self.engine = LocalEngine(options.model, options.device, options.loader, self._on_engine_state)
        self.jobs = JobService(self._store, self.engine, options.max_queued)
        self._servicer = SceneServicer(self.jobs, self.engine)
        self._health_tasks: set[asyncio.Task[None]] = set()
        self._grpc: grpc.aio.Server | None = None
        self.port = 0

    async def start(self) -> None:
        """Listens, starts the worker and takes up stored jobs; returns before the model is loaded.

        Raises:
            OSError: the address cannot be bound.
        """
        options = self._options
        interceptors = [TokenInterceptor(options.token)] if options.token else []
        self._grpc = grpc.aio.server(
            interceptors=interceptors, options=_OPTIONS, maximum_concurrent_rpcs=_MAX_CONCURRENT_RPCS
        )
        scene_service_pb2_grpc.add_SceneServiceServicer_to_server(self._servicer, self._grpc)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._grpc)
        if is_loopback(options.host):
            names = (SERVICE, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name, reflection.SERVICE_NAME)
            reflection.enable_server_reflection(names, self._grpc)
        await self._set_health(serving=False)
        address = f"{options.host}:{options.port}"
        try:
            if options.tls:
                self.port = self._grpc.add_secure_port(address, options.tls.credentials())
            else:
                self.port = self._grpc.add_insecure_port(address)
        except RuntimeError as error:
            raise OSError(f"cannot listen on {address}; is another server there? choose another --port") from error
        await self._grpc.start()
        self.engine.start()
        self.jobs.start()

    async def drain(self) -> None:
        """Takes no new jobs and waits until the running one has ended; watchers still get its results."""
        self._servicer.draining = True
        await self._set_health(serving=False)
        await self.jobs.drain()

    async def stop(self) -> None:
        """Closes everything; jobs that have not ended are kept for the next start."""
        self._servicer.draining = True
        await self._set_health(serving=False)
        await self.jobs.stop()
        assert self._grpc is not None
        await self._grpc.stop(grace=1.0)
        await self.engine.stop()
        self._store.close()

    def _on_engine_state(self, state: scene_service_pb2.ServerState) -> None:
        serving = state == scene_service_pb2.SERVER_STATE_READY and not self._servicer.draining
        task = asyncio.get_running_loop().create_task(self._set_health(serving))
        self._health_tasks.add(task)
        task.add_done_callback(self._health_tasks.discard)

    async def _set_health(self, serving: bool) -> None:
        status = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        for name in ("", SERVICE):
            await self._health.set(name, status)
