"""A server with the stand-in pipeline in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def stand_in_server(folder: Path) -> Iterator[str]:
    """Runs it for the time of the block; gives its address."""
    port = folder / "port"
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("stand_in_server.py")), str(folder / "store"), str(port)],
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
