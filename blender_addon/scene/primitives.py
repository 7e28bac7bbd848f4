"""Tagged boxes to block a scene out with."""

from __future__ import annotations

import bpy
from mathutils import Matrix, Vector
from occscene.part_shapes import BOX_FACES

from .units import to_units

Size = tuple[float, float, float]

SIZES: dict[str, Size] = {
    "ceiling": (4.0, 4.0, 0.1),
    "floor": (4.0, 4.0, 0.1),
    "wall": (4.0, 0.1, 2.6),
    "window": (1.2, 0.12, 1.2),
    "chair": (0.5, 0.5, 0.9),
    "bed": (1.6, 2.0, 0.5),
    "sofa": (2.0, 0.9, 0.8),
    "table": (1.4, 0.8, 0.75),
    "tvs": (1.2, 0.1, 0.7),
    "furn": (1.0, 0.45, 1.8),
    "objs": (0.3, 0.3, 0.3),
    "car": (1.8, 4.3, 1.5),
    "bicycle": (0.6, 1.8, 1.1),
    "motorcycle": (0.8, 2.1, 1.2),
    "truck": (2.5, 8.0, 3.2),
    "other-vehicle": (2.5, 11.0, 3.2),
    "person": (0.5, 0.4, 1.75),
    "bicyclist": (0.6, 1.8, 1.8),
    "motorcyclist": (0.8, 2.1, 1.7),
    "road": (8.0, 40.0, 0.2),
    "parking": (5.0, 20.0, 0.2),
    "sidewalk": (2.5, 40.0, 0.3),
    "other-ground": (10.0, 10.0, 0.2),
    "building": (12.0, 10.0, 9.0),
    "fence": (10.0, 0.2, 1.2),
    "vegetation": (4.0, 4.0, 4.0),
    "trunk": (0.4, 0.4, 2.5),
    "terrain": (20.0, 20.0, 0.2),
    "pole": (0.25, 0.25, 6.0),
    "traffic-sign": (0.8, 0.2, 0.8),
}
"""Usual size of an object of each class, metres."""

_LAID_UNDER = frozenset({"floor", "road", "parking", "sidewalk", "other-ground", "terrain"})
_HEIGHTS = {"ceiling": 2.6, "window": 0.9, "tvs": 0.9, "vegetation": 2.5, "traffic-sign": 2.2}
"""Metres above the cursor at which the underside lies."""


def usual_size(scene: bpy.types.Scene, class_name: str) -> Size:
    """The usual size of an object of a class, Blender units."""
    width, depth, height = SIZES[class_name]
    return to_units(scene, width), to_units(scene, depth), to_units(scene, height)


def add_tagged_box(
    context: bpy.types.Context, class_name: str, name: str, size: Size, cursor: Matrix
) -> bpy.types.Object:
    """Adds a box of a class to the active collection, selects it, and makes it the active object.

    Args:
        context: whose scene and collection.
        class_name: the box's class.
        name: the object's.
        size: Blender units.
        cursor: where it stands, turned as this is about z; what is walked on lies below, a ceiling above.
    """
    width, depth, height = size
    bottom = -height if class_name in _LAID_UNDER else to_units(context.scene, _HEIGHTS.get(class_name, 0.0))
    corners = [
        (x * width, y * depth, bottom + z * height) for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (0.0, 1.0)
    ]
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata([tuple(Vector(corner)) for corner in corners], [], BOX_FACES)
    obj = bpy.data.objects.new(name, mesh)
    obj.matrix_world = Matrix.Translation(cursor.translation) @ Matrix.Rotation(cursor.to_euler().z, 4, "Z")
    obj.occscene.class_name = class_name
    context.collection.objects.link(obj)
    for other in context.view_layer.objects.selected:
        other.select_set(False)
    obj.select_set(True)
    context.view_layer.objects.active = obj
    return obj
