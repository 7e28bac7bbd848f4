"""Views along an animation: which frames, which cameras, what moves meanwhile, and what is shown of them."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest

from blender_addon.jobs.request import Request
from blender_addon.scene.frames import animation_frames
from tests.blender.build_scenes import add_box


def keyed(obj: bpy.types.Object, places: dict[int, tuple[float, float, float]]) -> None:
    for frame, place in places.items():
        obj.location = place
        obj.keyframe_insert("location", frame=frame)


@pytest.fixture
def frames(blockout: bpy.types.Scene, server: str, tmp_path: Path) -> dict[str, object]:
    """Arguments of a generation along the animation of the left camera."""
    blockout.camera = blockout.objects["left"]
    return {"cameras": "ANIMATION", "directory": str(tmp_path / "out"), "server": server}


def last_views(scene: bpy.types.Scene) -> list[tuple[str, int]]:
    request = Request.from_json(scene.occscene.results[-1].request)
    return [(view.object_name, view.frame) for view in request.views]


def test_the_range_is_fitted_to_the_limit(blockout: bpy.types.Scene, frames: dict[str, object]) -> None:
    """Blender's own range, with the step that the panel begins with."""
    assert (blockout.frame_start, blockout.frame_end, blockout.occscene.frame_step) == (1, 250, 10)
    assert bpy.ops.occscene.generate(**frames) == {"FINISHED"}
    assert [frame for _, frame in last_views(blockout)] == list(range(1, 251, 16))
    assert list(animation_frames(blockout, 50)) == [1, 51, 101, 151, 201]
    blockout.frame_end = blockout.frame_start
    assert list(animation_frames(blockout, 1)) == [1]


def test_markers_choose_the_cameras(blockout: bpy.types.Scene, frames: dict[str, object]) -> None:
    for frame, name in ((1, "left"), (100, "right")):
        blockout.timeline_markers.new(name, frame=frame).camera = blockout.objects[name]
    blockout.frame_set(1)
    bpy.ops.occscene.generate(frame_step=50, **frames)
    assert last_views(blockout) == [("left", 1), ("left", 51), ("right", 101), ("right", 151), ("right", 201)]
    assert (blockout.frame_current, blockout.camera.name) == (1, "left")


def test_what_moves_is_named(
    blockout: bpy.types.Scene, frames: dict[str, object], capfd: pytest.CaptureFixture[str]
) -> None:
    keyed(blockout.objects["sofa"], {1: (0, 1, 0.4), 100: (0.5, 1, 0.4)})
    grown = add_box("chair", (0.3, 0.3, 0.3), (1.2, 1.2, 0.2))
    grown.occscene.class_name = "chair"
    grown.shape_key_add(name="Basis")
    key = grown.shape_key_add(name="tall")
    for point in key.data:
        point.co.z *= 2
    key.value = 0.0
    key.keyframe_insert("value", frame=1)
    key.value = 1.0
    key.keyframe_insert("value", frame=100)
    blockout.frame_set(7)
    bpy.ops.occscene.generate(frame_step=50, **frames)
    out = capfd.readouterr().out
    assert "All views show frame 7 of what moves" in out
    assert "sofa" in out.split("what moves: ")[1]
    assert "chair" in out.split("what moves: ")[1]
    assert "floor" not in out.split("what moves: ")[1].splitlines()[0]


def test_the_overlay_follows_the_frame(blockout: bpy.types.Scene, frames: dict[str, object]) -> None:
    bpy.ops.occscene.generate(frame_step=100, **frames)
    bpy.ops.occscene.set_backgrounds()
    (item,) = blockout.objects["left"].data.background_images
    views = {view.frame: view.image for view in blockout.occscene.results[0].views}
    assert sorted(views) == [1, 101, 201]
    for frame, expected in ((1, 1), (40, 1), (60, 101), (250, 201)):
        blockout.frame_set(frame)
        assert item.image == views[expected], frame


def test_a_renamed_camera_gets_its_view(
    blockout: bpy.types.Scene, start: object, capfd: pytest.CaptureFixture[str]
) -> None:
    from blender_addon.properties.results import UNFINISHED
    from tests.blender.waiting import wait

    name = start(prompt="slow")  # type: ignore[operator]
    results = blockout.occscene.results
    blockout.objects["left"].name = "hero"
    wait(lambda: results[name].state not in UNFINISHED)
    bpy.data.objects.remove(blockout.objects["right"])
    assert bpy.ops.occscene.set_backgrounds() == {"FINISHED"}
    (item,) = blockout.objects["hero"].data.background_images
    assert item.image == results[name].views["left"].image
    assert "Not in the scene any more: right" in capfd.readouterr().out


def test_the_overlay_goes_and_comes_back(blockout: bpy.types.Scene, server: str, tmp_path: Path) -> None:
    """The artist's own background stays, and is the photo of From Images; a view is not."""
    data = blockout.objects["left"].data
    own = data.background_images.new()
    own.image = bpy.data.images.new("own", 8, 8)
    bpy.ops.occscene.generate(directory=str(tmp_path / "a"), server=server)
    bpy.ops.occscene.generate(directory=str(tmp_path / "b"), server=server, seed=5)
    settings = blockout.occscene
    bpy.ops.occscene.set_backgrounds()
    assert [item.image for item in data.background_images] == [own.image, settings.results[1].views["left"].image]
    settings.overlay_opacity = 0.25
    assert data.background_images[1].alpha == np.float32(0.25)
    bpy.ops.occscene.set_backgrounds(result=settings.results[0].name)
    settings.active_result = 0
    assert [item.image for item in data.background_images] == [own.image, settings.results[0].views["left"].image]
    with pytest.raises(RuntimeError, match="camera 'right' has no background image"):
        bpy.ops.occscene.generate(task="IMAGES", server=server)
    settings.use_overlay = False
    assert [item.image for item in data.background_images] == [own.image]
