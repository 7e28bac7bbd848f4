"""What the store asks of a database; SQL that SQLite and PostgreSQL both read, with `?` for values."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from occscene_server.jobs.errors import StoreError


class Database(Protocol):
    """A database with the tables of the jobs, open for this process only."""

    errors: tuple[type[Exception], ...]
    """What its methods raise; `fault` says what that means."""

    def execute(self, statement: str, values: Sequence[Any] = ()) -> Any:
        """Runs a statement, by itself or in a transaction, and returns its cursor."""

    def transaction(self) -> AbstractContextManager[None]:
        """What is written in the block is on the disk at its end, or undone by an exception."""

    def fault(self, error: Exception) -> StoreError:
        """What an error means, in words that clients on other machines may read."""

    def is_ours(self) -> bool:
        """Whether it still answers, and no other server can have taken it."""

    def give_back(self) -> None:
        """Gives the room of what was deleted back to the disk."""

    def close(self) -> None:
        """Lets other processes open it."""
