"""Small scenes for the tests."""

from __future__ import annotations

import bpy
from occscene.part_shapes import BOX_FACES


def add_box(
    name: str,
    size: tuple[float, float, float] = (1.0, 1.0, 1.0),
    location: tuple[float, float, float] = (0.0, 0.0, 0.0),
    collection: bpy.types.Collection | None = None,
) -> bpy.types.Object:
    """A box mesh of `size` metres around `location`."""
    corners = [(x, y, z) for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)]
    vertices = [tuple(c * s for c, s in zip(corner, size, strict=True)) for corner in corners]
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(vertices, [], BOX_FACES)
    obj = bpy.data.objects.new(name, mesh)
    obj.location = location
    (collection or bpy.context.scene.collection).objects.link(obj)
    return obj


def add_camera(name: str, location: tuple[float, float, float] = (0.0, -5.0, 1.5)) -> bpy.types.Object:
    """A camera that looks along +y."""
    obj = bpy.data.objects.new(name, bpy.data.cameras.new(name))
    obj.location = location
    obj.rotation_euler = (1.5707963, 0.0, 0.0)
    bpy.context.scene.collection.objects.link(obj)
    return obj


def add_material(obj: bpy.types.Object, name: str, class_name: str = "") -> bpy.types.Material:
    """A material in a new slot of an object."""
    material = bpy.data.materials.new(name)
    material.occscene.class_name = class_name
    obj.data.materials.append(material)
    return material


def add_collection(name: str = "collection", *, linked: bool = False) -> bpy.types.Collection:
    """A collection, linked to the scene or not."""
    collection = bpy.data.collections.new(name)
    if linked:
        bpy.context.scene.collection.children.link(collection)
    return collection


def exclude(collection: bpy.types.Collection) -> None:
    """Takes a collection of the scene out of the view layer."""
    bpy.context.view_layer.layer_collection.children[collection.name].exclude = True
