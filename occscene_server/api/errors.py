"""Errors as clients see them: google.rpc.Status with ErrorInfo, and what else fits the code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from occscene_server.api.violations import FieldViolation

DOMAIN = "occscene"
# Trailers are limited to 8 KB. The message travels twice, once with three bytes for each that is not ASCII; details
# travel in base64.
_MAX_TEXT_BYTES = 300
_MAX_DETAIL_BYTES = 4200


async def abort(
    context: grpc.aio.ServicerContext[Any, Any], code: grpc.StatusCode, reason: str, message: str, *details: Message
) -> NoReturn:
    """Ends a call with a code, a reason for programs (capitals, underscores) and a message for people."""
    info = error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN)
    packed = []
    for detail in (info, *details):
        packed.append(any_pb2.Any())
        packed[-1].Pack(detail)
    status = status_pb2.Status(code=code.value[0], message=_clipped(message), details=packed)
    answer = rpc_status.to_status(status)
    await context.abort(code, answer.details, answer.trailing_metadata)


async def abort_invalid(context: grpc.aio.ServicerContext[Any, Any], violations: Sequence[FieldViolation]) -> NoReturn:
    """Ends a call whose request is wrong, and names each wrong field."""
    detail = bad_request(violations)
    listed, all_ = len(detail.field_violations), len(violations)
    count = f"{all_} fields are wrong" + (f" (the first {listed} are listed)" if listed < all_ else "")
    text = violations[0].description if all_ == 1 else f"{count}; first: {violations[0].description}"
    await abort(context, grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", text, detail)


def bad_request(violations: Sequence[FieldViolation]) -> error_details_pb2.BadRequest:
    """The detail that names each wrong field, as many as fit into the trailers of a call."""
    detail = error_details_pb2.BadRequest()
    for violation in violations:
        detail.field_violations.add(field=violation.field[:100], description=_clipped(violation.description))
        if detail.ByteSize() > _MAX_DETAIL_BYTES:
            del detail.field_violations[-1]
            break
    return detail


def _clipped(text: str) -> str:
    """The text, at most `_MAX_TEXT_BYTES` long in UTF-8, on one line."""
    data = " ".join(text.split()).encode("utf-8", "replace")
    whole = data.decode()
    return whole if len(data) <= _MAX_TEXT_BYTES else data[: _MAX_TEXT_BYTES - 4].decode("utf-8", "ignore") + " ..."


def retry_after(seconds: int) -> error_details_pb2.RetryInfo:
    """The detail that says when another try makes sense."""
    return error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=seconds))
