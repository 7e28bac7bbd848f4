"""What the server's process takes of the system: open files and memory."""

from __future__ import annotations

import ctypes
import sys

try:
    import resource
except ImportError:  # Windows has no such limit
    resource = None  # type: ignore[assignment]

_MAX_CONNECTIONS = 1024
_ENOUGH_FILES = 2**16


def raise_file_limit() -> None:
    """Lets this process open as many files as the system allows it to, where that is more than now."""
    if resource is not None:
        now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        enough = _ENOUGH_FILES if most == resource.RLIM_INFINITY else min(most, _ENOUGH_FILES)
        if now != resource.RLIM_INFINITY and now < enough:
            resource.setrlimit(resource.RLIMIT_NOFILE, (enough, most))


def allowed_connections() -> int:
    """How many clients may be connected, so that half of the files stay for the store, the workers and the log."""
    if resource is None:
        return _MAX_CONNECTIONS
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _MAX_CONNECTIONS if files == resource.RLIM_INFINITY else max(min(files // 2, _MAX_CONNECTIONS), 1)


def return_large_blocks() -> None:
    """Lets every block of memory above `_LARGE_BYTES` go back to the system as soon as it is freed.

    By itself the C library keeps blocks of a size that was freed before, up to 32 MiB each. Smaller ones, such as views
    on their way out, are kept: fresh memory costs more time than what is written to it.
    """
    if _libc is not None:
        _libc.mallopt(_M_MMAP_THRESHOLD, _LARGE_BYTES)
        _libc.mallopt(_M_TRIM_THRESHOLD, _LARGE_BYTES)


def return_freed_memory() -> None:
    """Gives small blocks that were freed back to the system too; the C library keeps those between live ones."""
    if _libc is not None:
        _libc.malloc_trim(0)


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of <malloc.h>
_LARGE_BYTES = 4 * 2**20


def _glibc() -> ctypes.CDLL | None:
    library = ctypes.CDLL(None) if sys.platform == "linux" else None
    return library if hasattr(library, "malloc_trim") else None


_libc = _glibc()
