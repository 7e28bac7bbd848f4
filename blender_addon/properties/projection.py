"""What objects had before a projection was put on them."""

# mypy: disable-error-code="misc, valid-type"
from __future__ import annotations

import bpy
from bpy.props import BoolProperty, PointerProperty


class OccSceneSlot(bpy.types.PropertyGroup):
    """A material slot as the artist left it."""

    is_of_object: BoolProperty(description="Whether the slot held a material of the object, not of its data")
    is_added: BoolProperty(description="Whether the projection added the slot to an object that had none")
    material: PointerProperty(type=bpy.types.Material, description="The object's material in this slot")


CLASSES = (OccSceneSlot,)
