"""What a worker process does before it takes jobs: its log and traces go where the server's go, the model is warm."""

from __future__ import annotations

import os

from occscene import tracing

from occscene_server.api.logs import LogFormat, configure_logs
from occscene_server.engine.pipeline_loader import LoadedPipeline
from occscene_server.engine.warm_up import warm_up
from occscene_server.engine.worker import Loader


def set_up_worker(log_format: LogFormat, warms_up: bool, loader: Loader, model: str, device: str) -> LoadedPipeline:
    """What `loader` loads, ready for the first job."""
    configure_logs(log_format)
    os.environ.setdefault("OTEL_BSP_SCHEDULE_DELAY", "500")  # a worker is killed in the end, and does not say goodbye
    tracing.configure("occscene-worker")
    loaded = loader(model, device)
    if warms_up:
        warm_up(loaded)
    return loaded
