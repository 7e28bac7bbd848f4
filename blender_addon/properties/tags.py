"""Tags of objects, collections and materials."""

# mypy: disable-error-code="misc, valid-type"
from __future__ import annotations

from typing import Any

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatVectorProperty,
    IntProperty,
    StringProperty,
)
from occscene.limits import MAX_NAME_LENGTH

from ..scene.grid_view import mark_stale
from .projection import OccSceneSlot

_OVERRIDABLE = {"LIBRARY_OVERRIDABLE"}


def _mark_stale(_tags: object, _context: object) -> None:
    mark_stale()


FILLS = (
    ("AUTOMATIC", "Automatic", "Fill what a mesh encloses, unless it is a room"),
    ("SOLID", "Solid", "Fill the mesh, even if it looks like a room"),
    ("SURFACE", "Surface", "Voxelize only the surface: the inside stays empty"),
)

_FILL_NAMES = [name for name, _, _ in FILLS]


def _fill(tags: Any) -> int:
    """The choice, or that of a file of before there was one: *Surface Only*, ticked or not."""
    if not tags.is_property_set("fill_choice") and tags.get("shell_only"):
        return _FILL_NAMES.index("SURFACE")
    return _FILL_NAMES.index(tags.fill_choice)


def _set_fill(tags: Any, number: int) -> None:
    tags.fill_choice = _FILL_NAMES[number]


class OccSceneObject(bpy.types.PropertyGroup):
    """Tags of an object."""

    class_name: StringProperty(
        name="Class",
        description="Semantic class; empty takes the material slots' and the collection's",
        override=_OVERRIDABLE,
        update=_mark_stale,
    )
    prompt: StringProperty(
        name="Words",
        description='What the object looks like: "a red velvet armchair". Empty leaves it to the scene\'s prompt',
        maxlen=MAX_NAME_LENGTH,
        override=_OVERRIDABLE,
        update=_mark_stale,
    )
    use_hint: BoolProperty(
        name="Keep Color",
        description="Send the object's viewport color as the color that it should have, or its first material's color "
        "where the viewport color was never set",
        override=_OVERRIDABLE,
        update=_mark_stale,
    )
    fill_choice: EnumProperty(
        options={"HIDDEN"},
        description="What `fill` was set to; not set in files that hold `shell_only` instead",
        items=FILLS,
        override=_OVERRIDABLE,
        update=_mark_stale,
    )
    fill: EnumProperty(
        name="Fill",
        description="What is voxelized of the inside of a mesh",
        items=FILLS,
        get=_fill,
        set=_set_fill,
        override=_OVERRIDABLE,
    )
    overlap: IntProperty(
        name="Overlap",
        description="Where objects overlap the higher number shows; between equal ones the classes decide",
        min=-9,
        max=9,
        override=_OVERRIDABLE,
        update=_mark_stale,
    )
    is_view: BoolProperty(
        name="Make a View", description="Make a view through this camera", default=True, override=_OVERRIDABLE
    )
    camera_place: IntProperty(options={"HIDDEN"}, description="Place in the list of cameras from 1; 0 is none yet")
    is_set_aside: BoolProperty(options={"HIDDEN"}, description="Hidden while something else is shown in its place")
    result: StringProperty(options={"HIDDEN"}, description="The result whose occupancy this is")
    is_output: BoolProperty(options={"HIDDEN"}, description="Made by OccScene: never part of a blockout")
    slots_before: CollectionProperty(type=OccSceneSlot, options={"HIDDEN"}, description="Under a projection")
    unseen_color: FloatVectorProperty(
        name="Unseen",
        description="Color that a projection shows where no camera sees the object",
        subtype="COLOR",
        size=4,
        min=0.0,
        max=1.0,
        default=(0.5, 0.5, 0.5, 1.0),
        override=_OVERRIDABLE,
    )
    is_tinted: BoolProperty(options={"HIDDEN"})
    untinted_color: FloatVectorProperty(
        name="Color",
        description="Viewport color, which the tint hides",
        subtype="COLOR",
        size=4,
        min=0.0,
        max=1.0,
        options={"HIDDEN"},
        update=_mark_stale,
    )
    tint_color: FloatVectorProperty(size=4, options={"HIDDEN"}, description="What the tint has shown last")


class OccSceneCollection(bpy.types.PropertyGroup):
    """Tags of a collection."""

    class_name: StringProperty(
        name="Class",
        description="Semantic class of the objects that have none of their own",
        override=_OVERRIDABLE,
        update=_mark_stale,
    )


class OccSceneMaterial(bpy.types.PropertyGroup):
    """Tags of a material."""

    class_name: StringProperty(
        name="Class",
        description="Semantic class of the faces with this material, where their object has none of its own",
        override=_OVERRIDABLE,
        update=_mark_stale,
    )


CLASSES = (OccSceneObject, OccSceneCollection, OccSceneMaterial)
