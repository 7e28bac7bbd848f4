"""Who may connect: addresses, tokens and TLS."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc

from occscene_server.api.errors import abort

_OPEN_METHODS = "/grpc.health.v1.Health/"


@dataclass(frozen=True)
class TlsFiles:
    """PEM files of the server's identity.

    Args:
        key: private key.
        certificate: certificate chain.
        client_ca: clients must show a certificate signed by one of these; None asks for none.
    """

    key: Path
    certificate: Path
    client_ca: Path | None = None

    def credentials(self) -> grpc.ServerCredentials:
        """What gRPC needs of them."""
        client_ca = self.client_ca.read_bytes() if self.client_ca else None
        return grpc.ssl_server_credentials(
            [(self.key.read_bytes(), self.certificate.read_bytes())], client_ca, client_ca is not None
        )


def is_loopback(host: str) -> bool:
    """Whether a host name or address can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_exposure(host: str, tls: TlsFiles | None, token: str | None) -> None:
    """Refuses an address that others can reach unless TLS and a token guard it.

    Raises:
        ValueError: they do not; the message says what to give.
    """
    missing = [name for name, given in (("--tls-key and --tls-certificate", tls), ("--token-file", token)) if not given]
    if missing and not is_loopback(host):
        raise ValueError(
            f"{host} can be reached from other machines, which needs {' and '.join(missing)}; "
            "or listen on 127.0.0.1 and reach it through an SSH tunnel"
        )


def read_token(path: Path) -> str:
    """Reads the token from a file that only its owner may read; where there is none, writes one with a random token.

    Raises:
        ValueError: others may read the file, or the token has fewer than 16 characters.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(32) + "\n", encoding="ascii")
    if path.stat().st_mode & 0o077:
        raise ValueError(f"{path} can be read by others; run: chmod 600 {path}")
    token = path.read_text(encoding="ascii").strip()
    if len(token) < 16:
        raise ValueError(f"the token in {path} has {len(token)} characters; it must have at least 16")
    return token


class TokenInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]
    """Lets calls pass that carry `authorization: Bearer TOKEN`; the health service is open to all."""

    def __init__(self, token: str) -> None:
        self._expected = f"Bearer {token}".encode()
        self._refusal = grpc.unary_unary_rpc_method_handler(_refuse)

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Chooses the method's own handler, or one that refuses."""
        if not handler_call_details.method.startswith(_OPEN_METHODS):
            metadata = dict(handler_call_details.invocation_metadata or ())
            given = metadata.get("authorization", "")
            if not hmac.compare_digest(given.encode() if isinstance(given, str) else given, self._expected):
                return self._refusal
        return await continuation(handler_call_details)


async def _refuse(request: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> None:
    text = "this server needs a token: send the metadata 'authorization: Bearer TOKEN' with the token of its file"
    await abort(context, grpc.StatusCode.UNAUTHENTICATED, "TOKEN_MISSING_OR_WRONG", text)
