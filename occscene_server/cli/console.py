"""What the commands share: how user errors look, and how to reach a server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from occscene_server.api.access import read_token
from occscene_server.api.client import SceneClient, ServerError
from occscene_server.terminal import complain
from occscene_server.terminal import console as console

ServerAddress = Annotated[str, typer.Option(envvar="OCCSCENE_SERVER", help="host:port of the server.")]
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

DEFAULT_ADDRESS = "127.0.0.1:50051"


@contextlib.contextmanager
def user_errors() -> Iterator[None]:
    """Prints what is wrong with the user's input, or what a server answered, and ends with status 1."""
    try:
        yield
    except (ValueError, OSError, ServerError) as error:
        complain(str(error))
        raise typer.Exit(1) from error


def connect(address: str, token_file: Path | None, ca: Path | None, identity: Path | None) -> SceneClient:
    """A client with the token of a file.

    Raises:
        ValueError, OSError: the token file or the certificates cannot be used.
    """
    if identity is not None and ca is None:
        raise ValueError(f"--tls-identity is {identity}, but without --tls-ca there is no TLS; give both")
    if token_file is not None and not token_file.exists():
        raise ValueError(f"{token_file} does not exist; copy the token file of the server")
    return SceneClient(address, read_token(token_file) if token_file else None, ca, identity)
