"""Files that are whole or absent, their checksums, room kept for an emergency, and what a disk's error means."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import sqlite3
from pathlib import Path

from occscene_server.jobs.errors import StoreDamagedError, StoreError, StoreFullError

RESERVE_BYTES = 2**20
"""Kept free for what must be written on a full disk: deletions, cancels and the failures of jobs."""

LEAST_FREE_BYTES = 128 * 1024
"""With less a disk counts as full: SQLite calls an fsync that finds no room an I/O error."""

DISK_FULL = "the disk of the server's store is full"
_REFUSED = "the server's store cannot be used ({})"
_FULL_ERRNOS = (errno.ENOSPC, errno.EDQUOT)


def checksum(data: bytes) -> bytes:
    """BLAKE2b of 16 bytes, against damage and not against malice."""
    return hashlib.blake2b(data, digest_size=16).digest()


def store_error(error: OSError | sqlite3.Error, folder: Path) -> StoreError:
    """What an error of the disk or of SQLite means, in words without paths: clients on other machines read them.

    Args:
        error: what was raised while the store was read or written.
        folder: the store's own, to ask its disk for its room.
    """
    if isinstance(error, OSError):
        if error.errno in _FULL_ERRNOS:
            return StoreFullError(DISK_FULL)
        return StoreError(_REFUSED.format(error.strerror or type(error).__name__))
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    full_disk = code == sqlite3.SQLITE_IOERR and shutil.disk_usage(folder).free < LEAST_FREE_BYTES
    if code == sqlite3.SQLITE_FULL or full_disk:
        return StoreFullError(DISK_FULL)
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or not isinstance(error, sqlite3.OperationalError):
        return StoreDamagedError(
            f"the server's list of jobs is damaged ({error}); start it with a copy of its store, or an empty one"
        )
    return StoreError(_REFUSED.format(error))


def write_whole(path: Path, data: bytes) -> None:
    """Writes a file, makes its folder where it is missing, and syncs both; on an error nothing is left of the file.

    Raises:
        OSError: the disk refuses.
    """
    folder = path.parent
    if not folder.is_dir():
        folder.mkdir(mode=0o700)
        _sync_folder(folder.parent)
    part = path.with_name(f"{path.name}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        _sync_folder(folder)
    except OSError:
        part.unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        raise


class Reserve:
    """A file that holds room on a disk until it is needed.

    Args:
        path: of the file; of random bytes, for there are file systems that store zeros without room.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.held = path.is_file() and path.stat().st_size == RESERVE_BYTES
        """Whether the room is there."""

    def release(self) -> bool:
        """Frees the reserve for the next write; False if there is none to free."""
        if not self.held:
            return False
        self.held = False
        self._path.unlink(missing_ok=True)
        return True

    def take(self) -> bool:
        """Takes the room again; False where the disk has too little."""
        if not self.held:
            try:
                write_whole(self._path, os.urandom(RESERVE_BYTES))
            except OSError:
                return False
            self.held = True
        return True


def _sync_folder(folder: Path) -> None:
    """Puts the folder's entries themselves onto the disk."""
    if os.name == "nt":
        return  # Windows cannot open a folder, and journals its entries itself
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
