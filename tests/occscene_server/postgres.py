"""A PostgreSQL server of the tests' own."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.patience import PATIENCE

_PLACES = ("/usr/lib/postgresql", "/usr/local/pgsql", "/opt/homebrew/opt")
_USER = "postgres"  # PostgreSQL does not run as root


@contextlib.contextmanager
def postgres() -> Iterator[str]:
    """Runs it for the time of the block, and yields the URL of a database; without PostgreSQL the test is skipped."""
    pytest.importorskip("psycopg", reason="the extra 'cluster' is not installed")
    programs = _programs()
    folder = Path(tempfile.mkdtemp(prefix="postgres"))  # pytest's own folders are closed to other users
    as_user: dict[str, object] = {}
    if os.name != "nt" and os.geteuid() == 0:
        try:
            shutil.chown(folder, _USER)
        except LookupError:
            pytest.skip(f"PostgreSQL does not run as root, and there is no user {_USER}")
        as_user = {"user": _USER, "group": _USER, "extra_groups": []}
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def run(*command: object) -> None:
        subprocess.run(
            [str(part) for part in command], check=True, capture_output=True, timeout=PATIENCE, cwd=folder, **as_user
        )

    data = folder / "data"
    options = f"-p {port} -k '' -c listen_addresses=127.0.0.1 -c shared_buffers=16MB"
    try:
        run(programs / "initdb", "-D", data, "-U", _USER, "--auth=trust", "--no-sync")
        run(programs / "pg_ctl", "-D", data, "-o", options, "-l", folder / "log", "-w", "start")
        yield f"postgresql://{_USER}@127.0.0.1:{port}/postgres"
    finally:
        with contextlib.suppress(subprocess.SubprocessError):
            run(programs / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    found = [path.parent for place in _PLACES for path in Path(place).glob("**/bin/initdb")]
    if not found and shutil.which("initdb"):
        found = [Path(str(shutil.which("initdb"))).parent]
    if not found:
        pytest.skip("PostgreSQL is not installed")
    return max(found)
