"""Traces of a job from the client's call to the pipeline's steps: OpenTelemetry where it is installed, else nothing.

Where they go is said by OpenTelemetry's own environment variables: `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_SERVICE_NAME`,
`OTEL_TRACES_EXPORTER`, `OTEL_TRACES_SAMPLER` and the like. The context travels as W3C Trace Context in the metadata of
calls.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import logging
import os
import time
from collections.abc import Iterator, Mapping
from typing import Any

try:
    from opentelemetry import context, propagate, trace
except ImportError:  # the extra is not installed
    trace = None

log = logging.getLogger(__name__)

Carrier = Mapping[str, str]
"""A span's context as text; empty for none."""

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_NAMES = {"grpc": "otlp_proto_grpc", "http/protobuf": "otlp_proto_http"}


def configure(service: str) -> None:
    """Begins to export this process's spans if the environment asks for it.

    Args:
        service: the process's name where the environment gives none.
    """
    default = "otlp" if any(os.environ.get(name) for name in _ENDPOINTS) else "none"
    names = [name.strip() for name in (os.environ.get("OTEL_TRACES_EXPORTER") or default).split(",")]
    if names == ["none"] or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return
    try:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor

        exporters = [_exporter(name) for name in names if name != "none"]
    except (ImportError, LookupError) as error:
        log.warning("no traces are exported (%s); run: pip install 'occscene-server[trace]'", error)
        return
    is_named = os.environ.get("OTEL_SERVICE_NAME") or "service.name=" in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    provider = TracerProvider(resource=Resource.create({} if is_named else {"service.name": service}))
    for exporter in exporters:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)


def _exporter(name: str) -> Any:
    if name == "otlp":
        protocol = next((os.environ[variable] for variable in _PROTOCOLS if os.environ.get(variable)), "grpc")
        name = _NAMES.get(protocol, protocol)
    for entry in importlib.metadata.entry_points(group="opentelemetry_traces_exporter", name=name):
        return entry.load()()
    raise LookupError(f"there is no exporter of traces called {name!r}")


@contextlib.contextmanager
def span(name: str, carrier: Carrier | None = None, kind: str = "INTERNAL", **attributes: str | int) -> Iterator[Any]:
    """A span for the time of the block, which an exception out of it marks as failed.

    Args:
        name: what is done.
        carrier: the context that it belongs to; the present one if omitted.
        kind: CLIENT, SERVER or INTERNAL.
        attributes: written with points for underscores, `job_id` as `job.id`.
    """
    if trace is None:
        yield None
        return
    with _tracer().start_as_current_span(
        name,
        _context(carrier),
        trace.SpanKind[kind],
        {key.replace("_", "."): value for key, value in attributes.items()},
    ) as started:
        yield started


def begun(name: str, carrier: Carrier | None = None, **attributes: str | int) -> Any:
    """A span that is ended by `finish`; arguments as of `span`."""
    if trace is None:
        return None
    named = {key.replace("_", "."): value for key, value in attributes.items()}
    return _tracer().start_span(name, _context(carrier), attributes=named)


def finish(started: Any) -> None:
    """Ends a span; nothing where there is none."""
    if started is not None:
        started.end()


def past(name: str, since: int, **attributes: str | int) -> int:
    """Records what was done from a time, in nanoseconds of `time.time_ns`, until now, and returns the present time."""
    now = time.time_ns()
    if trace is not None:
        _tracer().start_span(name, attributes=attributes, start_time=since).end(now)
    return now


def carrier() -> dict[str, str]:
    """The context of the present span."""
    fields: dict[str, str] = {}
    if trace is not None:
        propagate.inject(fields)
    return fields


def _tracer() -> Any:
    return trace.get_tracer("occscene")


def _context(carrier: Carrier | None) -> Any:
    return None if carrier is None else propagate.extract(carrier, context.Context())
