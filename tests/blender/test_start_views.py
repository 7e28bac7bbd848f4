"""Views that begin at renders, files or an earlier result, and one view made anew while the others stay."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np
import pytest
from occscene.results import read_result

from blender_addon.jobs import connection_check
from blender_addon.jobs.request import known_request
from blender_addon.scene.images import encoded_pixels, png_of
from blender_addon.scene.start_images import rendered_images
from tests.blender.build_scenes import add_box, add_camera
from tests.blender.waiting import wait_for

WEAK = 0.25
"""A strength at which the stand-in returns what it begins at."""


@pytest.fixture
def generated(blockout: bpy.types.Scene, server: str, tmp_path: Path) -> bpy.types.Scene:
    """A scene with a result of three views."""
    add_camera("middle", (0, -1.8, 1.2))
    bpy.ops.occscene.generate(prompt="a red room", seed=3, directory=str(tmp_path / "out"), server=server)
    return blockout


def pixels_of(scene: bpy.types.Scene) -> dict[str, np.ndarray]:
    """The views of the newest result by name."""
    result = scene.occscene.results[-1]
    return {view.name: encoded_pixels(bytes(view.image.packed_file.data)) for view in result.views}


def save_picture(path: Path, color: tuple[float, float, float], width: int = 128, height: int = 128) -> None:
    image = bpy.data.images.new("picture", width, height)
    pixels = np.tile(np.array([*color, 1.0], np.float32), (height, width, 1))
    path.write_bytes(png_of(pixels, image))
    bpy.data.images.remove(image)


def test_views_begin_at_image_files(blockout: bpy.types.Scene, server: str, tmp_path: Path) -> None:
    settings, folder = blockout.occscene, tmp_path / "renders"
    folder.mkdir()
    save_picture(folder / "left.png", (0.2, 0.4, 0.6))
    save_picture(folder / "view_right.png", (0.6, 0.4, 0.2))
    settings.start_from, settings.start_folder, settings.strength = "FILES", str(folder), WEAK
    assert bpy.ops.occscene.generate(directory=str(tmp_path / "out"), server=server) == {"FINISHED"}
    views = pixels_of(blockout)
    np.testing.assert_allclose(views["left"][..., :3], np.full((64, 64, 3), (0.2, 0.4, 0.6)), atol=0.01)
    np.testing.assert_allclose(views["right"][..., :3], np.full((64, 64, 3), (0.6, 0.4, 0.2)), atol=0.01)
    assert json.loads((tmp_path / "out/result.json").read_text())["strength"] == WEAK

    generate = {"directory": str(tmp_path / "none"), "server": server}
    (folder / "left.png").unlink()
    with pytest.raises(RuntimeError, match=r"has no image for camera 'left'; it should be called left\.png"):
        bpy.ops.occscene.generate(**generate)
    save_picture(folder / "left.png", (0.2, 0.4, 0.6), 128, 72)
    with pytest.raises(RuntimeError, match=r"left\.png is 128 x 72 pixels, but the view 64 x 64: crop it"):
        bpy.ops.occscene.generate(**generate)
    (folder / "left.png").write_bytes(b"no")
    with pytest.raises(RuntimeError, match=r"left\.png cannot be read as an image"):
        bpy.ops.occscene.generate(**generate)
    with pytest.raises(RuntimeError, match="no folder is chosen"):
        bpy.ops.occscene.generate(start_folder="", **generate)
    with pytest.raises(RuntimeError, match="nowhere is no folder"):
        bpy.ops.occscene.generate(start_folder="/nowhere", **generate)
    with pytest.raises(RuntimeError, match=r"strength is 2; it must be 0 to 1"):
        bpy.ops.occscene.generate(strength=2.0, **generate)
    assert len(blockout.occscene.results) == 1


def test_views_begin_at_a_result(generated: bpy.types.Scene, server: str, tmp_path: Path) -> None:
    first, before = generated.occscene.results[0].name, pixels_of(generated)
    begin = {"start_from": "RESULT", "strength": WEAK, "server": server}
    bpy.ops.occscene.generate(seed=4, directory=str(tmp_path / "two"), **begin)
    for name, pixels in pixels_of(generated).items():
        np.testing.assert_array_equal(pixels, before[name])
    request = known_request(generated.occscene.results[-1].request)
    assert request.source == first
    generated.objects["left"].name = "other"
    with pytest.raises(RuntimeError, match="the result has no view of camera 'other'; choose a result that has one"):
        bpy.ops.occscene.generate(directory=str(tmp_path / "three"), **begin)


def test_drafts_and_photos_begin_at_nothing(generated: bpy.types.Scene, server: str, tmp_path: Path) -> None:
    settings = generated.occscene
    settings.start_from = "RESULT"
    bpy.ops.occscene.generate(quality="FULL", start_from="NONE", directory=str(tmp_path / "two"), server=server)
    used = known_request(settings.results[-1].request).settings
    assert (used.start_from, used.strength) == ("NONE", None)


def test_a_server_that_cannot_is_named_before_anything_is_rendered(
    blockout: bpy.types.Scene, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    model = {"name": "old", "taxonomies": ["indoor"], "image_multiple": 1, "start_views": False, "features": []}
    step = {"step": "model", "is_good": True, "info": {"models": [model]}}
    check = connection_check.ConnectionCheck(steps=[step])
    monkeypatch.setattr(connection_check, "last_check", check)
    with pytest.raises(RuntimeError, match="cannot begin at given views: set Start From to Nothing, in Views"):
        bpy.ops.occscene.generate(start_from="RENDER", directory=str(tmp_path))


def test_renders_show_what_the_views_camera_sees(blockout: bpy.types.Scene) -> None:
    """A small cube's picture lies where the pinhole camera projects it, also with a shift, another fit and a square."""
    from blender_addon.scene.cameras import chosen_views, view_of

    for obj in list(blockout.objects):
        if obj.type == "MESH":
            bpy.data.objects.remove(obj)
    bpy.context.view_layer.update()
    place = np.array([0.0, 2.0, 1.4])
    material = bpy.data.materials.new("bright")
    material.use_nodes = True
    material.node_tree.nodes["Principled BSDF"].inputs["Emission Strength"].default_value = 5.0
    add_box("cube", (0.1, 0.1, 0.1), tuple(place)).data.materials.append(material)
    data = blockout.objects["left"].data
    data.shift_x, data.shift_y, data.sensor_fit = 0.1, -0.05, "VERTICAL"
    marker = blockout.timeline_markers.new("bound", frame=1)
    marker.camera = blockout.objects["right"]
    render = blockout.render
    render.engine, render.resolution_x, render.resolution_y = "CYCLES", 160, 90
    render.resolution_percentage, render.pixel_aspect_y = 50, 1.25
    blockout.cycles.samples, blockout.cycles.use_denoising = 1, False
    for shape in ("RENDER", "SQUARE"):
        views = chosen_views(bpy.context, "ALL", 96, 1, view_of(shape))
        for view, data in zip(views, rendered_images(bpy.context, views), strict=True):
            pixels = encoded_pixels(data)[::-1, :, :3].sum(-1)
            assert pixels.shape == (view.camera.height, view.camera.width)
            rows, columns = np.nonzero(pixels > 2 * pixels[0, 0] + 0.05)
            world = np.linalg.inv(view.camera.world_from_camera) @ [*place, 1]
            x = view.camera.fx * world[0] / world[2] + view.camera.cx
            y = view.camera.fy * world[1] / world[2] + view.camera.cy
            assert (columns.mean() + 0.5, rows.mean() + 0.5) == pytest.approx((x, y), abs=1.5), (shape, view)
    assert (render.resolution_x, render.resolution_percentage, render.pixel_aspect_y) == (160, 50, 1.25)
    assert marker.camera == blockout.objects["right"]
    assert not [obj for obj in bpy.data.objects if obj.name.startswith("OccScene Render")]
    assert len(bpy.data.cameras) == 2


def test_a_render_is_what_a_view_begins_at(blockout: bpy.types.Scene, server: str, tmp_path: Path) -> None:
    blockout.render.engine, blockout.cycles.samples = "CYCLES", 1
    arguments = {"start_from": "RENDER", "strength": WEAK, "cameras": "ACTIVE", "server": server}
    blockout.camera = blockout.objects["left"]
    assert bpy.ops.occscene.generate(directory=str(tmp_path), **arguments) == {"FINISHED"}
    (view,) = pixels_of(blockout).values()
    views = known_request(blockout.occscene.results[0].request).views
    np.testing.assert_array_equal(view, encoded_pixels(rendered_images(bpy.context, views)[0]))


def test_one_view_is_made_anew_and_the_others_stay(
    generated: bpy.types.Scene, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCCSCENE_SERVER", server)
    first = generated.occscene.results[0]
    generated.objects["sofa"].location.x = 1.5  # what was sent is what counts
    redo = {"result": first.name, "view": "middle", "server": server, "directory": str(tmp_path / "two")}
    assert bpy.ops.occscene.redo_view(prompt="a blue room", seed=8, **redo) == {"FINISHED"}
    one, two = read_result(tmp_path / "out"), read_result(tmp_path / "two")
    same = {name: path.read_bytes() == two.views[name].read_bytes() for name, path in one.views.items()}
    assert same == {"left": True, "middle": False, "right": True}
    assert (two.origin.prompt, two.origin.seed, two.origin.kept_views) == ("a blue room", 8, ("left", "right"))
    assert one.blockout is not None
    assert two.blockout is not None
    assert one.blockout.read_bytes() == two.blockout.read_bytes()
    result = generated.occscene.results[-1]
    assert generated.occscene.active_result == 1
    assert [view.name for view in result.views] == ["left", "middle", "right"]
    assert [view.camera.name for view in result.views] == ["left", "middle", "right"]

    assert bpy.ops.occscene.retry(result=result.name) == {"FINISHED"}
    again = generated.occscene.results[-1]
    assert (again.prompt, again.seed) == ("a blue room", 8)
    assert known_request(again.request).redone == ("middle",)

    generated.camera = generated.objects["left"]
    bpy.ops.occscene.redo_view(strength=WEAK, server=server, directory=str(tmp_path / "three"))
    three = read_result(tmp_path / "three")
    np.testing.assert_array_equal(
        encoded_pixels(three.views["left"].read_bytes()), encoded_pixels(two.views["left"].read_bytes())
    )
    assert known_request(generated.occscene.results[-1].request).redone == ("left",)
    assert three.origin.kept_views == ("middle", "right")


def test_a_room_of_words_keeps_its_views(scene: bpy.types.Scene, server: str, tmp_path: Path) -> None:
    scene.occscene.image_size = 64
    scene.render.resolution_x = scene.render.resolution_y = 64
    bpy.ops.occscene.generate(
        task="TEXT", prompt="a den", without_prior=True, directory=str(tmp_path / "one"), server=server
    )
    names = [view.name for view in scene.occscene.results[0].views]
    bpy.ops.occscene.redo_view(view=names[1], server=server, directory=str(tmp_path / "two"))
    one, two = read_result(tmp_path / "one"), read_result(tmp_path / "two")
    assert two.origin.kind == "text"
    same = [one.views[name].read_bytes() == two.views[name].read_bytes() for name in names]
    assert same == [name != names[1] for name in names]


def test_what_cannot_be_made_anew_is_said(generated: bpy.types.Scene, server: str, tmp_path: Path) -> None:
    redo = {"server": server, "directory": str(tmp_path / "two")}
    with pytest.raises(RuntimeError, match="the result has no view 'top'; it has 'left', 'middle', 'right'"):
        bpy.ops.occscene.redo_view(view="top", **redo)
    (tmp_path / "out/view_left.png").unlink()
    with pytest.raises(RuntimeError, match="has no view of camera 'left' any more: generate it again"):
        bpy.ops.occscene.redo_view(view="middle", **redo)
    (tmp_path / "out/result.json").unlink()
    with pytest.raises(RuntimeError, match=r"the views that are to stay are not there: .* has no result\.json"):
        bpy.ops.occscene.redo_view(view="middle", **redo)
    generated.camera = generated.objects["left"]
    bpy.ops.occscene.generate(cameras="ACTIVE", server=server, directory=str(tmp_path / "single"))
    with pytest.raises(RuntimeError, match="the result has one view only, and none that could stay"):
        bpy.ops.occscene.redo_view(view="left", **redo)
    assert len(generated.occscene.results) == 2


def test_in_a_window_the_views_that_stay_are_shown_at_once(
    generated: bpy.types.Scene, server: str, start: Callable[..., str], tmp_path: Path
) -> None:
    assert bpy.ops.occscene.redo_view(view="left", server=server, directory=str(tmp_path / "two")) == {"FINISHED"}
    name = generated.occscene.results[-1].name
    wait_for(name, "SUCCEEDED")
    assert len(generated.occscene.results[name].views) == 3
