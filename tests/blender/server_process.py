"""Servers in processes of their own: one with the stand-in pipeline, one that composes layouts."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from tests.patience import PATIENCE, wait_until

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
    wait_until(lambda: process.poll() is not None or (port.exists() and bool(port.read_text())))
    assert process.poll() is None
    try:
        yield f"127.0.0.1:{port.read_text()}"
    finally:
        process.communicate(timeout=PATIENCE)
