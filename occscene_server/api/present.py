"""What is asked of the server at the moment of a scrape: jobs, room, watchers, the device."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from occscene.v1 import scene_service_pb2
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from occscene_server.engine.interface import Engine
from occscene_server.jobs.service import JobService
from occscene_server.jobs.store import JobStore


class Present(Collector):
    """Collects gauges of what is so now."""

    def __init__(self, jobs: JobService, engine: Engine, store: JobStore) -> None:
        self._jobs, self._engine, self._store = jobs, engine, store

    def collect(self) -> Iterator[Metric]:
        """All of them; what is not known is left out."""
        states = {"queued": self._jobs.queued, "running": self._jobs.running}
        yield _gauge("occscene_jobs", "Jobs that have not ended, by state", states, "state")
        clients = self._jobs.queued_by_client
        yield _gauge("occscene_queued_jobs", "Jobs that wait, by client", clients, "client")
        yield _gauge("occscene_watchers", "Calls that follow a job", self._jobs.watchers)
        ready = self._jobs.engine_info().state == scene_service_pb2.SERVER_STATE_READY
        yield _gauge("occscene_ready", "1 where jobs can run: the model is loaded, and its worker answers", int(ready))
        text = "Workers that died and were replaced"
        yield CounterMetricFamily("occscene_worker_restarts", text, value=self._engine.restarts)
        yield from self._room()

    def _room(self) -> Iterator[Metric]:
        yield _gauge("occscene_store_bytes", "Bytes that the requests and results of jobs take", self._store.size)
        yield _gauge("occscene_store_limit_bytes", "Bytes that they may take", self._store.limits.size)
        with contextlib.suppress(OSError):
            used, total = self._store.disk()
            disk = {"used": used, "free": total - used}
            yield _gauge("occscene_disk_bytes", "Bytes of the disk that the store lies on", disk, "state")
        if memory := self._engine.device_memory:
            used, total = memory
            known = {"used": used, "free": total - used}
            text = "Bytes of memory of the device that jobs run on; of the CPU, what the worker uses of the machine's"
            yield _gauge("occscene_device_memory_bytes", text, known, "state")


def _gauge(name: str, text: str, value: float | dict[str, int], label: str = "") -> GaugeMetricFamily:
    if not isinstance(value, dict):
        return GaugeMetricFamily(name, text, value=value)
    family = GaugeMetricFamily(name, text, labels=[label])
    for key, number in value.items():
        family.add_metric([key], number)
    return family
