"""What the commands share: how user errors look, and how to reach a server."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from occscene.client.address import DEFAULT_ADDRESS as DEFAULT_ADDRESS
from occscene.client.address import parse_address
from occscene.client.client import SceneClient
from occscene.client.errors import SceneError
from occscene.client.waiting import OnWait

from occscene_server.api.tokens import read_token
from occscene_server.terminal import complain
from occscene_server.terminal import console as console

ServerAddress = Annotated[
    str, typer.Option(envvar="OCCSCENE_SERVER", help="host:port of the server; grpcs://host:port for TLS.")
]
TokenFile = Annotated[
    Path | None, typer.Option(envvar="OCCSCENE_TOKEN_FILE", help="File with the server's token, mode 0600.")
]
CaFile = Annotated[
    Path | None, typer.Option("--tls-ca", envvar="OCCSCENE_TLS_CA", help="Certificates to trust (PEM); turns TLS on.")
]
IdentityFile = Annotated[
    Path | None,
    typer.Option(
        "--tls-identity",
        envvar="OCCSCENE_TLS_IDENTITY",
        help="Own key and certificate in one file (PEM), for a server that asks for them; needs --tls-ca.",
    ),
]
WaitSeconds = Annotated[
    float,
    typer.Option(
        "--wait-seconds",
        envvar="OCCSCENE_WAIT_SECONDS",
        min=0,
        help="How long to wait for a server that is unreachable or asks for a later retry.",
    ),
]
DEFAULT_WAIT = 60.0


@contextlib.contextmanager
def user_errors() -> Iterator[None]:
    """Prints what is wrong with the user's input, or what a server answered, and ends with status 1."""
    try:
        yield
    except (ValueError, OSError, SceneError) as error:
        complain(str(error))
        raise typer.Exit(1) from error


def connect(
    address: str,
    token_file: Path | None,
    ca: Path | None,
    identity: Path | None,
    patience: float = 0.0,
    on_wait: OnWait = lambda error, seconds: None,
) -> SceneClient:
    """A client with the token of a file; `ca` turns TLS on.

    Raises:
        ValueError, OSError, SceneError: the address, the token file or the certificates cannot be used.
    """
    if token_file is not None and not token_file.exists():
        raise ValueError(f"{token_file} does not exist; copy the token file of the server")
    server = parse_address(address)
    if ca is not None:
        server = dataclasses.replace(server, tls=True)
    if identity is not None and not server.tls:
        way_out = "give --tls-ca too, or begin the address with grpcs://"
        raise ValueError(f"--tls-identity is {identity}, but the connection to {address} has no TLS; {way_out}")
    token = read_token(token_file) if token_file else ""
    return SceneClient(server, token, ca, identity, patience=patience, on_wait=on_wait)
