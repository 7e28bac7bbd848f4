"""Channels to servers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
from occscene.limits import MAX_MESSAGE_BYTES

from .address import parse_address
from .failures import Failure

Metadata = tuple[tuple[str, str | bytes], ...]

_OPTIONS = [
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_reconnect_backoff_ms", 5_000),  # a server that was just started is found soon
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
]


class ServerConnections:
    """Open channels, one for each server and its credentials."""

    def __init__(self) -> None:
        """Starts with no channel open."""
        self._channels: dict[tuple[str, str], grpc.Channel] = {}

    def open(self, server: dict[str, Any]) -> tuple[grpc.Channel, Metadata]:
        """The channel to a server and the metadata that its calls carry.

        Args:
            server: `address`, `token` (may be empty) and `ca_file` (may be empty: the system's authorities).

        Raises:
            Failure: the address or the CA file cannot be used, or the token would travel unencrypted.
        """
        try:
            address = parse_address(server["address"])
        except ValueError as error:
            raise Failure("BAD_ADDRESS", str(error), "Correct the server address in the preferences.") from error
        token = server.get("token", "")
        if token and not address.tls and not address.is_loopback:
            raise Failure(
                "TLS_NEEDED",
                f"a token would be sent to {address.host} unencrypted",
                f"Use grpcs://{address.target} and start the server with TLS.",
            )
        metadata: Metadata = (("authorization", f"Bearer {token}"),) if token else ()
        key = (server["address"], server.get("ca_file", ""))
        if key not in self._channels:
            self._channels[key] = (
                grpc.secure_channel(address.target, _credentials(key[1]), options=_OPTIONS)
                if address.tls
                else grpc.insecure_channel(address.target, options=_OPTIONS)
            )
        return self._channels[key], metadata


def _credentials(ca_file: str) -> grpc.ChannelCredentials:
    if not ca_file:
        return grpc.ssl_channel_credentials()
    try:
        return grpc.ssl_channel_credentials(Path(ca_file).read_bytes())
    except OSError as error:
        raise Failure("BAD_CA_FILE", f"the CA file cannot be read: {error}", "Choose it in the preferences.") from error
