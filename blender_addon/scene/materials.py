"""Materials in the classes' colours."""

from __future__ import annotations

import bpy
from mathutils import Color
from occscene.taxonomy import SemanticClass, Taxonomy


def linear_color(entry: SemanticClass) -> tuple[float, float, float, float]:
    """The class's colour as linear RGB with alpha 1."""
    color = Color([channel / 255 for channel in entry.color]).from_srgb_to_scene_linear()
    return color.r, color.g, color.b, 1.0


def class_material(taxonomy: Taxonomy, entry: SemanticClass) -> bpy.types.Material:
    """The material of a class, made when it is first asked for."""
    name = f"OccScene {taxonomy.name} {entry.name}"
    material = bpy.data.materials.get(name)
    if material is not None:
        return material
    material = bpy.data.materials.new(name)
    color = linear_color(entry)
    material.diffuse_color = color
    if not material.node_tree:
        material.use_nodes = True
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = color
    shader.inputs["Roughness"].default_value = 0.8
    return material
