"""Blender's end of the pipes: starts the child and exchanges messages without ever waiting."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from .messages import Message, MessageDecoder, encode_message
from .pipes import prepare_reading, prepare_writing, read_available, write_available

_BOOTSTRAP = (
    "import sys, types; folder, *sys.path[:0] = sys.argv[1:]; "
    "package = sys.modules['occscene_addon'] = types.ModuleType('occscene_addon'); package.__path__ = [folder]; "
    "from occscene_addon.bridge.child import main; main()"
)
"""The extension's package under another name: its own `__init__` needs Blender."""


class BridgeError(RuntimeError):
    """The child process could not be started or has ended; the message says what it last wrote."""


class Bridge:
    """The child process and the pipes to it.

    Args:
        python: the interpreter, Blender's own.
        python_args: options that it is started with.
        search_path: folders in which the child looks for grpc, protobuf, numpy and occscene.
    """

    def __init__(self, python: str, python_args: Sequence[str], search_path: Sequence[str]) -> None:
        """Starts the child; raises BridgeError if it cannot be started."""
        addon = str(Path(__file__).resolve().parent.parent)
        try:
            self._process = subprocess.Popen(
                [python, *python_args, "-c", _BOOTSTRAP, addon, *search_path],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),  # only Windows has it
            )
        except OSError as error:
            raise BridgeError(f"the bridge could not be started with {python}: {error}") from error
        pipes = (self._process.stdin, self._process.stdout, self._process.stderr)
        self._input, self._output, self._errors = (pipe.fileno() for pipe in pipes if pipe)
        prepare_writing(self._input)
        prepare_reading(self._output)
        prepare_reading(self._errors)
        self._decoder = MessageDecoder()
        self._outgoing: deque[memoryview] = deque()
        self._stderr_tail = b""

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    @property
    def is_sending(self) -> bool:
        """Part of a message still waits for room in the pipe."""
        return bool(self._outgoing)

    def send(self, message: Message) -> None:
        """Queues a message and writes what there is room for; `poll` writes the rest."""
        self._outgoing.append(memoryview(encode_message(message)))
        if len(self._outgoing) == 1:
            self._write_some()

    def poll(self, budget: float) -> list[Message]:
        """Writes and reads what can be without waiting, for at most `budget` seconds; returns what came.

        Raises:
            BridgeError: the child has ended.
        """
        deadline = time.monotonic() + budget
        received: list[Message] = []
        while True:
            wrote = self._write_some()
            self._stderr_tail = (self._stderr_tail + (read_available(self._errors) or b""))[-4000:]
            data = read_available(self._output)
            if data is None:
                if received:
                    return received  # the next poll raises the error
                raise BridgeError(self._exit_message())
            received.extend(self._decoder.feed(data))
            if time.monotonic() >= deadline or not (wrote or data or self._outgoing):
                return received
            if not (wrote or data):
                time.sleep(0)  # the pipe is full: Windows' hold 4 KiB, which the child empties quickly

    def close(self) -> None:
        """Ends the child: closes its input, and kills it if it does not exit within a second."""
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe:
                with contextlib.suppress(OSError):
                    pipe.close()
        try:
            self._process.wait(timeout=1.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _write_some(self) -> bool:
        if not self._outgoing:
            return False
        try:
            count = write_available(self._input, self._outgoing[0])
        except OSError:
            self._outgoing.clear()  # the read that follows raises the error
            return False
        if count == len(self._outgoing[0]):
            self._outgoing.popleft()
        else:
            self._outgoing[0] = self._outgoing[0][count:]
        return count > 0

    def _exit_message(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=0.05)
        text = self._stderr_tail.decode(errors="replace").strip()
        return f"the bridge process ended (code {self._process.poll()}){': ' + text if text else ''}"
