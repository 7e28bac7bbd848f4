"""Objects of a layout as Blender objects: tagged, named, coloured boxes, the room around them, and parts as meshes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray
from occscene.facade_shapes import facade_boxes
from occscene.layout import LayoutObject, LayoutPart, LayoutRoom, Vector
from occscene.part_shapes import BOX_FACES, WALLS, part_shape, rotations
from occscene.placed_layout import moved
from occscene.room_shell import shell_objects

from .materials import new_material
from .units import meters_per_unit, pose_to_units

COLLECTION_NAME, ROOM_NAME = "OccScene Blockout", "OccScene Room"

DETAIL_SUFFIX = " Detail"
_PLAIN = (0.5, 0.5, 0.5)
_MATERIALS: dict[str, Vector] = {
    "wood": (0.25, 0.12, 0.05),
    "metal": (0.4, 0.4, 0.42),
    "glass": (0.55, 0.65, 0.68),
    "leather": (0.12, 0.06, 0.03),
    "rubber": (0.01, 0.01, 0.01),
    "roof_tiles": (0.25, 0.04, 0.02),
    "skin": (0.81, 0.52, 0.35),
    "sign_black": (0.01, 0.01, 0.01),
    "sign_blue": (0.01, 0.08, 0.35),
    "sign_red": (0.45, 0.01, 0.01),
    "sign_white": (0.81, 0.81, 0.76),
    "sign_yellow": (0.77, 0.46, 0.0),
    "pane": (0.03, 0.05, 0.06),
    "frame": (0.7, 0.7, 0.67),
    "door": (0.12, 0.06, 0.03),
}
"""Linear RGB of what has no colour of its own; other materials are in shades of the object's."""

_VEHICLES = ("car", "truck", "other-vehicle")
"""Classes on which what is glossy is a tinted pane."""

_TUBES = ("cylinder", "rod")
_FLAT = ("box", *WALLS)
"""Kinds of parts whose ends are flat."""

_BESIDE = 0.3
"""Metres between a piece of a room's shell and an artist's own."""

Floats = NDArray[np.float64]


def add_objects(
    scene: bpy.types.Scene, collection: bpy.types.Collection, objects: Sequence[LayoutObject], pose: Floats
) -> list[bpy.types.Object]:
    """Adds a box for each object, its origin in the middle of its underside; `pose` (4, 4) is from theirs to metres."""
    return [_add_box(scene, collection, moved(obj, pose)) for obj in objects]


def add_room(
    scene: bpy.types.Scene,
    collection: bpy.types.Collection,
    room: LayoutRoom,
    pose: Floats,
    objects: Sequence[LayoutObject] = (),
) -> list[bpy.types.Object]:
    """Adds the floor, ceiling and walls that are not among `objects` (in the room's axes).

    All but the floor are drawn as wires, so that the inside is visible.
    """
    pieces = [piece for piece in shell_objects(room) if not any(_stands_for(obj, piece) for obj in objects)]
    boxes = add_objects(scene, collection, pieces, pose)
    for box in boxes:
        if box.occscene.class_name != "floor":
            box.display_type = "WIRE"
    return boxes


def _stands_for(obj: LayoutObject, piece: LayoutObject) -> bool:
    """Whether an object is a piece of a room's shell: of its class, next to it, and over most of its face."""
    if obj.class_name != piece.class_name:
        return False
    one, other = obj.corners, piece.corners
    low, high = np.maximum(one.min(0), other.min(0)), np.minimum(one.max(0), other.max(0))
    thin = int(np.argmin(piece.size))
    face = [axis for axis in range(3) if axis != thin]
    shared = np.maximum(high - low, 0.0)[face].prod() / np.ptp(other, axis=0)[face].prod()
    return bool(shared > 0.5 and low[thin] - high[thin] < _BESIDE)


def child_collection(parent: bpy.types.Collection, name: str) -> bpy.types.Collection:
    """A new collection under `parent`."""
    collection = bpy.data.collections.new(name)
    parent.children.link(collection)
    return collection


def blockout_collection(scene: bpy.types.Scene) -> bpy.types.Collection:
    """The scene's collection of boxes, made if it is not there."""
    for child in scene.collection.children:
        if child.name.startswith(COLLECTION_NAME) and child.library is None:
            return child
    return child_collection(scene.collection, COLLECTION_NAME)


def box_pose(obj: LayoutObject, height: float = 0.0) -> Floats:
    """(4, 4) to metres from the axes of an object about a point in the middle of its box; `height` above its middle."""
    pose = np.eye(4)
    pose[:3, :3] = obj.axes
    pose[:3, 3] = obj.center
    pose[2, 3] += height
    return pose


def set_color(obj: bpy.types.Object, color: Vector | None) -> None:
    """Gives an object its viewport colour, to be kept; None lets the prompt decide."""
    obj.occscene.use_hint = color is not None
    if color is not None:
        if obj.occscene.is_tinted:
            obj.occscene.untinted_color = (*color, 1.0)
            obj.color = obj.occscene.tint_color
        else:
            obj.color = (*color, 1.0)


def move_box(scene: bpy.types.Scene, obj: bpy.types.Object, before: LayoutObject, after: LayoutObject) -> None:
    """Moves, turns and scales an object so that its box (world axes, metres) becomes another one."""
    size = np.eye(4)
    size[:3, :3] = np.diag(np.array(after.size) / before.size)
    in_meters = box_pose(after) @ size @ np.linalg.inv(box_pose(before))
    in_units = in_meters.copy()
    in_units[:3, 3] /= meters_per_unit(scene)
    obj.matrix_world = Matrix(in_units.tolist()) @ obj.matrix_world


def add_detail(scene: bpy.types.Scene, original: bpy.types.Object, obj: LayoutObject) -> bpy.types.Object:
    """Adds the parts of an object (world axes, metres) as one mesh, parented to `original`, which is put away.

    Each part is a loose piece of the mesh, and each of its materials a slot. The original is disabled in viewports and
    renders, so that it is not sent.
    """
    name = original.name + DETAIL_SUFFIX
    detail = bpy.data.objects.new(name, _parts_mesh(scene, name, obj))
    for collection in original.users_collection or (scene.collection,):
        collection.objects.link(detail)
    detail.parent = original
    detail.matrix_parent_inverse = original.matrix_world.inverted_safe()
    detail.matrix_basis = Matrix(pose_to_units(scene, box_pose(obj, -obj.size[2] / 2)).tolist())
    detail.occscene.class_name = obj.class_name
    detail.color = original.color
    detail.occscene.use_hint = original.occscene.use_hint
    detail.occscene.is_tinted = original.occscene.is_tinted
    detail.occscene.untinted_color = original.occscene.untinted_color
    detail.occscene.tint_color = original.occscene.tint_color
    original.hide_viewport = original.hide_render = True
    return detail


def _add_box(scene: bpy.types.Scene, collection: bpy.types.Collection, obj: LayoutObject) -> bpy.types.Object:
    size = np.array(obj.size) / meters_per_unit(scene)
    corners = [(x * size[0], y * size[1], z * size[2]) for x, y, z in product((-0.5, 0.5), (-0.5, 0.5), (0.0, 1.0))]
    mesh = bpy.data.meshes.new(obj.name)
    mesh.from_pydata(corners, [], BOX_FACES)
    box = bpy.data.objects.new(obj.name, mesh)
    box.location = pose_to_units(scene, box_pose(obj, -obj.size[2] / 2))[:3, 3]
    box.rotation_euler.z = obj.turn
    box.occscene.class_name = obj.class_name
    set_color(box, obj.color)
    collection.objects.link(box)
    return box


def _parts_mesh(scene: bpy.types.Scene, name: str, obj: LayoutObject) -> bpy.types.Mesh:
    vertices: list[Floats] = []
    faces: list[tuple[int, ...]] = []
    smooth: list[bool] = []
    slots: list[int] = []
    roles: dict[int | str, LayoutPart] = {}
    first = 0
    for part in obj.parts:
        own, polygons = part_shape(part.kind, np.array(part.size), part.taper)
        vertices.append(own @ rotations(np.array([part.rotation]))[0].T + part.center)
        faces += [tuple(first + corner for corner in polygon) for polygon in polygons]
        smooth += [part.kind not in _FLAT and (len(polygon) == 4 or part.kind not in _TUBES) for polygon in polygons]
        for role in _roles(part, len(polygons)):
            roles.setdefault(role, part if role == part.role else replace(part, material=str(role)))
            slots.append(list(roles).index(role))
        first += len(own)
    places = (np.concatenate(vertices) + np.array([0.0, 0.0, obj.size[2] / 2])) / meters_per_unit(scene)
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata(places.tolist(), [], faces)
    mesh.polygons.foreach_set("use_smooth", smooth)
    mesh.polygons.foreach_set("material_index", slots)
    for place, part in enumerate(roles.values()):
        mesh.materials.append(new_material(f"{name} {part.material or place + 1}", _role_color(obj, part, place)))
    return mesh


def _roles(part: LayoutPart, count: int) -> list[int | str]:
    """The material of each of a part's polygons: its role, or what a wall has besides, "pane"."""
    if part.kind not in WALLS:
        return [part.role] * count
    pieces = facade_boxes(part.kind, np.array(part.size))[1]
    return [part.role if piece == "wall" else piece for piece in pieces for _ in BOX_FACES]


def _role_color(obj: LayoutObject, part: LayoutPart, place: int) -> tuple[float, float, float, float]:
    """The first material has the object's colour, the others what is usual for them, else a shade of it."""
    red, green, blue = obj.color or _PLAIN
    if place == 0 and obj.color is not None:
        return red, green, blue, 1.0
    if part.material == "gloss" and obj.class_name in _VEHICLES:
        return (*_MATERIALS["pane"], 1.0)
    if part.material in _MATERIALS:
        return (*_MATERIALS[part.material], 1.0)
    shade = 0.7**place
    return red * shade, green * shade, blue * shade, 1.0
