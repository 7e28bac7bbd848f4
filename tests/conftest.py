"""Limits and examples that do not depend on how busy the machine is."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

from tests.patience import PATIENCE

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")  # `--hypothesis-profile default` tries other examples in every run


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One worker more than there are cores, because many tests wait for other processes."""
    return 1 + len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1 + (os.cpu_count() or 1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """No test may run for longer than a few times what it may wait for one event."""
    for item in items:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(5 * PATIENCE))
