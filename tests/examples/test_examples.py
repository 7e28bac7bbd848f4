"""The examples run as they stand: against a real server, on the bundled model, in Blender."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from occscene.grid import load_grid
from occscene.results import read_result
from occscene.taxonomy import INDOOR
from PIL import Image

from tests.blender.server_process import stand_in_server

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "protos")])}

BLENDER = f"""#!{sys.executable}
import sys
import bpy
import blender_addon
from blender_addon.operators import command

_, background, blend, _, extension, *arguments = sys.argv
assert (background, extension) == ("-b", "occscene")
bpy.ops.wm.open_mainfile(filepath=blend)
blender_addon.register()
code = command.main(arguments)
blender_addon.unregister()
sys.exit(code)
"""
"""Blender's command line, played by the bpy module and the extension in it."""


def run_example(name: str, *arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "examples" / name), *map(str, arguments)]
    return subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with stand_in_server(tmp_path_factory.mktemp("server")) as address:
        yield address


def test_the_client_writes_the_views_of_its_job(server: str, tmp_path: Path) -> None:
    done = run_example("client.py", server, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    views = read_result(tmp_path / "result").views
    assert [path.name for path in views.values()] == [f"view_{number}.png" for number in range(1, 5)]
    assert Image.open(views["1"]).size == (512, 512)


def test_the_client_has_ten_lines_after_its_imports() -> None:
    lines = (ROOT / "examples/client.py").read_text(encoding="utf-8").splitlines()
    last_import = max(number for number, line in enumerate(lines) if line.startswith(("import", "from")))
    assert len([line for line in lines[last_import + 1 :] if line.strip()]) <= 10


@pytest.mark.slow
@pytest.mark.weights
def test_the_pipeline_shows_its_blockout(tmp_path: Path) -> None:
    done = run_example("pipeline.py", tmp_path / "room", "--steps", 2, "--seed", 3, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    views = [np.asarray(Image.open(tmp_path / f"room/view_{number}.png")) for number in range(1, 5)]
    assert {view.shape for view in views} == {(512, 512, 3)}
    assert min(view.std() for view in views) > 10
    occupancy = load_grid(tmp_path / "room/occupancy.npz")
    assert (occupancy.labels[20:38, 34:56, 1:5] == INDOOR.index_of("bed")).mean() > 0.5
    assert (occupancy.labels[15:45, 5:25, 8:30] == 0).mean() > 0.9


@pytest.mark.blender
@pytest.mark.slow
def test_the_farm_makes_what_is_missing_and_names_what_fails(server: str, tmp_path: Path) -> None:
    bpy = pytest.importorskip("bpy")
    from tests.blender.build_scenes import add_box, add_camera

    blender = tmp_path / "blender"
    blender.write_text(BLENDER, encoding="utf-8")
    blender.chmod(0o755)
    for name in ("room", "empty"):
        bpy.ops.wm.read_factory_settings(use_empty=True)
        if name == "room":
            add_box("floor", (4, 4, 0.2), (0, 0, -0.1))
            add_box("sofa", (2, 0.9, 0.8), (0, 1, 0.4))
            add_camera("left", (-1, -1.8, 1.2))
        bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / f"{name}.blend"))

    options = ("--seeds", 4, 5, "--server", server, "--blender", blender)
    done = run_example("farm.py", "out", "room.blend", "empty.blend", *options, folder=tmp_path)
    assert done.returncode == 1
    assert "2 of 4 done" in done.stdout
    assert done.stderr.count("empty.blend") == 2
    assert "no visible object has a class" in done.stderr
    made = [tmp_path / f"out/room_{seed}/view_left.png" for seed in (4, 5)]
    assert made[0].read_bytes() != made[1].read_bytes()

    before = [path.stat().st_mtime_ns for path in made]
    done = run_example("farm.py", "out", "room.blend", *options, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [path.stat().st_mtime_ns for path in made] == before
