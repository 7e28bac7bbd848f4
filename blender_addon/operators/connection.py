"""The button that tests the connection to the server."""

# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

import bpy
from bpy.props import StringProperty

from ..jobs import connection_check, session
from ..redraw import redraw


class OCCSCENE_OT_test_connection(bpy.types.Operator):
    """Test the connection to the server step by step, and name the step that fails"""

    bl_idname = "occscene.test_connection"
    bl_label = "Test Connection"

    server: StringProperty(name="Server", description="host:port; empty takes the preferences'")

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Starts the test; without a window, waits for its end."""
        connection_check.keep_check(connection_check.start_check(self.server, lambda _check: redraw()))
        if bpy.app.background:
            session.wait(lambda: not connection_check.last_check.is_running)
        if connection_check.last_check.failed:
            self.report({"ERROR"}, connection_check.last_check.line())
            return {"CANCELLED"}
        if connection_check.last_check.is_good:
            self.report({"INFO"}, connection_check.last_check.line())
        return {"FINISHED"}


CLASSES = (OCCSCENE_OT_test_connection,)
