"""The one way to a terminal: text of users and of servers is shown as it is, never obeyed.

Prompts, names, paths, a server's words: in all of them markup (`[red]`, `[server,ray]`) is text, and characters that
would steer the terminal or reorder the line are shown as escapes. No other module prints, or makes consoles and tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, TypeVar

import rich.progress
from rich.console import Console
from rich.table import Table
from rich.text import Text

Item = TypeVar("Item")

_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 without tab and newline, DEL, C1: escape sequences begin with one of them
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # bidirectional marks, embeddings, overrides, isolates
    "\u2028\u2029"  # line and paragraph separators
    "\ud800-\udfff"  # halves of characters: bytes of a path that are no UTF-8
    "\U000e0000-\U000e007f]"  # tags, which show nothing
)
_BREAKS = re.compile("[\t\n]")


def printable(text: str) -> str:
    """The text with every character that would steer a terminal as an escape; newlines and tabs stay."""
    return _STEERING.sub(_escaped, text)


def one_line(text: str) -> str:
    """The same without newlines and tabs, for a cell or a line of a log."""
    return _BREAKS.sub(_escaped, printable(text))


def _escaped(match: re.Match[str]) -> str:
    return match.group().encode("unicode_escape").decode("ascii")


class PlainConsole(Console):
    """Prints text as it is, in one piece: no markup, no emoji codes, no colours by guess, no wrapping."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """What every text on its way to the terminal passes, alone or in a table."""
        return super().render_str(printable(text), **{**options, "markup": False, "emoji": False, "highlight": False})

    def say(self, text: object, style: str = "") -> None:
        """Prints one text; its lines are wrapped by the terminal alone."""
        self.print(text, style=style, soft_wrap=True)


console = PlainConsole()
errors = PlainConsole(stderr=True)


def say(text: object, style: str = "") -> None:
    """Prints to standard output."""
    console.say(text, style)


def complain(text: str) -> None:
    """Prints an error of the user's to standard error; its further lines are indented, as none of the command is."""
    errors.print(Text("error: ", style="red", end=""), end="")
    errors.say(text.replace("\n", "\n  "))


class PlainTable(Table):
    """A table whose cells are one line each."""

    def add_row(self, *cells: str) -> None:  # type: ignore[override]
        """Adds a row."""
        super().add_row(*[one_line(cell) for cell in cells])


class PlainTextColumn(rich.progress.TextColumn):
    """What a progress bar says."""

    def __init__(self, text: str = "{task.description}") -> None:
        super().__init__(text, markup=False)

    def render(self, task: rich.progress.Task) -> Text:
        """The column's text for a task."""
        return Text(one_line(super().render(task).plain))


def progress_bar(*columns: rich.progress.ProgressColumn, **options: Any) -> rich.progress.Progress:
    """A progress bar on standard output, or on the `console` among the options."""
    return rich.progress.Progress(*columns, **{"console": console, **options})


def track(items: Iterable[Item], what: str, total: float | None = None, transient: bool = False) -> Iterable[Item]:
    """Yields the items and shows how far they are."""
    return rich.progress.track(items, what, total, console=console, transient=transient)
