"""How a command reaches a server: the options for it, and the client that they make."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from occscene import tracing
from occscene.client.address import DEFAULT_ADDRESS, parse_address
from occscene.client.client import SceneClient
from occscene.client.waiting import OnWait

from occscene_server.api.tokens import read_token
from occscene_server.option_groups import in_place_of, option

_DEFAULT_WAIT = 60.0

_Address = Annotated[
    str, typer.Option(envvar="OCCSCENE_SERVER", help="host:port of the server; grpcs://host:port for TLS.")
]
_AddressOrHere = Annotated[
    str | None, typer.Option(envvar="OCCSCENE_SERVER", help="host:port; runs in this process if omitted.")
]
_ACCESS = [
    option(
        "token_file",
        Annotated[
            Path | None, typer.Option(envvar="OCCSCENE_TOKEN_FILE", help="File with the server's token, mode 0600.")
        ],
        None,
    ),
    option(
        "tls_ca",
        Annotated[
            Path | None, typer.Option(envvar="OCCSCENE_TLS_CA", help="Certificates to trust (PEM); turns TLS on.")
        ],
        None,
    ),
    option(
        "tls_identity",
        Annotated[
            Path | None,
            typer.Option(
                envvar="OCCSCENE_TLS_IDENTITY",
                help="Own key and certificate in one file (PEM), for a server that asks for them; needs --tls-ca.",
            ),
        ],
        None,
    ),
]
_WAIT = option(
    "wait_seconds",
    Annotated[
        float,
        typer.Option(
            envvar="OCCSCENE_WAIT_SECONDS",
            min=0,
            help="How long to wait for a server that is unreachable or asks for a later retry.",
        ),
    ],
    _DEFAULT_WAIT,
)


@dataclass(frozen=True)
class Connection:
    """Where a server is, and how to reach it.

    Args:
        server: host:port or grpcs://host:port; None where the command runs without a server.
        token_file: with the server's token.
        tls_ca: certificates to trust; turns TLS on.
        tls_identity: own key and certificate.
        wait_seconds: for which a server is waited for that is away.
    """

    server: str | None = DEFAULT_ADDRESS
    token_file: Path | None = None
    tls_ca: Path | None = None
    tls_identity: Path | None = None
    wait_seconds: float = 0.0

    def open(self, on_wait: OnWait = lambda error, seconds: None) -> SceneClient:
        """A client of the server.

        Raises:
            ValueError, OSError, SceneError: the address, the token file or the certificates cannot be used.
        """
        if self.server is None:
            raise ValueError("there is no server to connect to; give --server")
        if self.token_file is not None and not self.token_file.exists():
            raise ValueError(f"{self.token_file} does not exist; copy the token file of the server")
        address = parse_address(self.server)
        if self.tls_ca is not None:
            address = dataclasses.replace(address, tls=True)
        if self.tls_identity is not None and not address.tls:
            way_out = "give --tls-ca too, or begin the address with grpcs://"
            raise ValueError(
                f"--tls-identity is {self.tls_identity}, but the connection to {self.server} has no TLS; {way_out}"
            )
        tracing.configure("occscene-client")
        token = read_token(self.token_file) if self.token_file else ""
        return SceneClient(address, token, self.tls_ca, self.tls_identity, patience=self.wait_seconds, on_wait=on_wait)


LOCAL = Connection()
"""What a command is declared with; its options have the same defaults."""


def with_connection(waits: bool = False, or_here: bool = False) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Gives a command the options of a `Connection` in place of its parameter `connection`.

    Args:
        waits: whether it waits for a server that is away.
        or_here: whether it runs in its own process where no server is given.
    """
    address = option("server", _AddressOrHere, None) if or_here else option("server", _Address, DEFAULT_ADDRESS)
    return in_place_of("connection", [address, *_ACCESS, *([_WAIT] if waits else [])], Connection)
