"""What is asked of a Ray cluster: to run replicas of the model, and to say how many it runs."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import socket

import ray
from ray import serve
from ray.serve.config import AutoscalingConfig
from ray.serve.schema import ApplicationStatus

from occscene_server.engine.ray_options import ClusterState, RayOptions
from occscene_server.engine.ray_replica import SceneReplica
from occscene_server.engine.worker import Loader

APPLICATION = "occscene"
"""The name in Ray Serve; one queue has a cluster."""

_ANSWER_SECONDS = 10.0
_DRAIN_SECONDS = 86_400.0  # in which a replica that is no longer needed may end its job


class ClusterStartsError(ConnectionError):
    """A cluster cannot be spoken to yet: its head listens and starts or refuses, or this machine is busy."""


class RayCluster:
    """Joins a cluster, or starts one; every method takes seconds and may be called in a thread.

    Args:
        options: where and how many.

    Raises:
        ConnectionError: no cluster is there, it starts, or it refuses.
    """

    def __init__(self, options: RayOptions) -> None:
        self._options = options
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        check_answers(options.address)
        _join_logs()
        dashboard = False if options.address == "local" else None
        try:
            ray.init(address=options.address, include_dashboard=dashboard, log_to_driver=False, configure_logging=False)
        except ConnectionError as error:
            if options.address != "auto":
                raise ClusterStartsError(
                    f"the Ray cluster at {options.address} listens but does not let this server in: its head still "
                    "starts, or has another token than the one that RAY_AUTH_TOKEN_PATH names"
                ) from error
            raise ConnectionError(
                "no Ray cluster runs on this machine; start one with: ray start --head, or give --ray-address local "
                "or the host:port of a head"
            ) from error
        except Exception as error:  # of no type of its own
            if "timed out during startup" not in str(error):
                raise
            raise ClusterStartsError(
                "Ray gave up to start on this machine, which is busy: its processes took more than 30 seconds"
            ) from error
        self.head: str = ray.get_runtime_context().gcs_address
        """host:port of the head."""
        self._wanted = self._least = 1
        self._per_replica = 1.0
        self._resource = "CPU"

    def deploy(self, loader: Loader, model: str, device: str, edge: str) -> None:
        """Asks for the replicas; ones that are there already with the same model go on.

        Args:
            loader, model, device: what each loads.
            edge: this server; replicas give up what others have asked of them.
        """
        serve.start(proxy_location="Disabled")  # clients come through this server only
        cluster: dict[str, float] = ray.cluster_resources()
        gpus = 0 if device == "cpu" else int(cluster.get("GPU", 0))
        self._least = self._options.replicas or gpus or 1
        self._wanted = max(self._least, self._options.max_replicas)
        if gpus:
            self._resource, place = "GPU", {"num_cpus": 1.0, "num_gpus": 1.0}
        else:  # Ray gives a replica as many threads as it has CPUs, and all of them are of one node
            largest = max(node["Resources"].get("CPU", 0.0) for node in ray.nodes() if node["Alive"])
            self._per_replica = float(max(1, int(min(largest, cluster.get("CPU", 0.0) // self._wanted))))
            place = {"num_cpus": self._per_replica}
        autoscaling = None
        if self._wanted > self._least:
            autoscaling = AutoscalingConfig(
                min_replicas=self._least,
                max_replicas=self._wanted,
                target_ongoing_requests=1,
                upscale_delay_s=self._options.grow_seconds,
                downscale_delay_s=self._options.shrink_seconds,
                look_back_period_s=max(1.0, self._options.grow_seconds),
                metrics_interval_s=1.0,
            )
        deployment = serve.deployment(
            num_replicas=None if autoscaling else self._wanted,
            autoscaling_config=autoscaling,
            max_ongoing_requests=1,
            max_constructor_retry_count=1,
            graceful_shutdown_timeout_s=_DRAIN_SECONDS,
            health_check_period_s=min(10.0, self._options.cancel),
            ray_actor_options=place,
            user_config={"edge": edge},
        )(SceneReplica)
        bound = deployment.bind(loader, model, device, self._options.step, self._options.cancel)
        target = serve.RunTarget(bound, name=APPLICATION, route_prefix=None)
        serve.run_many([target], wait_for_applications_running=False)

    def state(self) -> ClusterState:
        """What it does for us now.

        Raises:
            ConnectionError, RayError: it does not say.
        """
        check_answers(self.head)
        status = serve.status().applications[APPLICATION]
        (deployment,) = status.deployments.values()
        running = sum(deployment.replica_states.get(name, 0) for name in ("RUNNING", "UPDATING"))
        starting = deployment.replica_states.get("STARTING", 0)
        if status.status == ApplicationStatus.DEPLOY_FAILED and not running:
            lines = f"{status.message}\n{deployment.message}".strip().splitlines()
            return ClusterState(0, 0, failure=lines[-1])
        capacity = min(self._wanted, running + 1) if self._wanted > self._least else running
        return ClusterState(running, capacity if running else 0, self._missing(running, starting))

    def leave(self) -> None:
        """Takes the deployment out of the cluster unless it is to stay; ends a cluster that was started here."""
        if not self._options.keep:
            with contextlib.suppress(Exception):  # the cluster may have gone
                serve.delete(APPLICATION, _blocking=False)
        ray.shutdown()

    def _missing(self, running: int, starting: int) -> str:
        if not starting:
            return ""
        there, free = (
            resources().get(self._resource, 0.0) for resources in (ray.cluster_resources, ray.available_resources)
        )
        placed = math.floor((there - free) / self._per_replica + 1e-6)
        waiting = starting - max(0, placed - running)
        models = f"{running} of {running + starting} models " + ("runs" if running == 1 else "run")
        if waiting <= 0:
            return f"{models}; the others are being loaded"
        needed = waiting * self._per_replica - free % self._per_replica
        unit = self._resource + ("" if needed == 1 else "s")
        return f"{models}; the cluster is waiting for {needed:g} {unit} (ray start on another machine brings some)"


def _join_logs() -> None:
    """Lets what Ray logs in this process go where this process's own lines go, in their form."""
    for name in ("ray", "ray.serve"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(logging.WARNING)
    # Ray is started in a thread on purpose: its handler of SIGTERM is not wanted
    logging.getLogger("ray._private.worker").addFilter(lambda record: "SIGTERM handler" not in record.getMessage())


def check_answers(address: str) -> None:
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
