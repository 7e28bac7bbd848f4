"""What the sidebar says and does: what is next, the list of cameras, variants, and what is tried again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import pytest

from blender_addon import registration
from blender_addon.jobs import connection, connection_check
from blender_addon.jobs.request import Request
from blender_addon.operators.support import diagnostics
from blender_addon.panels.cameras import camera_warning
from blender_addon.panels.layout import SidebarPanel
from blender_addon.panels.next_step import next_step, sent_text
from blender_addon.properties.results import UNFINISHED
from blender_addon.scene.camera_objects import cameras_of
from blender_addon.scene.volume import grid_volume
from tests.blender.build_scenes import add_box, add_camera
from tests.blender.waiting import wait


class Recorder:
    """Stands for a layout, which only a window has: takes whatever is drawn, and notes operators and properties."""

    def __init__(self, drawn: list[str]) -> None:
        self.__dict__["drawn"] = drawn

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any, **options: Any) -> Recorder:
            if name == "operator":
                self.drawn.append(str(arguments[0]))
                assert hasattr(bpy.ops.occscene, str(arguments[0]).removeprefix("occscene."))
            if name == "prop":
                assert arguments[1] in arguments[0].bl_rna.properties, arguments[1]
                self.drawn.append(str(arguments[1]))
            return Recorder(self.drawn)

        return call

    def __setattr__(self, name: str, value: object) -> None:
        pass


def drawn(tab: str) -> list[str]:
    """The operators and properties of all panels that a step of the sidebar shows, drawn without a window."""
    context = _WithRegion()
    bpy.context.window_manager.occscene.tab = tab
    found: list[str] = []
    for cls in registration._CLASSES:
        if issubclass(cls, SidebarPanel) and cls.poll(context):
            panel = type(cls.__name__, (), {"layout": Recorder(found)})()
            cls.draw(panel, context)
    return found


class _WithRegion:
    """The context with the sidebar's region."""

    region = type("Region", (), {"width": 292})()

    def __getattr__(self, name: str) -> Any:
        return getattr(bpy.context, name)


def step() -> tuple[str, str]:
    bpy.context.view_layer.update()
    found = next_step(bpy.context)
    return ("", "") if found is None else (found.text, found.operator)


def press() -> None:
    """Presses the button of the next step."""
    found = next_step(bpy.context)
    assert found is not None
    getattr(bpy.ops.occscene, found.operator.removeprefix("occscene."))(**found.arguments)


def test_the_buttons_of_the_next_steps_lead_to_a_request(scene: bpy.types.Scene) -> None:
    assert step() == ("Next: add boxes below, or model, or begin from text in Views", "")
    add_box("sofa")
    add_box("floor", (4, 4, 0.1))
    for operator in ("guess_classes", "fit_volume", "add_rig"):
        assert step()[1] == f"occscene.{operator}"
        press()
    assert step() == ("", "")
    assert sent_text(bpy.context).startswith("Sends 2 objects, 4 views of 512 x 288")
    for obj in scene.objects:
        obj.occscene.is_view = False
    assert step()[0] == "Next: choose cameras, in Views"
    scene.occscene.cameras = "ANIMATION"
    assert step() == ("", "")
    assert "16 views" in sent_text(bpy.context)
    assert "every 16 frames" in sent_text(bpy.context)


@pytest.mark.parametrize("tab", ["BLOCKOUT", "VIEWS", "RESULTS"])
def test_all_panels_can_be_drawn(blockout: bpy.types.Scene, server: str, tmp_path: Path, tab: str) -> None:
    assert drawn(tab)
    bpy.ops.occscene.generate(directory=str(tmp_path / "out"), server=server, variants=2)
    for is_gallery in (False, True):
        bpy.context.window_manager.occscene.is_gallery = is_gallery
        for action in ("MARK", "FLIP", "END"):
            blockout.occscene.active_result = 1 - blockout.occscene.active_result
            bpy.ops.occscene.compare(action=action)
            assert "occscene.generate" in drawn(tab)
    with pytest.raises(RuntimeError, match=r"(?i)error"):
        bpy.ops.occscene.generate(prompt="error", directory=str(tmp_path / "bad"), server=server)
    assert "occscene.retry" in drawn(tab)
    for obj in (None, blockout.objects["left"], blockout.objects["sofa"]):
        bpy.context.view_layer.objects.active = obj
        drawn(tab)


def answer_of(**model: Any) -> connection_check.ConnectionCheck:
    """A test of a server whose model says this of itself."""
    models = [{"image_multiple": 1, "taxonomies": ["indoor"], "layout_prior": True, "parts_prior": True, **model}]
    return connection_check.ConnectionCheck(
        "here", steps=[{"step": "model", "is_good": True, "message": "", "advice": "", "info": {"models": models}}]
    )


def test_what_the_model_cannot_do_is_not_shown(blockout: bpy.types.Scene) -> None:
    everything = ["negative_prompt", "occupancy_guidance", "text_to_scene", "images_to_occupancy"]
    checkpoint = {"name": "artist", "family": "sdxl", "license": "openrail++", "controls": [("depth", 0.6)]}
    blockout.occscene.use_guidance = True
    shown = {}
    for name, features, drafts in (("all", everything, True), ("little", ["object_prompt"], False)):
        check = answer_of(**checkpoint, features=features, drafts=drafts, start_views=drafts)
        connection_check.keep_check(check)
        try:
            shown[name] = set(drawn("VIEWS"))
        finally:
            connection_check.keep_check(connection_check.ConnectionCheck())
    kept = {"negative_prompt", "occupancy_guidance_scale", "use_blockout", "quality"}
    assert shown["all"] >= kept
    assert not shown["little"] & kept
    assert shown["little"] >= {"text_guidance_scale", "steps"}
    assert check.about_models() == ["artist (SDXL), license openrail++; ControlNets: depth 0.6"]
    blockout.occscene.quality = "DRAFT"
    connection_check.keep_check(check)
    try:
        assert "quality" in drawn("VIEWS")  # the way back
    finally:
        connection_check.keep_check(connection_check.ConnectionCheck())


def test_cameras_are_a_list_in_an_order(blockout: bpy.types.Scene) -> None:
    def listed() -> list[str]:
        return [obj.name for obj in cameras_of(blockout, bpy.context.view_layer, "ALL")]

    add_camera("attic")
    bpy.context.view_layer.update()
    assert listed() == ["attic", "left", "right"]
    blockout.camera = blockout.objects["right"]
    bpy.ops.occscene.move_camera(direction="UP")
    assert listed() == ["attic", "right", "left"]
    bpy.ops.occscene.move_camera(direction="DOWN")
    bpy.ops.occscene.move_camera(direction="DOWN")  # it is the last already
    assert listed() == ["attic", "left", "right"]
    add_camera("a new one")
    bpy.context.view_layer.update()
    assert listed() == ["attic", "left", "right", "a new one"]
    blockout.objects["left"].occscene.is_view = False
    assert listed() == ["attic", "right", "a new one"]
    bpy.ops.occscene.tick_cameras(is_view=False)
    assert listed() == []
    bpy.ops.occscene.look_through(direction="NEXT")
    assert blockout.camera.name == "a new one"
    bpy.ops.occscene.look_through(direction="NEXT")
    assert blockout.camera.name == "attic"
    objects = bpy.context.view_layer.objects
    assert objects[blockout.occscene.active_camera].name == "attic"
    blockout.occscene.active_camera = objects.find("left")
    assert blockout.camera.name == "left"


def test_warnings_stand_at_the_camera(blockout: bpy.types.Scene) -> None:
    camera, volume = blockout.objects["left"], grid_volume(blockout)
    assert camera_warning(bpy.context, camera, volume) == ""
    camera.hide_render = True
    assert camera_warning(bpy.context, camera, volume) == "disabled"
    camera.location = (0, -20, 1)
    bpy.context.view_layer.update()
    assert camera_warning(bpy.context, camera, volume) == "outside"
    camera.data.type = "ORTHO"
    assert camera_warning(bpy.context, camera, volume) == "ortho"
    assert [obj.name for obj in cameras_of(blockout, bpy.context.view_layer, "ALL")] == ["right"]


def test_a_square_view_holds_the_whole_frame(blockout: bpy.types.Scene, server: str, tmp_path: Path) -> None:
    blockout.render.resolution_x, blockout.render.resolution_y = 1920, 1080
    blockout.occscene.image_size = 128
    for shape in ("RENDER", "SQUARE"):
        bpy.ops.occscene.generate(image_shape=shape, directory=str(tmp_path / shape), server=server)
    wide, square = (Request.from_json(item.request).views[0].camera for item in blockout.occscene.results)
    assert [(c.width, c.height) for c in (wide, square)] == [(128, 72), (128, 128)]
    assert (square.fx, square.cx) == (wide.fx, wide.cx)
    assert square.cy - wide.cy == pytest.approx((128 - 72) / 2)
    bpy.ops.occscene.set_backgrounds()
    methods = []
    for number in (0, 1):
        blockout.occscene.active_result = number
        methods.append(blockout.objects["left"].data.background_images[0].frame_method)
    assert methods == ["STRETCH", "CROP"]


def test_one_press_makes_variants(blockout: bpy.types.Scene, server: str, tmp_path: Path) -> None:
    settings = blockout.occscene
    settings.seed, settings.seed_mode, settings.variants = 5, "NEXT", 3
    bpy.ops.occscene.generate(directory=str(tmp_path / "out"), server=server)
    assert [result.seed for result in settings.results] == [5, 6, 7]
    assert settings.seed == 8
    assert len({result.directory for result in settings.results}) == 3
    pixels = [np.array(result.views[0].image.pixels) for result in settings.results]
    assert not np.array_equal(pixels[0], pixels[1])
    settings.seed_mode = "RANDOM"
    bpy.ops.occscene.generate(directory=str(tmp_path / "more"), server=server)
    assert len({result.seed for result in settings.results}) == 6


def test_retry_asks_for_the_same_and_takes_its_place(
    blockout: bpy.types.Scene, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OCCSCENE_SERVER", server)
    settings = blockout.occscene
    with pytest.raises(RuntimeError, match="no server answers"):
        bpy.ops.occscene.generate(prompt="a den", seed=4, steps=3, server="127.0.0.1:9", directory=str(tmp_path))
    settings.prompt, settings.seed, settings.variants = "another", 9, 2
    assert bpy.ops.occscene.retry(result=settings.results[0].name) == {"FINISHED"}
    (result,) = settings.results
    assert (result.state, result.prompt, result.seed, result.denoising_steps) == ("SUCCEEDED", "a den", 4, 3)
    assert (settings.prompt, settings.seed) == ("another", 9)


def test_cancel_without_a_name_ends_all(blockout: bpy.types.Scene, start: Callable[..., str]) -> None:
    names = [start(prompt="slow") for _ in range(2)]
    results = blockout.occscene.results
    wait(lambda: all(results[name].job_id for name in names))
    bpy.ops.occscene.cancel()
    assert [results[name].state for name in names] == ["CANCELLED"] * 2
    assert not any(result.state in UNFINISHED for result in results)


def test_diagnostics_hold_no_secret(blockout: bpy.types.Scene, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    connection.enter_token("a-token-of-more-than-sixteen-characters")
    monkeypatch.setenv("OCCSCENE_SERVER", server)
    bpy.ops.occscene.test_connection()
    text = diagnostics(bpy.context)
    assert "Blender 4" in text
    assert server in text
    monkeypatch.setenv("OCCSCENE_SERVER", "grpcs://secret.example.org:50051")
    connection_check.keep_check(connection_check.ConnectionCheck())
    text = diagnostics(bpy.context)
    assert "secret.example.org" not in text
    assert "a-token" not in text
    connection.enter_token("")


def test_a_word_gives_its_class_and_itself(scene: bpy.types.Scene) -> None:
    box = add_box("Cube")
    box.select_set(True)
    assert bpy.ops.occscene.assign_word(word="furn:wardrobe") == {"FINISHED"}
    assert (box.occscene.class_name, box.occscene.prompt) == ("furn", "wardrobe")
    bpy.ops.occscene.assign_word(word="sofa:sofa")
    assert (box.occscene.class_name, box.occscene.prompt) == ("sofa", "wardrobe")  # the artist's own words stay
