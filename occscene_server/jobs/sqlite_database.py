"""The jobs in SQLite: their tables, those of the version before, and what keeps the file from being opened."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from occscene_server.jobs.database import OnNotice
from occscene_server.jobs.disk import store_error
from occscene_server.jobs.errors import StoreDamagedError, StoreError, StoreFullError, StoreInUseError

_VERSION = 4  # of the schema
_LOG_PAGES = 64  # of 4 KiB, after which the write-ahead log is emptied: it takes no large part of a small disk

_SCHEMA = """
CREATE TABLE jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    request_id TEXT NOT NULL UNIQUE,
    client TEXT NOT NULL DEFAULT '',
    state INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    ended REAL,
    bytes INTEGER NOT NULL,
    record BLOB NOT NULL,
    request BLOB,
    record_sum BLOB,
    request_sum BLOB,
    cancelled INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX jobs_ended ON jobs (ended) WHERE ended IS NOT NULL;
CREATE INDEX jobs_client ON jobs (client, number);
CREATE TABLE clock (seconds REAL NOT NULL);
CREATE TABLE events (
    job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    sequence INTEGER NOT NULL,
    payload BLOB,
    sum BLOB,
    PRIMARY KEY (job_id, sequence)
) WITHOUT ROWID;
"""
_FROM_VERSION_2 = """
ALTER TABLE jobs ADD COLUMN record_sum BLOB;
ALTER TABLE jobs ADD COLUMN request_sum BLOB;
ALTER TABLE jobs ADD COLUMN cancelled INTEGER NOT NULL DEFAULT 0;
ALTER TABLE events ADD COLUMN sum BLOB;
"""  # what lies there has no checksums and is read as it is
_FROM_VERSION_3 = """
ALTER TABLE jobs ADD COLUMN client TEXT NOT NULL DEFAULT '';
CREATE INDEX jobs_client ON jobs (client, number);
CREATE TABLE clock (seconds REAL NOT NULL);
"""


class SqliteDatabase:
    """Opens or makes the file and locks it: a second server stays away from the same queue.

    Raises:
        OSError, sqlite3.Error: it cannot be opened; `opening` turns these into StoreError.
        StoreError: another version of this program wrote it.
    """

    errors: tuple[type[Exception], ...] = (sqlite3.Error,)
    is_shared = False

    def __init__(self, path: Path) -> None:
        self._folder = path.parent
        self._connection = sqlite3.connect(path, timeout=0.5, isolation_level=None)
        self.execute, self.execute_many = self._connection.execute, self._connection.executemany
        try:
            _prepare(self._connection, path)
        except BaseException:
            self.close()
            raise

    @contextlib.contextmanager
    def transaction(self, alone: bool = False) -> Iterator[None]:
        """What is written in the block is on the disk at its end, or undone by an exception."""
        with self._connection:
            self._connection.execute("BEGIN")
            yield

    def fault(self, error: Exception) -> StoreError:
        """What an error of SQLite means."""
        assert isinstance(error, sqlite3.Error)
        return store_error(error, self._folder)

    def take_lead(self) -> bool:
        """Yes: the lock is held as long as this process lives."""
        return True

    def is_there(self) -> bool:
        """Yes."""
        return True

    def notify(self, topic: str, job_id: str = "") -> None:
        """Nothing: there is no other server."""

    def listen(self, on_notice: OnNotice) -> None:
        """Nothing either."""

    def give_back(self) -> None:
        """Empties the write-ahead log."""
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Releases the file."""
        self._connection.close()


@contextlib.contextmanager
def opening(folder: Path) -> Iterator[None]:
    """Turns an error of opening a store into one that names the folder and says what to do.

    Raises:
        StoreError: of the kind that the error shows.
    """
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            text = f"the store {folder} is in use by another server; stop that one or choose another folder"
            raise StoreInUseError(text) from error
        fault = store_error(error, next(path for path in (folder, *folder.parents) if path.exists()))
        if isinstance(fault, StoreFullError):
            text = f"the disk of the store {folder} is full; free space on it or choose another folder"
        elif isinstance(fault, StoreDamagedError):
            text = (
                f"the store {folder} is damaged (jobs.sqlite: {error}); move the folder away to start with an empty "
                "one, or put a copy of it back"
            )
        else:
            reason = getattr(error, "strerror", None) or error
            text = f"the store {folder} cannot be used ({reason}); make it writable or choose another folder"
        raise type(fault)(text) from error


def _prepare(database: sqlite3.Connection, path: Path) -> None:
    database.execute("PRAGMA locking_mode=EXCLUSIVE")  # the lock is held until the end of the connection or of us
    version = database.execute("PRAGMA user_version").fetchone()[0]
    tables = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables and version not in (2, 3, _VERSION):
        raise StoreError(
            f"the store {path.parent} was written by another version of this program; choose another folder"
        )
    if not tables:
        database.execute("PRAGMA auto_vacuum=FULL")  # what a deletion frees, the disk gets back
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("PRAGMA foreign_keys=ON")
    database.execute("PRAGMA temp_store=MEMORY")
    database.execute(f"PRAGMA wal_autocheckpoint={_LOG_PAGES}")
    if not tables:
        database.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version={_VERSION}; COMMIT;")
    elif version != _VERSION:
        changes = (_FROM_VERSION_2 if version == 2 else "") + _FROM_VERSION_3
        database.executescript(f"BEGIN; {changes} PRAGMA user_version={_VERSION}; COMMIT;")
        with contextlib.suppress(sqlite3.OperationalError):  # without the room for it, deletions free less
            database.executescript("PRAGMA auto_vacuum=FULL; VACUUM;" if version == 2 else "")
    database.execute("BEGIN IMMEDIATE")  # fails if the disk cannot be written
    database.execute("ROLLBACK")
