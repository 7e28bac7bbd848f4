"""The server's address and credentials: from the preferences, or from the environment on machines without a window."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path

import bpy
from occscene.client.address import DEFAULT_ADDRESS, parse_address
from occscene.events import CLIENT_REASONS, in_words

from ..addon import extension_folder, stored_preferences

_TOKEN_FILE = "token"
_entered: dict[str, str] = {}
"""The token as it was entered, where there is no folder for it: the bpy module."""


class SettingsError(ValueError):
    """The settings cannot be used.

    Args:
        step: of the way to the server, one of `connection_check.STEP_LABELS`.
        message: what is wrong.
        advice: what to do next.
    """

    def __init__(self, step: str, message: str, advice: str) -> None:
        super().__init__(in_words(message, advice))
        self.step, self.message, self.advice = step, message, advice


@dataclass(frozen=True)
class ConnectionSettings:
    """How to reach the server: address, token ("" for none), CA file ("" for the system's authorities)."""

    address: str
    token: str
    ca_file: str

    def head(self) -> dict[str, str]:
        """The `server` field of a bridge command."""
        return asdict(self)


def server_address(address: str = "") -> str:
    """The address to use: the argument, else OCCSCENE_SERVER, else the preferences, else the default."""
    stored = stored_preferences()
    return address or os.environ.get("OCCSCENE_SERVER", "") or (stored.server if stored else DEFAULT_ADDRESS)


def connection_settings(address: str = "") -> ConnectionSettings:
    """The settings to use, with the address as `server_address` finds it.

    The token and CA files come from OCCSCENE_TOKEN_FILE and OCCSCENE_CA_FILE, else the preferences; without a token
    file the token that was entered there counts.

    Raises:
        SettingsError: the address is malformed, may not be used while Blender is offline, or the token file is
            unreadable.
    """
    stored = stored_preferences()
    address = server_address(address)
    token_file = os.environ.get("OCCSCENE_TOKEN_FILE", "") or (stored.token_file if stored else "")
    ca_file = os.environ.get("OCCSCENE_CA_FILE", "") or (stored.ca_file if stored else "")
    _check_online(address)
    token = _read_token(token_file) if token_file else entered_token()
    return ConnectionSettings(address, token, bpy.path.abspath(ca_file) if ca_file else "")


def entered_token() -> str:
    """The token that was entered in the preferences, "" if none was."""
    folder = extension_folder()
    if folder is None:
        return _entered.get(_TOKEN_FILE, "")
    try:
        return (folder / _TOKEN_FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def enter_token(token: str) -> None:
    """Keeps a token that only this user can read; it never gets into a .blend, the preferences' own one included."""
    folder = extension_folder()
    if folder is None:
        _entered[_TOKEN_FILE] = token.strip()
        return
    path = folder / _TOKEN_FILE
    path.unlink(missing_ok=True)
    if token.strip():
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(token.strip())


def _check_online(address: str) -> None:
    """Refuses addresses beyond this machine while Blender is set to stay offline."""
    try:
        parsed = parse_address(address)
    except ValueError as error:
        raise SettingsError("address", str(error), CLIENT_REASONS["BAD_ADDRESS"].advice) from error
    if parsed.is_loopback or bpy.app.online_access:
        return
    way_out = (
        "Restart Blender without --offline-mode."
        if bpy.app.online_access_override
        else "Enable Preferences > System > Network > Allow Online Access."
    )
    raise SettingsError("online", f"Blender is set to stay offline, and {address} is another machine", way_out)


def _read_token(path: str) -> str:
    try:
        return Path(bpy.path.abspath(path)).read_text(encoding="utf-8").strip()
    except OSError as error:
        text = f"the token file {path} cannot be read: {error.strerror or error}"
        raise SettingsError("token", text, "Choose it in the preferences.") from error
