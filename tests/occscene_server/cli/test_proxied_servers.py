"""Two servers on one queue behind HAProxy, as docs/cluster.md configures it: either may die."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from occscene.client.client import SceneClient
from occscene.v1 import scene_service_pb2

from tests.occscene_server.postgres import postgres
from tests.occscene_server.requests import generate_request
from tests.occscene_server.serve_process import ROOT, ServeProcess
from tests.patience import PATIENCE, wait_until

pytestmark = pytest.mark.slow

CONFIGURATION = re.compile(r"```\n(frontend occscene\n.*?)```", re.DOTALL)


@contextlib.contextmanager
def haproxy(folder: Path, servers: list[str]) -> Iterator[str]:
    """Runs it before the servers for the time of the block, and yields its address; skips without HAProxy."""
    program = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
    if program is None:
        pytest.skip("HAProxy is not installed")
    found = CONFIGURATION.search((ROOT / "docs/cluster.md").read_text("utf-8"))
    assert found is not None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    text = found[1].replace("bind :50051", f"bind {address}")
    for number, server in enumerate(servers, start=1):
        text = text.replace(f"10.0.0.{number}:50051", server)
    assert "50051" not in text
    path = folder / "haproxy.cfg"
    path.write_text(text)
    check = subprocess.run([program, "-c", "-f", path], capture_output=True, text=True, timeout=PATIENCE)
    assert (check.returncode, check.stderr) == (0, "")  # not even a warning
    with (folder / "haproxy.log").open("wb") as log:
        process = subprocess.Popen([program, "-db", "-f", path], stdout=log, stderr=log)
    try:
        wait_until(lambda: process.poll() is not None or listens(address))
        assert process.poll() is None, (folder / "haproxy.log").read_text()
        yield address
    finally:
        process.kill()
        process.wait()


def listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with contextlib.suppress(OSError), socket.create_connection((host, int(port))):
        return True
    return False


def test_jobs_go_on_behind_the_proxy_whichever_server_dies(tmp_path: Path) -> None:
    with postgres() as database, contextlib.ExitStack() as stack:

        def start(name: str, port: int = 0) -> ServeProcess:
            options = ("--database", database, "--artifacts", tmp_path / "shared")
            server = ServeProcess(tmp_path / name, tmp_path / name / "store", *options, port=port)
            stack.callback(lambda: (server.process.kill(), server.process.communicate()))
            return server

        servers = {name: start(name) for name in ("one", "two")}
        address = stack.enter_context(haproxy(tmp_path, [server.address for server in servers.values()]))
        clients = [stack.enter_context(SceneClient(address, patience=PATIENCE)) for _ in range(2)]
        for client in clients:  # the one with fewer connections gets the next, so each server has a client
            wait_until(lambda client=client: client.info().state == scene_service_pb2.SERVER_STATE_READY)
        for name in servers:
            jobs = [client.submit(generate_request("slow", steps=20)) for client in clients]
            streams = [client.watch(job.id) for client, job in zip(clients, jobs, strict=True)]
            assert any(event.progress.step for event in streams[0] if event.progress.step)
            servers[name].process.kill()
            servers[name].process.wait(PATIENCE)
            for stream in streams:
                assert list(stream)[-1].HasField("succeeded")
            for client in clients:
                assert {job.id for job in jobs} <= {job.id for job in client.jobs()}
            servers[name] = start(name, port=int(servers[name].address.rpartition(":")[2]))
            client = stack.enter_context(SceneClient(servers[name].address, patience=PATIENCE))
            wait_until(lambda client=client: client.info().state == scene_service_pb2.SERVER_STATE_READY)
        assert len(clients[0].jobs()) == 4
