"""The table that every benchmark prints: ours and a named peer, measured in the same run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter, process_time

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Row:
    """One measured case.

    Args:
        case: what was done.
        ours_ms: our time, milliseconds.
        peer: the peer's name and method; empty where there is none to compare with.
        peer_ms: the peer's time in milliseconds, or None.
        budget_ms: the most that ours may take, or None.
    """

    case: str
    ours_ms: float
    peer: str = ""
    peer_ms: float | None = None
    budget_ms: float | None = None

    @property
    def ratio(self) -> float | None:
        """How many times as long as ours the peer takes."""
        return None if self.peer_ms is None else self.peer_ms / self.ours_ms


def best_ms(work: Callable[[], object], runs: int = 5) -> float:
    """The least of several wall-clock times of `work`, milliseconds."""
    times = []
    for _ in range(runs):
        start = perf_counter()
        work()
        times.append(perf_counter() - start)
    return min(times) * 1000


def best_cpu_ms(works: Sequence[Callable[[], object]], runs: int = 5) -> list[float]:
    """The least processor time of each of several works, milliseconds; they take turns, so that all see one load."""
    times: list[list[float]] = [[] for _ in works]
    for _ in range(runs):
        for own, work in zip(times, works, strict=True):
            start = process_time()
            work()
            own.append(process_time() - start)
    return [min(own) * 1000 for own in times]


def print_table(title: str, rows: Sequence[Row]) -> None:
    """Prints rows with the ratio to the peer (above 1 is in our favour) and whether the budget holds."""
    table = Table(title=title)
    table.add_column("case")
    for column in ("ours, ms", "budget, ms", "peer, ms", "peer / ours"):
        table.add_column(column, justify="right")
    table.add_column("peer")
    for row in rows:
        within = row.budget_ms is None or row.ours_ms <= row.budget_ms
        table.add_row(
            row.case,
            f"{row.ours_ms:.2f}",
            "" if row.budget_ms is None else f"[{'green' if within else 'red'}]{row.budget_ms:g}[/]",
            "" if row.peer_ms is None else f"{row.peer_ms:.2f}",
            "" if row.ratio is None else f"[{'green' if row.ratio >= 1 else 'red'}]{row.ratio:.1f} x[/]",
            row.peer,
        )
    Console(width=140).print(table)
