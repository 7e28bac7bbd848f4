"""A server that Blender starts on this machine, with the stand-in for a model."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import bpy
import pytest

import blender_addon
from blender_addon.jobs import connection_check
from blender_addon.operators import local_server
from blender_addon.operators.local_server import look_after, start_local_server, stop_local_server
from blender_addon.panels.connection import _header_icon
from tests.blender.waiting import pump
from tests.occscene_server.serve_process import ROOT, STAND_IN
from tests.patience import PATIENCE, wait_until

PYTHON = """#!/bin/sh
test "$1 $2 $3" = "-m occscene_server.cli serve" || exit 3
shift 3
PYTHONPATH={root}:{root}/protos exec {python} {script} serve --store {store} "$@"
"""


@pytest.fixture
def environment(tmp_path: Path) -> Iterator[Path]:
    """The folder of an environment whose Python serves the stand-in."""
    script = tmp_path / "serve.py"
    script.write_text(STAND_IN)
    python = tmp_path / "environment" / "bin" / "python"
    python.parent.mkdir(parents=True)
    text = PYTHON.format(root=ROOT, python=sys.executable, script=script, store=tmp_path / "store")
    python.write_text(text)
    python.chmod(0o755)
    yield tmp_path / "environment"
    stop_local_server()


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> str:
    """An address on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    monkeypatch.setenv("OCCSCENE_SERVER", address)
    return address


def comes_to(state: str) -> None:
    """Waits, with what Blender's timers do, until the server is in a state."""

    def poll() -> None:
        look_after()
        pump()

    wait_until(lambda: local_server.local_server.state == state, poll)


@pytest.mark.slow
def test_starts_until_it_is_ready_and_ends(environment: Path, address: str) -> None:
    assert bpy.ops.occscene.start_server(python=str(environment)) == {"FINISHED"}
    assert local_server.local_server.state == "starting"
    comes_to("ready")
    assert bpy.ops.occscene.test_connection() == {"FINISHED"}
    keeper = local_server.local_server.keeper
    assert keeper is not None
    bpy.ops.occscene.stop_server()
    assert local_server.local_server.state == "stopped"
    keeper.wait(PATIENCE)
    host, port = address.split(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))


def test_an_update_of_the_extension_leaves_it_running(environment: Path, address: str) -> None:
    start_local_server(str(environment), address)
    comes_to("ready")
    keeper = local_server.local_server.keeper
    assert keeper is not None
    blender_addon.unregister()
    left = bpy.occscene_local_server
    assert not local_server.local_server.is_running
    blender_addon.register()
    assert (local_server.local_server.keeper, local_server.local_server.state) == (keeper, "ready")
    local_server.end_unclaimed(left)  # the minute is over: somebody has it
    assert bpy.ops.occscene.test_connection() == {"FINISHED"}


def test_it_ends_with_an_extension_that_does_not_come_back(environment: Path, address: str) -> None:
    start_local_server(str(environment), address)
    comes_to("ready")
    keeper = local_server.local_server.keeper
    assert keeper is not None
    blender_addon.unregister()
    try:
        local_server.end_unclaimed(bpy.occscene_local_server)
        keeper.wait(PATIENCE)
    finally:
        blender_addon.register()
    assert not local_server.local_server.is_running


def test_a_server_that_ends_says_why(environment: Path, address: str) -> None:
    (environment / "bin/python").write_text("#!/bin/sh\necho No module named occscene_server\nexit 1\n")
    start_local_server(str(environment), address)
    comes_to("ended")
    assert local_server.local_server.message == "No module named occscene_server"
    assert not local_server.local_server.is_running


def test_what_cannot_be_started_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RuntimeError, match="choose the Python"):
        bpy.ops.occscene.start_server()
    with pytest.raises(RuntimeError, match="neither a Python nor the folder of an environment"):
        bpy.ops.occscene.start_server(python=str(tmp_path))
    monkeypatch.setenv("OCCSCENE_SERVER", "grpcs://example.org")
    with pytest.raises(RuntimeError, match="another machine"):
        bpy.ops.occscene.start_server(python=sys.executable)


def test_the_panels_icon_follows_the_server(environment: Path, address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def icon() -> str:
        return _header_icon(connection_check.last_check, local_server.local_server)

    connection_check.keep_check(connection_check.ConnectionCheck())
    assert icon() == "UNLINKED"
    start_local_server(str(environment), address)
    assert icon() == "TIME"
    comes_to("ready")
    assert icon() == "CHECKMARK"
    monkeypatch.setenv("OCCSCENE_SERVER", "127.0.0.1:9")
    assert icon() == "UNLINKED"
    monkeypatch.setenv("OCCSCENE_SERVER", address)
    stop_local_server()
    assert icon() == "UNLINKED"
    with pytest.raises(RuntimeError):
        bpy.ops.occscene.test_connection(server="ftp://nowhere")
    monkeypatch.setenv("OCCSCENE_SERVER", "ftp://nowhere")
    assert icon() == "ERROR"
