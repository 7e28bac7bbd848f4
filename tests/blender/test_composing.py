"""Complete, Redraw and Add Detail over a real connection, with a server that composes by a plain rule."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import bpy
import numpy as np
import pytest
from occscene.grid import load_grid
from occscene.placed_layout import load_layout

from blender_addon.jobs import composed, connection_check, tracking
from blender_addon.jobs.request import Request
from blender_addon.operators import command
from blender_addon.operators.composing import missing
from blender_addon.operators.voxelizing import voxelized_blockout
from blender_addon.scene.collect import collect_blockout
from blender_addon.scene.given import given_objects
from tests.blender import waiting
from tests.blender.build_scenes import add_box, add_camera
from tests.blender.server_process import compose_server
from tests.blender.test_units import set_unit


@pytest.fixture(scope="module")
def composer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with compose_server(tmp_path_factory.mktemp("composer")) as address:
        yield address


@pytest.fixture
def room(scene: bpy.types.Scene) -> bpy.types.Scene:
    """A floor, a wall, a scaled and turned sofa, two chairs; with undo steps behind them."""
    tag("floor", add_box("floor", (4, 4, 0.2), (0, 0, -0.1)))
    tag("wall", add_box("wall", (4, 0.1, 2.5), (0, 2.05, 1.25)))
    sofa = tag("sofa", add_box("My Sofa", (1, 0.9, 0.8), (0.5, 1, 0.4)))
    sofa.scale, sofa.rotation_euler.z = (2.0, 1.0, 1.0), 0.3
    tag("chair", add_box("chair", (0.5, 0.5, 0.9), (-1, 0, 0.45)))
    tag("chair", add_box("chair.001", (0.5, 0.5, 0.9), (-1, -1, 0.45)))
    bpy.ops.occscene.fit_volume()
    bpy.context.preferences.edit.use_global_undo = True
    for step in ("opened", "before"):
        bpy.ops.ed.undo_push(message=step)
    return scene


def tag(class_name: str, obj: bpy.types.Object) -> bpy.types.Object:
    obj.occscene.class_name = class_name
    return obj


def state() -> dict[str, object]:
    """All that the artist has made, bit for bit."""
    return {
        obj.name: (
            np.array(obj.matrix_world).tobytes(),
            np.array([vertex.co for vertex in obj.data.vertices]).tobytes() if obj.type == "MESH" else b"",
            tuple(obj.color),
            obj.occscene.class_name,
            obj.occscene.use_hint,
            obj.hide_viewport,
            obj.hide_render,
            tuple(collection.name for collection in obj.users_collection),
        )
        for obj in bpy.data.objects
    }


def select(*names: str) -> None:
    for obj in bpy.context.view_layer.objects:
        obj.select_set(obj.name in names)


def last() -> bpy.types.PropertyGroup:
    return bpy.context.scene.occscene.results[-1]


@pytest.fixture
def press(monkeypatch: pytest.MonkeyPatch, composer: str) -> Callable[..., None]:
    """Presses a button as in a window, where it returns at once."""
    monkeypatch.setattr(tracking, "is_interactive", lambda: True)

    def pressed(button: str, **arguments: object) -> None:
        assert getattr(bpy.ops.occscene, button)(**{"server": composer, **arguments}) == {"FINISHED"}
        assert last().state == "SENDING"

    return pressed


def wait(*states: str) -> None:
    waiting.wait(lambda: last().state in (states or ("SUCCEEDED", "FAILED")))
    assert last().state in (states or ("SUCCEEDED",)), last().message


@pytest.mark.parametrize("unit", ["metres", "millimetres", "feet"])
def test_complete_adds_and_touches_nothing(
    room: bpy.types.Scene, press: Callable[..., None], unit: str, tmp_path: Path
) -> None:
    meters = set_unit(room, unit)
    for obj in room.objects:
        obj.location /= meters
        obj.scale /= meters
    bpy.context.view_layer.update()
    before = state()
    press("complete", prompt="a room with a piano", seed=4, directory=str(tmp_path))
    wait()
    after = state()
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {"lamp", "rug"}
    assert last().message.startswith("Added lamp, rug. “piano”: drawn as a sideboard.")
    given = given_objects(bpy.context)
    lamp = given.layout.objects[given.sources.index("lamp")]
    np.testing.assert_allclose(lamp.center, (1.5, -1.25, 0.75), atol=1e-5)
    np.testing.assert_allclose(lamp.size, (0.4, 0.4, 1.5), atol=1e-5)
    assert abs(lamp.turn - 0.2) < 1e-5
    stored = json.loads((tmp_path / "result.json").read_text())
    assert (stored["kind"], stored["seed"], stored["layout"]["file"]) == ("layout", 4, "layout.json")
    assert stored["layout"]["notes"][0].startswith("“piano”")
    assert [obj.name for obj in load_layout(tmp_path / "layout.json").layout.objects][-2:] == ["lamp", "rug"]


def test_one_undo_takes_all_of_it_back_and_the_result_stays(room: bpy.types.Scene, press: Callable[..., None]) -> None:
    before = state()
    press("complete")
    wait()
    assert len(state()) == len(before) + 2
    bpy.ops.ed.undo()
    assert state() == before
    assert last().state == "SUCCEEDED"
    for _ in range(5):
        waiting.pump()
    assert state() == before  # what was undone does not come again


def test_an_empty_scene_gets_a_room(scene: bpy.types.Scene, press: Callable[..., None]) -> None:
    press("complete")
    wait()
    assert last().message.startswith("Added a room of 3.60 x 3.20 x 2.50 m. Added sofa, coffee table, 2 chair")
    assert scene.occscene.volume is not None
    classes = [obj.occscene.class_name for obj in scene.objects if obj.type == "MESH"]
    assert (classes.count("wall"), classes.count("floor"), classes.count("ceiling")) == (4, 1, 1)
    assert (voxelized_blockout(bpy.context).grid.labels > 0).any()


def test_a_scene_without_a_volume_is_furnished_where_it_is(scene: bpy.types.Scene, press: Callable[..., None]) -> None:
    tag("sofa", add_box("sofa", (2, 0.9, 0.8), (30, 40, 0.4)))
    press("complete")
    wait()
    volume = voxelized_blockout(bpy.context).grid.volume
    assert np.all(volume.world_from_grid[:2, 3] < (29, 39))
    assert np.all(volume.world_from_grid[:2, 3] > (26, 36))


def test_what_is_completed_imports_without_a_second_room(
    room: bpy.types.Scene, press: Callable[..., None], tmp_path: Path
) -> None:
    """The server's layout has the artist's own floor and wall, and the room that they enclose."""
    press("complete", directory=str(tmp_path))
    wait()
    bpy.ops.wm.read_homefile(use_empty=True)
    bpy.ops.occscene.import_blockout(filepath=str(tmp_path / "layout.json"))
    classes = [obj.occscene.class_name for obj in bpy.context.scene.objects if obj.name != "rug"]
    assert (classes.count("floor"), classes.count("ceiling")) == (1, 1)


def test_redraw_moves_only_the_selected(room: bpy.types.Scene, press: Callable[..., None]) -> None:
    before = state()
    sofa = given_objects(bpy.context)
    old = sofa.layout.objects[sofa.sources.index("My Sofa")]
    select("My Sofa")
    press("redraw")
    wait()
    assert last().message == "Drawn anew: My Sofa."
    given = given_objects(bpy.context)
    new = given.layout.objects[given.sources.index("My Sofa")]
    np.testing.assert_allclose(new.center, np.add(old.center, (-0.5, 0.25, 0.15)), atol=1e-5)
    np.testing.assert_allclose(new.size, (old.size[0] * 1.5, old.size[1], old.size[2] + 0.3), atol=1e-5)
    assert abs(new.turn - old.turn - 0.75) < 1e-5
    np.testing.assert_allclose(new.color, (0.1, 0.2, 0.6), atol=1e-6)
    after = state()
    assert {name for name in before if after[name] != before[name]} == {"My Sofa"}
    bpy.ops.ed.undo()
    assert state() == before


def test_what_follows_the_redrawn_moves_with_it(room: bpy.types.Scene, press: Callable[..., None]) -> None:
    room.objects["chair"].name = "trunk"
    before = room.objects["trunk"].matrix_world.translation.copy()
    select("My Sofa")
    press("redraw")
    wait()
    assert last().message == "Drawn anew: My Sofa, trunk."
    moved = room.objects["trunk"].matrix_world.translation - before
    np.testing.assert_allclose(moved, (-0.5, 0.25, 0.0), atol=1e-5)


def test_redraw_as_another_kind(room: bpy.types.Scene, press: Callable[..., None]) -> None:
    select("chair.001")
    press("redraw", redraw_as="Bed")
    wait()
    assert "chair.001" not in room.objects
    assert room.objects["Bed"].occscene.class_name == "bed"
    assert room.objects["chair"].occscene.class_name == "chair"


def test_what_was_deleted_or_edited_meanwhile_is_left_and_named(
    room: bpy.types.Scene, press: Callable[..., None]
) -> None:
    select("My Sofa", "chair", "chair.001")
    press("redraw")
    wait("RUNNING")
    bpy.data.objects.remove(room.objects["chair"])
    room.objects["My Sofa"].location.x += 0.5
    bpy.context.view_layer.update()
    edited = state()["My Sofa"]
    wait()
    assert state()["My Sofa"] == edited
    assert "Drawn anew: chair.001." in last().message
    assert "My Sofa (edited meanwhile)" in last().message
    assert "chair (deleted or put away meanwhile)" in last().message


def test_add_detail_puts_the_box_away_and_nothing_is_sent_twice(
    room: bpy.types.Scene, press: Callable[..., None], composer: str
) -> None:
    before = state()
    count = len(collect_blockout(bpy.context).objects)
    select("My Sofa", "chair")
    press("add_detail")
    wait()
    assert last().message == "Got parts: My Sofa, chair."
    detail = room.objects["My Sofa Detail"]
    assert detail.parent is room.objects["My Sofa"]
    assert len(detail.data.polygons) > 100
    assert len(detail.data.materials) == 2
    assert not room.objects["My Sofa"].visible_get()
    names = [item.name for item in collect_blockout(bpy.context).objects]
    assert len(names) == count
    assert "My Sofa" not in names
    assert "My Sofa Detail" in names
    select("My Sofa Detail")  # what has parts is an object like any other
    press("redraw")
    wait()
    assert last().message == "Drawn anew: My Sofa Detail."
    bpy.ops.ed.undo()
    bpy.ops.ed.undo()
    assert state() == before


def test_nothing_selected_is_named(room: bpy.types.Scene, composer: str) -> None:
    select()
    for button in ("redraw", "add_detail"):
        with pytest.raises(RuntimeError, match="select tagged objects first"):
            getattr(bpy.ops.occscene, button)(server=composer)


def test_a_server_without_priors_says_so(room: bpy.types.Scene, tmp_path: Path) -> None:
    select("chair")
    with compose_server(tmp_path, "--without-priors") as address:
        with pytest.raises(RuntimeError, match=r"model \(composer\) has no layout prior"):
            bpy.ops.occscene.complete(server=address)
        with pytest.raises(RuntimeError, match="no prior for parts"):
            bpy.ops.occscene.add_detail(server=address)
        assert missing(room, "layout_prior") == ""  # not known yet: it can be tried
        bpy.ops.occscene.test_connection(server=address)
        try:
            assert missing(room, "layout_prior") == "The server's indoor model has no prior for layouts"
            assert not bpy.ops.occscene.complete.poll()
        finally:
            connection_check.keep_check(connection_check.ConnectionCheck())


def test_text_to_scene_offers_its_blockout(scene: bpy.types.Scene, composer: str, tmp_path: Path) -> None:
    done = bpy.ops.occscene.generate(task="TEXT", prompt="a room", server=composer, directory=str(tmp_path))
    assert done == {"FINISHED"}
    assert last().layout_file == "layout.json"
    assert not [obj for obj in scene.objects if obj.type == "MESH"]  # offered, not forced
    assert bpy.ops.occscene.import_blockout() == {"FINISHED"}
    assert scene.objects["sofa"].occscene.use_hint
    assert {"sofa", "chair.001"} <= set(voxelized_blockout(bpy.context).blockout.sources)


def test_without_priors_text_to_scene_has_no_layout(scene: bpy.types.Scene, composer: str, tmp_path: Path) -> None:
    """Set in the panel, as an argument, or on the command line; kept with the result, and brought back from it."""
    scene.occscene.without_prior = True
    bpy.ops.occscene.generate(task="TEXT", server=composer, directory=str(tmp_path / "panel"))
    assert last().layout_file == ""
    assert json.loads((tmp_path / "panel/result.json").read_text())["without_prior"] is True
    scene.occscene.without_prior = False
    assert bpy.ops.occscene.reload_settings() == {"FINISHED"}
    assert scene.occscene.without_prior
    bpy.ops.occscene.generate(task="TEXT", server=composer, without_prior=False, directory=str(tmp_path / "argument"))
    assert last().layout_file == "layout.json"
    scene.occscene.without_prior = False
    bare = ["generate", "--task", "text", "--no-prior", "--output", str(tmp_path / "command"), "--server", composer]
    assert command.main(bare) == 0
    assert not (tmp_path / "command/layout.json").exists()
    assert Request.from_json(last().request).settings.without_prior
    assert not scene.occscene.without_prior


def test_drafts_are_asked_for_without_steps(scene: bpy.types.Scene, composer: str, tmp_path: Path) -> None:
    """Set in the panel, as an argument, or on the command line; kept with the result, and brought back from it."""
    scene.occscene.quality, scene.occscene.steps = "DRAFT", 12
    bpy.ops.occscene.generate(task="TEXT", server=composer, directory=str(tmp_path / "panel"))
    stored = json.loads((tmp_path / "panel/result.json").read_text())
    assert (stored["quality"], stored["steps"]) == ("DRAFT", None)
    scene.occscene.quality = "FULL"
    assert bpy.ops.occscene.reload_settings() == {"FINISHED"}
    assert scene.occscene.quality == "DRAFT"
    bpy.ops.occscene.generate(task="TEXT", server=composer, quality="FULL", steps=5, directory=str(tmp_path / "full"))
    stored = json.loads((tmp_path / "full/result.json").read_text())
    assert (stored["quality"], stored["steps"]) == ("FULL", 5)
    scene.occscene.quality = "FULL"
    drafted = ["generate", "--task", "text", "--quality", "draft", "--output", str(tmp_path / "c")]
    assert command.main([*drafted, "--server", composer]) == 0
    assert Request.from_json(last().request).settings.quality == "DRAFT"
    assert scene.occscene.quality == "FULL"


def test_a_server_that_draws_no_drafts_says_so(room: bpy.types.Scene, tmp_path: Path) -> None:
    """Older ones too, which would pass the wish over."""
    with compose_server(tmp_path, "--without-priors") as address:
        with pytest.raises(RuntimeError, match=r"model \(composer\) draws no drafts. Set the quality to Full"):
            bpy.ops.occscene.generate(task="TEXT", quality="DRAFT", server=address)
        bpy.ops.occscene.test_connection(server=address)
        try:
            assert connection_check.last_check.can("drafts") is False
        finally:
            connection_check.keep_check(connection_check.ConnectionCheck())


def test_a_pipeline_without_a_layout_offers_none(scene: bpy.types.Scene, server: str, tmp_path: Path) -> None:
    scene.occscene.image_size = 128
    bpy.ops.occscene.generate(task="TEXT", server=server, directory=str(tmp_path))
    with pytest.raises(RuntimeError, match="this result has no layout"):
        bpy.ops.occscene.import_blockout()


def test_a_file_that_was_saved_meanwhile_gets_its_change(
    room: bpy.types.Scene, press: Callable[..., None], tmp_path: Path
) -> None:
    press("complete", directory=str(tmp_path / "out"))
    wait("RUNNING")
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    tracking.stop_following()
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    wait()
    assert {"lamp", "rug"} <= set(bpy.data.objects.keys())


def test_while_the_artist_is_in_a_mode_nothing_changes(
    room: bpy.types.Scene, press: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = [True]
    monkeypatch.setattr(composed, "is_busy", lambda: busy[0])
    before = state()
    press("complete")
    wait()
    assert state() == before
    assert last().message == ""
    for attempt in composed.waiting:
        assert attempt() is not None
    busy[0] = False
    for attempt in composed.waiting.copy():
        assert attempt() is None
    assert set(state()) - set(before) == {"lamp", "rug"}
    assert not composed.waiting


def test_the_commands(room: bpy.types.Scene, composer: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    add_camera("camera")
    out, blend = str(tmp_path / "out"), str(tmp_path / "saved.blend")
    assert (
        command.main(["complete", "--output", out, "--prompt", "a piano", "--server", composer, "--save", blend]) == 0
    )
    assert "Added lamp, rug. “piano”" in capfd.readouterr().out
    assert load_layout(tmp_path / "out/layout.json").layout.objects[-1].name == "rug"
    arguments = ["--output", out, "--server", composer]
    assert command.main(["redraw", "--objects", "chair", "lamp", "--as", "bed", *arguments]) == 0
    assert "Drawn anew: " in capfd.readouterr().out
    assert command.main(["detail", "--objects", "My Sofa", *arguments, "--save", blend]) == 0
    assert command.main(["detail", "--objects", "piano", *arguments]) == 1
    assert "the file has no object 'piano'" in capfd.readouterr().out
    bpy.ops.wm.open_mainfile(filepath=blend)
    assert "My Sofa Detail" in bpy.data.objects


def test_the_command_writes_the_grid_of_a_text(scene: bpy.types.Scene, composer: str, tmp_path: Path) -> None:
    add_camera("camera")
    assert command.main(["generate", "--task", "text", "--output", str(tmp_path), "--server", composer]) == 0
    grid = load_grid(tmp_path / "blockout.npz")
    bpy.ops.occscene.import_blockout()
    own = voxelized_blockout(bpy.context).grid
    assert (grid.labels != own.labels).mean() < 0.002
    assert {item.name for item in grid.objects} >= {"sofa", "chair", "north wall"}
