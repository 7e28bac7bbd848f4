"""The jobs in PostgreSQL, for servers that share one queue.

One of them has the lead at a time: its connection holds an advisory lock, and everything it writes goes through that
connection, so that a server which has lost it can write no more. What a server does, the others hear by NOTIFY.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import psycopg

from occscene_server.jobs.database import OnNotice
from occscene_server.jobs.errors import StoreError, StoreFullError

_VERSION = 1  # of the schema
_LEAD, _ALONE = 0x6F63_6373, 0x6F63_6374  # keys of advisory locks
_CHANNEL = "occscene"

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
CREATE INDEX IF NOT EXISTS jobs_state ON jobs (state);
CREATE TABLE IF NOT EXISTS clock (seconds DOUBLE PRECISION NOT NULL);
CREATE TABLE IF NOT EXISTS events (
    job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    sequence BIGINT NOT NULL,
    payload BYTEA,
    sum BYTEA,
    PRIMARY KEY (job_id, sequence)
);
CREATE UNLOGGED TABLE IF NOT EXISTS passing (
    job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    payload BYTEA NOT NULL,
    PRIMARY KEY (job_id, kind)
);
CREATE TABLE IF NOT EXISTS leader (info BYTEA NOT NULL);
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
    """Connects, and makes the tables where they are missing.

    Args:
        url: postgresql://user:password@host:port/database, or what else libpq reads; PGPASSFILE can hold the password.

    Raises:
        StoreError: the database cannot be used; the message says what to do, without the password.
    """

    errors: tuple[type[Exception], ...] = (psycopg.Error,)
    is_shared = True

    def __init__(self, url: str) -> None:
        self._reading: tuple[asyncio.AbstractEventLoop, int] | None = None  # the loop that waits for notices, and where
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
            self._prepare()
        except psycopg.Error as error:
            fault = self.fault(error)
            self.close()
            raise fault from error
        except BaseException:
            self.close()
            raise

    def execute(self, statement: str, values: Sequence[Any] = ()) -> Any:
        """Runs a statement, by itself or in a transaction, and returns its cursor."""
        return self._connection.execute(_translated(statement), values)

    def execute_many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        """Runs a statement for each row of values, all in one journey."""
        with self._connection.cursor() as cursor:
            cursor.executemany(_translated(statement), rows)

    @contextlib.contextmanager
    def transaction(self, alone: bool = False) -> Iterator[None]:
        """What is written in the block is on the disk at its end, or undone by an exception."""
        with self._connection.transaction():
            if alone:
                self._connection.execute("SELECT pg_advisory_xact_lock(%s)", (_ALONE,))
            yield

    def take_lead(self) -> bool:
        """Whether this connection holds the lock from now on."""
        row = self._connection.execute("SELECT pg_try_advisory_lock(%s)", (_LEAD,)).fetchone()
        return bool(row and row[0])

    def notify(self, topic: str, job_id: str = "") -> None:
        """Tells the other servers, at the end of the transaction."""
        self._connection.execute("SELECT pg_notify(%s, %s)", (_CHANNEL, f"{topic} {job_id}"))

    def listen(self, on_notice: OnNotice) -> None:
        """Begins to tell what other servers do."""
        loop, own = asyncio.get_running_loop(), self._connection.info.backend_pid

        def receive(notice: psycopg.Notify) -> None:
            topic, _, job_id = notice.payload.partition(" ")
            if notice.pid != own:
                loop.call_soon(on_notice, topic, job_id)  # not amidst the statement that this came with

        self._connection.add_notify_handler(receive)
        self._connection.execute(f"LISTEN {_CHANNEL}")
        with contextlib.suppress(NotImplementedError):  # Windows: notices come with the next statement
            self._reading = loop, self._connection.fileno()
            loop.add_reader(self._connection.fileno(), self._read_notices)

    def fault(self, error: Exception) -> StoreError:
        """What an error of PostgreSQL means."""
        if isinstance(error, psycopg.errors.DiskFull):
            return StoreFullError("the disk of the server's database is full")
        if self._connection.closed:
            return StoreError("the server has lost its database; it ends, and the next one goes on with its jobs")
        return StoreError(f"the server's database {self._name} refuses: {str(error).strip().splitlines()[0]}")

    def is_there(self) -> bool:
        """Whether the connection lives, and with it the lock."""
        with contextlib.suppress(psycopg.Error):
            self._connection.execute("SELECT 1")
        return not self._connection.closed

    def give_back(self) -> None:
        """Nothing: PostgreSQL reuses the room by itself."""

    def close(self) -> None:
        """Lets another server take the lead."""
        self._stop_reading()
        self._connection.close()

    def _read_notices(self) -> None:
        """Takes what has come while no statement runs."""
        connection = self._connection.pgconn
        try:
            connection.consume_input()
            while (notice := connection.notifies()) and connection.notify_handler:
                connection.notify_handler(notice)
        except psycopg.OperationalError:  # the connection is lost, which `is_there` will say
            self._stop_reading()

    def _stop_reading(self) -> None:
        if self._reading is not None:
            loop, descriptor = self._reading
            self._reading = None
            loop.remove_reader(descriptor)

    def _prepare(self) -> None:
        with self.transaction(alone=True):
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
