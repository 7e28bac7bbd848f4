"""A Ray cluster of the tests' own, whose head can be killed."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.occscene_server.serve_process import ENVIRONMENT
from tests.patience import PATIENCE, wait_until

_TOKEN = "0123456789abcdef" * 4


class RayHead:
    """The head of a cluster, and all that runs on its machine.

    Args:
        folder: for its files; short, for they hold sockets.
        cpus: that it says it has.
    """

    def __init__(self, folder: Path, cpus: int) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = int(free.getsockname()[1])
        self.address = f"127.0.0.1:{self.port}"
        self.token_file = folder / "token"
        self.token_file.write_text(_TOKEN)
        self.environment = {
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN_PATH": str(self.token_file),
        }
        self._folder, self._cpus = folder, cpus
        self._block: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Runs `ray start --head` and waits until all of it has started."""
        command = [str(Path(sys.executable).parent / "ray"), "start", "--head", "--block", f"--port={self.port}"]
        command += ["--node-ip-address=127.0.0.1", "--include-dashboard=false", f"--num-cpus={self._cpus}"]
        command += [f"--temp-dir={self._folder / 'ray'}", "--disable-usage-stats"]
        path = self._folder / "log"
        with path.open("wb") as log:
            self._block = block = subprocess.Popen(
                command, env=ENVIRONMENT | self.environment, stdout=log, stderr=log, start_new_session=True
            )

        def has_started() -> bool:
            assert block.poll() is None, path.read_text()
            return "Ray runtime started" in path.read_text()

        wait_until(has_started)

    def replicas(self) -> list[psutil.Process]:
        """The processes that hold a model."""
        assert self._block is not None
        processes = psutil.Process(self._block.pid).children(recursive=True)
        return [process for process in processes if "SceneReplica" in " ".join(process.cmdline())]

    def kill(self) -> None:
        """kill -9 of the head with its node and its replicas."""
        assert self._block is not None
        processes = psutil.Process(self._block.pid).children(recursive=True)
        os.killpg(self._block.pid, signal.SIGKILL)
        for process in processes:
            with contextlib.suppress(psutil.Error):
                process.kill()
        self._block.wait(PATIENCE)
        psutil.wait_procs(processes, PATIENCE)


@contextlib.contextmanager
def ray_head(cpus: int) -> Iterator[RayHead]:
    """A head for the time of the block; the test is skipped without Ray."""
    pytest.importorskip("ray", reason="the extra 'ray' is not installed")
    folder = Path(tempfile.mkdtemp(prefix="r"))
    head = RayHead(folder, cpus)
    head.start()
    try:
        yield head
    finally:
        with contextlib.suppress(psutil.Error, OSError):
            head.kill()
        shutil.rmtree(folder, ignore_errors=True)
