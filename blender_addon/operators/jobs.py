"""Jobs on the server as Blender follows them: one bridge, polled by a timer, its events written into results.

A result is found again by its request id whenever an event comes, because undo, file loads and the deletion of
scenes may replace or remove it in between; what undo took away is made anew.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy
from occscene.grid import SemanticGrid

from ..bridge.cameras_head import cameras_head
from ..bridge.grid_body import grid_body, grid_head
from ..bridge.link import Bridge, BridgeError
from ..bridge.messages import Message
from ..preferences import connection_settings
from ..properties import UNFINISHED
from . import arrivals

TICK_BUDGET = 0.008
"""Seconds that one tick of the timer may take."""

TICK_PAUSE = 0.03
"""Seconds between ticks."""

_CHILD_PACKAGES = ("occscene", "numpy", "grpc", "grpc_status", "zstandard")


@dataclass
class _Session:
    """The bridge and who waits for its answers."""

    bridge: Bridge | None = None
    number: int = 0
    waiting: dict[int, Callable[[Message], bool]] = field(default_factory=dict)

    def command(self, head: dict[str, Any], body: bytes, answer: Callable[[Message], bool]) -> None:
        """Sends a command; `answer` gets each of its events and says whether it was the last."""
        if self.bridge is None:
            self.bridge = Bridge(sys.executable, bpy.app.python_args, _search_path())
        self.number += 1
        self.waiting[self.number] = answer
        self.bridge.send(Message({"id": self.number, **head}, body))
        if not bpy.app.background and not bpy.app.timers.is_registered(_tick):
            bpy.app.timers.register(_tick, persistent=True)

    def poll(self) -> None:
        """Hands what came to those who wait; if the child died, tells all of them."""
        if self.bridge is None:
            return
        try:
            messages = self.bridge.poll(TICK_BUDGET)
        except (BridgeError, ValueError) as error:
            self.bridge.close()
            self.bridge = None
            lost, self.waiting = self.waiting, {}
            head = {"event": "error", "reason": "BRIDGE_DIED", "message": str(error), "advice": "Press Reconnect."}
            for number, answer in lost.items():
                answer(Message({"id": number, **head}))
            return
        for message in messages:
            number = message.head["id"]
            if number in self.waiting and self.waiting[number](message):
                self.waiting.pop(number, None)


_session = _Session()


def _search_path() -> list[str]:
    """The folders that hold what the child imports."""
    folders: dict[str, None] = {}
    for name in _CHILD_PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec and spec.origin:
            folders.setdefault(str(Path(spec.origin).resolve().parent.parent))
    return list(folders)


def _tick() -> float | None:
    """The timer: polls, and rests when nobody waits."""
    _session.poll()
    return TICK_PAUSE if _session.waiting else None


def shut_down() -> None:
    """Ends the bridge and the timer; the server's jobs go on."""
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    if _session.bridge is not None:
        _session.bridge.close()
    _session.bridge = None
    _session.waiting.clear()


def submit(scene: bpy.types.Scene, request: arrivals.Request, grid: SemanticGrid, server: str) -> arrivals.Record:
    """Sends a generation to the server and lists it in the scene's results.

    Raises:
        ValueError: the server's address cannot be used.
        BridgeError: the bridge cannot be started.
    """
    settings = connection_settings(server)
    record = arrivals.Record(request, settings.address, scene.session_uid)
    arrivals.result_of(record).state = "SENDING"
    head = {
        "command": "generate",
        "server": settings.head(),
        "request_id": request.request_id,
        "grid": grid_head(grid),
        "cameras": cameras_head(request.cameras),
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt,
        "seed": request.seed,
        "steps": request.steps,
        "text_guidance_scale": request.text_guidance,
        "occupancy_guidance_scale": request.occupancy_guidance,
        "previews": not bpy.app.background,
    }
    _session.command(head, grid_body(grid), lambda message: arrivals.apply(record, message))
    return record


def watch(scene: bpy.types.Scene, result: Any) -> arrivals.Record:
    """Follows a job that the server already has, from what was last seen of it on."""
    settings = connection_settings(result.server)
    record = arrivals.Record.of_result(result, scene)
    head = {
        "command": "watch",
        "server": settings.head(),
        "job_id": result.job_id,
        "after_sequence": result.sequence,
    }
    _session.command(head, b"", lambda message: arrivals.apply(record, message))
    return record


def cancel(result: Any) -> None:
    """Asks the server to end a job."""
    head = {"command": "cancel", "server": connection_settings(result.server).head(), "job_id": result.job_id}
    _session.command(head, b"", _last)


def ask_info(server: str, answer: Callable[[dict[str, Any]], None]) -> None:
    """Asks the server what it is; `answer` gets an `info` or an `error` event."""

    def receive(message: Message) -> bool:
        answer(message.head)
        return True

    _session.command({"command": "info", "server": connection_settings(server).head()}, b"", receive)


def _last(_message: Message) -> bool:
    return True


def wait(is_done: Callable[[], bool], on_poll: Callable[[], None] = lambda: None) -> None:
    """Polls until `is_done`, for scripts and machines without a window, where no timer runs."""
    while not is_done():
        _session.poll()
        on_poll()
        time.sleep(0.005)


def unfinished_results() -> Sequence[tuple[bpy.types.Scene, Any]]:
    """Results of the open file whose jobs had not ended when they were last heard of."""
    return [
        (scene, result) for scene in bpy.data.scenes for result in scene.occscene.results if result.state in UNFINISHED
    ]


@bpy.app.handlers.persistent
def find_jobs_again(_path: object = None) -> None:
    """After a file was loaded: follows its unfinished jobs again."""
    for scene, result in unfinished_results():
        if not result.job_id:
            result.state, result.message = "FAILED", "Blender was closed before the server had the request."
        elif bpy.app.background:
            result.state = "DISCONNECTED"
        else:
            try:
                watch(scene, result)
            except (ValueError, BridgeError) as error:
                result.state, result.message = "DISCONNECTED", str(error)
