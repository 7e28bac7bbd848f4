"""Jobs that were accepted end with their result in Blender, whatever is killed once, in whatever phase."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import bpy
import pytest
from occscene.client import SceneClient

from blender_addon.jobs import journal, session, tracking
from tests.blender.test_following import ROOT, is_whole
from tests.blender.waiting import pump, results, wait, wait_for
from tests.occscene_server.serve_process import ServeProcess, worker_of

pytestmark = pytest.mark.slow
TURNS = int(os.environ.get("OCCSCENE_KILL_TURNS", "1"))
"""Kills of each victim in each phase."""


class Victims:
    """A server that can be killed and comes back at the same port with the same store.

    Args:
        folder: for the store and the server's files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server = ServeProcess(folder, folder / "store")
        self.address = self._server.address

    def kill_server(self) -> None:
        self._server.process.kill()
        self._server.process.wait()

    def revive_server(self) -> None:
        port = int(self.address.rsplit(":", 1)[1])
        self._server = ServeProcess(self._folder, self._folder / "store", port=port)

    def worker(self) -> int:
        """The process that holds the model."""
        return worker_of(self._server.process.pid).pid

    def jobs_of(self, request_id: str) -> int:
        """How many jobs the server has made of a request."""
        with SceneClient(self.address) as client:
            return sum(job.request_id == request_id for job in client.jobs(1000))


@pytest.fixture(scope="module")
def victims(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victims]:
    made = Victims(tmp_path_factory.mktemp("victims"))
    yield made
    made.kill_server()


def warm_bridge(address: str) -> None:
    """Lets the child start, so that what comes next is sent at once."""
    answers: list[str] = []
    server = {"address": address, "token": "", "ca_file": ""}
    session.command({"command": "info", "server": server}, b"", lambda message: answers.append("") is None)
    wait(lambda: bool(answers))


def reach(phase: str, name: str, chance: random.Random) -> None:
    """Polls until the job is in a phase, and a little further."""
    if phase == "submitting":
        pump()
        time.sleep(chance.uniform(0.0, 0.05))
    elif phase == "queued":
        wait_for(name, "QUEUED")
    elif phase == "running":
        wait_for(name, "RUNNING")
        time.sleep(chance.uniform(0.0, 1.0))
    else:
        wait(lambda: bool(tracking._records[name].views))


def strike(victims: Victims, victim: str, chance: random.Random) -> None:
    """Kills a process; the server comes back a little later."""
    if victim == "server":
        victims.kill_server()
        for _ in range(chance.randrange(40)):
            pump()
        victims.revive_server()
    else:
        os.kill(victims.worker() if victim == "worker" else session.bridge_pid() or 0, signal.SIGKILL)


@pytest.mark.parametrize("turn", range(TURNS))
@pytest.mark.parametrize("phase", ["submitting", "queued", "running", "fetching"])
@pytest.mark.parametrize("victim", ["server", "bridge", "worker"])
def test_killed_once(
    blockout: bpy.types.Scene, start: Callable[..., str], victims: Victims, victim: str, phase: str, turn: int
) -> None:
    if victim == "worker":
        pytest.importorskip("occscene_server.engine.deaths", reason="this server runs no killed worker's job once more")
    chance = random.Random(f"{victim} {phase} {turn}")
    names = []
    if phase == "submitting":
        warm_bridge(victims.address)
    if phase == "queued":
        names.append(start(prompt="slow", seed=1, server=victims.address))
        wait_for(names[0], "RUNNING")
    names.append(start(prompt="slow", seed=2, server=victims.address))
    reach(phase, names[-1], chance)
    strike(victims, victim, chance)
    for name in names:
        wait_for(name, "SUCCEEDED", "FAILED", "DISCONNECTED", "CANCELLED")
        if phase == "submitting" and victim == "server" and not victims.jobs_of(name):  # died before it was asked
            assert (results()[name].state, results()[name].message[:17]) == ("FAILED", "no server answers")
            assert not list(journal.entries())
            continue
        assert (results()[name].state, results()[name].message) == ("SUCCEEDED", "")
        assert is_whole(name)
        assert victims.jobs_of(name) == 1


_BLENDER = """
import sys
import bpy, blender_addon
from blender_addon.jobs import tracking
from tests.blender.test_kills import warm_bridge
from tests.blender.waiting import pump
from tests.patience import wait_until
scene, server = sys.argv[1:]
tracking.is_interactive = lambda: True
blender_addon.register()
bpy.ops.wm.open_mainfile(filepath=scene)
warm_bridge(server)
bpy.ops.occscene.generate(prompt="slow", seed=2, server=server)
result = bpy.context.scene.occscene.results[-1]
seen = []
def print_state():
    now = "fetching" if any(not view.is_preview for view in result.views) else result.state
    if now not in seen:
        seen.append(now)
        print("now", now, result.name, flush=True)
wait_until(lambda: print_state() or "fetching" in seen, pump)
"""

_COURSE = ("SENDING", "QUEUED", "RUNNING", "fetching")


@pytest.mark.parametrize("turn", range(TURNS))
@pytest.mark.parametrize("phase", ["submitting", "queued", "running", "fetching"])
def test_blender_killed_once(
    blockout: bpy.types.Scene, start: Callable[..., str], victims: Victims, phase: str, turn: int, tmp_path: Path
) -> None:
    chance = random.Random(f"blender {phase} {turn}")
    file = str(tmp_path / "scene.blend")
    bpy.ops.wm.save_as_mainfile(filepath=file)
    if phase == "queued":
        wait_for(start(prompt="slow", steps=30, seed=1, server=victims.address), "RUNNING")
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'protos'}"}
    command = [sys.executable, "-c", _BLENDER, file, victims.address]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT) as blender:
        assert blender.stdout
        wanted = _COURSE[("submitting", "queued", "running", "fetching").index(phase) :]
        printed = (line.split() for line in blender.stdout if line.startswith("now"))
        name = next(name for _, state, name in printed if state in wanted)
        time.sleep(chance.uniform(0.0, {"submitting": 0.05, "running": 1.0}.get(phase, 0.0)))
        blender.kill()
    bpy.ops.wm.open_mainfile(filepath=file)
    wait_for(name, "SUCCEEDED", "FAILED", "DISCONNECTED", "CANCELLED")
    if phase == "submitting" and not victims.jobs_of(name):  # the bridge died with it before it had sent
        assert results()[name].message == "The request never reached the server. Generate again."
        return
    assert (results()[name].state, results()[name].message) == ("SUCCEEDED", "")
    assert is_whole(name)
    assert victims.jobs_of(name) == 1
