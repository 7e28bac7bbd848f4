"""A folder that takes no results: an error before anything is sent; later the results stay with the server."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import bpy
import pytest

from blender_addon.bridge import result_folder
from blender_addon.bridge.result_folder import check_room
from blender_addon.jobs import events, journal
from tests.blender.test_following import is_whole
from tests.blender.waiting import results, wait_for


def test_a_file_in_the_folders_place(
    blockout: bpy.types.Scene, start: Callable[..., str], tmp_path: Path, server: str
) -> None:
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    (tmp_path / "occscene_results").touch()
    with pytest.raises(RuntimeError, match=r"occscene_results is a file; move it away, or choose another folder"):
        start()
    assert not results()
    assert not list(journal.entries())
    (tmp_path / "occscene_results").unlink()
    wait_for(start(), "SUCCEEDED")


def test_a_full_disk(blockout: bpy.types.Scene, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1_200_000)
    monkeypatch.setattr(result_folder.shutil, "disk_usage", lambda _path: usage)
    out = tmp_path / "not" / "there" / "yet"
    with pytest.raises(RuntimeError, match=rf"{out}: 2 MB may come, and 1 MB are free; make room there"):
        bpy.ops.occscene.generate(directory=str(out), server=server)
    assert not (tmp_path / "not").exists()
    assert not results()


def test_a_folder_that_may_not_be_written_to() -> None:
    with pytest.raises(ValueError, match=r"/proc/self/occscene: /proc/self: .*; fix that, or choose another folder"):
        check_room("/proc/self/occscene", 1)


@pytest.mark.parametrize("blocked", ["folder", "view_right.png", "occupancy.npz", "result.json"])
def test_results_that_cannot_be_written_stay_with_the_server(
    blockout: bpy.types.Scene, start: Callable[..., str], tmp_path: Path, blocked: str
) -> None:
    out = tmp_path / "out"
    name = start(prompt=f"until {tmp_path / 'go'}", directory=str(out))
    wait_for(name, "RUNNING")
    way = out if blocked == "folder" else out / blocked
    if blocked == "folder":
        out.rename(tmp_path / "away")
        out.touch()
    else:  # a folder in a file's place cannot be replaced by it
        (way / "in the way").mkdir(parents=True)
    (tmp_path / "go").touch()
    wait_for(name, "DISCONNECTED")
    message = results()[name].message
    assert message.startswith(f"The results cannot be written to {out}: ")
    assert message.endswith("then press Reconnect.")
    assert "Errno" not in message
    if blocked == "folder":
        out.unlink()
        (tmp_path / "away").rename(out)
    else:
        shutil.rmtree(way)
    assert bpy.ops.occscene.reconnect(result=name) == {"FINISHED"}
    wait_for(name, "SUCCEEDED")
    assert is_whole(name)


def test_an_event_that_blender_cannot_take_stops_no_other_job(
    blockout: bpy.types.Scene, start: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = start(prompt="slow"), start(prompt="slow")
    fill = events._fill_view

    def picky(view: object, result_name: str, data: bytes, is_preview: bool = False) -> None:
        if result_name == first:
            raise RuntimeError("no such image")
        fill(view, result_name, data, is_preview)

    monkeypatch.setattr(events, "_fill_view", picky)
    wait_for(first, "DISCONNECTED")
    assert "no such image" in results()[first].message
    wait_for(second, "SUCCEEDED")
    monkeypatch.setattr(events, "_fill_view", fill)
    bpy.ops.occscene.reconnect(result=first)
    wait_for(first, "SUCCEEDED")


def test_what_a_killed_process_left_half_written_is_removed(
    blockout: bpy.types.Scene, start: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "occupancy.npz.123.part").write_bytes(b"PK")
    name = start(directory=str(tmp_path / "out"))
    wait_for(name, "SUCCEEDED")
    assert is_whole(name)


def test_a_file_that_is_saved_elsewhere_finds_its_results(
    blockout: bpy.types.Scene, server: str, tmp_path: Path
) -> None:
    """Both ways: saved under another folder's name, and moved together with its results."""
    for name in ("one", "two", "three"):
        (tmp_path / name).mkdir()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "one/scene.blend"))
    bpy.ops.occscene.generate(server=server)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "two/scene.blend"))
    assert results()[0].directory.startswith("//")
    assert journal.folder_of(results()[0]).parent == tmp_path / "one/occscene_results"
    assert bpy.ops.occscene.import_occupancy() == {"FINISHED"}
    (tmp_path / "one/occscene_results").rename(tmp_path / "three/occscene_results")
    (tmp_path / "two/scene.blend").rename(tmp_path / "three/scene.blend")
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "three/scene.blend"))
    assert journal.folder_of(results()[0]).parent == tmp_path / "three/occscene_results"
    assert bpy.ops.occscene.import_occupancy() == {"FINISHED"}
