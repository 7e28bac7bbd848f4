"""The engine of a Ray cluster: a Ray Serve deployment with one replica for each GPU, behind this server's own edge."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from typing import Any

import ray
from occscene.events import FINAL_EVENTS
from occscene.v1 import job_pb2, scene_service_pb2
from ray import serve
from ray.exceptions import ObjectLostError, RayActorError, TaskCancelledError, WorkerCrashedError
from ray.serve.schema import ApplicationStatus

from occscene_server.engine.deaths import DeviceLostError, JobInterruptedError, device_lost
from occscene_server.engine.events import failed_event
from occscene_server.engine.interface import Emit
from occscene_server.engine.ray_replica import SceneReplica
from occscene_server.engine.worker import Loader

log = logging.getLogger(__name__)

APPLICATION = "occscene"
"""The name in Ray Serve; one server has a cluster."""

_POLL_SECONDS = 0.25
_ANSWER_SECONDS = 10.0
_DEATHS = (RayActorError, WorkerCrashedError, ObjectLostError)  # of the replica, or of its node


class RayEngine:
    """Runs as many jobs at a time as there are replicas.

    Args:
        address: host:port of the cluster's head, "auto" for the cluster of this machine, "local" to start one here.
        replicas: how many; 0 is one for each GPU, or one on the CPU where there is none.
        model: a hub id, or a folder that every node has.
        device: "auto", "cpu", "cuda" or "cuda:N".
        loader: loads the pipeline in a replica; must be importable by name on every node.
        on_state: called in the event loop whenever `state` has changed.
    """

    def __init__(
        self,
        address: str,
        replicas: int,
        model: str,
        device: str,
        loader: Loader,
        on_state: Callable[[scene_service_pb2.ServerState], None] = lambda state: None,
    ) -> None:
        self.state: scene_service_pb2.ServerState = scene_service_pb2.SERVER_STATE_LOADING
        self.message = ""
        self.device = ""
        self.model: scene_service_pb2.ModelInfo | None = None
        self.restarts = 0
        self.capacity = max(1, replicas)
        self.stalled = False
        self.device_memory: tuple[int, int] | None = None  # Ray has metrics of its own
        self._address = address
        self._replicas = replicas
        self._device = device
        self._replica = (loader, model, device)
        self._on_state = on_state
        self._settled = asyncio.Event()  # the model is loaded, or cannot be
        self._deploying: asyncio.Task[None] | None = None
        self._handle: Any = None
        self._streams: dict[str, Any] = {}  # of jobs that run
        self._cancelled: set[str] = set()  # running jobs that are to end

    def start(self) -> None:
        """Begins to connect and to deploy, and returns at once."""
        self._deploying = asyncio.create_task(self._deploy(), name="ray-deploy")

    async def stop(self) -> None:
        """Takes the deployment out of the cluster, and ends a cluster that was started here."""
        if self._deploying is not None:
            self._deploying.cancel()
            await asyncio.wait([self._deploying])
        await asyncio.to_thread(self._leave)

    async def ready(self) -> bool:
        """Waits until the model is loaded, or cannot be, and says which."""
        await self._settled.wait()
        return self.state == scene_service_pb2.SERVER_STATE_READY

    async def run(self, job_id: str, request: bytes, emit: Emit) -> None:
        """Runs a job to its final event.

        Raises:
            JobInterruptedError: its replica died, or lost its device.
        """
        try:
            await self._follow(job_id, request, emit)
        except (*_DEATHS, DeviceLostError) as error:
            self.restarts += 1
            if job_id in self._cancelled:
                emit(job_pb2.JobEvent(cancelled=job_pb2.JobCancelled()))
                return
            if isinstance(error, DeviceLostError):
                raise JobInterruptedError(device_lost(str(getattr(error, "cause", error)))) from error
            reason = str(error).partition("\n")[0]
            text = f"the replica died while it ran this job: {reason}"
            raise JobInterruptedError(failed_event("WORKER_DIED", text)) from error
        finally:
            self._cancelled.discard(job_id)

    def cancel(self, job_id: str) -> None:
        """Asks a replica to end a job after the present step."""
        self._cancelled.add(job_id)
        self._give_up(self._streams.get(job_id))

    async def _follow(self, job_id: str, request: bytes, emit: Emit) -> None:
        """Sends a job to a replica and emits its events; a job that was cancelled ends here at once.

        Raises:
            RayActorError, WorkerCrashedError, ObjectLostError: the replica died.
            DeviceLostError: it is about to.
        """
        ended = False
        stream = self._streams[job_id] = self._handle.run.remote(job_id, request)
        try:
            async for data in stream:
                event = job_pb2.JobEvent.FromString(data)
                ended = event.WhichOneof("kind") in FINAL_EVENTS
                emit(event)
        except (TaskCancelledError, asyncio.CancelledError):  # the second where no replica had the job yet
            if job_id not in self._cancelled:
                raise  # the whole run is given up
            if not ended:
                ended = True
                emit(job_pb2.JobEvent(cancelled=job_pb2.JobCancelled()))
        finally:
            del self._streams[job_id]
            if not ended:
                self._give_up(stream)

    @staticmethod
    def _give_up(stream: Any) -> None:
        if stream is not None:  # may wait for Ray's own loop, which this one must not
            asyncio.get_running_loop().run_in_executor(None, stream.cancel)

    async def _deploy(self) -> None:
        try:
            await asyncio.to_thread(self._connect)
            await self._replicas_run()
            self._handle = serve.get_app_handle(APPLICATION).options(stream=True)
            device, model = await serve.get_app_handle(APPLICATION).describe.remote()
        except ConnectionError as error:
            self._set_state(scene_service_pb2.SERVER_STATE_FAILED, str(error))
            return
        except Exception as error:
            log.exception("the model could not be deployed on Ray")
            text = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
            self._set_state(scene_service_pb2.SERVER_STATE_FAILED, f"the model could not be loaded on Ray: {text}")
            return
        self.device = f"{self.capacity} x {device}"
        self.model = scene_service_pb2.ModelInfo.FromString(model)
        self._set_state(scene_service_pb2.SERVER_STATE_READY)

    def _connect(self) -> None:
        """Joins the cluster and describes the deployment to it (in a thread; takes seconds)."""
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        _check_answers(self._address)
        dashboard = False if self._address == "local" else None
        ray.init(address=self._address, include_dashboard=dashboard, log_to_driver=False, configure_logging=False)
        serve.start(proxy_location="Disabled")  # clients come through this server only
        for name in ("ray", "ray.serve"):  # their lines go where this process's lines go
            logging.getLogger(name).handlers.clear()
            logging.getLogger(name).propagate = True
            logging.getLogger(name).setLevel(logging.WARNING)
        cluster: dict[str, float] = ray.cluster_resources()
        gpus = 0 if self._device == "cpu" else int(cluster.get("GPU", 0))
        self.capacity = self._replicas or gpus or 1
        if gpus:
            place = {"num_cpus": 1.0, "num_gpus": 1.0}
        else:  # Ray gives a replica as many threads as it has CPUs
            place = {"num_cpus": float(max(1, int(cluster["CPU"]) // self.capacity))}
        deployment = serve.deployment(
            num_replicas=self.capacity,
            max_ongoing_requests=1,
            max_constructor_retry_count=1,
            ray_actor_options=place,
        )(SceneReplica)
        target = serve.RunTarget(deployment.bind(*self._replica), name=APPLICATION, route_prefix=None)
        serve.run_many([target], wait_for_applications_running=False)

    async def _replicas_run(self) -> None:
        """Waits until every replica has loaded the model.

        Raises:
            RuntimeError: one cannot.
        """
        while True:
            status = (await asyncio.to_thread(serve.status)).applications[APPLICATION]
            if status.status == ApplicationStatus.RUNNING:
                return
            if status.status == ApplicationStatus.DEPLOY_FAILED:
                reasons = [deployment.message for deployment in status.deployments.values()]
                raise RuntimeError("\n".join([status.message, *reasons]))
            await asyncio.sleep(_POLL_SECONDS)

    def _leave(self) -> None:
        if ray.is_initialized():
            if APPLICATION in serve.status().applications:
                serve.delete(APPLICATION)
            ray.shutdown()

    def _set_state(self, state: scene_service_pb2.ServerState, message: str = "") -> None:
        self.state, self.message = state, message
        self._settled.set()
        self._on_state(state)


def _check_answers(address: str) -> None:
    """Refuses a host:port where nothing listens; Ray itself would retry for minutes.

    Raises:
        ConnectionError: nothing does.
    """
    host, colon, port = address.rpartition(":")
    if colon and port.isdecimal():
        try:
            socket.create_connection((host.strip("[]"), int(port)), _ANSWER_SECONDS).close()
        except OSError as error:
            raise ConnectionError(
                f"no Ray cluster answers at {address} ({error}); give another --ray-address"
            ) from error
