"""Cameras for a scene that has none, as text to scene without Blender places them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import bpy
import numpy as np
from mathutils import Matrix
from occscene.camera import PinholeCamera
from occscene.grid import GridVolume
from occscene.placed_layout import PlacedLayout
from occscene.rig import FIELD_OF_VIEW, default_rig, room_rig, street_rig
from occscene.rigid import invert_rigid
from occscene.taxonomy import OUTDOOR

from .units import pose_to_units, to_meters, to_units

_CLIP = (0.1, 100.0)
"""Metres between which the cameras see, as Blender's own cameras do in a scene of metres."""

_OPENCV_FROM_BLENDER = np.diag([1.0, -1.0, -1.0, 1.0])


def add_rig(scene: bpy.types.Scene, volume: GridVolume) -> list[bpy.types.Object]:
    """Adds the domain's default rig of `volume`, `Corner 1` or `Street 1` and on; makes the first active if none is."""
    if scene.occscene.domain == OUTDOOR.name:
        return _add(scene, street_rig(volume), "Street")
    return _add(scene, default_rig(volume), "Corner")


def add_room_cameras(scene: bpy.types.Scene, placed: PlacedLayout) -> list[bpy.types.Object]:
    """Adds cameras in the corners of a layout's room, unless a camera stands in it."""
    room = placed.layout.room
    if room is None:
        return []
    room_from_world = invert_rigid(placed.world_from_layout)
    width, depth, height = room.size
    for obj in scene.objects:
        if obj.type == "CAMERA":
            place = to_meters(scene, obj.matrix_world)[:3, 3]
            x, y, z = room_from_world[:3, :3] @ place + room_from_world[:3, 3]
            if abs(x) < width / 2 and abs(y) < depth / 2 and 0 < z < height:
                return []
    return _add(scene, room_rig(placed), "Corner")


def _add(scene: bpy.types.Scene, cameras: Sequence[PinholeCamera], place: str) -> list[bpy.types.Object]:
    """Adds cameras that are called by their place, in a word: lists and buttons have little room."""
    objects = []
    for camera in cameras:
        obj = bpy.data.objects.new(name := f"{place} {camera.name}", bpy.data.cameras.new(name))
        obj.data.angle = math.radians(FIELD_OF_VIEW)
        obj.data.display_size = to_units(scene, 0.3)
        obj.data.clip_start, obj.data.clip_end = (to_units(scene, distance) for distance in _CLIP)
        obj.matrix_world = Matrix(pose_to_units(scene, camera.world_from_camera @ _OPENCV_FROM_BLENDER).tolist())
        scene.collection.objects.link(obj)
        objects.append(obj)
    scene.camera = scene.camera or objects[0]
    return objects
