"""`SceneSettings` as Blender's properties: of a scene, and as arguments of operators."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty
from occscene.limits import IMAGE_SIDE, MAX_IMAGE_SIDE, MAX_PROMPT_LENGTH, MIN_IMAGE_SIDE
from occscene.settings import Setting, Settings, setting

TRANSIENT = {"SKIP_SAVE"}
"""Options of operator arguments: a value from a script's call is not kept for the next press of the button."""

MAX_INT = 2**31 - 1
"""The largest integer that a Blender property can hold."""


@dataclass(frozen=True)
class SceneSettings(Settings):
    """What an artist sets: the request's settings, and those from which its prompt, views and grid are made."""

    style: str = setting(
        "",
        "Style",
        "Words that are added to the prompt; keep those that you like as a preset",
        max_length=MAX_PROMPT_LENGTH,
    )
    cameras: str = setting(
        "ALL",
        "Cameras",
        "One view is made for each",
        choices=(
            ("ALL", "All", "Every camera that is ticked in the list"),
            ("SELECTED", "Selected", "The selected cameras"),
            ("ACTIVE", "Active", "The scene's active camera"),
            ("ANIMATION", "Frames", "The active camera, or those that markers bind, at every Nth frame of the scene"),
        ),
    )
    frame_step: int = setting(
        10,
        "Every",
        "Frames from one view to the next; more where so many views would not fit",
        minimum=1,
        maximum=MAX_INT,
        usual=(1, 250),
    )
    image_size: int = setting(
        IMAGE_SIDE,
        "Image Size",
        "Pixels along the longer side",
        minimum=MIN_IMAGE_SIDE,
        maximum=MAX_IMAGE_SIDE,
        increment=64,
    )
    image_shape: str = setting(
        "RENDER",
        "Shape",
        "Shape of the views",
        choices=(
            ("RENDER", "Render's", "As the render's resolution says"),
            ("SQUARE", "Square", "A square around the render's frame: what the models know best"),
        ),
    )
    send_geometry: bool = setting(
        True,
        "Send Geometry",
        "Send the triangles of the tagged objects with their voxels, so that the server knows their exact shapes; what "
        "lies far outside of the volume is left out",
    )
    start_from: str = setting(
        "NONE",
        "Start From",
        "What denoising begins at",
        choices=(
            ("NONE", "Nothing", "The model's own beginning"),
            ("RENDER", "Render", "A render of each camera with the scene's engine, which is made first; Blender waits"),
            ("FILES", "Image Files", "An image of each camera in a folder, called as the camera, such as Camera.png"),
            ("RESULT", "Active Result", "The views of the active result"),
        ),
    )
    start_folder: str = setting(
        "", "Folder", "Where the image files are that denoising begins at", max_length=4096, is_folder=True
    )
    use_blockout: bool = setting(
        False,
        "Start from the Blockout",
        "Images to occupancy: send the tagged objects too, as what is already known of the scene",
    )

    @property
    def full_prompt(self) -> str:
        """Prompt and style, as they are sent."""
        return ", ".join(part for part in (self.prompt.strip(), self.style.strip()) if part)

    def sent(self) -> Settings:
        """The settings that are sent to the server."""
        own = {each.name: getattr(self, each.name) for each in Settings.listed()}
        return Settings(**{**own, "prompt": self.full_prompt})

    def check(self) -> None:
        """Refuses values outside of the limits, also the prompt with its style; see `Settings.check`."""
        super().check()
        self.sent().check()


SETTINGS = {each.name: each for each in SceneSettings.listed()}
GROUPS = frozenset(each.group for each in SETTINGS.values() if each.group)
FORMER_NAMES = SceneSettings.former_names()


def scene_properties(updates: Mapping[str, Callable[..., None]]) -> dict[str, Any]:
    """Annotations of a scene's properties.

    Args:
        updates: called when a property changes, by its name.
    """
    declared = {name: _property(each, update=updates.get(name)) for name, each in SETTINGS.items()}
    former = {
        name: _property(SETTINGS[new], options={"HIDDEN"}, update=_take_former) for name, new in FORMER_NAMES.items()
    }
    return declared | former


def operator_arguments(names: Iterable[str] = SETTINGS) -> dict[str, Any]:
    """Annotations of an operator's arguments, without limits: the operator refuses what is outside of them by name."""
    known = {name: SETTINGS[name] for name in names}
    former = {name: SETTINGS[new] for name, new in FORMER_NAMES.items() if new in known}
    return {name: _property(each, is_limited=False, options=TRANSIENT) for name, each in (known | former).items()}


def _property(setting: Setting, is_limited: bool = True, **options: Any) -> Any:
    options |= {"name": setting.label, "description": setting.description}
    default = setting.first if setting.is_optional else setting.default
    if setting.choices:
        return EnumProperty(items=setting.choices, default=default, **options)
    if setting.type is bool:
        return BoolProperty(default=default, **options)
    if setting.is_folder:
        options["subtype"] = "DIR_PATH"
    if setting.type is str:
        return StringProperty(default=default, maxlen=(setting.max_length or 0) if is_limited else 0, **options)
    is_zero_for_none = _is_zero_for_none(setting)
    if is_zero_for_none:
        options["description"] += ". 0 leaves it to the model"
    if is_limited:
        assert setting.minimum is not None
        assert setting.maximum is not None
        low, high = 0 if is_zero_for_none else setting.minimum, min(setting.maximum, MAX_INT)
        soft_low, soft_high = setting.usual or (low, high)
        options |= {"min": low, "max": high, "soft_min": soft_low, "soft_max": soft_high}
    if setting.type is int:
        return IntProperty(default=default or 0, step=setting.increment, **options)
    return FloatProperty(default=default, **options)


def _is_zero_for_none(setting: Setting) -> bool:
    """Whether a property is 0 where the setting is left to the model."""
    return setting.is_optional and setting.type is int


def setting_value(name: str, value: Any) -> Any:
    """A setting's value from that of its property."""
    return None if _is_zero_for_none(SETTINGS[name]) and value == 0 else value


def scene_value(scene: bpy.types.Scene, name: str) -> Any:
    """A setting's value in a scene; None where the switch of its group leaves it to the model."""
    settings, group = scene.occscene, SETTINGS[name].group
    if name == "strength" and settings.start_from == "NONE":
        return None  # there is nothing that could change
    if group and not getattr(settings, f"use_{group}"):
        return None
    return setting_value(name, getattr(settings, name))


def set_scene(scene: bpy.types.Scene, used: SceneSettings, names: Iterable[str] = SETTINGS) -> None:
    """Sets a scene's properties; a number that was left to the model keeps what its slider shows."""
    settings = scene.occscene
    groups: dict[str, bool] = {}
    for name in names:
        value, group = getattr(used, name), SETTINGS[name].group
        if group:
            groups[group] = groups.get(group, False) or value is not None
        if value is not None or _is_zero_for_none(SETTINGS[name]):
            setattr(settings, name, 0 if value is None else value)
    for group, is_used in groups.items():
        setattr(settings, f"use_{group}", is_used)


def _take_former(settings: Any, _context: object) -> None:
    """Copies what a script or an older file has set by former names to the present names."""
    for former, name in FORMER_NAMES.items():
        if settings.is_property_set(former):
            setattr(settings, name, getattr(settings, former))
            settings.property_unset(former)


@bpy.app.handlers.persistent
def take_former_names(_file: object = None) -> None:
    """Brings all scenes of a file that an older version has saved up to date."""
    for scene in bpy.data.scenes:
        _take_former(scene.occscene, None)
