"""A `Room` as a Blender scene: one mesh object an item, materials, lights, cameras."""

from __future__ import annotations

from itertools import chain

import bpy
import numpy as np
from mathutils import Matrix
from occscene.camera import PinholeCamera

from occscene_server.studio.lighting import light_room
from occscene_server.studio.materials import build_material
from occscene_server.studio.moods import LIGHTINGS
from occscene_server.studio.room import Item, Room


def build_scene(room: Room) -> None:
    """Replaces Blender's current file by `room`, ready to render.

    The object of `room.items[i]` has the pass index i + 1, the same number as the item's id in the room's grids.
    """
    bpy.ops.wm.read_factory_settings(use_empty=True)
    glow = LIGHTINGS[room.light].glow
    materials = {name: build_material(name, spec, glow) for name, spec in room.materials.items()}
    middle = (room.size[0] / 2, room.size[1] / 2, 0.0)
    lamps: list[tuple[float, float, float]] = []
    for index, item in enumerate(room.items):
        lit = emissive_center(room, item)
        add_item(item, index + 1, materials, casts_shadow=lit is None, origin=middle)
        if lit is not None:
            lamps.append(lit)
    light_room(room, lamps)


def emissive_center(room: Room, item: Item) -> tuple[float, float, float] | None:
    """The middle of what shines on an item, in world metres; None for an item without a light."""
    shining = [part.vertices for part in item.parts if room.materials[part.material].emission > 0]
    if not shining:
        return None
    points = np.concatenate(shining)
    x, y, z = (points.min(axis=0) + points.max(axis=0)) / 2
    return float(x), float(y), float(z)


def add_item(
    item: Item,
    pass_index: int,
    materials: dict[str, bpy.types.Material],
    casts_shadow: bool,
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> bpy.types.Object:
    """Adds one item as a mesh object; an item that shines casts no shadow, or its shade would hold back its light.

    Patterns run on from `origin`, in world metres, which becomes the object's.
    """
    obj = add_object(item, item_mesh(item, materials, origin), pass_index, casts_shadow)
    obj.location = origin
    return obj


def add_object(item: Item, mesh: bpy.types.Mesh, pass_index: int, casts_shadow: bool = True) -> bpy.types.Object:
    """Adds an object that shows an item by `mesh`, where the item's pose says."""
    obj = bpy.data.objects.new(item.name, mesh)
    if item.pose is not None:
        obj.matrix_world = Matrix([*item.pose.tolist(), (0.0, 0.0, 0.0, 1.0)])
    obj.pass_index = pass_index
    obj["occscene_class"] = item.class_name
    obj.visible_shadow = casts_shadow
    bpy.context.scene.collection.objects.link(obj)
    return obj


def item_mesh(
    item: Item, materials: dict[str, bpy.types.Material], origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
) -> bpy.types.Mesh:
    """A Blender mesh of an item's parts, in their own frame less `origin`."""
    used = list(dict.fromkeys(part.material for part in item.parts))
    mesh = bpy.data.meshes.new(item.name)
    for name in used:
        mesh.materials.append(materials[name])
    offsets = np.cumsum([0, *(len(part.vertices) for part in item.parts)])
    sizes = np.array([len(face) for part in item.parts for face in part.faces], np.int32)
    corners = np.concatenate(
        [
            np.fromiter(chain.from_iterable(part.faces), np.int32) + offset
            for part, offset in zip(item.parts, offsets[:-1], strict=True)
        ]
    )
    counts = [len(part.faces) for part in item.parts]
    mesh.vertices.add(int(offsets[-1]))
    vertices = np.concatenate([part.vertices for part in item.parts]) - origin
    mesh.vertices.foreach_set("co", vertices.astype(np.float32).ravel())
    mesh.loops.add(len(corners))
    mesh.loops.foreach_set("vertex_index", corners.astype(np.int32))
    mesh.polygons.add(len(sizes))
    mesh.polygons.foreach_set("loop_start", np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int32))
    slots = np.repeat([used.index(part.material) for part in item.parts], counts)
    mesh.polygons.foreach_set("material_index", slots.astype(np.int32))
    mesh.polygons.foreach_set("use_smooth", np.repeat([part.smooth for part in item.parts], counts))
    local = mesh.attributes.new("local", "FLOAT_VECTOR", "POINT")
    local.data.foreach_set("vector", np.concatenate([part.local for part in item.parts]).astype(np.float32).ravel())
    mesh.update(calc_edges=True)
    return mesh


def add_camera(camera: PinholeCamera) -> bpy.types.Object:
    """Adds a Blender camera that sees what `camera` sees; its centre must lie in the image's middle."""
    data = bpy.data.cameras.new(camera.name)
    data.sensor_fit = "HORIZONTAL"
    data.angle = 2.0 * np.arctan(camera.width / (2.0 * camera.fx))
    data.clip_start = 0.02
    obj = bpy.data.objects.new(camera.name, data)
    obj.matrix_world = Matrix((camera.world_from_camera @ np.diag([1.0, -1.0, -1.0, 1.0])).tolist())
    bpy.context.scene.collection.objects.link(obj)
    return obj
