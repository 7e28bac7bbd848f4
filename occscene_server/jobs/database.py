"""What the store asks of a database; SQL that SQLite and PostgreSQL both read, with `?` for values."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from occscene_server.jobs.errors import StoreError

OnNotice = Callable[[str, str], None]
"""Called in the event loop with the topic and the job's id of what another server has done."""


class Database(Protocol):
    """A database with the tables of the jobs."""

    errors: tuple[type[Exception], ...]
    """What its methods raise; `fault` says what that means."""

    is_shared: bool
    """Whether several servers may have it open."""

    def execute(self, statement: str, values: Sequence[Any] = ()) -> Any:
        """Runs a statement, by itself or in a transaction, and returns its cursor."""

    def execute_many(self, statement: str, rows: Sequence[Sequence[Any]]) -> Any:
        """Runs a statement for each row of values."""

    def transaction(self, alone: bool = False) -> AbstractContextManager[None]:
        """What is written in the block is on the disk at its end, or undone by an exception.

        Args:
            alone: whether it waits for those of other servers that are to be alone as well.
        """

    def take_lead(self) -> bool:
        """Whether this server hands out the jobs from now on: it does as long as its connection lives, and no other."""

    def notify(self, topic: str, job_id: str = "") -> None:
        """Tells the other servers, at the end of the transaction."""

    def listen(self, on_notice: OnNotice) -> None:
        """Begins to tell what other servers do; call it in the event loop."""

    def fault(self, error: Exception) -> StoreError:
        """What an error means, in words that clients on other machines may read."""

    def is_there(self) -> bool:
        """Whether it still answers; if not, another server may have the lead."""

    def give_back(self) -> None:
        """Gives the room of what was deleted back to the disk."""

    def close(self) -> None:
        """Lets another server take the lead, or open it."""


@contextmanager
def faults(database: Database) -> Iterator[None]:
    """Turns the errors of a database into those of the store.

    Raises:
        StoreError: of the kind that the error shows.
    """
    try:
        yield
    except database.errors as error:
        raise database.fault(error) from error
