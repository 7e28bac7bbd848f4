"""Errors as clients see them: google.rpc.Status with ErrorInfo, and what else fits the code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from occscene_server.api.validation import FieldViolation

DOMAIN = "occscene"
_MAX_TEXT = 300
_MAX_DETAIL_BYTES = 4500  # trailers are limited to 8 KB, and travel in base64


async def abort(
    context: grpc.aio.ServicerContext[Any, Any], code: grpc.StatusCode, reason: str, message: str, *details: Message
) -> NoReturn:
    """Ends a call with a code, a reason for programs (capitals, underscores) and a message for people."""
    info = error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN)
    packed = []
    for detail in (info, *details):
        packed.append(any_pb2.Any())
        packed[-1].Pack(detail)
    status = status_pb2.Status(code=code.value[0], message=message[:_MAX_TEXT], details=packed)
    answer = rpc_status.to_status(status)
    await context.abort(code, answer.details, answer.trailing_metadata)


def bad_request(violations: Sequence[FieldViolation]) -> error_details_pb2.BadRequest:
    """The detail that names each wrong field, as many as fit into the trailers of a call."""
    detail = error_details_pb2.BadRequest()
    for violation in violations:
        detail.field_violations.add(field=violation.field[:100], description=violation.description[:_MAX_TEXT])
        if detail.ByteSize() > _MAX_DETAIL_BYTES:
            del detail.field_violations[-1]
            break
    return detail


def retry_after(seconds: int) -> error_details_pb2.RetryInfo:
    """The detail that says when another try makes sense."""
    return error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=seconds))
