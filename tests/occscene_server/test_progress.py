"""How far a command is: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from occscene_server import terminal
from occscene_server.terminal import PlainConsole, PlainTextColumn, Progress, last_line, track
from tests.occscene_server.serve_process import ENVIRONMENT


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch) -> PlainConsole:
    """Standard output that is a file."""
    console = PlainConsole(file=io.StringIO(), width=80)
    monkeypatch.setattr(terminal, "console", console)
    return console


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> PlainConsole:
    """Standard output that is a terminal."""
    console = PlainConsole(file=io.StringIO(), width=80, force_terminal=True, _environ={"TERM": "xterm"})
    monkeypatch.setattr(terminal, "console", console)
    return console


def written(console: PlainConsole) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_short_work_says_nothing_in_a_file(console: PlainConsole) -> None:
    assert list(track(range(5), "scenes")) == [0, 1, 2, 3, 4]
    assert written(console) == ""


def test_long_work_says_in_lines_how_far_it_is(console: PlainConsole, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "LINE_SECONDS", 0.0)
    with Progress(PlainTextColumn(), console=console) as progress:
        bar = progress.add_task("scenes", total=3)
        progress.advance(bar)
        progress.update(bar, completed=2, description="loss 0.5\r")
        endless = progress.add_task("rooms", total=None)
        progress.advance(endless)
    assert written(console) == "scenes: 1 of 3\nloss 0.5\\r: 2 of 3\nrooms: 1\n"


def test_a_terminal_has_a_bar(screen: PlainConsole, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "LINE_SECONDS", 0.0)
    list(track(range(3), "scenes"))
    assert "3/3" in written(screen)
    assert " of 3" not in written(screen)
    assert written(screen).endswith("\n\x1b[?25h")  # on a new line, and the cursor is shown again


def test_printed_lines_replace_each_other_on_a_terminal_alone(
    console: PlainConsole, capsys: pytest.CaptureFixture[str]
) -> None:
    with last_line():
        print("step 1 of 2")
        print("step 2 of 2")
    assert capsys.readouterr().out == "step 1 of 2\nstep 2 of 2\n"
    assert written(console) == ""


def test_of_printed_lines_the_last_is_shown(screen: PlainConsole, capsys: pytest.CaptureFixture[str]) -> None:
    with last_line():
        print("step 1 of 2\x1b[2J")
        print("s" * 100)
    screen.say("done")
    assert capsys.readouterr().out == ""
    clear = "\r\x1b[2K"
    assert written(screen) == f"{clear}step 1 of 2\\x1b[2J{clear}{'s' * 79}{clear}done\n"


def test_what_native_code_prints_is_discarded() -> None:
    script = (
        "import os\n"
        "from occscene_server.studio.native_output import discard_native_output\n"
        "print('before')\n"
        "discard_native_output()\n"
        "os.write(1, b'Fra:1 Sample 1/16')\n"
        "print('after, Zoë')\n"
    )
    environment = ENVIRONMENT | {"PYTHONIOENCODING": "utf-8"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, check=True)
    assert done.stdout.decode().split(os.linesep) == ["before", "after, Zoë", ""]
