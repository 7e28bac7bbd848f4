"""Every setting reaches the server by the name that the contract gives it, wherever in Blender it is set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from occscene.settings import Setting, Settings
from occscene.settings_codec import settings_from_message

from blender_addon.bridge.requests import generate_request
from blender_addon.jobs import tracking
from blender_addon.jobs.request import Request
from blender_addon.operators import command, generate
from blender_addon.properties.settings import FORMER_NAMES, SETTINGS, SceneSettings, scene_value, set_scene
from tests.blender.test_geometry_sent import stored_task
from tests.setting_values import other_values

OLD_FILE = Path(__file__).parent / "files/settings_0_1.blend"
"""Saved by version 0.1.0 in Blender 4.5, with a result."""

OLD = SceneSettings(
    *("a red room", "fog", 41, 7, 3.5, 1.25),
    without_prior=True,
    style="art deco",
    cameras="ACTIVE",
    frame_step=3,
    image_size=128,
    send_geometry=False,
    use_blockout=True,
)
"""What was set in it."""

each_setting = pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
a_few = examples(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
Sent = Callable[[], tuple[Settings, SceneSettings]]


@pytest.fixture
def sent(blockout: bpy.types.Scene, monkeypatch: pytest.MonkeyPatch) -> Sent:
    """What the bridge makes of the last button's command, and what is kept with its result; nothing is sent."""
    commands: list[tuple[Any, dict[str, Any], bytes]] = []
    monkeypatch.setattr(tracking, "_follow", lambda *given: commands.append(given))
    monkeypatch.setattr(tracking, "is_interactive", lambda: True)
    monkeypatch.setattr(generate.OCCSCENE_OT_generate, "_start_images", lambda *_: [])
    monkeypatch.setattr(generate, "chosen_result", lambda *_: SimpleNamespace(name="earlier"))
    for obj in blockout.objects:
        obj.select_set(True)
    blockout.camera = blockout.objects["left"]
    blockout.frame_end = 40

    def last() -> tuple[Settings, SceneSettings]:
        record, head, body = commands[-1]
        message, _ = generate_request(head, body)
        kept = Request.from_json(record.request.to_json()).settings
        return settings_from_message(message.generate_scene), kept

    return last


def with_others(setting: Setting, value: Any) -> dict[str, Any]:
    """A setting, and what else must be set for it to count: a strength is of what one starts from."""
    others = {"start_from": "RESULT"} if setting.name == "strength" and value is not None else {}
    return {**others, setting.name: value}


def check(sent: Sent, **changed: Any) -> None:
    """Compares with the settings of the fixture's scene but for what was changed."""
    if changed.get("start_from", "NONE") != "NONE":
        changed = {"strength": SETTINGS["strength"].first, **changed}
    wanted = replace(SceneSettings(image_size=64), **changed)
    message, kept = sent()
    assert kept == wanted
    assert message == wanted.sent()


@each_setting
@a_few
@given(data=st.data())
def test_an_argument_reaches_the_message(sent: Sent, setting: Setting, data: st.DataObject) -> None:
    value = data.draw(other_values(setting))
    changed = with_others(setting, value)
    assert bpy.ops.occscene.generate(**changed) == {"FINISHED"}
    check(sent, **changed)


@each_setting
@a_few
@given(data=st.data())
def test_a_scenes_property_reaches_the_message(sent: Sent, setting: Setting, data: st.DataObject) -> None:
    set_scene(bpy.context.scene, SceneSettings(image_size=64))
    scene = bpy.context.scene.occscene
    value = data.draw(other_values(setting))
    changed = with_others(setting, value)
    for name, each in changed.items():
        setattr(scene, name, each)
    shown = {}
    if setting.group:  # all sliders of a group count once it is not left to the model
        setattr(scene, f"use_{setting.group}", True)
        shown = {each.name: getattr(scene, each.name) for each in SETTINGS.values() if each.group == setting.group}
    bpy.ops.occscene.generate()
    check(sent, **{**shown, **changed})


@each_setting
@a_few
@given(data=st.data())
def test_an_option_reaches_the_message(
    sent: Sent, setting: Setting, data: st.DataObject, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = data.draw(other_values(setting))
    flag = f"--{setting.name.replace('_', '-')}"
    if setting.type is bool:
        words = [flag if value else flag.replace("--", "--no-", 1)]
    else:
        words = [f"{flag}={value.lower() if setting.choices else value}"]
    arguments: dict[str, Any] = {}
    monkeypatch.setattr(command, "_generate", lambda options: arguments.update(command._given(options)))
    assert command.main(["generate", "--output", "", *words]) == 0
    changed = with_others(setting, value)
    bpy.ops.occscene.generate(**changed | arguments)
    check(sent, **changed)


def test_former_names_still_do(sent: Sent, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of arguments, of options, and of properties that a script sets."""
    bpy.ops.occscene.generate(text_guidance=2.5)
    check(sent, text_guidance_scale=2.5)
    arguments: dict[str, Any] = {}
    monkeypatch.setattr(command, "_generate", lambda options: arguments.update(command._given(options)))
    words = ["--occupancy-guidance", "0", "--text-guidance=1.5", "--no-prior"]
    assert command.main(["generate", "--output", "", *words]) == 0
    bpy.ops.occscene.generate(**arguments)
    check(sent, occupancy_guidance_scale=0.0, text_guidance_scale=1.5, without_prior=True)
    scene = bpy.context.scene.occscene
    scene.use_guidance, scene.text_guidance, scene.occupancy_guidance = True, 4.5, 5.5
    assert (scene.text_guidance_scale, scene.occupancy_guidance_scale) == (4.5, 5.5)
    bpy.ops.occscene.generate()
    check(sent, text_guidance_scale=4.5, occupancy_guidance_scale=5.5)


@pytest.mark.parametrize(
    ("argument", "text"),
    [
        ({"steps": 101}, r"steps is 101; it must be 1 to 100, or absent for the model's own"),
        ({"steps": -1}, r"steps is -1; it must be 1 to 100"),
        ({"text_guidance_scale": 31.0}, r"text_guidance_scale is 31; it must be 0 to 30"),
        ({"seed": -1}, r"seed is -1; it must be 0 to"),
        ({"image_size": 32}, r"image_size is 32; it must be 64 to 1024"),
        ({"negative_prompt": "x" * 2001}, r"negative_prompt has 2001 characters; the limit is 2000"),
        ({"prompt": "x" * 1500, "style": "y" * 600}, r"prompt has 2102 characters; the limit is 2000"),
    ],
)
def test_an_argument_outside_of_the_limits_is_refused_by_name(
    sent: Sent, argument: dict[str, object], text: str
) -> None:
    with pytest.raises(RuntimeError, match=text):
        bpy.ops.occscene.generate(**argument)
    assert not bpy.context.scene.occscene.results


def test_all_settings_at_once_reach_the_server(blockout: bpy.types.Scene, server: str, tmp_path: Path) -> None:
    chosen = replace(OLD, prompt="a room", negative_prompt="fog", cameras="ALL", image_size=64, use_blockout=False)
    values = {name: value for name in SETTINGS if (value := getattr(chosen, name)) is not None}
    bpy.ops.occscene.generate(server=server, directory=str(tmp_path / "arguments"), **values)
    set_scene(blockout, chosen)
    bpy.ops.occscene.generate(server=server, directory=str(tmp_path / "scene"))
    for result in blockout.occscene.results:
        task = stored_task(server, result.job_id)
        assert settings_from_message(task) == chosen.sent()
        assert not task.HasField("mesh")


def check_old_scenes() -> None:
    old, untouched = bpy.data.scenes["Scene"], bpy.data.scenes["Untouched"]
    wanted = replace(OLD, seed=42)  # counted up after the result
    assert {name: scene_value(old, name) for name in SETTINGS} == {name: getattr(wanted, name) for name in SETTINGS}
    assert old.occscene.seed_mode == "NEXT"
    wanted = SceneSettings(prompt="a kitchen")
    assert {name: scene_value(untouched, name) for name in SETTINGS} == {n: getattr(wanted, n) for n in SETTINGS}
    assert not any(scene.occscene.is_property_set(name) for scene in bpy.data.scenes for name in FORMER_NAMES)


def test_a_file_of_the_former_version_keeps_its_settings(scene: bpy.types.Scene, tmp_path: Path) -> None:
    bpy.ops.wm.open_mainfile(filepath=str(OLD_FILE))
    check_old_scenes()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "new.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "new.blend"))
    check_old_scenes()


def test_settings_come_back_from_a_result_of_the_former_version(scene: bpy.types.Scene) -> None:
    bpy.ops.wm.open_mainfile(filepath=str(OLD_FILE))
    old = bpy.data.scenes["Scene"]
    set_scene(old, SceneSettings())
    assert not old.occscene.use_guidance
    assert bpy.ops.occscene.reload_settings() == {"FINISHED"}
    wanted = replace(OLD, use_blockout=False)  # was not kept with results
    assert {name: scene_value(old, name) for name in SETTINGS} == {name: getattr(wanted, name) for name in SETTINGS}


def test_a_file_that_is_open_already_is_brought_up_to_date(scene: bpy.types.Scene) -> None:
    import blender_addon

    blender_addon.unregister()
    bpy.ops.wm.open_mainfile(filepath=str(OLD_FILE))
    blender_addon.register()
    check_old_scenes()
