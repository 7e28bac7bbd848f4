"""Servers in processes of their own: one with the stand-in pipeline, one that composes layouts."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def stand_in_server(folder: Path, *options: str) -> AbstractContextManager[str]:
    """Runs it for the time of the block; gives its address."""
    return _running("stand_in_server.py", folder, str(folder / "store"), str(folder / "port"), *options)


def compose_server(folder: Path, *options: str) -> AbstractContextManager[str]:
    """Runs a server that composes layouts for the time of the block; gives its address."""
    return _running("compose_server.py", folder, str(folder / "port"), *options)


@contextmanager
def _running(script: str, folder: Path, *arguments: str) -> Iterator[str]:
    port = folder / "port"
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name(script)), *arguments],
        stdin=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "protos")])},
    )
    deadline = time.monotonic() + 60
    while not (port.exists() and port.read_text()):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    try:
        yield f"127.0.0.1:{port.read_text()}"
    finally:
        process.communicate(timeout=30)
