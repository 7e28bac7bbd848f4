"""Blender units and metres: the only place that converts.

Grids, cameras and triangles (`occscene`'s value types, and what the geometry takes) are in metres; whatever is in the
scene - places, sizes, the volume's box - is in Blender units, of which the scene's settings say the length.
"""

from __future__ import annotations

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def meters_per_unit(scene: bpy.types.Scene) -> float:
    """The length of a Blender unit; 1 where the scene's unit system is None, as Blender's own exporters take it.

    The scale is stored in single precision: what is returned is the decimal that the artist typed, so that 6,000 units
    of a millimetre are 6 metres.
    """
    settings = scene.unit_settings
    return 1.0 if settings.system == "NONE" else float(str(np.float32(settings.scale_length)))


def to_meters(scene: bpy.types.Scene, matrix: Matrix) -> Floats:
    """A transform from local coordinates to the world in units, as one to the world in metres: (4, 4)."""
    rows = np.array([row[:] for row in matrix])  # much faster than from the matrix itself
    rows[:3] *= meters_per_unit(scene)
    return rows


def pose_to_meters(scene: bpy.types.Scene, pose: Floats) -> Floats:
    """A rigid pose (4, 4) whose position is in units, with it in metres."""
    result = pose.copy()
    result[:3, 3] *= meters_per_unit(scene)
    return result


def pose_to_units(scene: bpy.types.Scene, pose: Floats) -> Floats:
    """A rigid pose (4, 4) whose position is in metres, with it in units."""
    result = pose.copy()
    result[:3, 3] /= meters_per_unit(scene)
    return result


def to_units(scene: bpy.types.Scene, meters: float) -> float:
    """A length of metres in units."""
    return meters / meters_per_unit(scene)


def from_units(scene: bpy.types.Scene, units: float) -> float:
    """A length of units in metres."""
    return units * meters_per_unit(scene)


def length_text(scene: bpy.types.Scene, meters: float) -> str:
    """A length as the scene's unit system writes it."""
    system = scene.unit_settings.system
    if system == "NONE":
        return f"{meters:.2f} m"
    return str(bpy.utils.units.to_string(system, "LENGTH", meters, precision=4)).strip()
