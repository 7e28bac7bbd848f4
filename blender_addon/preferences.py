"""The server's address and credentials: from the preferences, or from the environment on machines without a window."""

# mypy: disable-error-code="misc, valid-type"
from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path

import bpy
from bpy.props import StringProperty

from .bridge.address import DEFAULT_ADDRESS, parse_address


@dataclass(frozen=True)
class ConnectionSettings:
    """How to reach the server: address, token ("" for none), CA file ("" for the system's authorities)."""

    address: str
    token: str
    ca_file: str

    def head(self) -> dict[str, str]:
        """The `server` field of a bridge command."""
        return asdict(self)


class OccScenePreferences(bpy.types.AddonPreferences):
    """Preferences of the extension."""

    bl_idname = __package__

    server: StringProperty(
        name="Server",
        description="host:port, grpc://host:port, or grpcs://host:port with TLS",
        default=DEFAULT_ADDRESS,
    )
    token_file: StringProperty(
        name="Token File", description="A text file that holds the server's token", subtype="FILE_PATH"
    )
    ca_file: StringProperty(
        name="CA File",
        description="Certificate authority of a server with its own certificate (PEM)",
        subtype="FILE_PATH",
    )

    def draw(self, context: bpy.types.Context) -> None:
        """Draws the preferences."""
        layout = self.layout
        layout.use_property_split = True
        layout.prop(self, "server")
        layout.prop(self, "token_file")
        layout.prop(self, "ca_file")
        row = layout.row()
        row.operator("occscene.test_connection", icon="LINKED")
        status = context.window_manager.occscene
        if status.server_status:
            layout.label(text=status.server_status, icon=status.server_icon)


def connection_settings(address: str = "") -> ConnectionSettings:
    """The settings to use: the argument, else OCCSCENE_SERVER, else the preferences, else the default.

    The token and CA files come from OCCSCENE_TOKEN_FILE and OCCSCENE_CA_FILE, else the preferences.

    Raises:
        ValueError: the address is malformed, may not be used while Blender is offline, or the token file is unreadable.
    """
    addon = bpy.context.preferences.addons.get(__package__)
    stored = addon.preferences if addon else None
    address = address or os.environ.get("OCCSCENE_SERVER", "") or (stored.server if stored else DEFAULT_ADDRESS)
    token_file = os.environ.get("OCCSCENE_TOKEN_FILE", "") or (stored.token_file if stored else "")
    ca_file = os.environ.get("OCCSCENE_CA_FILE", "") or (stored.ca_file if stored else "")
    _check_online(address)
    return ConnectionSettings(address, _read_token(token_file), bpy.path.abspath(ca_file) if ca_file else "")


def _check_online(address: str) -> None:
    """Refuses addresses beyond this machine while Blender is set to stay offline."""
    if parse_address(address).is_loopback or bpy.app.online_access:
        return
    way_out = (
        "restart Blender without --offline-mode"
        if bpy.app.online_access_override
        else "enable Preferences > System > Network > Allow Online Access"
    )
    raise ValueError(f"Blender is set to stay offline, and {address} is another machine: {way_out}")


def _read_token(path: str) -> str:
    if not path:
        return ""
    try:
        return Path(bpy.path.abspath(path)).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise ValueError(f"the token file cannot be read: {error}; choose it in the preferences") from error


CLASSES = (OccScenePreferences,)
