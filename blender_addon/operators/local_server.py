"""A server on this machine, started from the preferences and ended with Blender."""

# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import bpy
from bpy.props import StringProperty
from occscene.client.address import parse_address

from ..addon import extension_folder, stored_preferences
from ..jobs.connection import server_address
from ..jobs.connection_check import ConnectionCheck, forget_check, keep_check, start_check
from ..redraw import redraw
from ..timers import start_timer, stop_timer

POLL_PAUSE = 1.0
"""Seconds between checks of the server while it starts; while it runs nothing is asked of it."""

HAND_OVER_TIME = 60.0
"""Seconds that an update of the extension may take."""

_BOOTSTRAP = "import sys; sys.path.insert(0, sys.argv[1]); from bridge.supervisor import main; main()"
_LOG_END = 2000
_LEFT = "occscene_local_server"


@dataclass
class LocalServer:
    """The server that this Blender has started.

    Args:
        keeper: the supervisor process, None if none was started; a later version takes it over by this name.
        log: the file that it writes to.
        state: "" (never started), "starting", "loading", "ready", "stopped" or "ended" (by itself).
        message: the last line of the log of a server that ended.
    """

    keeper: subprocess.Popen[bytes] | None = None
    log: Path = Path()
    state: str = ""
    message: str = ""

    @property
    def is_running(self) -> bool:
        """The server's process is there."""
        return self.keeper is not None


local_server = LocalServer()
_check: ConnectionCheck | None = None


def start_local_server(python: str, address: str) -> None:
    """Starts `occscene-server serve` and follows it until it is ready.

    Args:
        python: the interpreter, or the folder of an environment.
        address: on this machine; the server listens on its port.

    Raises:
        ValueError: no such Python, or the address is another machine's.
        OSError: the supervisor cannot be started.
    """
    parsed = parse_address(address)
    if not parsed.is_loopback:
        raise ValueError(f"the server address {address} is another machine's; set it to 127.0.0.1:{parsed.port} first")
    command = [str(_python_of(python)), "-m", "occscene_server.cli", "serve", "--port", str(parsed.port)]
    local_server.log = (extension_folder() or Path(tempfile.mkdtemp(prefix="occscene_"))) / "server.log"
    addon = str(Path(__file__).resolve().parents[1])
    local_server.keeper = subprocess.Popen(
        [sys.executable, *bpy.app.python_args, "-c", _BOOTSTRAP, addon, str(local_server.log), *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),  # only Windows has it
    )
    local_server.state, local_server.message = "starting", ""
    start_timer(_tick, POLL_PAUSE)


def stop_local_server() -> None:
    """Ends the server, if one was started; its supervisor does that, so nothing is waited for."""
    stop_timer(_tick)
    if local_server.keeper is not None:
        _end(local_server.keeper)
        local_server.state = "stopped"
        forget_check(server_address())
    local_server.keeper = None


def _end(keeper: subprocess.Popen[bytes]) -> None:
    if keeper.stdin is not None:
        with contextlib.suppress(OSError):
            keeper.stdin.close()


def hand_over() -> None:
    """Leaves the server to the extension's next registration: an update or a reload cuts no job short.

    The next registration may import new modules, so the state is kept in `bpy`. If none takes it over, the server ends
    after a minute.
    """
    stop_timer(_tick)
    if local_server.keeper is None:
        return
    left = dict(vars(local_server))
    setattr(bpy, _LEFT, left)
    start_timer(partial(end_unclaimed, left), HAND_OVER_TIME)
    local_server.keeper = None


def end_unclaimed(left: dict[str, Any]) -> None:
    """Ends a server that no later registration has taken over."""
    if getattr(bpy, _LEFT, None) is left:
        delattr(bpy, _LEFT)
        _end(left["keeper"])


def take_over() -> None:
    """Takes the server that an earlier registration has left."""
    left = getattr(bpy, _LEFT, None)
    if left is not None:
        delattr(bpy, _LEFT)
        vars(local_server).update(left)
        start_timer(_tick, POLL_PAUSE)


def look_after() -> None:
    """Brings the state up to date: has the server ended, or is it ready by now?"""
    global _check
    if local_server.keeper is None:
        return
    if local_server.keeper.poll() is not None:
        local_server.keeper = None
        local_server.state, local_server.message = "ended", _last_line(local_server.log)
        forget_check(server_address())
    elif local_server.state != "ready":
        if _check is not None and not _check.is_running:
            if _check.is_good:
                local_server.state = "loading" if _check.is_loading else "ready"
                keep_check(_check)
            elif _check.failed and _check.failed["step"] not in ("bridge", "online", "address"):
                local_server.state, local_server.message = "ready", _check.line()
        if _check is None or not _check.is_running:
            _check = None if local_server.state == "ready" else start_check(server_address(), lambda _check: None)
    redraw()


def _tick() -> float | None:
    """The timer: updates the state while the server's process runs."""
    look_after()
    return POLL_PAUSE if local_server.is_running else None


def _python_of(text: str) -> Path:
    if not text:
        raise ValueError("choose the Python in which occscene-server is installed, as Server's Python above the button")
    path = Path(bpy.path.abspath(text))
    if path.is_file():
        return path
    candidates = [path / name for name in ("bin/python", "Scripts/python.exe", "python.exe") if (path / name).is_file()]
    if not candidates:
        raise ValueError(f"{path} is neither a Python nor the folder of an environment; choose it in the preferences")
    return candidates[0]


def _last_line(log: Path) -> str:
    try:
        text = log.read_text(encoding="utf-8", errors="replace")[-_LOG_END:]
    except OSError as error:
        return str(error)
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "it wrote nothing")


class OCCSCENE_OT_start_server(bpy.types.Operator):
    """Run occscene-server on this machine until Blender quits"""

    bl_idname = "occscene.start_server"
    bl_label = "Start Local Server"

    python: StringProperty(name="Python", description="Empty takes the preferences'")

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Starts the server."""
        if local_server.is_running:
            self.report({"WARNING"}, "the server runs already")
            return {"CANCELLED"}
        stored = stored_preferences()
        try:
            start_local_server(self.python or (stored.server_python if stored else ""), server_address())
        except (ValueError, OSError) as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        return {"FINISHED"}


class OCCSCENE_OT_stop_server(bpy.types.Operator):
    """End the server that was started here; jobs that wait go on when it is started again"""

    bl_idname = "occscene.stop_server"
    bl_label = "Stop Local Server"

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Ends the server."""
        stop_local_server()
        redraw()
        return {"FINISHED"}


CLASSES = (OCCSCENE_OT_start_server, OCCSCENE_OT_stop_server)
