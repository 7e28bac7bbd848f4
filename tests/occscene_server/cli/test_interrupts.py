"""Ctrl-C: it goes to all processes of a command, which then ends with one line and status 130."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.occscene_server.serve_process import ENVIRONMENT
from tests.patience import PATIENCE, wait_until

LAYOUTS = ("layouts", "--scenes", "0:100000")


def ignores_interrupts(process: psutil.Process) -> bool:
    """Whether the process has come so far that Ctrl-C is no concern of its own."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    mask = next(line.split()[1] for line in status.splitlines() if line.startswith("SigIgn"))
    return bool(int(mask, 16) >> (signal.SIGINT - 1) & 1)


def is_worker(process: psutil.Process) -> bool:
    """Whether it is one of the studio's; others that it starts may just have ended."""
    try:
        return "spawn_main" in str(process.cmdline())
    except psutil.Error:
        return False


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="signals of other processes are read from /proc")
@pytest.mark.parametrize("command", [("render", "--scenes", "0:4"), LAYOUTS], ids=lambda command: command[0])
def test_interrupted_studio_ends_with_one_line(tmp_path: Path, command: tuple[str, ...]) -> None:
    arguments = ["studio", *command, "--workers", "2", "--output", str(tmp_path)]
    process = subprocess.Popen(
        [sys.executable, "-m", "occscene_server.cli", *arguments],
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )

    def workers_are_there() -> bool:
        assert process.poll() is None
        workers = [child for child in psutil.Process(process.pid).children() if is_worker(child)]
        return len(workers) == 2 and all(map(ignores_interrupts, workers))

    try:
        wait_until(workers_are_there)
        os.killpg(process.pid, signal.SIGINT)
        output, complaint = process.communicate(timeout=PATIENCE)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 130
    assert (output, complaint) == ("", "interrupted\n")
    assert not psutil.pid_exists(process.pid)
