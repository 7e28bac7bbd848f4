"""Waiting for a server that is not there, or says that it may be asked again later: bounded, and ended from outside."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event

from occscene.client.errors import ConnectionLostError, SceneError, StoppedError, UnreachableError

OnWait = Callable[[SceneError, float], None]
"""Gets why the client waits, and the seconds of the pause that begins."""


@dataclass(frozen=True)
class Patience:
    """How long a client waits.

    Args:
        total: seconds from the first failure in a row on; 0 raises at once.
        first_pause, longest_pause: seconds between tries where no answer comes: each pause is twice as long as the one
            before. Where the server says how long to wait (`RetryInfo`), the pause is that, and no shorter than the
            first.
    """

    total: float = 60.0
    first_pause: float = 0.5
    longest_pause: float = 30.0


class Waiting:
    """The pauses of one call, between its failures in a row.

    Args:
        patience: how long.
        on_wait: called before each pause.
        stopped: ends the waiting.
    """

    def __init__(self, patience: Patience, on_wait: OnWait, stopped: Event) -> None:
        self._patience = patience
        self._on_wait = on_wait
        self._stopped = stopped
        self._since: float | None = None
        self.tries = 0
        """Failures in a row."""

    def answered(self) -> None:
        """The server is there: what fails from now on is waited for anew."""
        self._since, self.tries = None, 0

    def pause(self, error: SceneError) -> None:
        """Waits before another try.

        Raises:
            StoppedError: there is to be none.
            SceneError: `error` itself: waiting makes no sense, or lasts longer than the patience.
        """
        if self._stopped.is_set():
            raise StoppedError("the wait for the server was stopped") from error
        now = time.monotonic()
        self._since = now if self._since is None else self._since
        left = self._since + self._patience.total - now
        if error.retry_after is not None:
            seconds = max(error.retry_after, self._patience.first_pause)
        elif isinstance(error, ConnectionLostError) and not isinstance(error, UnreachableError):
            seconds = min(self._patience.first_pause * 2**self.tries, self._patience.longest_pause)
        else:
            raise error
        if seconds >= left:
            raise error
        self.tries += 1
        self._on_wait(error, seconds)
        if self._stopped.wait(seconds):
            raise StoppedError("the wait for the server was stopped") from error
