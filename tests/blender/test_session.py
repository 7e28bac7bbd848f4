"""The bridge as Blender keeps it: restarted when it dies, ended with the extension, never waited for."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import blender_addon
from blender_addon.bridge.messages import Message
from blender_addon.jobs import session
from tests.blender.waiting import wait
from tests.patience import wait_until

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def silent_server() -> Iterator[str]:
    """An address that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def ask(address: str, answer: Callable[[Message], bool]) -> None:
    server = {"address": address, "token": "", "ca_file": ""}
    session.command({"command": "check", "server": server}, b"", answer)


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_dead_bridge_is_restarted_and_asked_again(silent_server: str) -> None:
    steps: list[str] = []
    ask(silent_server, lambda message: steps.append(message.head.get("step", "")) is not None)
    first = session.bridge_pid()
    assert first is not None
    os.kill(first, signal.SIGKILL)  # before it has an answer
    wait(lambda: bool(steps))
    assert steps[0] == "address"
    assert session.bridge_pid() not in (None, first)


def test_a_bridge_that_always_dies_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    heads: list[dict[str, object]] = []
    ask("127.0.0.1:9", lambda message: heads.append(message.head) is None)
    wait(lambda: bool(heads))
    assert (heads[0]["reason"], heads[0]["event"]) == ("BRIDGE_DIED", "error")
    assert session.bridge_pid() is None


def test_the_bridge_ends_with_the_extension(silent_server: str) -> None:
    ask(silent_server, lambda _message: True)
    pid = session.bridge_pid()
    assert pid is not None
    blender_addon.unregister()
    try:
        assert not is_alive(pid)
    finally:
        blender_addon.register()


def test_waiting_commands_get_an_error_when_the_extension_is_disabled(silent_server: str) -> None:
    """Else a test of the connection that was under way says for ever that it asks."""
    heads: list[dict[str, object]] = []
    ask(silent_server, lambda message: heads.append(message.head) is None and message.head["event"] == "error")
    wait(lambda: bool(heads))
    blender_addon.unregister()
    try:
        assert [head["event"] for head in heads] == ["step", "error"]
    finally:
        blender_addon.register()


def test_the_bridge_ends_when_blender_is_gone() -> None:
    """Blender crashes: the pipe closes and the child sees it."""
    script = (
        "import os, blender_addon\n"
        "from blender_addon.jobs import session\n"
        "server = {'address': '127.0.0.1:9', 'token': '', 'ca_file': ''}\n"
        "blender_addon.register()\n"
        "session.command({'command': 'check', 'server': server}, b'', lambda message: False)\n"
        "session.wait(lambda: not session._session.bridge._outgoing)\n"
        "print('pid', session.bridge_pid(), flush=True); os._exit(1)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=False)
    pid = int(next(line for line in done.stdout.splitlines() if line.startswith("pid")).split()[1])
    wait_until(lambda: not is_alive(pid))


def test_a_tick_hands_on_what_it_has_time_for() -> None:
    got: list[int | None] = []

    def answer(message: Message) -> bool:
        got.append(message.head.get("number"))
        time.sleep(session.TICK_BUDGET)
        return False

    known = session._session
    known.waiting[99] = session._Command({}, b"", answer)
    known.received.extend(Message({"id": 99, "number": number}) for number in range(3))
    try:
        for expected in range(3):
            assert got == list(range(expected))
            known.poll()
        assert got == [0, 1, 2]
    finally:
        session.shut_down()
