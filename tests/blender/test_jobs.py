"""Jobs that outlive what happens to Blender: cancelled, left by a dying bridge, by undo, file loads and crashes."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import bpy
import pytest
from occscene.client import SceneClient
from occscene.v1 import job_pb2

from blender_addon.jobs import journal, session, tracking
from blender_addon.properties.results import UNFINISHED
from tests.blender.server_process import stand_in_server
from tests.blender.waiting import pump, results, wait, wait_for
from tests.occscene_server.stand_in import ENDLESS


def state_on(server: str, job_id: str) -> int:
    """What the server says of a job."""
    with SceneClient(server, patience=0.0) as client:
        return int(client.get(job_id).state)


def quit_blender() -> None:
    """What is left of the session when Blender quits: nothing."""
    tracking.stop_following()


def test_cancel_works_at_once_and_reaches_the_server(
    blockout: bpy.types.Scene, start: Callable[..., str], server: str
) -> None:
    name = start(prompt=ENDLESS)
    wait_for(name, "RUNNING")
    bpy.ops.occscene.cancel(result=name)
    assert results()[name].state == "CANCELLED"
    wait(lambda: state_on(server, results()[name].job_id) == job_pb2.JOB_STATE_CANCELLED)
    assert results()[name].state == "CANCELLED"


def test_cancel_before_the_server_has_answered(
    blockout: bpy.types.Scene, start: Callable[..., str], server: str
) -> None:
    name = start(prompt=ENDLESS)
    assert results()[name].state == "SENDING"
    bpy.ops.occscene.cancel(result=name)
    assert results()[name].state == "CANCELLED"
    wait(lambda: bool(results()[name].job_id) or bool(tracking._records[name].job_id))
    wait(lambda: state_on(server, tracking._records[name].job_id) == job_pb2.JOB_STATE_CANCELLED)


def test_a_dead_server_is_named(blockout: bpy.types.Scene, start: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    with stand_in_server(tmp_path / "server") as address:
        name = start(prompt=ENDLESS, server=address)
        wait_for(name, "RUNNING")
    wait_for(name, "RECONNECTING")
    wait(lambda: f"no server answers at {address}" in results()[name].message)


def test_a_dead_bridge_loses_nothing(blockout: bpy.types.Scene, start: Callable[..., str]) -> None:
    name = start(prompt="slow")
    wait_for(name, "RUNNING")
    os.kill(session.bridge_pid(), signal.SIGKILL)
    wait(lambda: results()[name].state not in UNFINISHED)
    assert results()[name].state == "SUCCEEDED"
    assert len(results()[name].views) == 2


def test_a_file_saved_in_the_middle_finds_its_job_again(
    blockout: bpy.types.Scene, start: Callable[..., str], tmp_path: Path
) -> None:
    name = start(prompt="slow", directory=str(tmp_path / "out"))
    wait_for(name, "RUNNING")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    quit_blender()
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    wait_for(name, "SUCCEEDED")
    assert all(view.image.packed_file for view in results()[name].views)
    assert (tmp_path / "out/view_left.png").exists()


def test_without_a_window_the_job_of_a_file_waits_for_reconnect(
    blockout: bpy.types.Scene, start: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = start(prompt="slow", directory=str(tmp_path / "out"))
    wait_for(name, "RUNNING")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    quit_blender()
    monkeypatch.setattr(tracking, "is_interactive", lambda: False)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    assert results()[name].state == "DISCONNECTED"
    assert bpy.ops.occscene.reconnect(result=name) == {"FINISHED"}
    assert results()[name].state == "SUCCEEDED"


def test_a_file_not_saved_since_finds_its_job_again(
    blockout: bpy.types.Scene, start: Callable[..., str], tmp_path: Path
) -> None:
    """Saved, generated, crashed: the result is in no file."""
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    name = start(prompt="slow")
    quit_blender()  # before the server has even answered
    assert [entry.job_id for _, entry in journal.entries()] == [""]
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    assert name in results()
    wait(lambda: results()[name].state not in UNFINISHED)
    assert results()[name].state in ("SUCCEEDED", "FAILED")
    if results()[name].state == "FAILED":  # it died before the bridge had sent it
        assert results()[name].message == "The request never reached the server. Generate again."
    bpy.ops.wm.save_mainfile()
    assert not list(journal.entries())  # the file holds it now


def test_a_result_that_was_never_saved_is_brought_back(
    blockout: bpy.types.Scene, start: Callable[..., str], tmp_path: Path
) -> None:
    name = start(prompt="a room")
    wait_for(name, "SUCCEEDED")
    quit_blender()
    bpy.ops.wm.read_homefile(use_empty=True)
    assert name not in results()
    bpy.ops.occscene.bring_back()
    wait_for(name, "SUCCEEDED")
    assert len(results()[name].views) == 2
    assert results()[name].prompt == "a room"
    bpy.ops.occscene.remove_result()
    assert not tracking.lost_jobs()


def test_another_file_does_not_get_the_job(
    blockout: bpy.types.Scene, start: Callable[..., str], server: str, tmp_path: Path
) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "one.blend"))
    name = start(prompt="slow")
    wait_for(name, "RUNNING")
    job_id = results()[name].job_id
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "other.blend"))
    wait(lambda: state_on(server, job_id) == job_pb2.JOB_STATE_SUCCEEDED)
    for _ in range(40):
        pump()
    assert not results()
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "one.blend"))
    wait_for(name, "SUCCEEDED")


def test_a_deleted_scene_or_result_loses_nothing(blockout: bpy.types.Scene, start: Callable[..., str]) -> None:
    name = start(prompt="slow")
    wait_for(name, "RUNNING")
    other = bpy.data.scenes.new("Other")
    bpy.data.scenes.remove(blockout)
    wait(lambda: name in other.occscene.results and other.occscene.results[name].state == "SUCCEEDED")
    assert len(other.occscene.results[name].views) == 2


def test_undo_takes_no_result_away(blockout: bpy.types.Scene, start: Callable[..., str]) -> None:
    bpy.context.preferences.edit.use_global_undo = True
    for step in ("opened", "before"):
        bpy.ops.ed.undo_push(message=step)
    name = start(prompt="a room")
    bpy.ops.ed.undo_push(message="artist's step")
    wait_for(name, "SUCCEEDED")
    bpy.ops.ed.undo()
    assert results()[name].state == "SUCCEEDED"
    assert [view.image.size[0] for view in results()[name].views] == [64, 64]
    bpy.ops.ed.undo()
    assert results()[name].state == "SUCCEEDED"
    assert [view.image.size[0] for view in results()[name].views] == [64, 64]


def test_one_undo_takes_one_import_back(blockout: bpy.types.Scene, start: Callable[..., str]) -> None:
    wait_for(start(prompt="a room"), "SUCCEEDED")
    bpy.ops.ed.undo_push(message="before")
    before = set(bpy.data.objects.keys()), set(bpy.data.meshes.keys())
    bpy.ops.occscene.import_occupancy("EXEC_DEFAULT", True, separate=True, surface="SMOOTH")
    assert set(bpy.data.objects.keys()) > before[0]
    bpy.ops.ed.undo()
    assert (set(bpy.data.objects.keys()), set(bpy.data.meshes.keys())) == before
