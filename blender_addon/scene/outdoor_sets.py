"""What streets are blocked out with beyond single boxes: streets, houses, trees, rows of cars, of tagged parts."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Matrix, Vector
from occscene.part_shapes import part_shape

from .units import to_units

Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Piece:
    """One object of a set.

    Args:
        name: of the object.
        class_name: its class.
        size: width, depth, height in metres.
        middle: of it, from the cursor, metres; a street runs along y.
        shape: "box", "cylinder" or "ellipsoid".
    """

    name: str
    class_name: str
    size: Triple
    middle: Triple
    shape: str = "box"


def _street(width: float, pavement: float) -> tuple[Piece, ...]:
    out = (width + pavement) / 2
    return (
        Piece("Road", "road", (width, 50.0, 0.2), (0.0, 0.0, -0.1)),
        Piece("Left Pavement", "sidewalk", (pavement, 50.0, 0.35), (-out, 0.0, -0.025)),
        Piece("Right Pavement", "sidewalk", (pavement, 50.0, 0.35), (out, 0.0, -0.025)),
    )


SETS: dict[str, tuple[Piece, ...]] = {
    "Street": _street(7.0, 2.5),
    "House": (
        Piece("House", "building", (10.0, 9.0, 5.8), (0.0, 0.0, 2.9)),
        Piece("House Roof", "building", (10.0, 4.5, 2.8), (0.0, 0.0, 7.2)),
    ),
    "Row of Houses": tuple(
        Piece("Town House", "building", (9.0, 11.0, height), (9.0 * (index - 1.5), 0.0, height / 2))
        for index, height in enumerate((11.0, 13.5, 10.5, 12.5))
    ),
    "Tree": (
        Piece("Tree Trunk", "trunk", (0.35, 0.35, 2.8), (0.0, 0.0, 1.4), "cylinder"),
        Piece("Tree Crown", "vegetation", (4.6, 4.6, 4.4), (0.0, 0.0, 4.7), "ellipsoid"),
    ),
    "Hedge": (Piece("Hedge", "vegetation", (8.0, 0.7, 1.3), (0.0, 0.0, 0.65)),),
    "Parked Cars": tuple(
        Piece("Parked Car", "car", (1.8, 4.4, 1.5), (0.0, 5.8 * (index - 1), 0.75)) for index in range(3)
    ),
    "Street Lamp": (
        Piece("Street Lamp", "pole", (0.15, 0.15, 6.8), (0.0, 0.0, 3.4)),
        Piece("Street Lamp Arm", "pole", (1.8, 0.2, 0.15), (0.8, 0.0, 6.85)),
    ),
    "Traffic Sign": (
        Piece("Sign Post", "pole", (0.1, 0.1, 2.7), (0.0, 0.0, 1.35)),
        Piece("Traffic Sign", "traffic-sign", (0.75, 0.1, 0.75), (0.0, -0.08, 2.35)),
    ),
}
"""The sets of the domain `outdoor` by name; their fronts look along -y, as Blender's front view does."""


def add_set(context: bpy.types.Context, name: str, cursor: Matrix) -> list[bpy.types.Object]:
    """Adds a set's objects, tagged, to the active collection, and selects them; the first becomes the active object.

    Args:
        context: whose scene and collection.
        name: a key of `SETS`.
        cursor: where the set stands, turned as this is about z.
    """
    scene = context.scene
    pose = Matrix.Translation(cursor.translation) @ Matrix.Rotation(cursor.to_euler().z, 4, "Z")
    for other in context.view_layer.objects.selected:
        other.select_set(False)
    added = []
    for piece in SETS[name]:
        vertices, faces = part_shape(piece.shape, np.array(piece.size))
        corners = [tuple(to_units(scene, float(value)) for value in corner) for corner in vertices]
        mesh = bpy.data.meshes.new(piece.name)
        mesh.from_pydata(corners, [], faces)
        obj = bpy.data.objects.new(piece.name, mesh)
        obj.matrix_world = pose @ Matrix.Translation(Vector([to_units(scene, value) for value in piece.middle]))
        obj.occscene.class_name = piece.class_name
        context.collection.objects.link(obj)
        obj.select_set(True)
        added.append(obj)
    context.view_layer.objects.active = added[0]
    return added
