"""Channels to servers: encrypted where the address says so, and no token in plain text."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import grpc

from occscene.client.address import ServerAddress
from occscene.client.errors import CertificateError, PlaintextTokenError

Metadata = tuple[tuple[str, str | bytes], ...]

_OPTIONS = [
    ("grpc.max_receive_message_length", 64 * 2**20),  # one event: the occupancy of a large grid, or a large view
    ("grpc.max_send_message_length", -1),  # `SceneClient` checks the size itself
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 2_000),  # a server that was just started is found soon
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
]


@dataclass(frozen=True)
class Credentials:
    """What a client shows to a server, and what it asks of one.

    Args:
        token: sent with every call; "" for none.
        ca: PEM file of the authorities to trust; None for the system's.
        identity: PEM file of the client's own key and certificates, for servers that ask for them.
    """

    token: str = ""
    ca: Path | None = None
    identity: Path | None = None


def open_channel(address: ServerAddress, credentials: Credentials) -> tuple[grpc.Channel, Metadata]:
    """The channel to a server and the metadata that its calls carry; connects at the first call.

    Raises:
        PlaintextTokenError: the token would leave this machine unencrypted.
        CertificateError: a PEM file cannot be used.
    """
    token = credentials.token
    if token and not address.tls and not address.is_loopback:
        raise PlaintextTokenError(
            f"a token would be sent to {address.host} unencrypted",
            f"Use grpcs://{address.target}, and start the server with TLS.",
        )
    metadata: Metadata = (("authorization", f"Bearer {token}"),) if token else ()
    options = [*_OPTIONS, ("grpc.enable_http_proxy", 0)] if address.is_loopback else _OPTIONS
    if not address.tls:
        return grpc.insecure_channel(address.target, options=options), metadata
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # reads the files as gRPC will, which says nothing of them
    authorities = own = None
    if credentials.ca is not None:
        authorities = _pem(credentials.ca, "certificate", context.load_verify_locations)
    if credentials.identity is not None:
        load = partial(context.load_cert_chain, password=lambda: "")  # else OpenSSL would ask for one
        own = _pem(credentials.identity, "private key and its certificate without a password", load)
    tls = grpc.ssl_channel_credentials(authorities, own, own)  # of a file of both, each reader takes its part
    return grpc.secure_channel(address.target, tls, options=options), metadata


def _pem(path: Path, kind: str, load: Callable[[Path], object]) -> bytes:
    try:
        data = path.read_bytes()
        load(path)
    except ssl.SSLError as error:
        raise CertificateError(f"{path} holds no {kind} (PEM)") from error
    except OSError as error:
        raise CertificateError(f"{path} cannot be read: {error.strerror or error}") from error
    return data
