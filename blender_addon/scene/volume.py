"""The volume to fill: an empty drawn as a box, one Blender unit a unit of its scale."""

from __future__ import annotations

import math

import bpy
import numpy as np
from mathutils import Matrix, Vector
from numpy.typing import NDArray
from occscene.grid import GridVolume
from occscene.limits import MAX_GRID_SIDE, MAX_GRID_VOXELS, MAX_VOXEL_SIZE, MIN_VOXEL_SIZE
from occscene.rigid import without_noise
from occscene.volumes import default_volume

from .units import from_units, length_text, pose_to_units, to_meters, to_units

VOLUME_NAME = "OccScene Volume"

_NOISE = 1e-4
"""Voxels by which a scene may exceed a volume: single precision's share at 50 m, in voxels of 0.08 m."""


def voxel_meters(scene: bpy.types.Scene) -> float:
    """The length of a voxel's side, metres.

    Files of the extension's first versions hold it in Blender units, under the name that is a view of the metres now.
    """
    settings = scene.occscene
    units = settings.get("voxel_size")
    if units is None or settings.is_property_set("voxel_meters"):
        return float(settings.voxel_meters)
    return min(max(_rounded(from_units(scene, units)), MIN_VOXEL_SIZE), MAX_VOXEL_SIZE)


def set_voxel_meters(scene: bpy.types.Scene, meters: float) -> None:
    """Sets the length of a voxel's side, metres, as near as the limits allow."""
    scene.occscene.voxel_meters = _rounded(meters)


def _rounded(meters: float) -> float:
    """Without the noise of single precision, which differs between units."""
    return float(f"{meters:.6g}")


_BEHIND, _BELOW = -0.27, 1.92
"""Metres from KITTI's camera 2 to the near side of the voxels, along its view, and down to their bottom."""

_LEVEL = 0.05
"""Share of a view's direction that must be level."""


def grid_volume(scene: bpy.types.Scene) -> GridVolume:
    """The grid of the scene's volume, in metres: its box in voxels, rounded up, from the box's lowest corner on.

    Raises:
        ValueError: the scene has no volume, or the grid is outside the limits.
    """
    box = scene.occscene.volume
    if box is None:
        raise ValueError("the scene has no volume: press Fit to Scene in the Volume panel")
    rotation = np.array(box.matrix_world.to_quaternion().to_matrix(), np.float64)
    meters = to_meters(scene, box.matrix_world)
    sides = np.linalg.norm(meters[:3, :3], axis=0) * 2.0 * box.empty_display_size
    voxel = voxel_meters(scene)
    counts = np.maximum(np.ceil(sides / voxel - 1e-3), 1)
    if counts.max() > MAX_GRID_SIDE or counts.prod() > MAX_GRID_VOXELS:
        size = " x ".join(length_text(scene, float(side)) for side in sides)
        raise ValueError(
            f"the volume is {size} large, {' x '.join(str(int(count)) for count in counts)} voxels of "
            f"{length_text(scene, voxel)}; the limit is {MAX_GRID_SIDE} along a side and {MAX_GRID_VOXELS:,} in all: "
            "use a larger voxel size or a smaller volume"
        )
    world_from_grid = np.eye(4)
    world_from_grid[:3, :3] = without_noise(rotation)
    world_from_grid[:3, 3] = meters[:3, 3] - world_from_grid[:3, :3] @ sides / 2
    return GridVolume((int(counts[0]), int(counts[1]), int(counts[2])), voxel, world_from_grid)


def set_volume(scene: bpy.types.Scene, volume: GridVolume) -> bpy.types.Object:
    """Makes the scene's volume, or moves the one that it has, to be `volume` (metres)."""
    box = scene.occscene.volume
    if box is None:
        box = bpy.data.objects.new(VOLUME_NAME, None)
        box.empty_display_type = "CUBE"
        box.hide_render = True
        scene.occscene.volume = box
    if box.name not in scene.objects:
        scene.collection.objects.link(box)
    box.empty_display_size = 0.5
    box.occscene.is_output = True
    pose = pose_to_units(scene, volume.world_from_grid)
    sides = np.array([to_units(scene, side * volume.voxel_size) for side in volume.shape])
    rotation = Matrix(pose[:3, :3].tolist()).to_4x4()
    center = pose[:3, :3] @ (sides / 2) + pose[:3, 3]
    box.matrix_world = Matrix.Translation(Vector(center)) @ rotation @ Matrix.Diagonal((*sides, 1.0))
    set_voxel_meters(scene, volume.voxel_size)
    return box


def preset_volume(
    domain: str, low: NDArray[np.float64], high: NDArray[np.float64], ground: float | None = None
) -> GridVolume:
    """The domain's own volume, its bottom under the box `low` .. `high` (metres) and centred over it.

    Args:
        domain: whose volume.
        low, high: corners of what is to be within.
        ground: height of the floor's top, if there is one: its voxels then end there, 1/16 of a voxel above.
    """
    usual = default_volume(domain)
    voxel = usual.voxel_size
    origin = (low + high - np.array(usual.shape) * voxel) / 2
    origin[2] = low[2]
    if ground is not None:
        above = ground + voxel / 16
        origin[2] = above - np.ceil((above - low[2]) / voxel - 1e-3) * voxel
    return GridVolume(usual.shape, voxel, _translation(origin))


def volume_ahead(domain: str, world_from_camera: NDArray[np.float64]) -> GridVolume:
    """The domain's own volume before a camera, as SemanticKITTI's lies before its car: level, 1.9 m below the camera.

    Args:
        domain: whose volume.
        world_from_camera: OpenCV pose (4, 4) in metres; which way it looks decides, not how steeply.

    Raises:
        ValueError: the camera looks straight up or down.
    """
    forward = world_from_camera[:2, 2]
    length = float(np.linalg.norm(forward))
    if length < _LEVEL:
        raise ValueError("the active camera looks straight up or down; turn it to where the street runs")
    x, y = forward / length
    usual = default_volume(domain)
    pose = np.eye(4)
    pose[:2, :2] = [[x, -y], [y, x]]
    pose[:3, 3] = world_from_camera[:3, 3]
    corner = np.eye(4)
    corner[:3, 3] = (_BEHIND, -usual.shape[1] * usual.voxel_size / 2, -_BELOW)
    return GridVolume(usual.shape, usual.voxel_size, pose @ corner)


def tight_volume(
    scene: bpy.types.Scene, voxel: float, low: NDArray[np.float64], high: NDArray[np.float64]
) -> GridVolume:
    """The smallest volume of voxels of `voxel` metres around the box `low` .. `high`.

    Raises:
        ValueError: the box has too many voxels of this size.
    """
    counts = _voxels(high - low, voxel)
    if counts.max() > MAX_GRID_SIDE or counts.prod() > MAX_GRID_VOXELS:
        size = " x ".join(length_text(scene, float(side)) for side in high - low)
        held = " x ".join(map(str, counts))
        raise ValueError(
            f"the scene is {size} large, {held} voxels of {length_text(scene, voxel)}; the limit is {MAX_GRID_SIDE} "
            f"along a side and {MAX_GRID_VOXELS:,} in all: {_smaller(scene, high - low)}"
        )
    return GridVolume((int(counts[0]), int(counts[1]), int(counts[2])), voxel, _translation(low))


def _voxels(sides: NDArray[np.float64], voxel: float) -> NDArray[np.int64]:
    return np.maximum(np.ceil(sides / voxel - _NOISE), 1).astype(np.int64)


def _smaller(scene: bpy.types.Scene, sides: NDArray[np.float64]) -> str:
    """What to do about a box that has too many voxels: the smallest voxel of two digits with which it fits."""
    least = max(
        sides.max() / MAX_GRID_SIDE, float(np.prod(np.maximum(sides, MIN_VOXEL_SIZE)) / MAX_GRID_VOXELS) ** (1 / 3)
    )
    step = 10.0 ** (math.floor(math.log10(least)) - 1)
    voxel = float(f"{math.ceil(least / step - 1e-9) * step:.3g}")
    while (counts := _voxels(sides, voxel)).max() > MAX_GRID_SIDE or counts.prod() > MAX_GRID_VOXELS:
        voxel = float(f"{voxel + step:.3g}")
    if voxel > MAX_VOXEL_SIZE:
        return "no voxel size is large enough; disable in renders what lies far away"
    return f"set Voxel Size to {length_text(scene, voxel)} or more, or disable in renders what lies far away"


def _translation(offset: NDArray[np.float64]) -> NDArray[np.float64]:
    transform = np.eye(4)
    transform[:3, 3] = offset
    return transform
