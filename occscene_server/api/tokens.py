"""Tokens: what clients show, whose they are, and the file that holds them.

A file has one token for all, or a line `NAME TOKEN` for each client; `#` begins a comment. Clients with names of their
own see, cancel and delete only their own jobs; the one that is called `admin` those of all.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import grpc

from occscene_server.api.errors import abort
from occscene_server.jobs.callers import Caller

ADMIN = "admin"
"""The client that sees the jobs of all."""

Tokens = Mapping[str, str]
"""The token of each client by its name; that of a token for all is ""."""

_OPEN_METHODS = "/grpc.health.v1.Health/"
_TOKEN = re.compile(r"[\w.~+/=-]{16,}", re.ASCII)  # what a bearer token may hold: RFC 6750, section 2.1
_NAME = re.compile(r"[\w.@-]{1,50}")


def create_token(path: Path) -> None:
    """Writes a random token into a new file that only its owner may read.

    Raises:
        OSError: the file is there already, or cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(secrets.token_urlsafe(32) + "\n")


def read_tokens(path: Path) -> Tokens:
    """Reads the tokens from a file that only its owner may read.

    Raises:
        OSError: there is no such file.
        ValueError: others may read the file, or what it holds are no tokens; the message quotes none.
    """
    if path.is_dir():
        raise ValueError(f"{path} is a folder; give the token's file")
    if os.name == "posix" and path.stat().st_mode & 0o077:
        raise ValueError(f"{path} can be read by others; run: chmod 600 {path}")
    lines = path.read_bytes().decode("utf-8", "replace").splitlines()
    rows = {number: words for number, line in enumerate(lines, 1) if (words := line.partition("#")[0].split())}
    tokens: dict[str, str] = {}
    for number, words in rows.items():
        name, token = ("", words[0]) if len(words) == len(rows) == 1 else (words[0], words[-1])
        if not _TOKEN.fullmatch(token):
            must = "it must be 16 or more of the characters A-Z a-z 0-9 - . _ ~ + / ="
            raise ValueError(f"{path} holds no token in line {number}: {must}")
        if len(rows) > 1 and len(words) == 1:
            raise ValueError(f"{path} has several tokens, and that of line {number} has no name; write NAME TOKEN")
        if len(words) > 2 or (name and not _NAME.fullmatch(name)):
            must = "NAME TOKEN, a name of 1 to 50 letters, digits and . _ @ -"
            raise ValueError(f"{path} has another text in line {number}; it must be {must}")
        if name in tokens or token in tokens.values():
            raise ValueError(f"{path} has a name or a token of line {number} twice; each client needs its own")
        tokens[name] = token
    if not tokens:
        raise ValueError(f"{path} holds no token: write one of 16 or more characters into it")
    return tokens


def read_token(path: Path) -> str:
    """Reads the one token of a client's file.

    Raises:
        OSError, ValueError: as of `read_tokens`, or the file has several.
    """
    tokens = read_tokens(path)
    if len(tokens) > 1:
        raise ValueError(f"{path} has the tokens of {len(tokens)} clients; give a file with the line of one")
    return next(iter(tokens.values()))


class Clients:
    """Who may ask, and who asks.

    Args:
        tokens: what clients must send; none let everybody in.
    """

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens

    def name(self, metadata: Any) -> str | None:
        """Whose token a call carries; None where it carries none of them. Takes the same time for all."""
        given = dict(metadata or ()).get("authorization", "")
        given = given.encode() if isinstance(given, str) else given
        found = None
        for name, token in self.tokens.items():
            if hmac.compare_digest(given, f"Bearer {token}".encode()):
                found = name
        return found

    def caller(self, context: grpc.aio.ServicerContext[Any, Any]) -> Caller:
        """Who makes a call that was let in: clients without names are told apart by their addresses."""
        name = self.name(context.invocation_metadata())
        if name:
            return Caller(name, sees_all=name == ADMIN)
        return Caller(_host(context.peer()))


def _host(peer: str) -> str:
    """The address in `ipv4:127.0.0.1:50052` or `ipv6:%5B::1%5D:50052`."""
    return unquote(peer.partition(":")[2].rpartition(":")[0]).strip("[]")


class TokenInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]
    """Lets calls pass that carry `authorization: Bearer TOKEN`; the health service is open to all."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        # A handler of streams is called before any message is read, so none is.
        self._missing = grpc.stream_stream_rpc_method_handler(partial(_refuse, "this server needs a token"))
        self._wrong = grpc.stream_stream_rpc_method_handler(partial(_refuse, "this server does not know this token"))

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        """Chooses the method's own handler, or one that refuses."""
        is_open = handler_call_details.method.startswith(_OPEN_METHODS)
        metadata = handler_call_details.invocation_metadata
        if not is_open and self._clients.name(metadata) is None:
            return self._wrong if "authorization" in dict(metadata or ()) else self._missing
        return await continuation(handler_call_details)


async def _refuse(text: str, requests: object, context: grpc.aio.ServicerContext[Any, Any]) -> None:
    await abort(context, grpc.StatusCode.UNAUTHENTICATED, "TOKEN_MISSING_OR_WRONG", text)
