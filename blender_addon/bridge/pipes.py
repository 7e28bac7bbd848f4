"""Reads and writes on pipes that return at once, on POSIX and on Windows.

Python 3.11 has no `os.set_blocking` on Windows, and there a non-blocking pipe without data raises errors that differ
between versions. So on Windows a read first asks how much there is (`PeekNamedPipe`), and the writing end is set to
`PIPE_NOWAIT`, where `WriteFile` writes nothing if it finds no room; C runtimes make different errors of that.
"""

from __future__ import annotations

import contextlib
import os
import sys

CHUNK = 1 << 16

if sys.platform == "win32":
    import ctypes
    import msvcrt
    from ctypes import wintypes

    _kernel32 = ctypes.WinDLL("kernel32", use_last_error=True)
    _PIPE_NOWAIT = wintypes.DWORD(1)
    _WINDOWS_CHUNK = 4096  # an anonymous pipe's buffer: a larger write finds no room even in an empty one

    def prepare_reading(descriptor: int) -> None:
        """Makes reads return at once."""

    def prepare_writing(descriptor: int) -> None:
        """Makes writes return at once."""
        handle = msvcrt.get_osfhandle(descriptor)
        if not _kernel32.SetNamedPipeHandleState(wintypes.HANDLE(handle), ctypes.byref(_PIPE_NOWAIT), None, None):
            raise ctypes.WinError(ctypes.get_last_error())

    def read_available(descriptor: int) -> bytes | None:
        """Up to `CHUNK` bytes that have come, b"" if none have, None if the other side has closed."""
        available = wintypes.DWORD(0)
        handle = wintypes.HANDLE(msvcrt.get_osfhandle(descriptor))
        if not _kernel32.PeekNamedPipe(handle, None, 0, None, ctypes.byref(available), None):
            return None
        return os.read(descriptor, min(available.value, CHUNK)) if available.value else b""

    def write_available(descriptor: int, data: memoryview) -> int:
        """Writes what there is room for and returns how many bytes that was.

        Raises:
            OSError: the other side has closed.
        """
        part = data[:_WINDOWS_CHUNK]
        buffer = (ctypes.c_char * len(part)).from_buffer_copy(part)
        written = wintypes.DWORD(0)
        handle = wintypes.HANDLE(msvcrt.get_osfhandle(descriptor))
        if not _kernel32.WriteFile(handle, buffer, len(part), ctypes.byref(written), None):
            raise ctypes.WinError(ctypes.get_last_error())
        return written.value

else:
    import fcntl

    _ROOM = 1 << 20  # a picture passes at once, not after the next two redraws; what Linux lets every user have

    def prepare_reading(descriptor: int) -> None:
        """Makes reads return at once."""
        os.set_blocking(descriptor, False)
        _make_room(descriptor)

    def prepare_writing(descriptor: int) -> None:
        """Makes writes return at once."""
        os.set_blocking(descriptor, False)
        _make_room(descriptor)

    def _make_room(descriptor: int) -> None:
        if sys.platform == "linux":
            with contextlib.suppress(OSError):  # the user's pipes have too much in all
                fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _ROOM)

    def read_available(descriptor: int) -> bytes | None:
        """Up to `CHUNK` bytes that have come, b"" if none have, None if the other side has closed."""
        try:
            return os.read(descriptor, CHUNK) or None
        except BlockingIOError:
            return b""

    def write_available(descriptor: int, data: memoryview) -> int:
        """Writes what there is room for and returns how many bytes that was.

        Raises:
            OSError: the other side has closed.
        """
        try:
            return os.write(descriptor, data[:CHUNK])
        except BlockingIOError:
            return 0
