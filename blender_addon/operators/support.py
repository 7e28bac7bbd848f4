"""What helps when something is wrong: the guide, and facts for a report."""

# mypy: disable-error-code="misc, valid-type"
# ruff: noqa: N801 - class names are as Blender wants them

from __future__ import annotations

import platform
import sys
from pathlib import Path

import bpy
import numpy as np
import occscene

from ..jobs import connection_check
from ..jobs.connection import server_address
from ..jobs.connection_check import STEP_LABELS
from ..jobs.request import known_request
from .local_server import local_server

_PACKAGE = Path(__file__).resolve().parents[1]
_GUIDES = (_PACKAGE / "guide" / "artist_guide.html", _PACKAGE.parent / "docs" / "artist_guide.md")
"""In the extension's zip, and in a clone of the repository."""

_RECENT = 5
"""Results that are told of."""


class OCCSCENE_OT_open_guide(bpy.types.Operator):
    """Open the artist guide, which came with the extension"""

    bl_idname = "occscene.open_guide"
    bl_label = "Open Guide"

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Hands it to the system's browser."""
        guide = next((path for path in _GUIDES if path.is_file()), None)
        if guide is None:
            self.report({"ERROR"}, f"{_GUIDES[0]} is not there: install the extension again")
            return {"CANCELLED"}
        bpy.ops.wm.url_open(url=guide.as_uri())
        return {"FINISHED"}


class OCCSCENE_OT_copy_diagnostics(bpy.types.Operator):
    """Copy what a report of a fault should say: versions, the last test of the server, the last results. Prompts are
    in it, tokens and addresses of other machines are not
    """

    bl_idname = "occscene.copy_diagnostics"
    bl_label = "Copy Diagnostics"

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Puts the text on the clipboard."""
        context.window_manager.clipboard = diagnostics(context)
        self.report({"INFO"}, "Copied: paste it into your report")
        return {"FINISHED"}


def diagnostics(context: bpy.types.Context) -> str:
    """The facts, a line for each."""
    settings = context.scene.occscene
    check = connection_check.last_check
    address = server_address()
    is_local = address.split("://")[-1].startswith(("127.", "localhost", "[::1]"))
    lines = [
        f"OccScene {occscene.__version__}",
        f"Blender {bpy.app.version_string}, {bpy.app.build_platform.decode()}",
        f"Python {platform.python_version()}, numpy {np.__version__}, {platform.platform()}",
        f"Executable {Path(sys.executable).name}, online access {bpy.app.online_access}",
        f"Server: {address if is_local else 'another machine'}; local server: {local_server.state or 'not started'}",
    ]
    lines += [
        f"  {STEP_LABELS[step['step']]}: {'good' if step['is_good'] else 'FAILED'}, {step['message']}"
        for step in check.steps
        if is_local or step["is_good"]
    ]
    if local_server.message:
        lines.append(f"  local server said: {local_server.message}")
    volume = "none" if settings.volume is None else f"{settings.voxel_meters:g} m voxels"
    lines.append(f"Scene: {settings.domain}, {len(context.scene.objects)} objects, volume {volume}")
    for result in list(settings.results)[-_RECENT:]:
        request = known_request(result.request)
        lines.append(f"Result {result.name}: {request.kind}, {result.state}, {len(request.views)} views")
        used = request.settings.to_json()
        lines.append("  " + ", ".join(f"{name} {value!r}" for name, value in used.items() if value not in ("", None)))
        if result.message:
            lines.append(f"  {result.message}")
    return "\n".join(lines) + "\n"


CLASSES = (OCCSCENE_OT_open_guide, OCCSCENE_OT_copy_diagnostics)
"""The operators."""
