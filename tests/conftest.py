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


def pytest_addoption(parser: pytest.Parser) -> None:
    """Tests that take minutes are run by hand, before a release."""
    parser.addoption("--release", action="store_true", help="run the tests marked `release` too")


def pytest_configure(config: pytest.Config) -> None:
    """Workers take files in the order of collection; xdist would leave those of few tests, the longest, to last."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out tests for releases. Files with slow tests come first, so that no worker ends long after the others.

    No test may run for longer than a few times what it may wait for one event.
    """
    left_out = [] if config.getoption("--release") else [item for item in items if item.get_closest_marker("release")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
    for item in items:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(5 * PATIENCE))
