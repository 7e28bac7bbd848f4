"""The colours that objects are sent with."""

from __future__ import annotations

import bpy

from .projected import artist_material
from .tint import own_color

LinearColor = tuple[float, float, float]

_UNSET = (1.0, 1.0, 1.0)
"""What objects' viewport colours are until someone changes them."""


def color_hint(scene: bpy.types.Scene, obj: bpy.types.Object) -> LinearColor | None:
    """The colour that an object keeps, linear RGB, if hints are on for the scene and for the object."""
    if not (scene.occscene.use_hints and obj.occscene.use_hint):
        return None
    return kept_color(obj)


def kept_color(obj: bpy.types.Object) -> LinearColor:
    """An object's viewport colour, or its first material's where the viewport's was never set; linear RGB."""
    red, green, blue = (min(max(float(channel), 0.0), 1.0) for channel in own_color(obj)[:3])
    if (red, green, blue) != _UNSET:
        return red, green, blue
    material = hint_material(obj)
    return (red, green, blue) if material is None else material_color(material)


def hint_material(obj: bpy.types.Object) -> bpy.types.Material | None:
    """The material whose colour an object keeps: its first one, where its viewport colour was never set."""
    if tuple(own_color(obj)[:3]) != _UNSET:
        return None
    materials = (artist_material(obj, number) for number in range(len(obj.material_slots)))
    return next((material for material in materials if material), None)


def color_source(obj: bpy.types.Object) -> tuple[bpy.types.bpy_struct, str]:
    """What holds the colour that an object keeps, and the name of its property there."""
    material = hint_material(obj)
    return (obj, "color") if material is None else _material_source(material)


def material_color(material: bpy.types.Material) -> LinearColor:
    """The base colour of a material's shader, or its viewport colour where a texture or no such shader decides."""
    red, green, blue = getattr(*_material_source(material))[:3]
    return min(max(red, 0.0), 1.0), min(max(green, 0.0), 1.0), min(max(blue, 0.0), 1.0)


def _material_source(material: bpy.types.Material) -> tuple[bpy.types.bpy_struct, str]:
    nodes = material.node_tree.nodes if material.node_tree else ()
    for node in nodes:
        if node.type == "BSDF_PRINCIPLED" and not node.inputs["Base Color"].is_linked:
            return node.inputs["Base Color"], "default_value"
    return material, "diffuse_color"
