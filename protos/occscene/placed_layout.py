"""Where a layout lies in the world."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from occscene.grid import GridVolume
from occscene.layout import Layout, LayoutObject
from occscene.limits import MAX_COORDINATE
from occscene.rigid import Float64Array, rigid_transform

_UPRIGHT = 1e-6


@dataclass(frozen=True, eq=False)
class PlacedLayout:
    """A layout and its place.

    Args:
        layout: in its own axes: those of its room, or any where it has none.
        world_from_layout: rigid 4x4 in metres, turned about z alone.

    Raises:
        ValueError: the pose is not rigid, leans, or is too far from the world's origin.
    """

    layout: Layout
    world_from_layout: Float64Array = field(default_factory=lambda: np.eye(4))

    def __post_init__(self) -> None:
        pose = rigid_transform(self.world_from_layout, "world_from_layout")
        if not np.allclose(pose[2, :3], (0.0, 0.0, 1.0), atol=_UPRIGHT):
            raise ValueError("world_from_layout leans; a layout is turned about z alone")
        if np.abs(pose[:3, 3]).max() > MAX_COORDINATE:
            raise ValueError(
                f"world_from_layout has the position {pose[:3, 3].tolist()}; each coordinate must be within "
                f"{MAX_COORDINATE:g} metres"
            )
        object.__setattr__(self, "world_from_layout", pose)

    def objects_in(self, layout_from_world: Float64Array) -> tuple[LayoutObject, ...]:
        """The objects in other upright axes, those of the inverse of `layout_from_world`."""
        return tuple(moved(obj, layout_from_world @ self.world_from_layout) for obj in self.layout.objects)


def moved(obj: LayoutObject, pose: Float64Array) -> LayoutObject:
    """An object after a rigid motion (4x4, metres) that is turned about z alone."""
    x, y, z = (pose[:3, :3] @ obj.center + pose[:3, 3]).tolist()
    return replace(obj, center=(x, y, z), turn=obj.turn + math.atan2(pose[1, 0], pose[0, 0]))


def room_pose(volume: GridVolume) -> Float64Array:
    """Where the room of an upright volume stands: centred in it, its floor's top one voxel above the volume's bottom.

    Of `default_volume` that is the world's own origin.
    """
    sides = np.array(volume.shape) * volume.voxel_size
    pose = volume.world_from_grid.copy()
    pose[:3, 3] += pose[:3, :3] @ (sides[0] / 2, sides[1] / 2, volume.voxel_size)
    return pose
