"""Scenes from words on the bundled priors: the real extension in Blender, the real server, real bytes between them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from occscene.layout import LayoutObject
from occscene.placed_layout import load_layout

bpy = pytest.importorskip("bpy")

from blender_addon.scene.given import given_objects  # noqa: E402
from tests.blender.build_scenes import add_box, add_camera  # noqa: E402
from tests.occscene_server.serve_process import ENVIRONMENT  # noqa: E402

pytestmark = [pytest.mark.blender, pytest.mark.slow, pytest.mark.weights]


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[bpy.types.Scene]:
    import blender_addon

    monkeypatch.setenv("OCCSCENE_USER_FOLDER", str(tmp_path / "user"))
    bpy.ops.wm.read_factory_settings(use_empty=True)
    blender_addon.register()
    yield bpy.context.scene
    blender_addon.unregister()


def by_source() -> dict[str, LayoutObject]:
    """What stands in the scene as boxes, by the names of Blender's objects."""
    given = given_objects(bpy.context)
    return dict(zip(given.sources, given.layout.objects, strict=True))


def named(name: str) -> list[bpy.types.Object]:
    """The objects that are called so, but for Blender's numbers."""
    return [obj for obj in bpy.context.scene.objects if obj.name.split(".")[0] == name]


def select(*names: str) -> None:
    for obj in bpy.context.view_layer.objects:
        obj.select_set(obj.name in names)


def message() -> str:
    return str(bpy.context.scene.occscene.results[-1].message)


def test_an_artists_room_is_completed_redrawn_and_detailed(scene: bpy.types.Scene, bundled: str) -> None:
    for name, size, center in (
        ("floor", (4.2, 3.8, 0.1), (10.0, 5.0, -0.05)),
        ("wall", (4.2, 0.1, 2.5), (10.0, 6.95, 1.25)),
        ("sofa", (1.9, 0.9, 0.8), (10.0, 6.4, 0.4)),
    ):
        add_box(name, size, center).occscene.class_name = name
    bpy.ops.occscene.fit_volume()
    before = by_source()
    prompt = "a living room with a coffee table and two armchairs"
    assert bpy.ops.occscene.complete(server=bundled, prompt=prompt, seed=3) == {"FINISHED"}
    assert named("coffee table"), message()
    assert len(named("armchair")) >= 2
    after = by_source()
    assert {name: after[name] for name in before} == before
    low, high = np.array([7.7, 2.9]), np.array([12.3, 7.1])  # windows stand a little out of their walls
    for obj in after.values():
        assert (obj.corners[:, :2] > low).all(), obj
        assert (obj.corners[:, :2] < high).all(), obj

    table = named("coffee table")[0].name
    select(table)
    assert bpy.ops.occscene.redraw(server=bundled, prompt=prompt, seed=5) == {"FINISHED"}
    redrawn = by_source()
    assert [name for name in after if redrawn[name] != after[name]] == [table]
    assert bpy.ops.occscene.redraw(server=bundled, redraw_as="pouf", seed=5) == {"FINISHED"}
    assert table not in scene.objects
    changed = bpy.context.view_layer.objects.selected[0]
    assert changed.name.startswith("pouf")
    assert changed.occscene.class_name == "chair"

    select("sofa", changed.name)
    assert bpy.ops.occscene.add_detail(server=bundled, seed=1) == {"FINISHED"}
    assert message().startswith("Got parts: ")
    for name in ("sofa", changed.name):
        detail = scene.objects[f"{name} Detail"]
        assert detail.parent is scene.objects[name]
        assert len(detail.data.polygons) > 24  # several parts, not the box again
        assert not scene.objects[name].visible_get()
    np.testing.assert_allclose(by_source()["sofa Detail"].size, before["sofa"].size, atol=0.1)


def test_words_become_a_blockout_that_can_be_sent_again(scene: bpy.types.Scene, bundled: str, tmp_path: Path) -> None:
    add_camera("camera", (1.5, -1.5, 1.5))
    scene.render.resolution_x = scene.render.resolution_y = scene.occscene.image_size = 64
    words = {"prompt": "a bedroom with a red bed and a wardrobe", "seed": 2, "server": bundled}
    folder = tmp_path / "text"
    assert bpy.ops.occscene.generate(task="TEXT", steps=1, directory=str(folder), **words) == {"FINISHED"}
    assert bpy.ops.occscene.import_blockout() == {"FINISHED"}
    (bed,) = named("bed")
    assert bed.occscene.class_name == "bed"
    assert bed.color[0] > max(bed.color[1], bed.color[2])
    assert named("wardrobe")
    layout = load_layout(folder / "layout.json").layout
    assert {obj.name for obj in layout.objects} <= {obj.name for obj in by_source().values()}
    assert bpy.ops.occscene.generate(steps=1, directory=str(tmp_path / "again"), **words) == {"FINISHED"}

    command = [sys.executable, "-m", "occscene_server.cli", "layout", "--prompt", words["prompt"], "--seed", "2"]
    command += ["--parts", "--output", str(tmp_path / "command"), "--server", bundled]
    subprocess.run(command, env=ENVIRONMENT, check=True, capture_output=True)
    ours, theirs = (json.loads((place / "layout.json").read_text()) for place in (folder, tmp_path / "command"))
    assert ours.keys() == theirs.keys()
    assert [obj.keys() for obj in theirs["objects"]][:1] == [obj.keys() for obj in ours["objects"]][:1]
