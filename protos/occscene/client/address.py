"""The server's address as a person writes it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

DEFAULT_ADDRESS = "127.0.0.1:50051"
_SCHEMES = {"grpc": False, "http": False, "grpcs": True, "https": True}


@dataclass(frozen=True)
class ServerAddress:
    """Where the server listens.

    Args:
        host: name or IP address, without brackets.
        port: 1 .. 65535.
        tls: whether the connection is encrypted.
    """

    host: str
    port: int
    tls: bool

    @property
    def is_loopback(self) -> bool:
        """Whether the host is this machine."""
        return is_loopback(self.host)

    @property
    def target(self) -> str:
        """The address as grpc wants it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def is_loopback(host: str) -> bool:
    """Whether a host name or address can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def parse_address(text: str) -> ServerAddress:
    """Reads `host:port`, `grpc://host:port` or `grpcs://host:port` (with TLS); the port may be left out.

    Raises:
        ValueError: it is none of these; the message says how an address looks.
    """
    rest = text.strip().rstrip("/")
    tls = False
    if "://" in rest:
        scheme, rest = rest.split("://", 1)
        if scheme not in _SCHEMES:
            raise ValueError(f"server address {text!r} starts with {scheme}://; use grpc:// or grpcs://")
        tls = _SCHEMES[scheme]
    default_port = DEFAULT_ADDRESS.rsplit(":", 1)[1]
    if rest.startswith("["):
        host, bracket, tail = rest[1:].partition("]")
        port = (tail.removeprefix(":") or default_port) if bracket else ""
    elif rest.count(":") > 1:
        host, port = rest, default_port
    else:
        host, _, port = rest.partition(":")
        port = port or default_port
    if not host or not (port.isascii() and port.isdigit()) or not 1 <= int(port) <= 65535:
        raise ValueError(f"server address {text!r} is not host:port, for example {DEFAULT_ADDRESS}")
    return ServerAddress(host, int(port), tls)
