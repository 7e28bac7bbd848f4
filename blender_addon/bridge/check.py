"""The connection to a server, checked step by step, so that the step that fails can be named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

import occscene
from occscene.client.address import ServerAddress, parse_address
from occscene.client.errors import (
    CertificateError,
    ClientCertificateError,
    ConnectionLostError,
    NoTlsError,
    OtherVersionError,
    PlaintextTokenError,
    SceneError,
    ServerCertificateError,
    TlsExpectedError,
    TokenError,
)
from occscene.client.waiting import Patience
from occscene.events import CLIENT_REASONS

from .remote_job import open_client
from .requests import info_head

STEPS = ("address", "tls", "token", "version", "model")
"""In the order in which they are taken; before them Blender itself checks whether it may go online."""


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
        with open_client(server, Patience(0.0)) as client:
            info = info_head(client.info())
        step = "version"
        check_version(info["version"])
        yield from _passed_before("model", address, server)
        yield _model(info)
    except SceneError as error:
        step, failure = _failed_step(error, address)
        yield from _passed_before(step, address, server)
        yield _failed(step, failure.message, failure.advice)
    except ValueError as error:
        yield _failed(step, str(error), CLIENT_REASONS["BAD_ADDRESS"].advice)
    except StepFailedError as failure:
        yield from _passed_before(step, address, server)
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


def _failed_step(error: SceneError, address: ServerAddress) -> tuple[str, StepFailedError]:
    """The step at which a call failed, and why."""
    failure = StepFailedError(error.message, error.advice)
    if isinstance(error, (TokenError, PlaintextTokenError)):
        return "token", failure
    if isinstance(
        error, (CertificateError, ServerCertificateError, ClientCertificateError, TlsExpectedError, NoTlsError)
    ):
        return "tls", failure
    if isinstance(error, OtherVersionError):
        return "version", failure
    if isinstance(error, ConnectionLostError):
        return "address", failure
    advice = "Check that it is occscene-server that listens there."
    return "address", StepFailedError(f"{address.target} is no OccScene server: {error.message}", advice)


def _passed_before(step: str, address: ServerAddress, server: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The steps that come before one, all of them good."""
    messages = {
        "address": address.target,
        "tls": "encrypted" if address.tls else "not used",
        "token": "accepted" if server.get("token") else "none needed",
        "version": occscene.__version__,
    }
    for name in STEPS[: STEPS.index(step)]:
        yield _passed(name, messages[name])


def _model(info: dict[str, Any]) -> dict[str, Any]:
    """The last step: what the server says of its model."""
    if info["state"] == "failed":
        return _failed("model", f"the server cannot load its model: {info['message']}", "See the server's log.")
    if info["state"] == "loading":
        return {**_passed("model", "loading; jobs wait until it is ready"), "is_loading": True, "info": info}
    names = ", ".join(dict.fromkeys(PurePath(model["name"]).name for model in info["models"]))  # some are paths
    return {**_passed("model", f"{names} on {info['device']}"), "info": info}


def _passed(step: str, message: str) -> dict[str, Any]:
    return {"event": "step", "step": step, "is_good": True, "message": message, "advice": ""}


def _failed(step: str, message: str, advice: str) -> dict[str, Any]:
    return {"event": "step", "step": step, "is_good": False, "message": message, "advice": advice}
