"""What goes wrong between Blender and the server, in words for the artist."""

from __future__ import annotations

from typing import Any

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

_ADVICE = {
    grpc.StatusCode.UNAVAILABLE: "Check that occscene-server runs there and that the address in the preferences is "
    "right.",
    grpc.StatusCode.DEADLINE_EXCEEDED: "The server did not answer in time; it may be busy or out of reach. Try again.",
    grpc.StatusCode.UNAUTHENTICATED: "Choose the server's token file in the preferences.",
    grpc.StatusCode.PERMISSION_DENIED: "The server knows the token but does not allow this; ask whoever runs it.",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "The server's queue is full: try again in a moment.",
    grpc.StatusCode.NOT_FOUND: "The server no longer has this job: generate again.",
    grpc.StatusCode.UNIMPLEMENTED: "The server is of another version: update the server or the extension.",
}


class Failure(Exception):  # noqa: N818 - it travels as data
    """A failed command: a fixed word, what happened, what to do next, and whether the server may have the job."""

    def __init__(self, reason: str, message: str, advice: str = "", is_lost: bool = False) -> None:
        """Keeps what the event will say."""
        super().__init__(message)
        self.reason, self.message, self.advice, self.is_lost = reason, message, advice, is_lost

    def head(self) -> dict[str, Any]:
        """The fields of an error event."""
        return {"reason": self.reason, "message": self.message, "advice": self.advice, "is_lost": self.is_lost}


def failure_of(error: Exception, address: str) -> Failure:
    """Turns an exception into words; a gRPC error's details are used where the server gave some."""
    if not isinstance(error, grpc.RpcError):
        return Failure("BRIDGE_ERROR", f"{type(error).__name__}: {error}")
    code = error.code()
    reason, lines = code.name, [error.details() or code.name]
    status = rpc_status.from_call(error)  # type: ignore[arg-type]  # a failed call is both
    for detail in status.details if status else ():
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Unpack(info):
            reason = info.reason or reason
        elif detail.Unpack(bad):
            named = [f"{item.field}: {item.description}" for item in bad.field_violations]
            lines = [line for line in named if line not in lines[0]] and [lines[0], *named]
    message = "; ".join(lines or [error.details() or code.name])
    if code is grpc.StatusCode.UNAVAILABLE and status is None:
        message = f"no server answers at {address} ({message})"
    return Failure(reason, message, _ADVICE.get(code, ""))
