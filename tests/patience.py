"""How long tests wait: for what must come, until it comes, and never longer than one setting says.

`OCCSCENE_TEST_PATIENCE` says after how many seconds what has not come counts as lost. Tests that pass never wait for so
long, so the default serves a quiet machine and a busy one.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable

PATIENCE = float(os.environ.get("OCCSCENE_TEST_PATIENCE", "120"))

_PAUSE = 0.01


def wait_until(is_so: Callable[[], bool], poll: Callable[[], object] = lambda: None) -> None:
    """Polls until something is so.

    Raises:
        AssertionError: it has not come.
    """
    deadline = time.monotonic() + PATIENCE
    while not is_so():
        assert time.monotonic() < deadline, f"it was not so within {PATIENCE:g} seconds"
        poll()
        time.sleep(_PAUSE)


async def until(is_so: Callable[[], Awaitable[bool] | bool]) -> None:
    """As `wait_until`, while the event loop runs."""
    deadline = time.monotonic() + PATIENCE
    while not (answer if isinstance(answer := is_so(), bool) else await answer):
        assert time.monotonic() < deadline, f"it was not so within {PATIENCE:g} seconds"
        await asyncio.sleep(_PAUSE)
