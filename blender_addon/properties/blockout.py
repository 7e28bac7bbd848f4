"""Settings of a scene's blockout: domain, colour hints, volume."""

# mypy: disable-error-code="misc, valid-type"
from __future__ import annotations

from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, PointerProperty, StringProperty
from occscene.limits import MAX_NAME_LENGTH, MAX_VOXEL_SIZE, MIN_VOXEL_SIZE

from ..scene.grid_view import mark_stale
from ..scene.tagging import shared_words, worded_objects
from ..scene.units import from_units, to_units
from ..scene.volume import set_voxel_meters, voxel_meters

DOMAINS = (
    ("indoor", "Indoor", "Rooms: the 12 classes of NYUv2"),
    ("outdoor", "Outdoor", "Streets: the 20 classes of SemanticKITTI"),
)


def _mark_stale(_settings: object, _context: object) -> None:
    mark_stale()


def _voxel_units(settings: Any) -> float:
    return to_units(settings.id_data, voxel_meters(settings.id_data))


def _set_voxel_units(settings: Any, units: float) -> None:
    set_voxel_meters(settings.id_data, from_units(settings.id_data, units))


def _words(_settings: Any) -> str:
    return shared_words(bpy.context.view_layer)


def _set_words(_settings: Any, words: str) -> None:
    for obj in worded_objects(bpy.context.view_layer):
        obj.occscene.prompt = words


class BlockoutSettings:
    """What the Scene and Volume panels set."""

    domain: EnumProperty(
        name="Domain",
        description="What the scene is, and so which classes it has",
        items=DOMAINS,
        update=_mark_stale,
    )
    is_tinted: BoolProperty(options={"HIDDEN"})
    use_hints: BoolProperty(
        name="Color Hints",
        description="Send the viewport or material colors of the objects that keep theirs",
        default=True,
        update=_mark_stale,
    )
    selected_words: StringProperty(
        name="Words",
        description='What the selected objects look like: "a red velvet armchair". Empty leaves it to the prompt',
        maxlen=MAX_NAME_LENGTH,
        get=_words,
        set=_set_words,
        options={"SKIP_SAVE"},
    )
    volume: PointerProperty(
        name="Volume",
        description="The empty whose box is filled",
        type=bpy.types.Object,
        poll=lambda _self, obj: obj.type == "EMPTY",
        update=_mark_stale,
    )
    voxel_meters: FloatProperty(
        options={"HIDDEN"},
        description="Length of a voxel's side in metres; not set in files of before there was `voxel_size` in units",
        default=0.08,
        min=MIN_VOXEL_SIZE,
        max=MAX_VOXEL_SIZE,
        update=_mark_stale,
    )
    voxel_size: FloatProperty(
        name="Voxel Size",
        description=f"Length of a voxel's side, {MIN_VOXEL_SIZE:g} to {MAX_VOXEL_SIZE:g} metres",
        subtype="DISTANCE",
        get=_voxel_units,
        set=_set_voxel_units,
        precision=3,
        step=1,
    )
