"""The one bridge of this Blender: who waits for its answers, the timer that polls it, its restart when it dies."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy

from ..bridge.link import Bridge, BridgeError
from ..bridge.messages import Message
from ..timers import start_timer, stop_timer

TICK_BUDGET = 0.008
"""Seconds that one tick of the timer may take."""

TICK_PAUSE = 0.03
"""Seconds between ticks."""

SENDING_PAUSE = 0.005
"""Seconds between ticks while a grid is on its way to the bridge."""

MAX_RESTARTS = 2
"""Bridges that may die one after the other without a message in between before those who wait get an error."""

_CHILD_PACKAGES = ("occscene", "numpy", "google.protobuf", "grpc", "grpc_status", "zstandard")


@dataclass
class _Command:
    """A command whose last answer has not come yet."""

    head: dict[str, Any]
    body: bytes
    answer: Callable[[Message], bool]


@dataclass
class _Session:
    """The bridge and who waits for its answers."""

    bridge: Bridge | None = None
    number: int = 0
    restarts: int = 0
    waiting: dict[int, _Command] = field(default_factory=dict)
    received: deque[Message] = field(default_factory=deque)

    def send(self, number: int) -> None:
        if self.bridge is None:
            self.bridge = Bridge(sys.executable, bpy.app.python_args, _search_path())
        command = self.waiting[number]
        self.bridge.send(Message({"id": number, **command.head}, command.body))

    def poll(self) -> None:
        """Exchanges messages and dispatches them, at least one, until the tick's time is over."""
        deadline = time.monotonic() + TICK_BUDGET
        if self.bridge is not None and not self.received:
            try:
                self.received.extend(self.bridge.poll(TICK_BUDGET / 2))
            except (BridgeError, ValueError) as error:
                self.restart(str(error))
        while self.received:
            self.dispatch(self.received.popleft())
            if time.monotonic() >= deadline:
                break

    def dispatch(self, message: Message) -> None:
        self.restarts = 0
        number = message.head["id"]
        command = self.waiting.get(number)
        if command is None:
            return
        if "sequence" in message.head:
            command.head["after_sequence"] = message.head["sequence"]
        if command.answer(message):
            self.waiting.pop(number, None)

    def restart(self, exit_message: str) -> None:
        """Starts a new child and gives it the open commands; a submission is known to the server by its request id."""
        self.close_bridge()
        if not self.waiting:
            return
        self.restarts += 1
        try:
            if self.restarts > MAX_RESTARTS:
                raise BridgeError(exit_message)
            for number, command in self.waiting.items():
                command.head["is_repeat"] = True
                self.send(number)
        except BridgeError as error:
            self.abandon(str(error))

    def abandon(self, message: str) -> None:
        """Ends the child and sends an error to those who wait; the server's jobs go on."""
        self.close_bridge()
        self.restarts = 0
        lost, self.waiting = self.waiting, {}
        head = {"event": "error", "reason": "BRIDGE_DIED", "message": message, "advice": "Press Reconnect."}
        for number, command in lost.items():
            command.answer(Message({"id": number, **head, "is_lost": True}))

    def close_bridge(self) -> None:
        if self.bridge is not None:
            self.bridge.close()
        self.bridge = None
        self.received.clear()


_session = _Session()


def _search_path() -> list[str]:
    """The folders that hold what the child imports."""
    folders: dict[str, None] = {}
    for name in _CHILD_PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec and spec.origin:
            folders.setdefault(str(Path(spec.origin).resolve().parents[name.count(".") + 1]))
    return list(folders)


def command(head: dict[str, Any], body: bytes, answer: Callable[[Message], bool]) -> None:
    """Sends a command to the bridge; `answer` gets each of its events and says whether it was the last.

    If the bridge dies meanwhile, the command is given to a new one with `after_sequence` of the last event.

    Raises:
        BridgeError: the bridge cannot be started.
    """
    _session.number += 1
    _session.waiting[_session.number] = _Command(dict(head), body, answer)
    try:
        _session.send(_session.number)
    except BridgeError:
        del _session.waiting[_session.number]
        raise
    start_timer(_tick)


def _tick() -> float | None:
    """The timer: polls, and stops when no command is open."""
    _session.poll()
    if _session.bridge is not None and _session.bridge.is_sending:
        return SENDING_PAUSE
    return TICK_PAUSE if _session.waiting else None


def wait(is_done: Callable[[], bool], on_poll: Callable[[], None] = lambda: None) -> None:
    """Polls until `is_done`, for scripts and machines without a window, where no timer runs."""
    while not is_done():
        _session.poll()
        on_poll()
        time.sleep(0.005)


def bridge_pid() -> int | None:
    """The process id of the bridge, None if none runs."""
    return None if _session.bridge is None else _session.bridge.pid


def shut_down() -> None:
    """Ends the bridge and the timer, and sends an error to those who wait; the server's jobs go on."""
    stop_timer(_tick)
    _session.abandon("the extension was disabled")
