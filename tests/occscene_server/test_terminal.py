"""Text of users and of servers on its way to the terminal: shown as it is, never obeyed."""

from __future__ import annotations

import ast
import io
import logging
import re
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
import rich.progress
from hypothesis import given
from hypothesis import strategies as st
from occscene.camera import save_cameras
from occscene.v1 import job_pb2, scene_service_pb2, scene_service_pb2_grpc
from typer.testing import CliRunner

from occscene_server import terminal
from occscene_server.api.logs import configure_logs
from occscene_server.cli.root import app
from occscene_server.terminal import PlainConsole, PlainTable, PlainTextColumn, one_line, printable
from tests.occscene_server.requests import looking_camera
from tests.occscene_server.serve_process import ROOT

HOSTILE = (
    "[/foo] [red]a[/red] [server,ray] \\[x] :smile: \x1b]0;title\x07\x1b[2J\x9b31m \x00\x08\r"
    "\u202eabc\u2066\u2028\U000e0041 two\nlines\tand \N{PILE OF POO} Zoë"
)
STEERING = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printed(show: Callable[[PlainConsole], object], **options: Any) -> str:
    """What a console writes to a terminal."""
    file = io.StringIO()
    show(PlainConsole(file=file, width=2000, **options))
    return file.getvalue()


@given(st.text())
def test_nothing_that_steers_is_printable(text: str) -> None:
    assert not STEERING.search(printable(text))
    assert len(one_line(text).splitlines()) <= 1


def test_harmless_text_stays_as_it_is() -> None:
    persian = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"  # needs its zero-width non-joiner
    text = f"ein Fußboden, 寝室, {persian}, \N{PILE OF POO}, e\u0301: [red] \\ % {{x}} 'a' \"b\""
    assert printable(text) == one_line(text) == text
    assert printed(lambda console: console.say(text)) == text + "\n"


@given(st.text() | st.just(HOSTILE))
def test_every_way_to_the_console_is_plain(text: str) -> None:
    def table(console: PlainConsole) -> None:
        rows = PlainTable("a", "b", box=None)
        rows.add_row(text, "end")
        console.print(rows)

    def bar(console: PlainConsole) -> None:
        progress = rich.progress.Progress(PlainTextColumn(), console=console)
        progress.add_task(text)
        console.print(progress)

    for show in (lambda console: console.say(text), lambda console: console.print(text), table, bar):
        output = printed(show)
        assert not STEERING.search(output)
    assert len(printed(table).splitlines()) == 2


def test_markup_is_text() -> None:
    output = printed(lambda console: console.say("pip install 'occscene-server[server,ray]' [bold]x[/] [/foo] :smile:"))
    assert output == "pip install 'occscene-server[server,ray]' [bold]x[/] [/foo] :smile:\n"


def test_log_lines_are_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    before = logging.getLogger().handlers[:], logging.getLogger().level
    try:
        configure_logs("text")
        logging.getLogger("x").info("prompt %s", HOSTILE)
        try:
            raise ValueError(HOSTILE)
        except ValueError:
            logging.getLogger("x").exception("failed")
    finally:
        logging.getLogger().handlers[:], logging.getLogger().level = before
    lines = capsys.readouterr().err.split("\n")
    assert not STEERING.search("".join(lines))
    assert "two\\nlines\\tand" in lines[0]
    assert "INFO prompt [/foo]" in lines[0]
    assert lines[1].endswith("ERROR failed")


class Hostile(scene_service_pb2_grpc.SceneServiceServicer):
    """A server whose every word is hostile."""

    job = job_pb2.Job(
        id=HOSTILE,
        prompt=HOSTILE,
        client=HOSTILE,
        state=job_pb2.JOB_STATE_FAILED,
        failure=job_pb2.JobFailure(reason=HOSTILE, message=HOSTILE, advice=HOSTILE),
    )

    def GetServerInfo(self, request: Any, context: Any) -> Any:  # noqa: N802
        model = scene_service_pb2.ModelInfo(name=HOSTILE, taxonomies=[HOSTILE])
        return scene_service_pb2.GetServerInfoResponse(version=HOSTILE, message=HOSTILE, device=HOSTILE, models=[model])

    def ListJobs(self, request: Any, context: Any) -> Any:  # noqa: N802
        return scene_service_pb2.ListJobsResponse(jobs=[self.job, job_pb2.Job(id="b", prompt="an honest one")])

    def GetJob(self, request: Any, context: Any) -> Any:  # noqa: N802
        context.abort(grpc.StatusCode.NOT_FOUND, HOSTILE)

    def CancelJob(self, request: Any, context: Any) -> Any:  # noqa: N802
        context.abort(grpc.StatusCode.NOT_FOUND, HOSTILE)

    def SubmitJob(self, request: Any, context: Any) -> Any:  # noqa: N802
        return scene_service_pb2.SubmitJobResponse(job=self.job)

    def WatchJob(self, request: Any, context: Any) -> Iterator[Any]:  # noqa: N802
        for event in (
            job_pb2.JobEvent(sequence=1, started=job_pb2.JobStarted(device=HOSTILE)),
            job_pb2.JobEvent(sequence=2, failed=job_pb2.JobFailed(failure=self.job.failure)),
        ):
            yield scene_service_pb2.WatchJobResponse(event=event)


@pytest.fixture(scope="module")
def hostile_server() -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(4))
    scene_service_pb2_grpc.add_SceneServiceServicer_to_server(Hostile(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}"
    server.stop(None)


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["info"], 0),
        (["jobs", "list"], 0),
        (["jobs", "show", "[/foo]"], 0),
        (["jobs", "show", "[/x]\x1b[2J"], 1),
        (["jobs", "cancel", "[/foo]"], 1),
        (["generate", "--prompt", HOSTILE, "--output", "out[/b]"], 1),
        (["generate", "--prompt", "x", "--output", "out", "--token-file", "[/a]\x1b[2J"], 1),
    ],
)
def test_hostile_server_is_shown_not_obeyed(
    hostile_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str], code: int
) -> None:
    monkeypatch.chdir(tmp_path)
    for shared in (terminal.console, terminal.errors):  # whatever COLUMNS was when it was imported
        monkeypatch.setattr(shared, "_width", 400)
    result = CliRunner().invoke(app, [*command, "--server", hostile_server])
    assert result.exit_code == code, result.output + str(result.exception)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert not STEERING.search(result.output)
    if command[-1] == "[/foo]" and code == 0:  # id, client, prompt and failure, a line each
        assert len(result.output.splitlines()) == 4
    if code == 1:  # further lines are distinguished from those of the command
        assert all(
            line.startswith(("error: ", "request ", "job ", "  ")) for line in result.output.splitlines() if line
        )
    if command == ["jobs", "list"]:
        assert len(result.output.splitlines()) == 3
        assert "an honest one" in result.output
        assert "client" in result.output.splitlines()[0]  # where there are several
    if code == 0:
        assert "[/foo]" in result.output


def test_work_is_not_lost_for_the_name_of_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from occscene_server.engine import pipeline_loader
    from tests.occscene_server.stand_in import load_stand_in

    monkeypatch.setattr(pipeline_loader, "load_pipeline", load_stand_in)
    save_cameras(tmp_path / "cameras.json", [looking_camera("[/x]\x1b[2J")])
    output = tmp_path / "o[/b] \x1b]0;title\x07"
    arguments = ["generate", "--cameras", str(tmp_path / "cameras.json"), "--steps", "1", "--output", str(output)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output + str(result.exception)
    assert "o[/b]" in result.output
    assert not STEERING.search(result.output)
    assert (output / "result.json").exists()


def test_advice_to_install_keeps_its_brackets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "occscene_server.engine.ray_engine", None)
    result = CliRunner().invoke(app, ["serve", "--engine", "ray", "--store", str(tmp_path)])
    assert result.exit_code == 1
    assert "pip install 'occscene-server[server,ray]'" in result.output


COLUMNS = {"BarColumn", "MofNCompleteColumn", "TimeElapsedColumn", "TimeRemainingColumn"}


@pytest.mark.parametrize("path", sorted((ROOT / "occscene_server").rglob("*.py")), ids=str)
def test_nothing_else_writes_to_the_terminal(path: Path) -> None:
    """No module but `terminal` prints, or takes more of rich than columns without text."""
    if path.name == "terminal.py":
        return
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        place = f"{path}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Import):
            assert not [alias.name for alias in node.names if alias.name.split(".")[0] == "rich"], place
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "rich":
            assert node.module == "rich.progress", place
            assert {alias.name for alias in node.names} <= COLUMNS, place
        elif isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            assert name not in ("print", "typer.echo", "typer.secho", "click.echo", "pprint"), place
            assert not name.startswith(("sys.stdout.write", "sys.stderr.write")), place
