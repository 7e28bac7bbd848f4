"""The connection to the server."""

# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

from typing import Any

import bpy
import occscene
from bpy.props import StringProperty

from ..bridge.link import BridgeError
from . import arrivals, jobs


class OCCSCENE_OT_test_connection(bpy.types.Operator):
    """Ask the server what it is, and say what is wrong if it does not answer"""

    bl_idname = "occscene.test_connection"
    bl_label = "Test Connection"

    server: StringProperty(name="Server", description="host:port; empty takes the preferences'")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Asks; without a window it waits for the answer."""
        status = context.window_manager.occscene
        status.server_status, status.server_icon = "Asking the server ...", "TIME"
        answers: list[dict[str, Any]] = []

        def receive(head: dict[str, Any]) -> None:
            answers.append(head)
            status = bpy.context.window_manager.occscene
            is_good, status.server_status = describe_server(head)
            status.server_icon = "CHECKMARK" if is_good else "ERROR"
            arrivals.redraw()

        try:
            jobs.ask_info(self.server, receive)
        except (ValueError, BridgeError) as error:
            status.server_status, status.server_icon = str(error), "ERROR"
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if bpy.app.background:
            jobs.wait(lambda: bool(answers))
            self.report({"INFO"} if status.server_icon == "CHECKMARK" else {"ERROR"}, status.server_status)
        return {"FINISHED"}


def describe_server(head: dict[str, Any]) -> tuple[bool, str]:
    """Whether an `info` or `error` event is good news, and one line about it."""
    if head["event"] == "error":
        return False, " ".join(part for part in (head["message"], head["advice"]) if part)
    ours, theirs = occscene.__version__.split("."), head["version"].split(".")
    if ours[:2] != theirs[:2]:
        side = "extension" if ours < theirs else "server"
        return False, f"The server is version {head['version']}, this is {occscene.__version__}: update the {side}."
    if head["state"] == "failed":
        return False, f"The server cannot load its model: {head['message']}"
    if head["state"] == "loading":
        return True, f"Server {head['version']} is loading its model; jobs wait until it is ready"
    models = ", ".join(model["name"] for model in head["models"])
    return True, f"Server {head['version']} on {head['device']}: {models}; {head['queue_length']} jobs wait"


CLASSES = (OCCSCENE_OT_test_connection,)
