"""No test may run for longer than a few times what it may wait for one thing."""

from __future__ import annotations

import pytest

from tests.patience import PATIENCE


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Gives each test its limit."""
    for item in items:
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(5 * PATIENCE))
