"""Cameras for a scene that has none, as text to scene without Blender places them."""

from __future__ import annotations

import math

import bpy
import numpy as np
from mathutils import Matrix
from occscene.grid import GridVolume
from occscene.rig import FIELD_OF_VIEW, default_rig

from .units import pose_to_units, to_units

_CLIP = (0.1, 100.0)
"""Metres between which the cameras see, as Blender's own cameras do in a scene of metres."""

_OPENCV_FROM_BLENDER = np.diag([1.0, -1.0, -1.0, 1.0])


def add_rig(scene: bpy.types.Scene, volume: GridVolume) -> list[bpy.types.Object]:
    """Adds the default rig of `volume`, `OccScene Camera 1` and on; the first is made active if none is."""
    things = []
    for camera in default_rig(volume):
        thing = bpy.data.objects.new(name := f"OccScene Camera {camera.name}", bpy.data.cameras.new(name))
        thing.data.angle = math.radians(FIELD_OF_VIEW)
        thing.data.display_size = to_units(scene, 0.3)
        thing.data.clip_start, thing.data.clip_end = (to_units(scene, distance) for distance in _CLIP)
        thing.matrix_world = Matrix(pose_to_units(scene, camera.world_from_camera @ _OPENCV_FROM_BLENDER).tolist())
        scene.collection.objects.link(thing)
        things.append(thing)
    scene.camera = scene.camera or things[0]
    return things
