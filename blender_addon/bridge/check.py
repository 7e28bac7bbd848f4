"""The connection to a server, checked step by step, so that the step that fails can be named."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

import occscene
from occscene.client.address import ServerAddress, parse_address
from occscene.client.errors import (
    CertificateError,
    NoServerError,
    OtherVersionError,
    PlaintextTokenError,
    SceneError,
    TokenError,
)
from occscene.client.waiting import Patience
from occscene.events import CLIENT_REASONS

from .remote_job import open_client
from .requests import info_head

STEPS = ("address", "tls", "token", "version", "model")
"""In the order in which they are taken; before them Blender itself checks whether it may go online."""

CONNECT_TIMEOUT = 5.0
"""Seconds to wait for the server to take a connection, and for its handshake."""


class StepFailedError(Exception):
    """A step of the connection to a server failed.

    Args:
        message: what happened.
        advice: what to do next.
    """

    def __init__(self, message: str, advice: str) -> None:
        super().__init__(message)
        self.message, self.advice = message, advice


def check_server(server: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Checks the connection to a server and yields a `step` event's fields for each step, up to the first that fails.

    Args:
        server: address, token and CA file.
    """
    step = "address"
    try:
        address = parse_address(server["address"])
        _connect(address).close()
        yield _passed("address", address.target)
        step = "tls"
        if address.tls:
            _handshake(address, server.get("ca_file", ""))
        try:
            with open_client(server, Patience(0.0)) as client:
                info = info_head(client.info())
        except SceneError as error:
            step, failure = _failed_step(error, address)
            if step != "tls":
                yield _tls_passed(address)
            if step == "version":
                yield _passed("token", "accepted")
            raise failure from error
        yield _tls_passed(address)
        step = "token"
        yield _passed("token", "accepted" if server.get("token") else "none needed")
        step = "version"
        check_version(info["version"])
        yield _passed("version", info["version"])
        step = "model"
        yield _model(info)
    except ValueError as error:
        yield _failed(step, str(error), CLIENT_REASONS["BAD_ADDRESS"].advice)
    except StepFailedError as failure:
        yield _failed(step, failure.message, failure.advice)


def check_version(theirs: str) -> None:
    """Compares a server's version with ours; versions of the same major and minor number understand each other.

    Raises:
        StepFailedError: they differ; the advice says which side to update.
    """
    ours = occscene.__version__
    if _release(ours) == _release(theirs):
        return
    side = "extension" if _release(ours) < _release(theirs) else "server"
    raise StepFailedError(f"the server is version {theirs}, the extension is {ours}", f"Update the {side}.")


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2])


def _connect(address: ServerAddress) -> socket.socket:
    try:
        return socket.create_connection((address.host, address.port), timeout=CONNECT_TIMEOUT)
    except socket.gaierror as error:
        raise StepFailedError(f"no machine is called {address.host}", "Correct the server address.") from error
    except ConnectionRefusedError as error:
        advice = "Start occscene-server there, or correct the port."
        raise StepFailedError(f"nothing listens at {address.target}", advice) from error
    except OSError as error:
        advice = "Check the address, the network, and firewalls on the way."
        raise StepFailedError(f"{address.target} does not answer: {error}", advice) from error


def _handshake(address: ServerAddress, ca_file: str) -> None:
    """A TLS handshake of our own, because grpc does not say what went wrong in its."""
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except (OSError, ssl.SSLError) as error:
        raise StepFailedError(f"the CA file cannot be used: {error}", "Choose another one.") from error
    context.set_alpn_protocols(["h2"])
    try:
        with _connect(address) as plain, context.wrap_socket(plain, server_hostname=address.host):
            pass
    except ssl.SSLCertVerificationError as error:
        advice = "If the server has a certificate of its own, choose its authority as the CA file."
        raise StepFailedError(f"the certificate is not trusted: {error.verify_message}", advice) from error
    except OSError as error:  # ssl.SSLError is one
        advice = f"If the server has no TLS, use grpc://{address.target}."
        why = (error.reason if isinstance(error, ssl.SSLError) else error.strerror) or type(error).__name__
        why = why.replace("_", " ").lower()
        raise StepFailedError(f"no TLS connection to {address.target}: {why}", advice) from error


def _speaks_tls(address: ServerAddress) -> bool:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    try:
        with _connect(address) as plain, context.wrap_socket(plain):
            return True
    except (StepFailedError, OSError):
        return False


def _failed_step(error: SceneError, address: ServerAddress) -> tuple[str, StepFailedError]:
    """The step at which a call failed, and why."""
    failure = StepFailedError(error.message, error.advice)
    if isinstance(error, (TokenError, PlaintextTokenError)):
        return "token", failure
    if isinstance(error, CertificateError):
        return "tls", failure
    if isinstance(error, OtherVersionError):
        return "version", failure
    if not address.tls and isinstance(error, NoServerError) and _speaks_tls(address):
        return "tls", StepFailedError(f"{address.target} asks for TLS", f"Use grpcs://{address.target}.")
    if address.tls and isinstance(error, NoServerError):
        return "tls", failure
    advice = "Check that it is occscene-server that listens there."
    return "address", StepFailedError(f"{address.target} is no OccScene server: {error.message}", advice)


def _model(info: dict[str, Any]) -> dict[str, Any]:
    """The last step: what the server says of its model."""
    if info["state"] == "failed":
        return _failed("model", f"the server cannot load its model: {info['message']}", "See the server's log.")
    if info["state"] == "loading":
        return {**_passed("model", "loading; jobs wait until it is ready"), "is_loading": True, "info": info}
    names = ", ".join(PurePath(model["name"]).name for model in info["models"])  # some are paths on the server
    return {**_passed("model", f"{names} on {info['device']}"), "info": info}


def _tls_passed(address: ServerAddress) -> dict[str, Any]:
    return _passed("tls", "encrypted" if address.tls else "not used")


def _passed(step: str, message: str) -> dict[str, Any]:
    return {"event": "step", "step": step, "is_good": True, "message": message, "advice": ""}


def _failed(step: str, message: str, advice: str) -> dict[str, Any]:
    return {"event": "step", "step": step, "is_good": False, "message": message, "advice": advice}
