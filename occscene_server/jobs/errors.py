"""Why the jobs' room refuses something."""

from __future__ import annotations


class JobNotFoundError(LookupError):
    """There is no such job, or it was deleted."""


class JobActiveError(RuntimeError):
    """The job is queued or runs."""


class RequestIdUsedError(ValueError):
    """Something else was asked under the same request id."""


class QueueFullError(RuntimeError):
    """No further job may wait.

    Args:
        message: for people.
        retry_seconds: when another try makes sense.
    """

    def __init__(self, message: str, retry_seconds: int) -> None:
        super().__init__(message)
        self.retry_seconds = retry_seconds


class ShuttingDownError(RuntimeError):
    """The server takes no new jobs, or ends."""


class ModelNotLoadedError(RuntimeError):
    """The model cannot be loaded for now; what waits is kept."""


class StoreError(RuntimeError):
    """The store cannot be read or written for another reason than the ones below."""


class StoreInUseError(StoreError):
    """Another process has opened the store."""


class StoreFullError(StoreError):
    """The store's own limit or the disk has no room."""


class StoreDamagedError(StoreError):
    """What lies in the store is not what was written there."""
