"""What is asked of a Ray cluster and what it answers, without Ray itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RayOptions:
    """Where replicas run, and how many.

    Args:
        address: host:port of the cluster's head, "auto" for the cluster of this machine, "local" to start one here.
        replicas: how many; 0 is one for each GPU, or one on the CPU where there is none.
        max_replicas: how many while jobs wait; 0 for as many as always.
        grow_seconds: for which jobs must wait before a replica is added.
        shrink_seconds: for which replicas must be idle before one is taken away.
        step: seconds without progress of a job after which its replica is replaced.
        cancel: the same after a cancel.
        keep: whether the replicas stay when this server ends, for the next one that has its jobs.
    """

    address: str = "auto"
    replicas: int = 0
    max_replicas: int = 0
    grow_seconds: float = 5.0
    shrink_seconds: float = 600.0
    step: float = 1800.0
    cancel: float = 30.0
    keep: bool = False


@dataclass(frozen=True)
class ClusterState:
    """What the cluster does for us.

    Args:
        running: replicas that have loaded the model.
        capacity: jobs that it takes now; one more than it runs where that lets it add a replica.
        message: what is missing, for people; "" if nothing is.
        failure: why it cannot load the model; "" if it can.
    """

    running: int
    capacity: int
    message: str = ""
    failure: str = ""
