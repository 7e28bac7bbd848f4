"""Live: drafts follow what changes, the newest counts, and the server keeps none of them."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest
from occscene.client.client import SceneClient
from occscene.grid import SemanticGrid
from occscene.taxonomy import TAXONOMIES

from blender_addon.bridge import drafts
from blender_addon.bridge.messages import Message
from blender_addon.jobs import connection_check, live, session
from blender_addon.operators.voxelizing import voxelized_blockout
from blender_addon.scene.draft_view import draft_pixels
from blender_addon.scene.live_capture import LiveCapture
from tests.blender.build_scenes import add_box, add_camera, add_material
from tests.blender.waiting import pump, wait
from tests.patience import wait_until

pytestmark = pytest.mark.weights


@pytest.fixture
def follow(blockout: bpy.types.Scene, drawing: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Switches Live on; calls of what it gives do what the timer does until the newest state is shown."""
    monkeypatch.setenv("OCCSCENE_SERVER", drawing)
    blockout.camera = blockout.objects["left"]
    assert bpy.ops.occscene.toggle_live() == {"FINISHED"}

    def shown() -> None:
        wait_until(is_shown, tick)

    yield shown
    live.stop_live()


def state() -> Any:
    assert live._live is not None
    return live._live


def tick() -> None:
    """What Blender's timers do."""
    bpy.context.view_layer.update()
    pump()
    live.tick()


def is_shown() -> bool:
    """Whether nothing is left to be read, drawn or shown."""
    now = state()
    return now.count > 0 and not now.first and now.asked is None and now.arrived is None


def pixels() -> np.ndarray:
    found = draft_pixels(bpy.context.scene)
    assert found is not None
    return found.copy()


def jobs(address: str) -> int:
    """How many jobs the server has for drafts; other tests leave others there."""
    with SceneClient(address) as client:
        return sum(job.ephemeral for job in client.jobs())


def captured_grid(capture: LiveCapture) -> SemanticGrid:
    """What the bridge voxelises of a capture."""
    wait_until(lambda: capture.read(bpy.context, 1.0), bpy.context.view_layer.update)
    from blender_addon.bridge.grid_body import volume_head
    from blender_addon.geometry.voxelization.voxelize import voxelize
    from blender_addon.scene.volume import grid_volume

    volume = grid_volume(bpy.context.scene)
    child = drafts.Drafts(lambda request, head, body=b"": None)
    child._meshes = capture.meshes
    domain = bpy.context.scene.occscene.domain
    objects = child._objects({"objects": capture.rows, "taxonomy": domain, "volume": volume_head(volume)})
    return voxelize(objects, volume, TAXONOMIES[domain])


def same_grid(capture: LiveCapture) -> None:
    """Compares a capture with what a generation sends."""
    sent, drawn = voxelized_blockout(bpy.context).grid, captured_grid(capture)
    assert drawn.objects == sent.objects
    np.testing.assert_array_equal(drawn.labels, sent.labels)
    np.testing.assert_array_equal(drawn.instances, sent.instances)


def test_what_is_drawn_is_what_a_generation_sends(blockout: bpy.types.Scene) -> None:
    capture = LiveCapture()
    same_grid(capture)
    sofa = blockout.objects["sofa"]
    sofa.location.x += 0.5
    sofa.occscene.use_hint, sofa.color, sofa.occscene.prompt = True, (0.2, 0.4, 0.1, 1.0), "a green sofa"
    same_grid(capture)
    sofa.data.vertices[0].co.z += 0.3
    capture.forget([sofa.session_uid])
    same_grid(capture)
    add_material(sofa, "cloth", "bed")
    sofa.occscene.class_name = ""
    copy = sofa.copy()
    copy.location.x = -1.2
    blockout.collection.objects.link(copy)
    sofa.modifiers.new("array", "ARRAY").count = 2
    capture.forget([sofa.session_uid])
    same_grid(capture)
    bpy.data.objects.remove(copy)
    same_grid(capture)


def test_what_only_the_viewport_hides_is_drawn(blockout: bpy.types.Scene) -> None:
    wall = add_box("wall", (4, 0.1, 2.5), (0, 1.9, 1.25))
    wall.occscene.class_name = "wall"
    chair = add_box("chair", (0.5, 0.5, 0.9), (-1, 0, 0.45))
    chair.occscene.class_name = "chair"
    capture = LiveCapture()
    wall.hide_set(True)
    chair.hide_viewport = True
    same_grid(capture)
    assert wall.hide_get()
    wall.occscene.class_name = "window"
    blockout.objects["sofa"].location.x += 0.3
    same_grid(capture)
    wall.hide_set(False)
    chair.hide_render = True
    same_grid(capture)


def test_dense_meshes_come_as_they_are(blockout: bpy.types.Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    from blender_addon.scene import mesh_reading

    bpy.ops.mesh.primitive_uv_sphere_add(segments=48, ring_count=24, radius=0.5, location=(0, -0.5, 0.8))
    bpy.context.object.occscene.class_name = "objs"
    monkeypatch.setattr(mesh_reading, "EXACT_TRIANGLES", 500)
    same_grid(LiveCapture())


def test_only_what_changed_is_sent_again(blockout: bpy.types.Scene) -> None:
    capture = LiveCapture()
    captured_grid(capture)
    assert len(capture.take_changed()) == 2
    sofa = blockout.objects["sofa"]
    sofa.location.y -= 0.2
    captured_grid(capture)
    assert capture.take_changed() == {}
    sofa.data.vertices[0].co.x -= 0.2
    capture.forget([sofa.data.session_uid])
    captured_grid(capture)
    assert list(capture.take_changed()) == [str(sofa.session_uid)]
    capture.forget_all()
    captured_grid(capture)
    assert capture.take_changed() == {}


def test_drafts_follow_each_kind_of_change(blockout: bpy.types.Scene, drawing: str, follow: Callable[[], None]) -> None:
    follow()
    sofa, camera = blockout.objects["sofa"], blockout.objects["left"]
    seen = [pixels()]
    assert seen[0].shape == (256, 256, 4)
    for change in (
        lambda: setattr(sofa.location, "x", 0.7),
        lambda: setattr(sofa.occscene, "class_name", "bed"),
        lambda: setattr(blockout.occscene, "prompt", "a room at dusk"),
        lambda: setattr(blockout.occscene, "seed", 7),
        lambda: setattr(camera.location, "z", 1.6),
        lambda: setattr(blockout, "camera", blockout.objects["right"]),
    ):
        count = state().count
        change()
        wait_until(lambda count=count: state().count > count, tick)  # type: ignore[misc]
        follow()
        assert not live.live_line()[1], live.live_line()
        seen.append(pixels())
        assert not np.array_equal(seen[-1], seen[-2])
    assert live.drawn_seed() == 7
    count = state().count
    sofa.select_set(True)
    bpy.context.view_layer.objects.active = sofa
    tick()
    follow()
    assert state().count == count  # nothing that is sent has changed
    assert len(blockout.occscene.results) == 0
    assert len(bpy.data.images) == 0
    bpy.ops.occscene.toggle_live()
    wait_until(lambda: jobs(drawing) == 0, pump)
    assert draft_pixels(blockout) is None


def test_a_newer_change_overtakes_and_nothing_is_left(
    blockout: bpy.types.Scene, drawing: str, follow: Callable[[], None]
) -> None:
    follow()
    sofa, ends = blockout.objects["sofa"], []
    for number in range(12):
        sofa.location.x = 0.05 * number
        state().last = time.monotonic() - live.QUIET  # as after a pause
        before = state().asked
        tick()
        if before is not None and state().asked is not before:
            ends.append(before.number)
    follow()
    same = pixels()
    assert jobs(drawing) <= 1
    blockout.occscene.seed = 1
    wait_until(lambda: not np.array_equal(pixels(), same), tick)
    blockout.occscene.seed = 0
    wait_until(lambda: np.array_equal(pixels(), same), tick)  # the newest state, whatever was overtaken
    follow()
    bpy.ops.occscene.toggle_live()
    wait_until(lambda: jobs(drawing) == 0, pump)


def test_the_full_view_has_the_drafts_seed(
    blockout: bpy.types.Scene, drawing: str, follow: Callable[[], None], tmp_path: Path
) -> None:
    blockout.occscene.seed = 41
    follow()
    blockout.occscene.seed_mode = "RANDOM"
    assert bpy.ops.occscene.generate_as_drafted() == {"FINISHED"}
    from blender_addon.jobs.request import known_request

    (result,) = blockout.occscene.results
    request = known_request(result.request)
    assert (result.state, request.settings.seed, request.settings.quality) == ("SUCCEEDED", 41, "FULL")
    assert [view.object_name for view in request.views] == ["left"]


def test_what_keeps_drafts_from_being_drawn_is_said(
    blockout: bpy.types.Scene, drawing: str, follow: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    follow()

    def said(text: str) -> None:
        wait_until(lambda: live.live_line()[1] and text in live.live_line()[0], tick)

    def mended() -> None:
        wait_until(lambda: not live.live_line()[1], tick)

    blockout.camera.data.type = "ORTHO"
    said("'left' is of type ORTHO")
    blockout.camera.data.type = "PERSP"
    mended()
    blockout.camera = None
    said("The scene has no active camera: add one")
    blockout.camera = blockout.objects["left"]
    for obj in blockout.objects:
        obj.occscene.class_name = ""
    said("No visible object has a class")
    blockout.objects["sofa"].occscene.class_name = "sofa"
    mended()
    monkeypatch.setenv("OCCSCENE_SERVER", "127.0.0.1:9")
    blockout.occscene.seed = 3
    said("Live goes on")
    monkeypatch.setenv("OCCSCENE_SERVER", drawing)
    blockout.occscene.seed = 4
    mended()


def test_a_model_without_a_decoder_is_not_asked(blockout: bpy.types.Scene, server: str) -> None:
    while connection_check.last_check.can("drafts") is None:  # while it is loaded
        check = connection_check.start_check(server, connection_check.keep_check)
        wait(lambda check=check: not check.is_running)  # type: ignore[misc]
    assert not bpy.ops.occscene.toggle_live.poll()


def test_it_survives_its_bridge_undo_and_ends_with_the_file(
    blockout: bpy.types.Scene, drawing: str, follow: Callable[[], None]
) -> None:
    follow()
    first = pixels()
    os.kill(session.bridge_pid() or 0, signal.SIGKILL)
    blockout.occscene.seed = 5
    wait_until(lambda: not np.array_equal(pixels(), first), tick)  # all meshes are sent again
    live.notice_undo()
    follow()
    bpy.ops.wm.read_factory_settings(use_empty=True)
    assert not live.is_live()
    wait_until(lambda: jobs(drawing) == 0, pump)


def test_a_killed_blender_leaves_no_job(blockout: bpy.types.Scene, drawing: str, follow: Callable[[], None]) -> None:
    follow()
    blockout.occscene.seed = 9
    wait_until(lambda: jobs(drawing) > 0, tick)
    session._session.close_bridge()  # what the bridge sees of a Blender that is killed: its input closes
    wait_until(lambda: jobs(drawing) == 0)


def test_meshes_that_a_new_bridge_lacks_are_asked_for() -> None:
    child = drafts.Drafts(lambda request, head, body=b"": None)
    head = {"meshes": [], "objects": [{"pieces": [["1", [], [1]]]}]}
    with pytest.raises(drafts.CommandError, match="restarted"):
        child.take(Message(head))


def test_a_camera_in_something_filled_is_told_of(blockout: bpy.types.Scene) -> None:
    add_box("cupboard", (2, 2, 2), (0, 0, 1)).occscene.class_name = "furn"
    camera = add_camera("inside", (0, 0, 1.2))
    grid = captured_grid(LiveCapture())
    from blender_addon.scene.cameras import pinhole_camera

    with pytest.raises(drafts.CommandError, match="'cupboard'"):
        drafts._check(grid, pinhole_camera(camera, blockout, 64))
