"""How far a command is: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

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
    assert capsys.readouterr().out == ""
    assert "step 1 of 2\\x1b[2J" in written(screen)


def test_what_native_code_prints_goes_elsewhere(tmp_path: Path) -> None:
    script = (
        "import os, pathlib, sys\n"
        "from occscene_server.studio.native_output import native_output_to\n"
        "print('before')\n"
        "native_output_to(pathlib.Path(sys.argv[1]))\n"
        "os.write(1, b'Fra:1 Sample 1/16')\n"
        "print('after, Zoë')\n"
    )
    environment = ENVIRONMENT | {"PYTHONIOENCODING": "utf-8"}
    command = [sys.executable, "-c", script, str(tmp_path / "log")]
    done = subprocess.run(command, env=environment, capture_output=True, check=True)
    assert done.stdout.decode().split(os.linesep) == ["before", "after, Zoë", ""]
    assert (tmp_path / "log").read_text() == "Fra:1 Sample 1/16"
