"""Waiting for the jobs of the open file, as the timer of a window does it, but one message at a time.

So every state of a job is seen, also where the machine has no time for this process and many messages come together.
"""

from __future__ import annotations

from collections.abc import Callable

import bpy

from blender_addon.jobs import session
from tests.patience import wait_until


def results() -> bpy.types.bpy_prop_collection:
    return bpy.context.scene.occscene.results


def pump() -> None:
    """Polls once."""
    budget, session.TICK_BUDGET = session.TICK_BUDGET, 0.0
    try:
        session._session.poll()
    finally:
        session.TICK_BUDGET = budget


def wait(is_so: Callable[[], bool]) -> None:
    """Polls until something is so."""
    wait_until(is_so, pump)


def wait_for(name: str, *states: str) -> None:
    """Polls until a result is in one of the states."""
    wait(lambda: name in results() and results()[name].state in states)
