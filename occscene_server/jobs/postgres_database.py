"""The jobs in PostgreSQL, for servers that stand in for each other on one queue.

One of them has the queue at a time: its connection holds an advisory lock, and everything it writes goes through that
connection, so that a server which has lost it can write no more. The others wait for the lock.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import psycopg

from occscene_server.jobs.errors import StoreError, StoreFullError, StoreInUseError

_VERSION = 1  # of the schema
_LOCK = 0x6F63_6373  # "occs"

_SCHEMA = """
CREATE SCHEMA IF NOT EXISTS occscene;
SET search_path TO occscene;
CREATE TABLE IF NOT EXISTS store (version INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS jobs (
    number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    request_id TEXT NOT NULL UNIQUE,
    client TEXT NOT NULL DEFAULT '',
    state INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    ended DOUBLE PRECISION,
    bytes BIGINT NOT NULL,
    record BYTEA NOT NULL,
    request BYTEA,
    record_sum BYTEA,
    request_sum BYTEA,
    cancelled INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS jobs_ended ON jobs (ended) WHERE ended IS NOT NULL;
CREATE INDEX IF NOT EXISTS jobs_client ON jobs (client, number);
CREATE TABLE IF NOT EXISTS clock (seconds DOUBLE PRECISION NOT NULL);
CREATE TABLE IF NOT EXISTS events (
    job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    sequence BIGINT NOT NULL,
    payload BYTEA,
    sum BYTEA,
    PRIMARY KEY (job_id, sequence)
);
"""
_CONNECTION: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,  # milliseconds
    # The other end, too, learns within seconds that this machine has gone, and gives the lock to the next server.
    "options": "-c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3 "
    "-c tcp_user_timeout=10000 -c statement_timeout=15000 -c synchronous_commit=on",
    "application_name": "occscene-server",
}


class PostgresDatabase:
    """Connects, takes the queue and makes the tables where they are missing.

    Args:
        url: postgresql://user:password@host:port/database, or what else libpq reads; PGPASSFILE can hold the password.

    Raises:
        StoreInUseError: another server has the queue.
        StoreError: the database cannot be used; the message says what to do, without the password.
    """

    errors: tuple[type[Exception], ...] = (psycopg.Error,)

    def __init__(self, url: str) -> None:
        try:
            info = psycopg.conninfo.conninfo_to_dict(url)
            self._name = f"{info.get('dbname', 'its default')} at {info.get('host', 'this machine')}"
            self._connection = psycopg.connect(url, autocommit=True, **_CONNECTION)
        except psycopg.Error as error:
            reason = str(error).strip().splitlines()[0]
            raise StoreError(
                f"the database cannot be used ({reason}); check --database and that PostgreSQL runs"
            ) from error
        try:
            self._take()
        except psycopg.Error as error:
            self.close()
            raise self.fault(error) from error
        except BaseException:
            self.close()
            raise

    def execute(self, statement: str, values: Sequence[Any] = ()) -> Any:
        """Runs a statement, by itself or in a transaction, and returns its cursor."""
        return self._connection.execute(_translated(statement), values)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """What is written in the block is on the disk at its end, or undone by an exception."""
        with self._connection.transaction():
            yield

    def fault(self, error: Exception) -> StoreError:
        """What an error of PostgreSQL means."""
        if isinstance(error, psycopg.errors.DiskFull):
            return StoreFullError("the disk of the server's database is full")
        if self._connection.closed:
            return StoreError("the server has lost its database; it ends, and the next one goes on with its jobs")
        return StoreError(f"the server's database {self._name} refuses: {str(error).strip().splitlines()[0]}")

    def is_ours(self) -> bool:
        """Whether the connection that holds the lock is there."""
        with contextlib.suppress(psycopg.Error):
            self._connection.execute("SELECT 1")
        return not self._connection.closed

    def give_back(self) -> None:
        """Nothing: PostgreSQL reuses the room by itself."""

    def close(self) -> None:
        """Lets the next server take the queue."""
        self._connection.close()

    def _take(self) -> None:
        row = self._connection.execute("SELECT pg_try_advisory_lock(%s)", (_LOCK,)).fetchone()
        if row is None or not row[0]:
            raise StoreInUseError(f"another server has the queue in the database {self._name}")
        with self._connection.transaction():
            self._connection.execute(_SCHEMA)
            row = self._connection.execute("SELECT version FROM store").fetchone()
            if row is None:
                self._connection.execute("INSERT INTO store VALUES (%s)", (_VERSION,))
            elif row[0] != _VERSION:
                raise StoreError(
                    f"the database {self._name} was written by another version of this program; give another one"
                )


@lru_cache(maxsize=64)
def _translated(statement: str) -> bytes:
    return statement.replace("?", "%s").encode()
