"""What is listed as unfinished is followed again, whenever a session begins: nothing says "Preparing" for ever."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import bpy
import pytest
from occscene.grid import load_grid
from occscene.v1 import job_pb2

import blender_addon
from blender_addon.addon import user_folder
from blender_addon.jobs import connection_check, journal, session, tracking
from tests.blender.test_jobs import quit_blender, state_on
from tests.blender.waiting import results, wait, wait_for
from tests.occscene_server.serve_process import ServeProcess
from tests.occscene_server.stand_in import ENDLESS
from tests.patience import PATIENCE, wait_until

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[ServeProcess]:
    """A server of the test's own, which it may kill."""
    (tmp_path / "mortal").mkdir()
    server = ServeProcess(tmp_path / "mortal", tmp_path / "store")
    yield server
    server.process.kill()
    server.process.wait()


def reborn(server: ServeProcess, tmp_path: Path) -> ServeProcess:
    """The same server after it was killed: same store, same port."""
    return ServeProcess(tmp_path / "mortal", tmp_path / "store", port=int(server.address.rsplit(":", 1)[1]))


def enable() -> None:
    """Registers, and runs the timer that Blender runs as soon as its data are there."""
    blender_addon.register()
    tracking.begin_following()


def reenable() -> None:
    """Unticks and ticks the extension in the preferences."""
    blender_addon.unregister()
    enable()


def is_whole(name: str) -> bool:
    """The result has come with all that belongs to it."""
    result = results()[name]
    folder = Path(bpy.path.abspath(result.directory))
    files = sorted(path.name for path in folder.iterdir())
    assert files == ["blockout.npz", "cameras.json", "occupancy.npz", "result.json", "view_left.png", "view_right.png"]
    assert load_grid(folder / "occupancy.npz").shape == load_grid(folder / "blockout.npz").shape
    return [view.name for view in result.views] == ["left", "right"] and all(view.image for view in result.views)


@pytest.mark.parametrize("moment", ["SENDING", "RUNNING"])
def test_reenabled_in_a_job(blockout: bpy.types.Scene, start: Callable[..., str], moment: str) -> None:
    name = start(prompt="slow")
    wait(lambda: not session._session.bridge.is_sending)
    wait_for(name, moment)
    if moment == "SENDING":  # until the server's answer lies in the pipe
        readable, _, _ = select.select([session._session.bridge._output], [], [], PATIENCE)
        assert readable
    reenable()
    wait_for(name, "SUCCEEDED")
    assert is_whole(name)


def test_reenabled_when_the_job_has_ended(blockout: bpy.types.Scene, start: Callable[..., str], server: str) -> None:
    name = start(prompt="slow")
    wait_for(name, "RUNNING")
    job_id = results()[name].job_id
    blender_addon.unregister()
    wait_until(lambda: state_on(server, job_id) == job_pb2.JOB_STATE_SUCCEEDED)
    enable()
    assert results()[name].state == "RECONNECTING"
    wait_for(name, "SUCCEEDED")
    assert is_whole(name)


def test_enabled_for_the_first_time_in_a_file_with_a_job(
    blockout: bpy.types.Scene, start: Callable[..., str], tmp_path: Path
) -> None:
    name = start(prompt="slow", directory=str(tmp_path / "out"))
    wait_for(name, "RUNNING")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    blender_addon.unregister()
    journal.remove(name)  # another user's file
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    enable()
    wait_for(name, "SUCCEEDED")
    assert is_whole(name)


@pytest.mark.slow
def test_reenabled_while_the_server_is_away(
    blockout: bpy.types.Scene, start: Callable[..., str], mortal: ServeProcess, tmp_path: Path
) -> None:
    name = start(prompt=f"until {tmp_path / 'go'}", server=mortal.address)
    wait_for(name, "RUNNING")
    connection_check.keep_check(connection_check.ConnectionCheck(mortal.address))
    mortal.process.kill()
    mortal.process.wait()
    begun = time.process_time()
    reenable()
    assert time.process_time() - begun < 2.0
    wait_for(name, "RECONNECTING")
    wait(lambda: "no server answers" in results()[name].message)
    assert connection_check.last_check.address == ""  # the server's panel no longer says that all is well
    assert bpy.ops.occscene.reconnect.poll()
    tracking.watch(blockout, results()[name])  # the button, pressed by an impatient artist
    wait(lambda: "no server answers" in results()[name].message)
    (tmp_path / "go").touch()
    mortal.process = reborn(mortal, tmp_path).process
    wait_for(name, "SUCCEEDED")
    assert is_whole(name)
    assert results()[name].message == ""


def test_undo_to_a_state_that_nobody_follows(blockout: bpy.types.Scene, start: Callable[..., str]) -> None:
    bpy.context.preferences.edit.use_global_undo = True
    name = start(prompt="slow")
    wait_for(name, "RUNNING")
    for step in ("the job runs", "later"):
        bpy.ops.ed.undo_push(message=step)
    wait_for(name, "SUCCEEDED")
    reenable()  # this session has no record of the job
    assert name not in tracking._records
    bpy.ops.ed.undo()
    assert results()[name].state == "RECONNECTING"
    wait_for(name, "SUCCEEDED")
    assert is_whole(name)


def test_revert_and_save_as_in_a_job(blockout: bpy.types.Scene, start: Callable[..., str], tmp_path: Path) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    name = start(prompt="slow", directory=str(tmp_path / "out"))
    wait_for(name, "RUNNING")
    bpy.ops.wm.revert_mainfile()  # to before the job
    assert results()[name].state == "RECONNECTING"
    wait_for(name, "RUNNING")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "other.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    assert name not in results()  # it went with the file's new name
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "other.blend"))
    wait_for(name, "SUCCEEDED")
    assert is_whole(name)


def test_a_scene_copied_in_a_job_gets_the_result_too(blockout: bpy.types.Scene, start: Callable[..., str]) -> None:
    name = start(prompt="slow")
    wait_for(name, "RUNNING")
    copy = blockout.copy()
    wait(lambda: blockout.occscene.results[name].state == "SUCCEEDED")
    ours, theirs = (scene.occscene.results[name] for scene in (blockout, copy))
    assert theirs.state == "SUCCEEDED"
    assert [view.image for view in theirs.views] == [view.image for view in ours.views] != [None, None]


_ANOTHER_BLENDER = """
import sys
import bpy, blender_addon
from blender_addon.jobs import tracking
from tests.blender.waiting import wait
tracking.is_interactive = lambda: True
blender_addon.register()
bpy.ops.wm.open_mainfile(filepath=sys.argv[1])
(result,) = bpy.context.scene.occscene.results
print("state", result.state, flush=True)
sys.stdin.readline()
wait(lambda: result.state == "SUCCEEDED")
print("state", result.state, [bool(view.image) for view in result.views], flush=True)
"""


def test_two_blenders_with_one_file(
    blockout: bpy.types.Scene, start: Callable[..., str], server: str, tmp_path: Path
) -> None:
    """Both see the result, and neither cuts into the other's files."""
    name = start(prompt=f"until {tmp_path / 'go'}", directory=str(tmp_path / "out"))
    wait_for(name, "RUNNING")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'protos'}"}
    command = [sys.executable, "-c", _ANOTHER_BLENDER, str(tmp_path / "scene.blend")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT
    ) as other:
        assert other.stdin
        assert other.stdout
        seen = next(line for line in other.stdout if line.startswith("state"))
        assert seen.split()[1] == "RECONNECTING"
        other.stdin.write("\n")
        other.stdin.flush()
        (tmp_path / "go").touch()
        wait_for(name, "SUCCEEDED")
        seen = next(line for line in other.stdout if line.startswith("state"))
        assert seen == "state SUCCEEDED [True, True]\n"
    assert is_whole(name)


_UPDATED = """
import sys
import bpy
from tests.patience import wait_until
def load():
    import blender_addon
    from blender_addon.jobs import session, tracking
    tracking.is_interactive = lambda: True
    blender_addon.register()
    tracking.begin_following()
    return blender_addon, session, tracking
blender_addon, session, tracking = load()
bpy.ops.wm.open_mainfile(filepath=sys.argv[1])
result = lambda: bpy.context.scene.occscene.results[0]
wait_until(lambda: result().state == "RUNNING", lambda: session._session.poll())
old = session.bridge_pid()
blender_addon.unregister()
for name in [name for name in sys.modules if name.split(".")[0] in ("blender_addon", "occscene")]:
    del sys.modules[name]
_, session, tracking = load()
assert session.bridge_pid() != old
open(sys.argv[2], "w").close()
wait_until(lambda: result().state == "SUCCEEDED", lambda: session._session.poll())
print("state", result().state)
"""


@pytest.mark.slow
def test_an_update_in_a_job(blockout: bpy.types.Scene, start: Callable[..., str], tmp_path: Path) -> None:
    """Blender forgets the old version's modules, and loads the new one's."""
    name = start(prompt=f"until {tmp_path / 'go'}", directory=str(tmp_path / "out"))
    wait_for(name, "RUNNING")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    quit_blender()
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'protos'}"}
    command = [sys.executable, "-c", _UPDATED, str(tmp_path / "scene.blend"), str(tmp_path / "go")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False)
    assert "state SUCCEEDED" in done.stdout, done.stdout + done.stderr


def test_a_job_that_no_server_took_is_not_listed_again(
    blockout: bpy.types.Scene, start: Callable[..., str], tmp_path: Path
) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    name = start(server="127.0.0.1:9")
    wait_for(name, "FAILED")
    assert not list(journal.entries())
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    assert not results()


def test_a_cancel_reaches_a_server_that_was_away(
    blockout: bpy.types.Scene, start: Callable[..., str], mortal: ServeProcess, tmp_path: Path
) -> None:
    name = start(prompt=ENDLESS, server=mortal.address)
    wait_for(name, "RUNNING")
    mortal.process.kill()
    mortal.process.wait()
    bpy.ops.occscene.cancel(result=name)
    wait(lambda: "could not be reached" in results()[name].message)
    mortal.process = reborn(mortal, tmp_path).process
    wait(lambda: results()[name].message == "")
    assert results()[name].state == "CANCELLED"
    wait(lambda: state_on(mortal.address, results()[name].job_id) == job_pb2.JOB_STATE_CANCELLED)


def test_entries_of_the_journal_that_cannot_be_read_stop_no_other(
    blockout: bpy.types.Scene, start: Callable[..., str], tmp_path: Path
) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    name = start(prompt="slow", directory=str(tmp_path / "out"))
    wait_for(name, "RUNNING")
    folder = user_folder("jobs")
    (folder / "cut-off.json").write_text('{"request": "{')
    (folder / "newer.json").write_text('{"request": "{}", "of": "a later version"}')
    (folder / "empty.json").write_text("")
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    wait_for(name, "SUCCEEDED")
