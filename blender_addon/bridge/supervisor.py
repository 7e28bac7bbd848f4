"""Supervises a local server: runs it until this process's input closes, so that none outlives Blender.

`python -c "... from bridge.supervisor import main; main()" ADDON LOG COMMAND...`
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

END_TIMEOUT = 10.0
"""Seconds that the server has to end its jobs before it is killed."""


def keep(log: Path, command: list[str]) -> int:
    """Runs a command until it ends or standard input closes; returns its exit code.

    Args:
        log: what the command writes goes here.
        command: program and arguments.
    """
    with log.open("wb") as output:
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        except OSError as error:
            output.write(f"{command[0]} cannot be run: {error}\n".encode())
            return 127
    threading.Thread(target=_end_with_input, args=(process,), daemon=True).start()
    return process.wait()


def _end_with_input(process: subprocess.Popen[bytes]) -> None:
    while os.read(sys.stdin.fileno(), 1024):
        pass
    process.terminate()
    try:
        process.wait(END_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()


def main() -> None:
    """Keeps the server that the command line names."""
    code = keep(Path(sys.argv[2]), sys.argv[3:])
    os._exit(code if code >= 0 else 1)  # the thread may still wait for input
