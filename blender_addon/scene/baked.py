"""Copies of projected objects as plain meshes that a texture can be baked onto."""

from __future__ import annotations

from collections.abc import Sequence

import bpy

from .meshes import output_collection

UV_NAME = "OccScene UV"


def baked_copies(context: bpy.types.Context, objects: Sequence[bpy.types.Object]) -> list[bpy.types.Object]:
    """Copies objects, with their modifiers applied and without class, into the extension's collection.

    Raises:
        ValueError: none of them has faces.
    """
    graph = context.evaluated_depsgraph_get()
    copies = []
    for obj in objects:
        mesh = bpy.data.meshes.new_from_object(obj.evaluated_get(graph), depsgraph=graph)
        if not len(mesh.polygons):
            bpy.data.meshes.remove(mesh)
            continue
        material = obj.material_slots[0].material
        mesh.materials.clear()
        mesh.materials.append(material)
        mesh.polygons.foreach_set("material_index", [0] * len(mesh.polygons))
        while mesh.uv_layers:
            mesh.uv_layers.remove(mesh.uv_layers[0])
        mesh.uv_layers.new(name=UV_NAME)
        copy = bpy.data.objects.new(f"{obj.name} Textured", mesh)
        copy.matrix_world = obj.matrix_world
        copy.occscene.is_output = True
        copy.occscene.unseen_color = obj.occscene.unseen_color
        output_collection(context.scene).objects.link(copy)
        copies.append(copy)
    if not copies:
        raise ValueError("there is nothing to bake: the projected objects have no faces")
    context.view_layer.update()
    return copies


def texture_material(name: str, image: bpy.types.Image, uv: str) -> bpy.types.Material:
    """A material with the image on UVs as base color of a Principled shader, which exporters know."""
    material = bpy.data.materials.new(name)
    if not material.node_tree:
        material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    shader = next(node for node in nodes if node.type == "BSDF_PRINCIPLED")
    texture, place = nodes.new("ShaderNodeTexImage"), nodes.new("ShaderNodeUVMap")
    texture.image, place.uv_map = image, uv
    links.new(place.outputs["UV"], texture.inputs["Vector"])
    links.new(texture.outputs["Color"], shader.inputs["Base Color"])
    shader.inputs["Roughness"].default_value = 1.0
    return material
