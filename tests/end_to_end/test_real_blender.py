"""The built extension in a real Blender, whose executable `$BLENDER` names; without it these tests are skipped.

`$BLENDER_WINDOW` names one that may open a window.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from occscene.client.client import SceneClient
from occscene.grid import load_grid
from occscene.placed_layout import PlacedLayout, save_layout
from PIL import Image

from tests.blender.compose_server import ROOM
from tests.blender.server_process import compose_server, stand_in_server
from tests.patience import PATIENCE, wait_until

BLENDER = os.environ.get("BLENDER", "")
LONGEST_STEP = 24.0
"""Milliseconds of Blender's main thread: a step takes up to 8 where nothing else runs, and more beside other work."""
pytestmark = [
    pytest.mark.skipif(not BLENDER, reason="$BLENDER names no Blender executable"),
    pytest.mark.blender,
    pytest.mark.slow,
    pytest.mark.weights,
]


def blender(*arguments: str) -> str:
    """Runs Blender and returns what it printed; the extension is installed for the user that runs the tests."""
    done = subprocess.run([BLENDER, *arguments], capture_output=True, text=True, timeout=3 * PATIENCE, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("extension")
    subprocess.run([sys.executable, "-m", "blender_addon.build", "--output", str(folder)], check=True)
    (package,) = folder.glob("*.zip")
    blender("--command", "extension", "validate", str(package))
    blender("--command", "extension", "install-file", "-r", "user_default", "-e", str(package))
    return package


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A folder with `living_room.blend`, the tagged sample blockout, and the address of a server."""
    bpy = pytest.importorskip("bpy")
    import blender_addon
    from occscene_server.studio.demo import open_blockout, start_server, wait_for_server

    folder = tmp_path_factory.mktemp("sample")
    server = start_server(folder)
    try:
        open_blockout("living_room", "", folder)
        bpy.ops.wm.save_as_mainfile(filepath=str(folder / "living_room.blend"))
        blender_addon.unregister()
        yield folder, wait_for_server(server, folder)
    finally:
        server.terminate()
        server.wait()


def test_voxelizes_as_the_bpy_module_does(extension: Path, sample: tuple[Path, str]) -> None:
    folder, _ = sample
    scene, output = folder / "living_room.blend", folder / "from_blender.npz"
    blender("-b", str(scene), "--command", "occscene", "voxelize", "--output", str(output))
    assert np.mean(load_grid(output).labels != load_grid(folder / "blockout.npz").labels) < 1e-3


def test_generates_and_imports(extension: Path, sample: tuple[Path, str]) -> None:
    folder, address = sample
    scene, output = folder / "living_room.blend", folder / "result"
    arguments = ("generate", "--output", str(output), "--server", address, "--steps", "4")
    blender("-b", str(scene), "--command", "occscene", *arguments)
    views = sorted(output.glob("view_*.png"))
    assert [Image.open(view).size for view in views] == [(512, 512)] * 4
    with_mesh = folder / "with_mesh.blend"
    arguments = ("import", str(output / "occupancy.npz"), "--save", str(with_mesh))
    assert "added" in blender("-b", str(scene), "--command", "occscene", *arguments)
    assert with_mesh.exists()


@pytest.mark.skipif("BLENDER_WINDOW" not in os.environ, reason="$BLENDER_WINDOW names no Blender with a display")
def test_the_button_generates_in_a_window(extension: Path, sample: tuple[Path, str]) -> None:
    folder, address = sample
    picture, state = folder / "sidebar.npy", folder / "state"
    script = Path(__file__).with_name("in_window.py")
    subprocess.run(
        [os.environ["BLENDER_WINDOW"], folder / "living_room.blend", "--python", script, "--", address, picture, state],
        timeout=3 * PATIENCE,
        check=False,  # closing its display can cost Blender its status
    )
    assert state.read_text() == "SUCCEEDED"
    pixels = np.load(picture)[..., :3]
    assert min(pixels.shape[:2]) > 100
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 50  # swatches, text and widgets, not an empty region


@pytest.fixture(scope="module")
def furnished(extension: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What each case of `in_window_furnishing` reports."""
    folder = tmp_path_factory.mktemp("furnished")
    save_layout(folder / "layout.json", PlacedLayout(ROOM))
    script = Path(__file__).with_name("in_window_furnishing.py")
    with compose_server(folder) as address:
        arguments = [address, folder / "layout.json", folder, folder / "report.json", str(PATIENCE)]
        command = [os.environ["BLENDER_WINDOW"], "--python", script, "--", *arguments]
        subprocess.run(command, timeout=8 * PATIENCE, check=False)
    return dict(json.loads((folder / "report.json").read_text()))


BUTTONS = ("complete", "redraw", "add_detail")


@pytest.mark.skipif("BLENDER_WINDOW" not in os.environ, reason="$BLENDER_WINDOW names no Blender with a display")
@pytest.mark.timeout(9 * PATIENCE)  # all cases in one window, drawn by software
@pytest.mark.parametrize(
    "case",
    [
        "import blockout",
        *BUTTONS,
        *(f"{button} {when}" for button in BUTTONS for when in ("in edit mode", "reselected", "undone meanwhile")),
    ],
)
def test_one_undo_takes_a_change_back_and_one_redo_brings_it(furnished: dict[str, dict[str, Any]], case: str) -> None:
    report = furnished[case]
    assert "error" not in report, report["error"]
    before, after = report["before"], report["after"]
    changed = {name for name in before | after if before.get(name) != after.get(name)}
    assert (
        changed
        == {
            "import": {name for name in after if name not in before},
            "complete": {"lamp", "rug"},
            "redraw": {"sofa"},
            "add_detail": {"sofa", "sofa Detail"},
        }[case.split(" ")[0]]
    )
    assert len(changed) > 10 or case != "import blockout"
    assert report["undone"] == report["a little later"] == before
    assert report["redone"] == after
    if case != "import blockout":
        assert report["state"] == "SUCCEEDED"
        assert "sofa" in report["message"] or case.startswith("complete")
    if "edit mode" in case:
        message, mode, names = report["in edit mode"]
        assert (message, mode) == ("", "EDIT_MESH")  # it waits
        assert set(names) == set(before)
        assert before["chair"][1] > 6  # what was edited is kept
    if "reselected" in case:
        assert report["selected"] == ["chair"]
    if "undone" in case:
        assert report["moved back"] == 0


@pytest.mark.skipif("BLENDER_WINDOW" not in os.environ, reason="$BLENDER_WINDOW names no Blender with a display")
def test_strokes_are_collected_and_the_grid_is_drawn_in_a_window(extension: Path, tmp_path: Path) -> None:
    script, output = Path(__file__).with_name("in_window_sculpting.py"), tmp_path / "report.json"
    subprocess.run([os.environ["BLENDER_WINDOW"], "--python", script, "--", output], timeout=3 * PATIENCE, check=False)
    report = json.loads(output.read_text())
    outside, inside = report.pop("grid")
    for kind, (before, sculpted, left) in report.items():
        assert before[1] == 0.0, kind
        assert sculpted[1] > 0.1, kind
        assert sculpted == left, kind
    assert max(outside) > 90  # the class's colour
    assert max(inside) < 60  # the dark of what is filled


@pytest.mark.skipif("BLENDER_WINDOW" not in os.environ, reason="$BLENDER_WINDOW names no Blender with a display")
@pytest.mark.timeout(5 * PATIENCE)  # five drafts of 100,000 triangles in a window that is drawn by software
def test_drafts_follow_in_a_window(extension: Path, tmp_path: Path) -> None:
    script, output = Path(__file__).with_name("in_window_live.py"), tmp_path / "report.json"
    with stand_in_server(tmp_path, "--with-decoder") as address:
        command = [os.environ["BLENDER_WINDOW"], "--python", script, "--", address, tmp_path, output, str(PATIENCE)]
        subprocess.run(command, timeout=4 * PATIENCE, check=False)
        with SceneClient(address) as client:
            wait_until(lambda: not client.jobs())
    report = json.loads(output.read_text())
    assert "error" not in report, report["error"]
    pictures = {name: np.load(tmp_path / f"{name} WINDOW.npy")[..., :3] for name in ("before", "first", "moved", "off")}
    middle = {name: picture[300:600, 500:800].astype(int) for name, picture in pictures.items()}
    assert np.abs(middle["first"] - middle["before"]).mean() > 5  # the draft lies over the blockout
    assert (middle["moved"] != middle["first"]).any()
    assert np.abs(middle["off"] - middle["moved"]).mean() > 5
    assert report["undone"] == 52  # what was added is gone, what was built is there: undo does not trip over drafts
    assert report["images"] == 0
    assert max(work for work, _ in report["steps"].values()) < LONGEST_STEP, report["steps"]
