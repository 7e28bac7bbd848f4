"""What the ends of jobs and the refusals of calls are called, and what to do about each: the one place for advice.

`REASONS` is the table of `scene_service.proto`: what a server sends as `ErrorInfo.reason` of a call or as
`JobFailure.reason` of a job that failed. `CLIENT_REASONS` are those that only a client finds.
"""

from __future__ import annotations

from dataclasses import dataclass

FINAL_EVENTS = frozenset({"succeeded", "failed", "cancelled"})
"""Kinds of `JobEvent` that no other follows."""


@dataclass(frozen=True)
class Reason:
    """Why a call was refused, or a job failed.

    Args:
        meaning: what happened.
        advice: what to do next.
        retry: whether the same request may succeed later: after the delay of `RetryInfo` where the server sends one.
    """

    meaning: str
    advice: str
    retry: bool = False


REASONS = {
    "INVALID_REQUEST": Reason(
        "A field of the request is wrong; BadRequest names each.", "Correct the fields that are named."
    ),
    "MALFORMED_REQUEST": Reason("The bytes are no request of this method.", "Use a client of the server's version."),
    "REQUEST_TOO_SLOW": Reason(
        "The request did not arrive in time.", "Send it again, over a faster connection or without its mesh.", True
    ),
    "TOKEN_MISSING_OR_WRONG": Reason(
        "The call carries no token, or another than the server's.",
        "Give the server's token: in Blender in the preferences, on the command line with --token-file.",
    ),
    "TOO_MANY_STREAMS": Reason(
        "The connection, or the server, has as many open streams as it may.",
        "End other programs that watch jobs, or wait until some have ended.",
        True,
    ),
    "JOB_NOT_FOUND": Reason(
        "The server has no such job: it was deleted, or never accepted.", "Send its request again."
    ),
    "JOB_ACTIVE": Reason("The job is queued or runs.", "Cancel it first, or wait until it has ended."),
    "REQUEST_ID_USED": Reason(
        "Something else was asked under the same request id.", "Send the request under an id of its own."
    ),
    "QUEUE_FULL": Reason(
        "As many jobs wait as may.", "Wait until some have ended, or cancel jobs that nobody needs.", True
    ),
    "STORE_FULL": Reason(
        "The server's store, or the disk that it lies on, has no room.",
        "Free space on the server's disk, or delete jobs there (occscene-server jobs delete).",
        True,
    ),
    "STORE_FAILED": Reason(
        "The server's store cannot be read or written.",
        "See the server's log, and mend the disk of its store.",
        True,
    ),
    "DATA_LOSS": Reason(
        "What the server has stored of the job is damaged or missing.", "Delete the job and send its request again."
    ),
    "MODEL_NOT_LOADED": Reason(
        "The server cannot load its model; it tries again from time to time.",
        "See the server's log, and start it with a model that it can load (occscene-server serve --model).",
        True,
    ),
    "SHUTTING_DOWN": Reason(
        "The server is about to end; jobs that it has accepted are kept.",
        "Start the server again (occscene-server serve), or wait until someone has.",
        True,
    ),
    "UNSUPPORTED_REQUEST": Reason("The model cannot do what was asked.", "Change the request and send it again."),
    "PIPELINE_ERROR": Reason("The model failed.", "See the server's log."),
    "OUT_OF_MEMORY": Reason(
        "The device, or the machine, had too little memory.",
        "Use fewer cameras, smaller images or a smaller grid, or give the server's machine more memory.",
    ),
    "WORKER_DIED": Reason(
        "What ran the job died, and so it did when the job ran once more.",
        "See the server's log, and send the request again.",
        True,
    ),
    "DEVICE_LOST": Reason(
        "The device failed, and so it did when the job ran once more.",
        "Look for the device in the system's log and with its own tool (nvidia-smi), then send the request again.",
        True,
    ),
    "STEP_TIMEOUT": Reason(
        "The job made no progress, and so it was when it ran once more.",
        "Send the request again; where a step takes that long, start the server with more --step-minutes.",
        True,
    ),
    "JOB_TIMEOUT": Reason(
        "The job had not ended when its request's timeout was over.",
        "Send the request again with a longer timeout, or when fewer jobs wait.",
        True,
    ),
    "SERVER_RESTARTED": Reason(
        "The server or its worker died each time that the job ran.",
        "See the server's log, or send a smaller request.",
        True,
    ),
    "INTERNAL": Reason("A fault of the server.", "See the server's log."),
}
"""What a server sends."""

CLIENT_REASONS = {
    "BAD_ADDRESS": Reason("The server's address cannot be read.", "Correct the server's address."),
    "BAD_CERTIFICATE": Reason("A file of certificates cannot be used.", "Choose another file (PEM)."),
    "TLS_NEEDED": Reason(
        "A token would travel unencrypted.", "Start the server with TLS, and begin its address with grpcs://."
    ),
    "NO_SERVER": Reason(
        "No server answers at the address.",
        "Check that the address is right and that the server runs there; start one with occscene-server serve.",
        True,
    ),
    "PROXY_FAILED": Reason(
        "The proxy on the way to the server does not lead there.",
        "Correct the variable, or name the server's host in no_proxy.",
        True,
    ),
    "UNKNOWN_HOST": Reason("No machine has the name.", "Correct the server's address."),
    "SERVER_CERTIFICATE": Reason(
        "The server's certificate is not trusted, for another name, or out of date.",
        "Give the authority that signed it: in Blender in the preferences, on the command line with --tls-ca.",
    ),
    "CLIENT_CERTIFICATE": Reason(
        "The server asks for a client's certificate and got none, or one that it does not accept.",
        "Give a certificate that the server's owner has signed, on the command line with --tls-identity.",
    ),
    "TLS_EXPECTED": Reason("The server speaks TLS only.", "Begin the server's address with grpcs://."),
    "NO_TLS": Reason("The server does not speak TLS.", "Begin the server's address with grpc://."),
    "NO_ANSWER": Reason("The server did not answer in time.", "It may be busy or out of reach: try again.", True),
    "OTHER_VERSION": Reason(
        "The server does not know what is asked of it.", "Update the server or the client, whichever is older."
    ),
    "REQUEST_TOO_LARGE": Reason(
        "The request has more bytes than a message may.", "Use fewer or smaller images, a smaller grid, or no mesh."
    ),
    "NO_DRAFTS": Reason("The model draws no drafts.", "Set the quality to Full, or use a model that draws drafts."),
    "NO_LAYOUT_PRIOR": Reason("The model has no layout prior.", "Update the server, or use a model that has one."),
    "NO_PARTS_PRIOR": Reason("The model has no prior for parts.", "Update the server, or use a model that has one."),
    "NO_START_VIEWS": Reason(
        "The model cannot begin at given views, or keep some.", "Set Start From to Nothing, or update the server."
    ),
    "UNKNOWN_DOMAIN": Reason(
        "The model does not know the scene's domain.",
        "Choose the other domain, or a server whose model knows this one.",
    ),
    "NO_END": Reason("The server does not say how the job ended.", "Ask for the job again."),
    "CANCELLED": Reason("The job was cancelled.", "Send its request again if it is needed after all."),
    "STOPPED": Reason("The wait for the answer was stopped.", ""),
}
"""Reasons that a client detects by itself."""


def advice_on(reason: str) -> str:
    """What to do about a reason, "" for one that this version does not know."""
    known = REASONS.get(reason) or CLIENT_REASONS.get(reason)
    return known.advice if known else ""


def in_words(message: str, advice: str) -> str:
    """What happened and what to do next, as sentences; either may be empty."""
    happened = message if not message or message[-1] in ".!?" else f"{message}."
    return " ".join(part for part in (happened, advice) if part)
