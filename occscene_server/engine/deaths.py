"""How a worker ended, and what that means for the job that it ran."""

from __future__ import annotations

import signal
from pathlib import Path

from google.rpc import code_pb2
from occscene.v1 import job_pb2

from occscene_server.engine.events import failed_event

_OWN_SIGNALS = ("SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL")  # what a process does wrong itself


class JobInterruptedError(Exception):
    """A job did not end because what ran it did.

    Args:
        failure: the event that it fails with unless it runs again.
        begun: whether it had begun, so that it may itself be the cause.
    """

    def __init__(self, failure: job_pb2.JobEvent, begun: bool = True) -> None:
        super().__init__(failure.failed.failure.message)
        self.failure = failure
        self.begun = begun


class DeviceLostError(Exception):
    """The device fails every further call of this process."""


def is_device_lost(error: BaseException) -> bool:
    """Whether an error of torch means that the process can no longer use its device."""
    if any(base.__name__ == "AcceleratorError" for base in type(error).__mro__):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in ("CUDA error:", "CUDA driver error"))


def device_lost(reason: str) -> job_pb2.JobEvent:
    """The failure of a job whose device was lost."""
    return failed_event("DEVICE_LOST", f"the device failed while it ran this job: {reason}")


def hung(seconds: float) -> job_pb2.JobEvent:
    """The failure of a job that made no progress."""
    time = f"{seconds / 60:g} minutes" if seconds >= 60 else f"{seconds:g} seconds"
    text = f"the job made no progress for {time}, and its worker was replaced"
    return failed_event("STEP_TIMEOUT", text, code_pb2.DEADLINE_EXCEEDED)


def worker_died(exit_code: int | None, kills_for_memory: int) -> job_pb2.JobEvent:
    """The failure of a job whose worker ended by itself or by a signal.

    Args:
        exit_code: as multiprocessing has it, negative for a signal; None where it is not known.
        kills_for_memory: processes that the system has ended for lack of memory while the worker lived.
    """
    if exit_code is None or exit_code >= 0:
        text = f"exit code {exit_code}"
    else:
        text = signal.Signals(-exit_code).name
        if text == "SIGKILL" and kills_for_memory:
            reason = f"the system ended the worker process ({text}) for lack of memory while it ran this job"
            return failed_event("OUT_OF_MEMORY", reason, code_pb2.RESOURCE_EXHAUSTED)
        text = f"it crashed with {text}" if text in _OWN_SIGNALS else f"{text} from outside"
    return failed_event("WORKER_DIED", f"the worker process died while it ran this job ({text})")


def kills_for_memory() -> int:
    """Processes of this machine that Linux has ended for lack of memory since it started; 0 where it does not say."""
    try:
        lines = Path("/proc/vmstat").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("oom_kill ")), 0)
