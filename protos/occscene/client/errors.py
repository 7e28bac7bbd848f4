"""What a client raises:

    SceneError
      * SetupError               nothing was sent
          - AddressError           BAD_ADDRESS
          - CertificateError       BAD_CERTIFICATE
          - PlaintextTokenError    TLS_NEEDED
          - RequestTooLargeError   REQUEST_TOO_LARGE
          - UnableError            the server's models cannot do it
              . NoDraftsError        NO_DRAFTS
              . NoLayoutPriorError   NO_LAYOUT_PRIOR
              . NoPartsPriorError    NO_PARTS_PRIOR
              . NoStartViewsError    NO_START_VIEWS
              . UnknownDomainError   UNKNOWN_DOMAIN
      * ConnectionLostError      no answer came; whether the request arrived is not known
          - NoServerError          NO_SERVER
          - NoAnswerError          NO_ANSWER
          - ProxyError             PROXY_FAILED
          - UnreachableError       waiting does not help
              . UnknownHostError       UNKNOWN_HOST
              . ServerCertificateError SERVER_CERTIFICATE
              . ClientCertificateError CLIENT_CERTIFICATE
              . TlsExpectedError       TLS_EXPECTED
              . NoTlsError             NO_TLS
      * RefusedError             the server answered with a reason, `ErrorInfo.reason`
          - InvalidRequestError    INVALID_REQUEST
          - MalformedRequestError  MALFORMED_REQUEST
          - RequestTooSlowError    REQUEST_TOO_SLOW
          - TokenError             TOKEN_MISSING_OR_WRONG
          - TooManyStreamsError    TOO_MANY_STREAMS
          - JobNotFoundError       JOB_NOT_FOUND
          - JobActiveError         JOB_ACTIVE
          - RequestIdUsedError     REQUEST_ID_USED
          - QueueFullError         QUEUE_FULL
          - StoreFullError         STORE_FULL
          - StoreFailedError       STORE_FAILED
          - DataLossError          DATA_LOSS
          - ModelNotLoadedError    MODEL_NOT_LOADED
          - ShuttingDownError      SHUTTING_DOWN
          - OtherVersionError      OTHER_VERSION
      * JobError                 the job ended without a result
          - JobFailedError         the reason of the job's failure
          - JobCancelledError      CANCELLED
          - NoEndError             NO_END
      * StoppedError             STOPPED

A refusal for a reason that this version does not know is a RefusedError with that reason. What to do about each comes
from `occscene.events`.
"""

from __future__ import annotations

from typing import Any, ClassVar

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from occscene.events import advice_on, in_words
from occscene.v1 import job_pb2


class SceneError(Exception):
    """Base of all.

    Args:
        message: what happened.
        advice: what to do next; that of the reason where absent.

    Attributes:
        reason: a fixed word, see `occscene.events`.
        retry_after: seconds after which another try makes sense, as the server said; None where it did not.
    """

    reason: str = ""

    def __init__(self, message: str, advice: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice_on(self.reason) if advice is None else advice
        self.retry_after: float | None = None

    def __str__(self) -> str:
        """What happened and what to do next."""
        return in_words(self.message, self.advice)


class SetupError(SceneError):
    """Nothing was sent."""


class AddressError(SetupError, ValueError):
    """The server's address cannot be read."""

    reason = "BAD_ADDRESS"


class CertificateError(SetupError):
    """A file of certificates or keys cannot be read, or is no PEM file."""

    reason = "BAD_CERTIFICATE"


class PlaintextTokenError(SetupError):
    """A token would travel to another machine unencrypted."""

    reason = "TLS_NEEDED"


class RequestTooLargeError(SetupError):
    """The request has more bytes than a message may."""

    reason = "REQUEST_TOO_LARGE"


class UnableError(SetupError):
    """No model of the server can do what is asked."""


class NoDraftsError(UnableError):
    """None draws drafts."""

    reason = "NO_DRAFTS"


class NoLayoutPriorError(UnableError):
    """None has a layout prior."""

    reason = "NO_LAYOUT_PRIOR"


class NoPartsPriorError(UnableError):
    """None has a prior for parts."""

    reason = "NO_PARTS_PRIOR"


class NoStartViewsError(UnableError):
    """None begins at given views."""

    reason = "NO_START_VIEWS"


class UnknownDomainError(UnableError):
    """None knows the domain."""

    reason = "UNKNOWN_DOMAIN"


class ConnectionLostError(SceneError):
    """No answer came within the client's patience; whether the request arrived is not known."""


class NoServerError(ConnectionLostError):
    """No server listens at the address, or the connection broke."""

    reason = "NO_SERVER"


class NoAnswerError(ConnectionLostError):
    """The server did not answer in time."""

    reason = "NO_ANSWER"


class ProxyError(ConnectionLostError):
    """The proxy on the way to the server does not lead there."""

    reason = "PROXY_FAILED"


class UnreachableError(ConnectionLostError):
    """No connection can be made, and none will be by waiting."""


class UnknownHostError(UnreachableError):
    """No machine has the name."""

    reason = "UNKNOWN_HOST"


class ServerCertificateError(UnreachableError):
    """The server's certificate is not trusted, for another name, or out of date."""

    reason = "SERVER_CERTIFICATE"


class ClientCertificateError(UnreachableError):
    """The server asks for a client's certificate and got none, or one that it does not accept."""

    reason = "CLIENT_CERTIFICATE"


class TlsExpectedError(UnreachableError):
    """The server speaks TLS only."""

    reason = "TLS_EXPECTED"


class NoTlsError(UnreachableError):
    """The server does not speak TLS."""

    reason = "NO_TLS"


class RefusedError(SceneError):
    """The server refused the call; `reason` says why.

    Args:
        message: the server's.
        reason: of the class where absent.
    """

    by_reason: ClassVar[dict[str, type[RefusedError]]] = {}

    def __init__(self, message: str, reason: str = "") -> None:
        if reason:
            self.reason = reason
        super().__init__(message)

    def __init_subclass__(cls) -> None:
        """Keeps the class under its reason."""
        cls.by_reason[cls.reason] = cls


class InvalidRequestError(RefusedError):
    """A field of the request is wrong.

    Attributes:
        violations: the wrong fields' paths and what is wrong with each, as many as the server named.
    """

    reason = "INVALID_REQUEST"
    violations: tuple[tuple[str, str], ...] = ()


class MalformedRequestError(RefusedError):
    """The bytes are no request of this method."""

    reason = "MALFORMED_REQUEST"


class RequestTooSlowError(RefusedError):
    """The request did not arrive in time."""

    reason = "REQUEST_TOO_SLOW"


class TokenError(RefusedError):
    """The call carries no token, or another than the server's."""

    reason = "TOKEN_MISSING_OR_WRONG"


class TooManyStreamsError(RefusedError):
    """The connection, or the server, has as many open streams as it may."""

    reason = "TOO_MANY_STREAMS"


class JobNotFoundError(RefusedError):
    """The server has no such job."""

    reason = "JOB_NOT_FOUND"


class JobActiveError(RefusedError):
    """The job has not ended."""

    reason = "JOB_ACTIVE"


class RequestIdUsedError(RefusedError):
    """Something else was asked under the same request id."""

    reason = "REQUEST_ID_USED"


class QueueFullError(RefusedError):
    """As many jobs wait as may."""

    reason = "QUEUE_FULL"


class StoreFullError(RefusedError):
    """The server's store has no room."""

    reason = "STORE_FULL"


class StoreFailedError(RefusedError):
    """The server's store cannot be read or written."""

    reason = "STORE_FAILED"


class DataLossError(RefusedError):
    """What the server has stored of the job is damaged or missing."""

    reason = "DATA_LOSS"


class ModelNotLoadedError(RefusedError):
    """The server cannot load its model."""

    reason = "MODEL_NOT_LOADED"


class ShuttingDownError(RefusedError):
    """The server is about to end."""

    reason = "SHUTTING_DOWN"


class OtherVersionError(RefusedError):
    """The server does not have the method, or the field."""

    reason = "OTHER_VERSION"


class JobError(SceneError):
    """The job ended without a result."""


class JobFailedError(JobError):
    """The job failed; message, reason and advice are the server's."""

    def __init__(self, failure: job_pb2.JobFailure) -> None:
        self.reason = failure.reason
        super().__init__(f"the job failed: {failure.message}", failure.advice or None)


class JobCancelledError(JobError):
    """The job was cancelled."""

    reason = "CANCELLED"

    def __init__(self) -> None:
        super().__init__("the job was cancelled")


class NoEndError(JobError):
    """The server ends the job's events without a final one."""

    reason = "NO_END"


class StoppedError(SceneError):
    """`SceneClient.stop` was called; the job goes on."""

    reason = "STOPPED"


def error_of_call(error: grpc.RpcError, address: str) -> SceneError:
    """What a failed call means.

    Args:
        error: as grpc raised it.
        address: of the server, for people.
    """
    code, details = error.code(), error.details() or error.code().name
    try:
        status = rpc_status.from_call(error)  # type: ignore[arg-type]  # a failed call is both
    except ValueError:  # a status that contradicts the code: some proxy's
        status = None
    if status is None:
        return _unanswered(code, details, address)
    info, bad, retry = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest(), error_details_pb2.RetryInfo()
    present: set[Any] = set()
    for detail in status.details:
        present |= {type(kind) for kind in (info, bad, retry) if detail.Unpack(kind)}
    refusal = RefusedError.by_reason.get(info.reason, RefusedError)
    violations = tuple((item.field, item.description) for item in bad.field_violations)
    named = "\n".join(f"{field}: {description}" if field else description for field, description in violations)
    refused = refusal(named or status.message or code.name, info.reason or code.name)
    if isinstance(refused, InvalidRequestError):
        refused.violations = violations
    if type(retry) in present:
        refused.retry_after = retry.retry_delay.ToTimedelta().total_seconds()
    return refused


def _unanswered(code: grpc.StatusCode, details: str, address: str) -> SceneError:
    """A failure of which the server itself says nothing."""
    if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
        return NoServerError(f"no server answers at {address} ({details})")
    if code is grpc.StatusCode.DEADLINE_EXCEEDED:
        return NoAnswerError(f"the server at {address} has not answered in time")
    if code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):  # some proxy's
        return TokenError(f"the server at {address} does not allow this ({details})")
    if code is grpc.StatusCode.UNIMPLEMENTED:
        return OtherVersionError(f"the server at {address} does not know this call ({details})")
    return RefusedError(f"{code.name}: {details}", code.name)
