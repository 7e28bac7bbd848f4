"""The clock by which results age, which a wrong clock of the machine cannot move.

A machine whose battery is dead, or whose time was set by hand, may be years ahead for an hour. What ages by such a
clock is deleted at once and for good. This one counts the seconds for which servers run on the store, and of the time
between two runs `MAX_AWAY` at most.
"""

from __future__ import annotations

import time

MAX_AWAY = 86_400.0
"""Seconds by which results age at most while no server runs."""


class StoreClock:
    """Seconds that never go back or leap.

    Args:
        last_seen: what it said when it was last asked, in an earlier run; None for a new store.
    """

    def __init__(self, last_seen: float | None) -> None:
        wall = time.time()
        away = 0.0 if last_seen is None else min(max(wall - last_seen, 0.0), MAX_AWAY)
        self._begin = (wall if last_seen is None else last_seen) + away
        self._since = time.monotonic()

    def now(self) -> float:
        """Seconds; those of the Unix epoch where the machine's clock has never been wrong."""
        return self._begin + time.monotonic() - self._since
