"""The one way to a terminal: text of users and of servers is shown as it is, never obeyed.

Prompts, names, paths, a server's words: in all of them markup (`[red]`, `[server,ray]`) is text, and characters that
would steer the terminal or reorder the line are shown as escapes. No other module prints, or makes consoles and tables.
"""

from __future__ import annotations

import contextlib
import io
import re
import time
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any, TypeVar

import rich.progress
from rich.console import Console
from rich.table import Table
from rich.text import Text

Item = TypeVar("Item")

INTERRUPTED = 130
"""The status of a command that Ctrl-C ended: 128 and the number of the signal."""

LINE_SECONDS = 10.0
"""Least time between two lines of progress where there is no terminal."""

_STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 without tab and newline, DEL, C1: escape sequences begin with one of them
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # bidirectional marks, embeddings, overrides, isolates
    "\u2028\u2029"  # line and paragraph separators
    "\ud800-\udfff"  # halves of characters: bytes of a path that are no UTF-8
    "\U000e0000-\U000e007f]"  # tags, which show nothing
)
_BREAKS = re.compile("[\t\n]")
_WHOLE = 10_000  # columns
_CLEAR_LINE = "\r\x1b[2K"


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
        """Makes a text safe for the terminal, by itself or in a table."""
        return super().render_str(printable(text), **{**options, "markup": False, "emoji": False, "highlight": False})

    def say(self, text: object, style: str = "") -> None:
        """Prints one text; only the terminal wraps its lines."""
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
    """A table of one line a row."""

    def show(self) -> None:
        """Prints it to standard output, cut to the width of a terminal and whole elsewhere."""
        for number, segments in enumerate(console.render_lines(self, console.options.update(width=_WHOLE), pad=False)):
            line = Text("".join(segment.text for segment in segments).rstrip(), "" if number else "bold")
            if console.is_terminal:
                line.truncate(console.width, overflow="ellipsis")
            console.say(line)

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


class Progress(rich.progress.Progress):
    """A bar on a terminal; elsewhere, as in a file, a line every `LINE_SECONDS` that says how far it is.

    Args:
        columns: of the bar, before the elapsed time.
        options: of `rich.progress.Progress`; `console` is standard output unless it is given.
    """

    def __init__(self, *columns: rich.progress.ProgressColumn, **options: Any) -> None:
        super().__init__(*columns, rich.progress.TimeElapsedColumn(), **{"console": console, **options})
        self._last_line = time.monotonic()

    def start(self) -> None:
        """Shows the bar where there is one."""
        self._last_line = time.monotonic()
        if self.console.is_interactive:
            super().start()

    def stop(self) -> None:
        """Leaves the bar as it is, or nothing where it is transient."""
        if self.live.is_started:
            super().stop()

    def update(self, task_id: rich.progress.TaskID, **fields: Any) -> None:
        """Changes what a task shows."""
        super().update(task_id, **fields)
        self._print_line(task_id)

    def advance(self, task_id: rich.progress.TaskID, advance: float = 1) -> None:
        """Moves a task on."""
        super().advance(task_id, advance)
        self._print_line(task_id)

    def _print_line(self, task_id: rich.progress.TaskID) -> None:
        now = time.monotonic()
        if self.console.is_interactive or now - self._last_line < LINE_SECONDS:
            return
        self._last_line = now
        task = self._tasks[task_id]
        count = f"{task.completed:g}" if task.total is None else f"{task.completed:g} of {task.total:g}"
        self.console.print(one_line(f"{task.description}: {count}"), soft_wrap=True)


@contextlib.contextmanager
def last_line() -> Iterator[None]:
    """While it lasts, a printed line takes the place of the one before it; without a terminal all lines stay."""
    if not console.is_interactive:
        yield
        return
    with contextlib.redirect_stdout(_LastLine(console.file, console.width)) as line:
        try:
            yield
        finally:
            line.clear()


class _LastLine(io.TextIOBase):
    """Shows of what is printed the last line, cut to the terminal's width."""

    def __init__(self, output: IO[str], width: int) -> None:
        self._output = output
        self._width = width

    def write(self, text: str) -> int:
        """Shows a line; `print` writes its end apart."""
        if text.strip():
            self.clear()
            self._output.write(one_line(text.strip())[: self._width - 1])
            self._output.flush()
        return len(text)

    def clear(self) -> None:
        """Leaves an empty line."""
        self._output.write(_CLEAR_LINE)
        self._output.flush()


@contextlib.contextmanager
def counted(what: str, total: int) -> Iterator[Callable[[], object]]:
    """Shows how far something is; the function that it gives counts one."""
    columns = (PlainTextColumn(), rich.progress.BarColumn(), rich.progress.MofNCompleteColumn())
    with Progress(*columns) as progress:
        task = progress.add_task(what, total=total)
        yield lambda: progress.advance(task)


def track(items: Iterable[Item], what: str, total: float | None = None, transient: bool = False) -> Iterator[Item]:
    """Yields the items and shows how far they are."""
    columns = (PlainTextColumn(), rich.progress.BarColumn(), rich.progress.MofNCompleteColumn())
    with Progress(*columns, transient=transient) as progress:
        yield from progress.track(items, total, description=what)
