"""Preferences of the extension: the server, and how it is started on this machine."""

# mypy: disable-error-code="misc, valid-type"
from __future__ import annotations

import bpy
from bpy.props import StringProperty
from occscene.client.address import DEFAULT_ADDRESS

from .addon import PACKAGE
from .jobs.connection import enter_token, entered_token
from .panels.connection import draw_connection


def _get_token(_preferences: object) -> str:
    return entered_token()


def _set_token(_preferences: object, token: str) -> None:
    enter_token(token)


class OccScenePreferences(bpy.types.AddonPreferences):
    """Preferences of the extension."""

    bl_idname = PACKAGE

    server: StringProperty(
        name="Address",
        description="host:port, grpc://host:port, or grpcs://host:port with TLS",
        default=DEFAULT_ADDRESS,
    )
    token: StringProperty(
        name="Token",
        description="The server's token. It is kept in a file of its own that only you can read, never in a .blend",
        subtype="PASSWORD",
        options={"SKIP_SAVE"},
        get=_get_token,
        set=_set_token,
    )
    token_file: StringProperty(
        name="Token File", description="A text file that holds the server's token", subtype="FILE_PATH"
    )
    ca_file: StringProperty(
        name="CA File",
        description="Certificate authority of a server with its own certificate (PEM)",
        subtype="FILE_PATH",
    )
    server_python: StringProperty(
        name="Python",
        description="Python, or the folder of an environment, in which occscene-server is installed on this machine",
        subtype="FILE_PATH",
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Draws the preferences."""
        draw_connection(self.layout, context, self)


CLASSES = (OccScenePreferences,)
