"""Materials in plain colours: of classes and of changes."""

from __future__ import annotations

import bpy
from mathutils import Color
from occscene.taxonomy import SemanticClass, Taxonomy

CHANGE_COLORS = {"added": (0.05, 0.6, 0.1), "removed": (0.7, 0.05, 0.04), "other class": (0.8, 0.55, 0.02)}
"""Linear RGB."""


def linear_color(entry: SemanticClass) -> tuple[float, float, float, float]:
    """The class's colour as linear RGB with alpha 1."""
    color = Color([channel / 255 for channel in entry.color]).from_srgb_to_scene_linear()
    return color.r, color.g, color.b, 1.0


def class_material(taxonomy: Taxonomy, entry: SemanticClass) -> bpy.types.Material:
    """The material of a class, made when it is first asked for."""
    return _plain_material(f"OccScene {taxonomy.name} {entry.name}", linear_color(entry))


def change_material(change: str) -> bpy.types.Material:
    """The material of a kind of change, made when it is first asked for."""
    return _plain_material(f"OccScene change {change}", (*CHANGE_COLORS[change], 1.0))


def _plain_material(name: str, color: tuple[float, float, float, float]) -> bpy.types.Material:
    material = bpy.data.materials.get(name)
    return new_material(name, color) if material is None else material


def new_material(name: str, color: tuple[float, float, float, float]) -> bpy.types.Material:
    """A material in a plain colour, linear RGB."""
    material = bpy.data.materials.new(name)
    material.diffuse_color = color
    if not material.node_tree:
        material.use_nodes = True
    shader = next(node for node in material.node_tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Base Color"].default_value = color
    shader.inputs["Roughness"].default_value = 0.8
    return material
