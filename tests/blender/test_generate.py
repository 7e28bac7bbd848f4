"""What is asked of a real local server whose pipeline is the stand-in, and what comes back."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import bpy
import numpy as np
import pytest
from occscene.camera import load_cameras
from occscene.grid import load_grid
from occscene.results import read_result

from blender_addon.jobs import connection_check
from blender_addon.jobs.estimate import estimated_seconds, rough_time
from blender_addon.jobs.request import Request
from blender_addon.operators import command
from blender_addon.properties.results import UNFINISHED
from blender_addon.properties.settings import SceneSettings
from blender_addon.scene.images import encoded_pixels
from tests.blender.build_scenes import add_box, add_camera
from tests.blender.waiting import wait

ROOT = Path(__file__).resolve().parents[2]


def test_generate_writes_and_loads_everything(blockout: bpy.types.Scene, server: str, tmp_path: Path) -> None:
    done = bpy.ops.occscene.generate(prompt="a red room", seed=3, steps=5, directory=str(tmp_path), server=server)
    assert done == {"FINISHED"}
    (result,) = blockout.occscene.results
    assert (result.state, result.prompt, result.seed) == ("SUCCEEDED", "a red room", 3)
    assert [view.name for view in result.views] == ["left", "right"]
    for view in result.views:
        assert tuple(view.image.size) == (64, 64)
        assert (tmp_path / f"view_{view.name}.png").stat().st_size == view.image.packed_file.size
    stored = json.loads((tmp_path / "result.json").read_text())
    assert (stored["seed"], stored["job_id"], stored["steps"]) == (3, result.job_id, 5)
    predicted, sent = load_grid(tmp_path / "occupancy.npz"), load_grid(tmp_path / "blockout.npz")
    np.testing.assert_array_equal(predicted.labels, sent.labels)
    assert {item.name for item in sent.objects} == {"floor", "sofa"}


def test_a_failed_job_says_why(blockout: bpy.types.Scene, server: str, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"(?i)error"):
        bpy.ops.occscene.generate(prompt="error", directory=str(tmp_path), server=server)
    assert blockout.occscene.results[0].state == "FAILED"
    assert blockout.occscene.results[0].message


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
    for number in range(17):
        add_camera(f"camera {number}")
    with pytest.raises(RuntimeError, match="17 views were chosen; the limit is 16: select fewer"):
        bpy.ops.occscene.generate(directory=str(tmp_path))


def test_a_camera_that_sees_nothing_is_refused_by_name(blockout: bpy.types.Scene, server: str, tmp_path: Path) -> None:
    generate = {"directory": str(tmp_path), "server": server}
    blockout.objects["left"].location = (0, 1, 0.4)
    with pytest.raises(RuntimeError, match=r"camera 'left' stands in 'sofa' \(sofa\): move it out, or set") as caught:
        bpy.ops.occscene.generate(**generate)
    assert "right" not in str(caught.value)
    assert not blockout.occscene.results
    blockout.objects["sofa"].occscene.fill = "SURFACE"
    assert bpy.ops.occscene.generate(**generate) == {"FINISHED"}


def test_a_camera_in_something_thin_is_named_and_sent(
    blockout: bpy.types.Scene, server: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    curtain = add_box("curtain", (2, 0.02, 2), (-1, -1.8, 1.2))
    curtain.occscene.class_name = "objs"
    assert bpy.ops.occscene.generate(directory=str(tmp_path), server=server) == {"FINISHED"}
    assert "camera 'left' stands in 'curtain' (objs)" in capfd.readouterr().out


def test_seeds_are_fixed_drawn_or_counted(blockout: bpy.types.Scene, server: str, tmp_path: Path) -> None:
    settings = blockout.occscene
    settings.seed, settings.seed_mode = 5, "NEXT"
    generate = {"directory": str(tmp_path), "server": server}
    for _ in range(2):
        bpy.ops.occscene.generate(**generate)
    assert [result.seed for result in settings.results] == [5, 6]
    assert settings.seed == 7
    settings.seed_mode = "RANDOM"
    for _ in range(2):
        bpy.ops.occscene.generate(**generate)
    drawn = [result.seed for result in settings.results][2:]
    assert len({7, *drawn}) == 3
    assert settings.seed == drawn[-1]
    settings.seed_mode = "FIXED"
    bpy.ops.occscene.generate(**generate)
    assert (settings.results[-1].seed, settings.seed) == (drawn[-1], drawn[-1])


def test_the_style_joins_the_prompt_and_comes_from_presets(
    blockout: bpy.types.Scene, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = blockout.occscene
    bundled = ROOT / "blender_addon/presets/styles/indoor/Japanese.py"
    bpy.ops.script.execute_preset(filepath=str(bundled), menu_idname="OCCSCENE_MT_styles")
    assert "tatami" in settings.style
    settings.prompt = "a tea room"
    bpy.ops.occscene.generate(directory=str(tmp_path), server=server)
    assert json.loads((tmp_path / "result.json").read_text())["prompt"] == f"a tea room, {settings.style}"

    monkeypatch.setenv("BLENDER_USER_SCRIPTS", str(tmp_path / "scripts"))
    (tmp_path / "scripts").mkdir()
    settings.style, settings.negative_prompt = "made of paper", "metal"
    bpy.ops.occscene.style_preset(name="Paper House")
    (own,) = (tmp_path / "scripts").rglob("*.py")
    settings.style = settings.negative_prompt = ""
    bpy.ops.script.execute_preset(filepath=str(own), menu_idname="OCCSCENE_MT_styles")
    assert (settings.style, settings.negative_prompt) == ("made of paper", "metal")


def test_settings_come_back_from_a_result(blockout: bpy.types.Scene, server: str, tmp_path: Path) -> None:
    settings = blockout.occscene
    settings.prompt, settings.style, settings.negative_prompt, settings.seed = "a room", "blue", "red", 9
    settings.use_guidance, settings.text_guidance_scale, settings.steps = True, 2.5, 4
    bpy.ops.occscene.generate(directory=str(tmp_path), server=server)
    settings.prompt = settings.style = settings.negative_prompt = ""
    settings.use_guidance, settings.text_guidance_scale, settings.steps, settings.seed_mode = False, 1.0, 0, "RANDOM"
    assert bpy.ops.occscene.reload_settings() == {"FINISHED"}
    assert (settings.prompt, settings.style, settings.negative_prompt, settings.seed) == ("a room", "blue", "red", 9)
    assert (settings.use_guidance, settings.text_guidance_scale, settings.steps) == (True, 2.5, 4)
    assert settings.seed_mode == "FIXED"


def test_a_request_survives_its_json() -> None:
    settings = SceneSettings("a", "b", seed=3, steps=None, text_guidance_scale=2.0)
    request = Request("id", "TEXT", settings, (), "/tmp", "2026")
    assert Request.from_json(request.to_json()) == request


def test_frames_of_the_animation_are_views(blockout: bpy.types.Scene, server: str, tmp_path: Path) -> None:
    camera = blockout.objects["left"]
    blockout.camera = camera
    for frame, x in ((1, -1.0), (11, 1.0)):
        camera.location.x = x
        camera.keyframe_insert("location", frame=frame)
    blockout.frame_start, blockout.frame_end = 1, 11
    blockout.frame_set(4)
    bpy.ops.occscene.generate(cameras="ANIMATION", frame_step=5, directory=str(tmp_path), server=server)
    assert blockout.frame_current == 4
    request = Request.from_json(blockout.occscene.results[0].request)
    assert [view.camera.name for view in request.views] == ["left_0001", "left_0006", "left_0011"]
    places = [view.camera.world_from_camera[0, 3] for view in request.views]
    assert places == pytest.approx([-1.0, 0.0, 1.0], abs=1e-5)
    bpy.ops.occscene.set_backgrounds()
    shown = camera.data.background_images[0].image
    assert shown == blockout.occscene.results[0].views["left_0006"].image  # the nearest to frame 4


def test_text_to_scene_fills_an_empty_volume(scene: bpy.types.Scene, server: str, tmp_path: Path) -> None:
    scene.render.resolution_x = scene.render.resolution_y = 64
    scene.occscene.image_size = 64
    bpy.ops.occscene.generate(task="TEXT", prompt="a kitchen", directory=str(tmp_path), server=server)
    assert len([obj for obj in scene.objects if obj.type == "CAMERA"]) == 4
    assert len(scene.occscene.results[0].views) == 4
    assert load_grid(tmp_path / "occupancy.npz").shape == (60, 60, 36)
    assert not (tmp_path / "blockout.npz").exists()
    bpy.ops.occscene.import_occupancy()
    with pytest.raises(RuntimeError, match="without a blockout"):
        bpy.ops.occscene.show_changes()


def test_images_show_their_occupancy(blockout: bpy.types.Scene, server: str, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="camera 'left' has no background image"):
        bpy.ops.occscene.generate(task="IMAGES", server=server)
    for name, red in (("left", 7), ("right", 3)):
        image = bpy.data.images.new(f"photo {name}", 128, 128)
        image.pixels.foreach_set(np.tile(np.array([red / 255, 0, 0, 1], np.float32), 128 * 128))
        background = blockout.objects[name].data.background_images.new()
        background.image = image
    bpy.ops.occscene.generate(task="IMAGES", directory=str(tmp_path), server=server)
    (result,) = blockout.occscene.results
    assert (result.state, len(result.views)) == ("SUCCEEDED", 0)
    predicted = load_grid(tmp_path / "occupancy.npz")
    assert np.unique(predicted.labels) == [7]  # the stand-in names the class by the first image's red
    assert predicted.shape == (60, 60, 36)
    bpy.ops.occscene.generate(task="IMAGES", use_blockout=True, directory=str(tmp_path / "known"), server=server)
    assert load_grid(tmp_path / "known/blockout.npz").labels.any()


def test_a_photo_of_the_renders_shape_is_sent_whole(blockout: bpy.types.Scene, server: str, tmp_path: Path) -> None:
    """With the method of backgrounds that are added by the button, Fit; a narrower one has a narrower camera."""
    blockout.render.resolution_x, blockout.render.resolution_y = 1920, 1080
    blockout.occscene.image_size = 256
    for name in ("left", "right"):
        background = blockout.objects[name].data.background_images.new()
        background.image = bpy.data.images.new(f"photo {name}", 1920, 1080)
        background.frame_method = "FIT"
    bpy.ops.occscene.generate(task="IMAGES", directory=str(tmp_path / "whole"), server=server)
    request = Request.from_json(blockout.occscene.results[-1].request)
    assert [(view.camera.width, view.camera.height) for view in request.views] == [(256, 144)] * 2
    blockout.objects["left"].data.background_images[0].image.scale(800, 1000)
    with pytest.raises(RuntimeError, match=r"'right' fills 256 x 144 pixels, that of 'left' 205 x 256; .* to Crop"):
        bpy.ops.occscene.generate(task="IMAGES", server=server)
    blockout.camera = blockout.objects["left"]
    bpy.ops.occscene.generate(task="IMAGES", cameras="ACTIVE", directory=str(tmp_path / "part"), server=server)
    camera = Request.from_json(blockout.occscene.results[-1].request).views[0].camera
    assert (camera.width, camera.height) == (205, 256)
    assert camera.fx == camera.fy


def test_what_is_asked_for_is_what_is_written(blockout: bpy.types.Scene, server: str, tmp_path: Path) -> None:
    """Cameras and views of a shape whose sides are multiples of nothing: in the request, in files and in Blender."""
    blockout.render.resolution_x, blockout.render.resolution_y = 2048, 858
    blockout.occscene.image_size = 256
    bpy.ops.occscene.generate(directory=str(tmp_path / "result"), server=server)
    bpy.ops.occscene.voxelize(filepath=str(tmp_path / "grid.npz"), cameras_filepath=str(tmp_path / "cameras.json"))
    written = load_cameras(tmp_path / "cameras.json")
    request = Request.from_json(blockout.occscene.results[0].request)
    kept = read_result(tmp_path / "result").cameras
    for view, camera, row in zip(request.views, written, kept, strict=True):
        assert (camera.width, camera.height) == (view.camera.width, view.camera.height) == (256, 107)
        assert camera.fx == camera.fy == view.camera.fx == row.fx == row.fy
        image = blockout.occscene.results[0].views[camera.name].image
        assert tuple(image.size) == (256, 107)
        assert len(encoded_pixels((tmp_path / f"result/view_{camera.name}.png").read_bytes())) == 107
    blockout.render.resolution_y = 300
    with pytest.raises(RuntimeError, match="shape 2048 x 300 would have 256 x 38 pixels"):
        bpy.ops.occscene.generate(directory=str(tmp_path), server=server)


def test_an_older_server_gets_the_multiples_that_it_asks_for(
    blockout: bpy.types.Scene, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The nearest size that has the render's shape; the frame is not squeezed."""
    blockout.render.resolution_x, blockout.render.resolution_y = 2048, 858
    blockout.occscene.image_size = 256
    bpy.ops.occscene.test_connection(server=server)
    while connection_check.last_check.is_loading:
        bpy.ops.occscene.test_connection(server=server)
    assert connection_check.last_check.image_multiple == 1
    monkeypatch.setitem(connection_check.last_check.steps[-1]["info"]["models"][0], "image_multiple", 8)
    bpy.ops.occscene.generate(directory=str(tmp_path), server=server)
    camera = Request.from_json(blockout.occscene.results[0].request).views[0].camera
    assert (camera.width, camera.height, camera.fx) == (248, 104, camera.fy)


def test_previews_fill_the_views_while_the_job_runs(blockout: bpy.types.Scene, start: Callable[..., str]) -> None:
    name = start(prompt="slow")
    results = blockout.occscene.results
    wait(lambda: len(results[name].views) == 2)
    assert results[name].state == "RUNNING"
    image = results[name].views["right"].image
    assert (tuple(image.size), results[name].views["right"].is_preview) == ((8, 8), True)
    assert not image.is_dirty  # else Blender asks to save it when it quits
    with pytest.raises(RuntimeError, match="the result has no views"):
        bpy.ops.occscene.project_views(result=name)
    wait(lambda: results[name].state not in UNFINISHED)
    assert [view.name for view in results[name].views] == ["left", "right"]
    final = results[name].views["right"]
    assert (final.image, tuple(image.size), final.is_preview) == (image, (64, 64), False)
    assert [image.name for image in bpy.data.images if image.is_dirty] == []


def test_a_job_without_views_leaves_no_previews(blockout: bpy.types.Scene, start: Callable[..., str]) -> None:
    name = start(prompt="slow")
    results = blockout.occscene.results
    wait(lambda: len(results[name].views) == 2)
    bpy.ops.occscene.cancel(result=name)
    assert (len(results[name].views), len(bpy.data.images)) == (0, 0)


def test_time_is_estimated_from_what_the_server_did(
    blockout: bpy.types.Scene, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCCSCENE_SERVER", server)
    assert estimated_seconds(blockout, 2, 64, 64) is None
    bpy.ops.occscene.generate(steps=12, directory=str(tmp_path))
    result = blockout.occscene.results[0]
    result.seconds = 6.0
    assert estimated_seconds(blockout, 2, 64, 64) == pytest.approx(6.0)
    assert estimated_seconds(blockout, 4, 128, 64) == pytest.approx(3.0 + 12.0)  # a part of it does not grow
    blockout.occscene.steps = 6
    assert estimated_seconds(blockout, 2, 64, 64) == pytest.approx(3.0 + 1.5)
    blockout.occscene.steps = 0
    blockout.occscene.image_size = 128
    blockout.render.resolution_x = blockout.render.resolution_y = 128
    bpy.ops.occscene.generate(steps=12, directory=str(tmp_path / "larger"))
    blockout.occscene.results[1].seconds = 9.0  # four times the pixels: 5 s are fixed, 1 s is a small job's own
    assert estimated_seconds(blockout, 2, 128, 128) == pytest.approx(9.0)
    assert estimated_seconds(blockout, 8, 128, 128) == pytest.approx(5.0 + 16.0)
    monkeypatch.setenv("OCCSCENE_SERVER", "127.0.0.1:1")
    assert estimated_seconds(blockout, 2, 64, 64) is None
    assert [rough_time(seconds) for seconds in (0.2, 42.0, 200.0)] == ["about 1 s", "about 40 s", "about 3 min"]


def test_the_command_line_does_the_same(blockout: bpy.types.Scene, server: str, tmp_path: Path) -> None:
    voxels = tmp_path / "grid.vox"
    assert command.main(["voxelize", "--output", str(voxels), "--cameras-output", str(tmp_path / "c.json")]) == 0
    assert voxels.read_bytes()[:4] == b"VOX "
    assert len(json.loads((tmp_path / "c.json").read_text())) == 2
    output, saved = tmp_path / "out", tmp_path / "saved.blend"
    arguments = ["generate", "--output", str(output), "--server", server, "--prompt", "a room", "--seed", "4"]
    assert command.main([*arguments, "--steps", "3", "--project", "--import", "--save", str(saved)]) == 0
    assert json.loads((output / "result.json").read_text())["steps"] == 3
    assert "OccScene Occupancy" in blockout.objects
    for occupancy in (output / "occupancy.npz", output):  # the file, or the folder of the result
        merged = ["import", str(occupancy), "--surface", "merged", "--separate", "--save", str(saved)]
        assert command.main(merged) == 0
    assert command.main(["import", str(tmp_path), "--save", str(saved)]) == 1
    assert command.main(["generate", "--output", str(output), "--server", "127.0.0.1:9"]) == 1
    bpy.ops.wm.open_mainfile(filepath=str(saved))
    assert bpy.context.scene.objects["floor"].material_slots[0].material.name.startswith("OccScene Projection")
    assert "OccScene Occupancy sofa" in bpy.context.scene.objects


def test_text_to_scene_looks_from_within(
    scene: bpy.types.Scene, server: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Blender's startup camera stands outside of the volume: it would see the back of the walls."""
    scene.camera = add_camera("Camera", (7.4, -6.9, 5.0))
    scene.render.resolution_x = scene.render.resolution_y = 64
    scene.occscene.image_size = 64
    arguments = {"task": "TEXT", "directory": str(tmp_path / "out"), "server": server}
    bpy.ops.occscene.generate(**arguments)
    assert [view.name for view in scene.occscene.results[-1].views] == [f"Corner {n}" for n in (1, 2, 3, 4)]
    assert "Outside of the volume and left out: Camera" in capfd.readouterr().out
    with pytest.raises(RuntimeError, match=r"'Camera' stands outside of the volume.*move it in, or choose All"):
        bpy.ops.occscene.generate(cameras="ACTIVE", **arguments)
    scene.objects["Camera"].location = (0, 0, 1.5)
    bpy.ops.occscene.generate(cameras="ACTIVE", **arguments)
    assert [view.name for view in scene.occscene.results[-1].views] == ["Camera"]


def test_a_domain_that_the_model_does_not_know_is_refused_once(
    scene: bpy.types.Scene, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.occscene.domain = "outdoor"
    add_box("road", (20, 20, 0.2))
    bpy.ops.occscene.guess_classes()
    bpy.ops.occscene.fit_volume(mode="TIGHT")
    add_camera("Camera", (0, 0, 1.5))
    with pytest.raises(RuntimeError) as caught:
        bpy.ops.occscene.generate(directory=str(tmp_path / "out"), server=server)
    said = str(caught.value)
    assert "knows indoor scenes only. Choose the other domain" in said
    assert "generate_scene" not in said
    monkeypatch.setenv("OCCSCENE_SERVER", server)
    bpy.ops.occscene.test_connection()
    assert connection_check.last_check.lacks_domain("outdoor").endswith("choose another domain or server")
    assert not connection_check.last_check.lacks_domain("indoor")


def test_a_server_that_is_gone_is_no_longer_known_as_good(
    blockout: bpy.types.Scene, server: str, tmp_path: Path
) -> None:
    check = connection_check.ConnectionCheck(
        "127.0.0.1:9", steps=[{"step": "model", "is_good": True, "info": {"models": []}}]
    )
    connection_check.keep_check(check)
    with pytest.raises(RuntimeError, match="no server answers"):
        bpy.ops.occscene.generate(directory=str(tmp_path), server="127.0.0.1:9")
    assert connection_check.last_check is not check
