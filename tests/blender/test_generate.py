"""Blender's side of a job against a real local server whose pipeline is the stand-in."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np
import pytest
from occscene.grid import load_grid

from blender_addon.operators import jobs
from tests.blender.build_scenes import add_box, add_camera

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server in a process of its own."""
    folder = tmp_path_factory.mktemp("server")
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
    yield f"127.0.0.1:{port.read_text()}"
    process.communicate(timeout=30)


@pytest.fixture
def blockout(scene: bpy.types.Scene) -> bpy.types.Scene:
    """A floor, a sofa and two cameras, tagged, in a volume."""
    add_box("floor", (4, 4, 0.2), (0, 0, -0.1))
    add_box("sofa", (2, 0.9, 0.8), (0, 1, 0.4))
    add_camera("left", (-1, -1.8, 1.2))
    add_camera("right", (1, -1.8, 1.2))
    scene.render.resolution_x = scene.render.resolution_y = 64
    scene.occscene.image_size = 64
    bpy.ops.occscene.guess_classes()
    bpy.ops.occscene.fit_volume()
    return scene


def test_generate_writes_and_loads_everything(blockout: bpy.types.Scene, server: str, tmp_path: Path) -> None:
    done = bpy.ops.occscene.generate(prompt="a red room", seed=3, directory=str(tmp_path), server=server)
    assert done == {"FINISHED"}
    (result,) = blockout.occscene.results
    assert (result.state, result.prompt, result.seed) == ("SUCCEEDED", "a red room", 3)
    assert [view.name for view in result.views] == ["left", "right"]
    for view in result.views:
        assert tuple(view.image.size) == (64, 64)
        assert view.image.packed_file
        assert (tmp_path / f"view_{view.name}.png").stat().st_size == view.image.packed_file.size
    told = json.loads((tmp_path / "result.json").read_text())
    assert (told["seed"], told["job_id"]) == (3, result.job_id)
    predicted = load_grid(tmp_path / "occupancy.npz")
    bpy.ops.occscene.voxelize(filepath=str(tmp_path / "sent.npz"))
    np.testing.assert_array_equal(predicted.labels, load_grid(tmp_path / "sent.npz").labels)

    assert bpy.ops.occscene.set_backgrounds() == {"FINISHED"}
    assert bpy.data.objects["left"].data.background_images[0].image == result.views[0].image
    assert bpy.ops.occscene.import_occupancy() == {"FINISHED"}


def test_a_failed_job_says_why(blockout: bpy.types.Scene, server: str, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"(?i)error"):
        bpy.ops.occscene.generate(prompt="error", directory=str(tmp_path), server=server)
    assert blockout.occscene.results[0].state == "FAILED"
    assert blockout.occscene.results[0].message


def test_cancel_ends_a_running_job(blockout: bpy.types.Scene, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name = start_without_waiting(monkeypatch, prompt="slow", server=server)
    results = blockout.occscene.results
    jobs.wait(lambda: results[name].state == "RUNNING")
    bpy.ops.occscene.cancel(result=name)
    jobs.wait(lambda: results[name].state == "CANCELLED")


def test_a_dead_bridge_loses_nothing(blockout: bpy.types.Scene, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name = start_without_waiting(monkeypatch, prompt="slow", server=server)
    results = blockout.occscene.results
    jobs.wait(lambda: results[name].state == "RUNNING")
    jobs._session.bridge._process.kill()
    jobs.wait(lambda: results[name].state == "DISCONNECTED")
    assert bpy.ops.occscene.reconnect(result=name) == {"FINISHED"}
    assert results[name].state == "SUCCEEDED"
    assert len(results[name].views) == 2


def test_a_saved_file_finds_its_job_again(
    blockout: bpy.types.Scene, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = start_without_waiting(monkeypatch, prompt="slow", server=server, directory=str(tmp_path / "out"))
    jobs.wait(lambda: blockout.occscene.results[name].state == "RUNNING")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    jobs.shut_down()
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    result = bpy.context.scene.occscene.results[name]
    assert result.state == "DISCONNECTED"
    assert bpy.ops.occscene.reconnect(result=name) == {"FINISHED"}
    assert bpy.context.scene.occscene.results[name].state == "SUCCEEDED"
    assert (tmp_path / "out/view_left.png").exists()


def test_a_deleted_result_is_made_anew(blockout: bpy.types.Scene, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name = start_without_waiting(monkeypatch, prompt="slow", server=server)
    results = blockout.occscene.results
    jobs.wait(lambda: results[name].state == "RUNNING")
    results.remove(0)
    jobs.wait(lambda: name in results and results[name].state == "SUCCEEDED")
    assert results[name].job_id


def test_nobody_answers(blockout: bpy.types.Scene, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"no server answers at 127\.0\.0\.1:9.*occscene-server"):
        bpy.ops.occscene.generate(directory=str(tmp_path), server="127.0.0.1:9")


def test_other_machines_need_online_access(blockout: bpy.types.Scene, tmp_path: Path) -> None:
    assert not bpy.app.online_access
    with pytest.raises(RuntimeError, match="Allow Online Access"):
        bpy.ops.occscene.generate(directory=str(tmp_path), server="example.org:50051")


def test_what_is_missing_is_named(scene: bpy.types.Scene, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no visible object has a class"):
        bpy.ops.occscene.generate(directory=str(tmp_path))
    add_box("sofa")
    bpy.ops.occscene.guess_classes()
    with pytest.raises(RuntimeError, match="the scene has no volume"):
        bpy.ops.occscene.generate(directory=str(tmp_path))
    bpy.ops.occscene.fit_volume()
    with pytest.raises(RuntimeError, match="no camera"):
        bpy.ops.occscene.generate(directory=str(tmp_path))


def test_server_info(server: str) -> None:
    assert bpy.ops.occscene.test_connection(server=server) == {"FINISHED"}
    assert "Server 0.1" in bpy.context.window_manager.occscene.server_status


def start_without_waiting(monkeypatch: pytest.MonkeyPatch, **arguments: object) -> str:
    """Starts a generation as in a window, where a timer follows it; returns the result's name."""
    from blender_addon.operators import generating

    monkeypatch.setattr(generating, "wait_for", lambda _operator, _record: {"FINISHED"})
    assert bpy.ops.occscene.generate(**arguments) == {"FINISHED"}
    monkeypatch.undo()
    return str(bpy.context.scene.occscene.results[-1].name)
