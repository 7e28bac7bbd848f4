"""The connection: in the preferences, and in a panel of the sidebar."""

# mypy: disable-error-code="misc"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

from typing import Any

import bpy

from ..addon import stored_preferences
from ..jobs import connection_check
from ..jobs.connection import server_address
from ..jobs.connection_check import STEP_LABELS, ConnectionCheck
from ..operators.local_server import LocalServer, local_server
from .layout import SidebarPanel, wrapped_label

_STATE_ICONS = {
    "starting": "TIME",
    "loading": "TIME",
    "ready": "CHECKMARK",
    "stopped": "QUIT",
    "ended": "ERROR",
}
_STATE_TEXTS = {
    "starting": "Local server is starting ...",
    "loading": "Local server is loading its model ...",
    "ready": "Local server is ready",
    "stopped": "Local server is stopped",
    "ended": "Local server has ended",
}


class VIEW3D_PT_occscene_connection(SidebarPanel, bpy.types.Panel):
    """The server, for those who do not want to open the preferences."""

    bl_label = "Server"
    bl_order = 10
    bl_options = {"DEFAULT_CLOSED"}

    def draw_header_preset(self, _context: bpy.types.Context) -> None:
        """Draws the state, visible while the panel is closed."""
        self.layout.label(text="", icon=_header_icon(connection_check.last_check, local_server))

    def draw(self, context: bpy.types.Context) -> None:
        """Draws the connection's settings, or only the address where there are no preferences."""
        stored = stored_preferences()
        if stored is None:
            self.layout.label(text=server_address(), icon="URL")
            _draw_check(self.layout, context, connection_check.last_check)
        else:
            draw_connection(self.layout, context, stored)


def draw_connection(layout: bpy.types.UILayout, context: bpy.types.Context, preferences: Any) -> None:
    """Draws address, credentials, the test and its outcome, and the local server."""
    column = layout.column()
    column.use_property_split = True
    column.use_property_decorate = False
    column.prop(preferences, "server")
    row = column.row()
    row.active = not preferences.token_file
    row.prop(preferences, "token")
    column.prop(preferences, "token_file")
    column.prop(preferences, "ca_file")
    layout.operator("occscene.test_connection", icon="LINKED")
    _draw_check(layout, context, connection_check.last_check)
    layout.separator()
    column = layout.column()
    column.use_property_split = True
    column.use_property_decorate = False
    column.prop(preferences, "server_python", text="Server's Python")
    _draw_local_server(layout, context, local_server)
    _draw_support(layout)


def _draw_support(layout: bpy.types.UILayout) -> None:
    row = layout.row(align=True)
    row.operator("occscene.open_guide", icon="HELP")
    row.operator("occscene.copy_diagnostics", icon="COPYDOWN")


def _draw_check(layout: bpy.types.UILayout, context: bpy.types.Context, check: ConnectionCheck) -> None:
    """One line for each step, and what to do about the one that failed."""
    if check.is_running and not check.steps:
        layout.label(text="Asking the server ...", icon="TIME")
    column = layout.column(align=True)
    for step in check.steps:
        if step["is_good"]:
            split = column.split(factor=0.4)
            split.label(text=STEP_LABELS[step["step"]], icon="CHECKMARK")
            split.label(text=step["message"], translate=False)
            continue
        row = column.row()
        row.alert = True
        row.label(text=STEP_LABELS[step["step"]], icon="ERROR")
        wrapped_label(column, context, step["message"], icon="BLANK1")
        if step["advice"]:
            wrapped_label(column, context, step["advice"], icon="FORWARD")
    for line in check.about_models():
        wrapped_label(column, context, line, icon="INFO")


def _draw_local_server(layout: bpy.types.UILayout, context: bpy.types.Context, server: LocalServer) -> None:
    if server.is_running:
        layout.operator("occscene.stop_server", icon="QUIT")
    else:
        layout.operator("occscene.start_server", icon="PLAY")
    if server.state:
        layout.label(text=_STATE_TEXTS[server.state], icon=_STATE_ICONS[server.state])
    if server.message:
        wrapped_label(layout, context, server.message, icon="BLANK1")


def _header_icon(check: ConnectionCheck, server: LocalServer) -> str:
    is_of_another = check.address != server_address()  # the address was changed since
    if server.state in ("starting", "loading") or (not is_of_another and (check.is_running or check.is_loading)):
        return "TIME"
    if is_of_another or not check.steps:
        return "UNLINKED"
    return "CHECKMARK" if check.is_good else "ERROR"


CLASSES = (VIEW3D_PT_occscene_connection,)
