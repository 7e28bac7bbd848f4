"""One trace of a job over three processes, as a collector of OpenTelemetry gets it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from occscene import tracing
from occscene.camera import save_cameras

from tests.occscene_server.requests import looking_camera
from tests.occscene_server.serve_process import ENVIRONMENT, ServeProcess
from tests.patience import PATIENCE, wait_until

pytest.importorskip("opentelemetry.exporter.otlp.proto.grpc", reason="the extra 'trace' is not installed")
trace_service = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2")
trace_service_grpc = pytest.importorskip("opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc")


class Collector(trace_service_grpc.TraceServiceServicer):  # type: ignore[misc,name-defined]
    """Keeps each span as (service, span)."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, Any]] = []

    def Export(self, request: Any, context: Any) -> Any:  # noqa: N802
        for resource in request.resource_spans:
            attributes = {item.key: item.value.string_value for item in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [(attributes["service.name"], span) for span in scope.spans]
        return trace_service.ExportTraceServiceResponse()

    def named(self, name: str) -> list[Any]:
        return [span for _, span in self.spans if span.name == name]


@pytest.fixture
def collector() -> Iterator[tuple[Collector, dict[str, str]]]:
    """A collector, and the variables that lead to it."""
    servicer, server = Collector(), grpc.server(ThreadPoolExecutor(2))
    trace_service_grpc.add_TraceServiceServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield (
        servicer,
        {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
            "OTEL_EXPORTER_OTLP_INSECURE": "true",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),  # the extra may be installed elsewhere
        },
    )
    server.stop(None)


@pytest.mark.slow
def test_a_job_is_one_trace_from_the_client_to_the_steps(
    tmp_path: Path, collector: tuple[Collector, dict[str, str]]
) -> None:
    collected, environment = collector
    serve = ServeProcess(tmp_path, tmp_path / "store", environment=environment)
    save_cameras(tmp_path / "cameras.json", [looking_camera()])
    command = [sys.executable, "-m", "occscene_server.cli", "generate", "--server", serve.address, "--without-prior"]
    files = ["--cameras", str(tmp_path / "cameras.json"), "--output", str(tmp_path / "out"), "--steps", "3"]
    subprocess.run([*command, *files], env=ENVIRONMENT | environment, check=True, timeout=PATIENCE)
    wait_until(lambda: bool(collected.named("encode")) and bool(collected.named("run")))
    serve.interrupted()

    (run,) = collected.named("run")
    trace = {span.span_id: (service, span) for service, span in collected.spans if span.trace_id == run.trace_id}
    assert {service for service, _ in trace.values()} == {"occscene-client", "occscene-server", "occscene-worker"}

    def above(span: Any) -> list[str]:
        """The names of the spans that a span belongs to, from the outermost."""
        service, parent = trace.get(span.parent_span_id, ("", None))
        return [] if parent is None else [*above(parent), f"{service}: {parent.name}"]

    client, server, worker = "occscene-client", "occscene-server", "occscene-worker"
    submission = [f"{client}: SubmitJob", f"{server}: SubmitJob"]
    (queue,) = collected.named("queue")
    assert above(queue) == above(run) == submission
    (work,) = collected.named("work")
    assert above(work) == [*submission, f"{server}: run"]
    steps = [span for _, span in trace.values() if span.name == "denoise"]
    assert len(steps) == 3
    for span in (*steps, *collected.named("encode")):
        assert above(span) == [*submission, f"{server}: run", f"{worker}: work"]
        assert work.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano
    assert queue.end_time_unix_nano <= run.start_time_unix_nano
    attributes = {item.key: item.value.string_value for item in work.attributes}
    assert attributes["job.id"] in (tmp_path / "out/result.json").read_text()


def test_nothing_is_traced_unless_the_environment_asks_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_TRACES_EXPORTER"):
        monkeypatch.delenv(name, raising=False)
    tracing.configure("test")
    with tracing.span("nothing"):
        assert tracing.carrier() == {}


def test_an_exporter_that_is_not_there_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "pigeons")
    tracing.configure("test")
    assert "no exporter of traces called 'pigeons'" in caplog.text
    assert "pip install 'occscene-server[trace]'" in caplog.text
