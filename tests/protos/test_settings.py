"""The list of settings: agrees with the contract, keeps its limits, and survives messages and JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import pytest
from google.protobuf.descriptor import FieldDescriptor
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from occscene.settings import Setting, Settings, setting
from occscene.settings_codec import fill_message, settings_from_message
from occscene.v1 import job_pb2

from tests.setting_values import other_values

INPUTS = {"grid", "volume", "taxonomy", "cameras", "layout", "mesh", "start_views", "previews"}
"""Fields of `GenerateScene` that no setting sets: the scene itself, and whether a client watches."""

TYPES = {
    FieldDescriptor.CPPTYPE_STRING: str,
    FieldDescriptor.CPPTYPE_ENUM: str,
    FieldDescriptor.CPPTYPE_UINT32: int,
    FieldDescriptor.CPPTYPE_UINT64: int,
    FieldDescriptor.CPPTYPE_FLOAT: float,
    FieldDescriptor.CPPTYPE_BOOL: bool,
}
FIELDS = job_pb2.GenerateScene.DESCRIPTOR.fields_by_name
each_setting = pytest.mark.parametrize("setting", Settings.listed(), ids=lambda setting: setting.name)


def test_the_contract_has_the_same_settings() -> None:
    assert {setting.name for setting in Settings.listed()} == set(FIELDS) - INPUTS


@each_setting
def test_a_setting_is_as_in_the_contract(setting: Setting) -> None:
    field = FIELDS[setting.name]
    assert setting.type is TYPES[field.cpp_type]
    assert setting.is_optional == field.has_presence
    assert setting.fault(setting.default) == ""
    if field.enum_type is not None:
        names = [value.name for value in field.enum_type.values if value.number]
        assert {f"SCENE_QUALITY_{choice}" for choice, _, _ in setting.choices} == set(names)


settings = st.builds(
    Settings, **{each.name: st.just(each.default) | other_values(each, 2**64 - 1) for each in Settings.listed()}
)


@examples(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(settings)
def test_settings_survive_messages_and_json(settings: Settings) -> None:
    message = job_pb2.GenerateScene()
    fill_message(settings, message)
    assert settings_from_message(message) == settings
    assert Settings.from_json(json.loads(json.dumps(settings.to_json()))) == settings
    settings.check()


def test_a_message_takes_the_settings_that_it_has() -> None:
    chosen = Settings(prompt="a room", seed=2**64 - 1, steps=5, quality="DRAFT")
    task = job_pb2.ComposeLayout()
    fill_message(chosen, task)
    assert task == job_pb2.ComposeLayout(prompt="a room", seed=2**64 - 1)
    assert settings_from_message(task) == Settings(prompt="a room", seed=2**64 - 1)
    assert settings_from_message(job_pb2.PredictOccupancy()) == settings_from_message(job_pb2.GenerateScene())
    left = job_pb2.GenerateScene(prompt="left as it is")
    fill_message(Settings(), left)
    assert not any(left.HasField(name) for name in ("steps", "text_guidance_scale", "occupancy_guidance_scale"))


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("prompt", "x" * 2001, "prompt has 2001 characters; the limit is 2000"),
        ("seed", -1, "seed is -1; it must be 0 to 18446744073709551615"),
        ("steps", 0, "steps is 0; it must be 1 to 100, or absent for the model's own"),
        ("steps", 101, "steps is 101; it must be 1 to 100"),
        ("text_guidance_scale", 30.5, "text_guidance_scale is 30.5; it must be 0 to 30"),
        ("occupancy_guidance_scale", float("nan"), "occupancy_guidance_scale is nan; it must be 0 to 30"),
        ("occupancy_guidance_scale", float("inf"), "occupancy_guidance_scale is inf"),
        ("quality", "full", "quality is 'full'; it must be FULL or DRAFT"),
    ],
)
def test_what_is_outside_of_the_limits_is_named(name: str, value: object, text: str) -> None:
    with pytest.raises(ValueError, match=text):
        replace(Settings(negative_prompt="fog"), **{name: value}).check()


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(ValueError, match=r"^negative_prompt has 3000 .*; seed is -1; .*; steps is 500; ") as caught:
        Settings(negative_prompt="x" * 3000, seed=-1, steps=500).check()
    assert " prompt" not in str(caught.value)


def test_former_names_are_read_and_later_ones_dropped() -> None:
    row = {"text_guidance": 2.5, "occupancy_guidance": None, "seed": 3, "sharpness": 11}
    assert Settings.from_json(row) == Settings(seed=3, text_guidance_scale=2.5)


def test_a_setting_is_added_in_one_place() -> None:
    @dataclass(frozen=True)
    class Later(Settings):
        sharpness: float | None = setting(None, "Sharpness", "How sharp", minimum=0.0, maximum=2.0)

    (added,) = set(Later.listed()) - set(Settings.listed())
    assert (added.name, added.type, added.default, added.label) == ("sharpness", float, None, "Sharpness")
    assert Later.from_json(Later(sharpness=1.5).to_json()).sharpness == 1.5
    with pytest.raises(ValueError, match="sharpness is 3; it must be 0 to 2"):
        Later(sharpness=3.0).check()
