"""The connection to the server, tested step by step, and the result of the last test."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from occscene.events import in_words

from ..bridge.link import BridgeError
from ..bridge.messages import Message
from ..redraw import redraw
from . import session
from .connection import SettingsError, connection_settings, server_address

STEP_LABELS = {
    "bridge": "Bridge",
    "online": "Online Access",
    "address": "Address",
    "tls": "TLS",
    "token": "Token",
    "version": "Version",
    "model": "Model",
}


@dataclass
class ConnectionCheck:
    """The result of a test.

    Args:
        address: the server's.
        is_running: the test is under way.
        steps: fields of `step` events, up to the one that failed.
    """

    address: str = ""
    is_running: bool = False
    steps: list[dict[str, Any]] = field(default_factory=list)

    @property
    def failed(self) -> dict[str, Any] | None:
        """The step that failed, None if none did."""
        return next((step for step in self.steps if not step["is_good"]), None)

    @property
    def is_good(self) -> bool:
        """Whether all steps have passed."""
        return bool(self.steps) and self.steps[-1]["step"] == "model" and self.steps[-1]["is_good"]

    @property
    def is_loading(self) -> bool:
        """The server is there, but its model is not yet."""
        return self.is_good and self.steps[-1].get("is_loading", False)

    @property
    def image_multiple(self) -> int:
        """What the sides of images must be multiples of for the server; 1 while that is not known."""
        models = self.steps[-1]["info"]["models"] if self.is_good else []
        return math.lcm(*(model["image_multiple"] for model in models))

    def can(self, ability: str) -> bool | None:
        """Whether a model of the server has `layout_prior` or `parts_prior`, or `drafts`; None while unknown."""
        models = self.steps[-1]["info"]["models"] if self.is_good else []
        return any(model[ability] for model in models) if models else None

    def line(self) -> str:
        """The outcome in one line."""
        if self.is_running:
            return "Asking the server ..."
        failed = self.failed
        if failed:
            return f"{STEP_LABELS[failed['step']]}: {in_words(failed['message'], failed['advice'])}"
        if not self.is_good:
            return "Not tested yet"
        version = next(step["message"] for step in self.steps if step["step"] == "version")
        return f"Server {version}: {self.steps[-1]['message']}"


last_check = ConnectionCheck()


def start_check(address: str, receive: Callable[[ConnectionCheck], None]) -> ConnectionCheck:
    """Tests the connection to a server; `receive` gets the check at each step and at the end.

    Args:
        address: the server's; "" takes the preferences'.
        receive: called once at least, and last when the check no longer runs.
    """
    check = ConnectionCheck(server_address(address), is_running=True)

    def end(step: str, message: str, advice: str) -> None:
        check.steps.append({"step": step, "is_good": False, "message": message, "advice": advice})
        check.is_running = False
        receive(check)

    def answer(message: Message) -> bool:
        head = message.head
        if head["event"] == "step":
            check.steps.append(head)
            receive(check)
            return False
        if head["event"] == "error":
            end("bridge", head["message"], head["advice"])
            return True
        check.is_running = False
        receive(check)
        return True

    try:
        settings = connection_settings(address)
        session.command({"command": "check", "server": settings.head()}, b"", answer)
    except SettingsError as error:
        end(error.step, error.message, error.advice)
    except BridgeError as error:
        end("bridge", str(error), "")
    return check


def keep_check(check: ConnectionCheck) -> None:
    """Shows a test as the last one."""
    global last_check
    last_check = check
    redraw()


def forget_check(address: str) -> None:
    """Discards the last test of a server that went away."""
    if last_check.address == address:
        keep_check(ConnectionCheck())
