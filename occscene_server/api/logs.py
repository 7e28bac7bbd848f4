"""Log lines, for people or for machines; those about a job carry its id (`extra={"job_id": id}`)."""

from __future__ import annotations

import logging
from typing import Any, Literal

from pythonjsonlogger.json import JsonFormatter

from occscene_server.terminal import one_line, printable

LogFormat = Literal["text", "json"]


def configure_logs(log_format: LogFormat) -> None:
    """Sends this process's log to standard error: lines, or JSON objects with time, level, logger, message, job_id."""
    handler = logging.StreamHandler()
    if log_format == "json":
        names = {"asctime": "time", "levelname": "level", "name": "logger"}
        handler.setFormatter(JsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s", rename_fields=names))
    else:
        handler.setFormatter(_PlainFormatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


class _PlainFormatter(logging.Formatter):
    """Each record on one line, whatever its text; traces of errors have their own lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        """The record without its error."""
        return one_line(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802
        """The error's trace."""
        return printable(super().formatException(ei))
