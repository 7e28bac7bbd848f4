"""The room that an artist's own walls, floor and ceiling enclose."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray
from occscene.grid import GridVolume
from occscene.layout import LayoutObject

from occscene_server.geometry.layout_grid import CEILING_THICKNESS, WALL_THICKNESS

LEAST_SIDE = 0.8
"""Metres: anything narrower is no room."""

_SHELL = ("wall", "floor", "ceiling")
_THIN = 0.5
"""Metres: what is thicker and no narrower than long is no single wall, but a whole room in one piece."""

Floats = NDArray[np.float64]


def is_shell(obj: LayoutObject, furnishings: Collection[str]) -> bool:
    """Whether an object is part of a room's shell.

    Args:
        obj: as an artist named and tagged it.
        furnishings: names of objects that are not, though they have such a class: doors, rugs.
    """
    named = re.findall(r"[a-z]+", obj.name.lower().replace("_", " "))
    return obj.class_name in _SHELL and not any(name in named for name in furnishings)


def largest_room(volume: GridVolume) -> Floats:
    """Inner width, depth and height in metres (3,) of the largest room that fits into an upright volume."""
    sides = np.array(volume.shape) * volume.voxel_size
    room: Floats = sides - (2 * WALL_THICKNESS, 2 * WALL_THICKNESS, volume.voxel_size + CEILING_THICKNESS)
    return room


def enclosed_box(shell: Sequence[LayoutObject], volume: GridVolume) -> tuple[Floats, Floats]:
    """What a shell encloses; where it has no such side, the volume's own ends, less the thickness of a wall.

    Args:
        shell: floors, ceilings and walls in the axes of `room_pose(volume)`.
        volume: where the scene lies.

    Returns:
        Lowest and highest corner (3,) in the same axes, metres.

    Raises:
        ValueError: too little is left; the message says how much.
    """
    high = largest_room(volume) * (0.5, 0.5, 1.0)
    low = np.array([-high[0], -high[1], 0.0])
    boxes = {name: [_upright_bounds(obj) for obj in shell if obj.class_name == name] for name in _SHELL}
    if boxes["floor"]:
        begin, end = max(boxes["floor"], key=lambda box: float(np.prod((box[1] - box[0])[:2])))
        low, high[:2] = np.array([begin[0], begin[1], end[2]]), end[:2]
    if boxes["wall"]:
        high[2] = max(end[2] for _, end in boxes["wall"])
    if boxes["ceiling"]:
        high[2] = min(begin[2] for begin, _ in boxes["ceiling"])
    if boxes["wall"]:
        around = [box for several in boxes.values() for box in several]
        middle = (np.min([box[0] for box in around], 0) + np.max([box[1] for box in around], 0)) / 2
        _stop_at_walls(boxes["wall"], middle, low, high)
    size = high - low
    if size.min() < LEAST_SIDE:
        raise ValueError(
            f"the given walls, floor and ceiling leave {' x '.join(f'{side:.2f}' for side in size)} m; a room has at "
            f"least {LEAST_SIDE:g} m along each side: move them apart, or give none"
        )
    return low, high


def _stop_at_walls(walls: Sequence[tuple[Floats, Floats]], middle: Floats, low: Floats, high: Floats) -> None:
    """Moves the ends to the inner faces of walls: on each side those of the longest one."""
    longest = np.zeros((2, 2))
    for begin, end in walls:
        extent = (end - begin)[:2]
        if extent.min() > _THIN:
            low[:2], high[:2] = begin[:2] + WALL_THICKNESS, end[:2] - WALL_THICKNESS
            continue
        axis = int(extent.argmin())
        side = int((begin + end)[axis] / 2 > middle[axis])
        if extent[1 - axis] > longest[side, axis]:
            longest[side, axis] = extent[1 - axis]
            if side:
                high[axis] = begin[axis]
            else:
                low[axis] = end[axis]


def _upright_bounds(obj: LayoutObject) -> tuple[Floats, Floats]:
    corners = obj.corners
    return corners.min(0), corners.max(0)
