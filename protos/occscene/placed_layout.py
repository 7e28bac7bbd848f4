"""Where a layout lies in the world, also in its file.

A `layout.json` that says where it lies has `world_from_layout`, a row-major 4x4, beside what `occscene.layout`
describes; without it the layout's axes are the world's. It may have `notes`, sentences for people, which are not read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from occscene.grid import GridVolume
from occscene.layout import MAX_LAYOUT_BYTES, Layout, LayoutObject, layout_from_json, layout_to_json
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


def placed_to_json(placed: PlacedLayout, notes: Sequence[str] = ()) -> dict[str, Any]:
    """The JSON object of a layout's file."""
    return {
        **layout_to_json(placed.layout),
        "world_from_layout": placed.world_from_layout.tolist(),
        **({"notes": list(notes)} if notes else {}),
    }


def placed_from_json(data: Any) -> PlacedLayout:
    """The layout of a JSON object, checked.

    Raises:
        ValueError: as of `occscene.layout.load_layout`.
    """
    layout = layout_from_json(data)
    rows = data.get("world_from_layout")
    if rows is None:
        return PlacedLayout(layout)
    try:
        pose = np.array(rows, np.float64)
    except (TypeError, ValueError):
        pose = np.zeros(0)
    if pose.shape != (4, 4):
        raise ValueError("world_from_layout must be four rows of four numbers")
    return PlacedLayout(layout, pose)


def load_placed_layout(path: Path) -> PlacedLayout:
    """Reads a layout file with its place.

    Raises:
        ValueError, OSError: as of `occscene.layout.load_layout`.
    """
    if path.stat().st_size > MAX_LAYOUT_BYTES:
        raise ValueError(f"{path} has {path.stat().st_size} bytes; the limit of a layout is {MAX_LAYOUT_BYTES}")
    try:
        return placed_from_json(json.loads(path.read_bytes()))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: {error}") from error
