"""`occscene-server serve` in a process of its own, with the stand-in for a model unless `script` says otherwise."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import psutil

from tests.patience import PATIENCE, wait_until

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'protos'}"}

STAND_IN = """
from occscene_server.cli import serve
from occscene_server.cli.root import main
from tests.occscene_server.stand_in import load_stand_in

if __name__ == "__main__":
    serve.load_pipeline = load_stand_in
    main()
"""
BUNDLED = """
from occscene_server.cli.root import main

if __name__ == "__main__":
    main()
"""


class ServeProcess:
    """Starts it and waits until it listens.

    Args:
        folder: for its script, its ready file and its log.
        store: folder for jobs, or None where an argument or the environment says it.
        arguments: further options.
        environment: further variables.
        files: how many it may have open; None for as many as this process.
        script: `STAND_IN`, or `BUNDLED` for a real model.
    """

    def __init__(
        self,
        folder: Path,
        store: Path | None,
        *arguments: object,
        port: int = 0,
        environment: dict[str, str] | None = None,
        files: int | None = None,
        script: str = STAND_IN,
    ) -> None:
        folder.mkdir(exist_ok=True)
        path = folder / "serve.py"
        path.write_text(script)
        ready = folder / "ready"
        ready.unlink(missing_ok=True)
        self.store = store
        self._log = folder / "log"
        command = [sys.executable, path, "serve", "--no-warm-up", "--port", port, "--ready-file", ready, *arguments]
        if store is not None:
            command += ["--store", store]
        with self._log.open("w") as log:
            self.process = subprocess.Popen(
                [str(part) for part in command],
                env=ENVIRONMENT | (environment or {}),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                preexec_fn=None if files is None else partial(resource.setrlimit, resource.RLIMIT_NOFILE, (64, files)),
            )
        wait_until(lambda: ready.exists() or self.process.poll() is not None)
        assert ready.exists(), self.log
        self.address = ready.read_text().strip()

    @property
    def log(self) -> str:
        """What it has written to standard error."""
        return self._log.read_text()

    def resident_bytes(self) -> int:
        """Memory that it takes now."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def cpu_seconds(self) -> float:
        """What it has computed until now."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def open_files(self) -> int:
        """Files that it has open now."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def interrupt(self) -> None:
        """What Ctrl-C does."""
        self.process.send_signal(signal.SIGINT)

    def interrupted(self) -> str:
        """Ends it as Ctrl-C does, and returns what it printed."""
        self.interrupt()
        output, _ = self.process.communicate(timeout=PATIENCE)
        return output


def worker_of(server_pid: int) -> psutil.Process:
    """The process in which a server runs its jobs; waits until there is one."""
    workers: list[psutil.Process] = []

    def is_there() -> bool:
        for child in psutil.Process(server_pid).children():
            with contextlib.suppress(psutil.Error):
                if "spawn_main" in " ".join(child.cmdline()) and child.status() != psutil.STATUS_ZOMBIE:
                    workers.append(child)
        return bool(workers)

    wait_until(is_there)
    return workers[0]
