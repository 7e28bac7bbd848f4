"""Where a layout lies in the world, and the file that holds both, `layout.json`.

The file is the JSON object that `occscene.layout` describes, with `world_from_layout`, a row-major 4x4 in metres; in
files without it, which older programs wrote, the layout's axes are the world's. It may have `notes`, sentences for
people, which are not read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from occscene.field_errors import FieldError
from occscene.grid import GridVolume
from occscene.layout import Layout, LayoutObject, layout_from_json, layout_to_json
from occscene.limits import MAX_COORDINATE
from occscene.rigid import Float64Array, rigid_transform

MAX_LAYOUT_BYTES = 16 * 2**20
_UPRIGHT = 1e-6


@dataclass(frozen=True, eq=False)
class PlacedLayout:
    """A layout and its place.

    Args:
        layout: in its own axes: those of its room, or any where it has none.
        world_from_layout: rigid 4x4 in metres, rotated about z only.

    Raises:
        ValueError: the pose is not rigid, leans, or is too far from the world's origin.
    """

    layout: Layout
    world_from_layout: Float64Array = field(default_factory=lambda: np.eye(4))

    def __post_init__(self) -> None:
        pose = rigid_transform(self.world_from_layout, "world_from_layout")
        if not np.allclose(pose[2, :3], (0.0, 0.0, 1.0), atol=_UPRIGHT):
            raise FieldError("world_from_layout", "leans; rotate the layout about z only")
        if np.abs(pose[:3, 3]).max() > MAX_COORDINATE:
            raise FieldError(
                "world_from_layout",
                f"has the position {pose[:3, 3].tolist()}; each coordinate must be within {MAX_COORDINATE:g} metres",
            )
        object.__setattr__(self, "world_from_layout", pose)

    def objects_in(self, layout_from_world: Float64Array) -> tuple[LayoutObject, ...]:
        """The objects in other upright axes, those of the inverse of `layout_from_world`."""
        return tuple(moved(obj, layout_from_world @ self.world_from_layout) for obj in self.layout.objects)


def moved(obj: LayoutObject, pose: Float64Array) -> LayoutObject:
    """An object after a rigid motion (4x4, metres) that rotates about z only."""
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
        ValueError: as of `occscene.layout.layout_from_json`, or the pose is none.
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


def save_layout(path: Path, placed: PlacedLayout, notes: Sequence[str] = ()) -> None:
    """Writes the file that `load_layout` reads."""
    path.write_text(json.dumps(placed_to_json(placed, notes), indent=1) + "\n", encoding="utf-8")


def load_layout(path: Path) -> PlacedLayout:
    """Reads a layout file.

    Raises:
        ValueError: not such a file, or of a later version; the message names the file, the field and what it must be.
        OSError: the file cannot be read.
    """
    if path.stat().st_size > MAX_LAYOUT_BYTES:
        raise ValueError(f"{path} has {path.stat().st_size} bytes; the limit of a layout is {MAX_LAYOUT_BYTES}")
    try:
        return placed_from_json(json.loads(path.read_bytes()))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: {error}") from error
