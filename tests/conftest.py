"""Limits and examples that do not depend on how busy the machine is."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import settings
from occscene import volumes

from tests.blender.server_process import stand_in_server
from tests.patience import PATIENCE

_SHARING = {
    "bundled": ("tests/end_to_end/test_furnishing.py", "tests/end_to_end/test_main_job.py"),
    "composing": (
        "tests/occscene_server/api/test_killed_worker.py",
        "tests/occscene_server/api/test_layouts_over_grpc.py",
        "tests/occscene_server/api/test_start_views_over_grpc.py",
    ),
    "drawing": (
        "tests/blender/test_live.py",
        "tests/blender/test_result_contract.py",
        "tests/occscene_server/api/test_drafts_over_grpc.py",
    ),
}
"""Files whose tests use the same server, by its fixture: one worker runs them all, so that the server starts once."""
_SHARED_BY = {file: server for server, files in _SHARING.items() for file in files}

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in a script's background; processes of tests would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")  # `--hypothesis-profile default` tries other examples in every run


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One worker more than there are cores, because many tests wait for other processes."""
    return 1 + len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1 + (os.cpu_count() or 1)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Each worker takes whole files, and files that share a server together."""
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class WithSharedServer(LoadFileScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            file: str = super()._split_scope(nodeid)
            return _SHARED_BY.get(file, file)

    return WithSharedServer(config, log)


@pytest.fixture(scope="session")
def composing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server with tiny networks and the bundled priors."""
    with stand_in_server(tmp_path_factory.mktemp("composing"), "--with-priors") as address:
        yield address


@pytest.fixture(scope="session")
def drawing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The same with a decoder, which draws drafts, and takes longer for full views."""
    with stand_in_server(tmp_path_factory.mktemp("drawing"), "--with-decoder") as address:
        yield address


@pytest.fixture
def coarse_rooms(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default volume of rooms, as this process asks for it, has an eighth of its voxels."""
    shape, voxel_size = volumes._SIZES["indoor"]
    monkeypatch.setitem(volumes._SIZES, "indoor", (tuple(count // 2 for count in shape), 2 * voxel_size))


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
