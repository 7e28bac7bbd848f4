"""The same job leaves the same folder, whether the extension or the command line writes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import bpy
import numpy as np
import pytest
from occscene.camera import cameras_to_rows
from occscene.grid import load_grid
from occscene.results import Result, read_result
from typer.testing import CliRunner

from occscene_server.cli.root import app
from tests.blender.build_scenes import add_camera

ODD = (
    "Cam",
    "cam",
    "caf\u00e9",
    "cafe\u0301",
    "a/b: c",
    "a_b_ c",
    "con",
    "x. ",
    "Camera 1",
    "\u0915\u092e\u0930\u093e",
)
"""Case, accents in two forms, separators, a device of Windows, ends of dots and spaces, a script of combined marks."""


def command_line(*arguments: object) -> None:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output + str(done.exception)


def fetched(result: Result, folder: Path) -> Result:
    """The same job's result, written by the command line."""
    command_line("jobs", "fetch", result.origin.job_id, "--output", folder, "--server", result.origin.server)
    return read_result(folder)


def assert_same(one: Result, other: Result) -> None:
    """The folders hold the same files with the same content, but for when the job was asked for by whose clock."""
    files = [sorted(path.name for path in result.folder.iterdir()) for result in (one, other)]
    assert files[0] == files[1]
    assert replace(one.origin, created="") == replace(other.origin, created="")
    assert (one.device, one.seconds, one.notes) == (other.device, other.seconds, other.notes)
    assert cameras_to_rows(one.cameras) == cameras_to_rows(other.cameras)
    assert [(name, path.name) for name, path in one.views.items()] == [
        (name, path.name) for name, path in other.views.items()
    ]
    for name, path in one.views.items():
        assert path.read_bytes() == other.views[name].read_bytes()
    for kind in ("occupancy", "blockout"):
        paths = getattr(one, kind), getattr(other, kind)
        if paths[0] is not None:
            grids = [load_grid(path) for path in paths]
            np.testing.assert_array_equal(grids[0].labels, grids[1].labels)
            assert grids[0].objects == grids[1].objects
    if one.layout is not None:
        assert other.layout is not None
        assert one.layout.read_bytes() == other.layout.read_bytes()


def test_blockout_to_scene_with_odd_names(blockout: bpy.types.Scene, server: str, tmp_path: Path) -> None:
    for name in ("left", "right"):
        bpy.data.objects.remove(bpy.data.objects[name])
    for number, name in enumerate(ODD):
        add_camera(name, (-1 + 0.1 * number, -1.8, 1.2))
    blockout.occscene.use_guidance, blockout.occscene.text_guidance = True, 2.6
    bpy.ops.occscene.generate(
        prompt="a caf\u00e9", negative_prompt="fog", seed=3, steps=2, directory=str(tmp_path / "blender"), server=server
    )
    result = read_result(tmp_path / "blender")
    assert (result.origin.kind, result.origin.text_guidance_scale) == ("blockout", 2.6)
    assert [view.name for view in blockout.occscene.results[0].views] == list(result.views)
    assert set(result.views) == set(ODD)
    assert_same(result, fetched(result, tmp_path / "fetched"))
    names = [path.name for path in result.views.values()]
    assert len({name.lower() for name in names}) == len(ODD)
    blockout_files = ("--grid", result.blockout, "--cameras", result.folder / "cameras.json")
    words = ("--prompt", "a caf\u00e9", "--seed", 3, "--steps", 2, "--output", tmp_path / "sent", "--server", server)
    command_line("generate", *blockout_files, *words)  # the same scene, sent from the files
    sent = read_result(tmp_path / "sent")
    assert [path.name for path in sent.views.values()] == names


@pytest.mark.weights
@pytest.mark.usefixtures("coarse_rooms")
def test_text_to_scene(scene: bpy.types.Scene, drawing: str, tmp_path: Path) -> None:
    bpy.ops.occscene.fit_volume()
    bpy.ops.occscene.generate(task="TEXT", prompt="a study", steps=2, directory=str(tmp_path / "a"), server=drawing)
    result = read_result(tmp_path / "a")
    assert (result.origin.kind, result.layout) == ("text", tmp_path / "a/layout.json")
    other = fetched(result, tmp_path / "b")
    (tmp_path / "b/blockout.npz").unlink()  # the layout's voxels, which Blender draws as boxes
    assert_same(result, read_result(other.folder))


def test_images_to_occupancy(blockout: bpy.types.Scene, server: str, tmp_path: Path) -> None:
    for name in ("left", "right"):
        image = bpy.data.images.new(name, 64, 64)
        image.pack()
        data = bpy.data.objects[name].data
        data.show_background_images = True
        data.background_images.new().image = image
    bpy.ops.occscene.generate(task="IMAGES", directory=str(tmp_path / "a"), server=server, use_blockout=True)
    result = read_result(tmp_path / "a")
    assert (result.origin.kind, result.views) == ("images", {})
    assert_same(result, fetched(result, tmp_path / "b"))


def test_a_composed_layout(blockout: bpy.types.Scene, drawing: str, tmp_path: Path) -> None:
    bpy.ops.occscene.complete(prompt="a lamp, a piano", directory=str(tmp_path / "a"), server=drawing, wait=True)
    result = read_result(tmp_path / "a")
    assert (result.origin.kind, result.occupancy, result.cameras) == ("layout", None, ())
    other = fetched(result, tmp_path / "b")
    (tmp_path / "b/blockout.npz").unlink()
    assert_same(result, read_result(other.folder))


def test_a_job_that_was_found_again(blockout: bpy.types.Scene, start: Callable[..., str], tmp_path: Path) -> None:
    """Its bridge was killed in the middle, and another one wrote the rest."""
    import os
    import signal

    from blender_addon.jobs import session
    from tests.blender.test_jobs import results, wait_for

    name = start(prompt="lingers", directory=str(tmp_path / "a"))
    session.wait(lambda: sum(not view.is_preview for view in results()[name].views) == 1)
    os.kill(session.bridge_pid() or 0, signal.SIGKILL)
    wait_for(name, "SUCCEEDED")
    result = read_result(tmp_path / "a")
    assert list(result.views) == ["left", "right"]
    assert_same(replace(result, device="cpu"), fetched(result, tmp_path / "b"))
