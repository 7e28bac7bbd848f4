"""Walls with windows, doors and shop windows by formula, in as many boxes: storeys and columns follow from their size.

A wall looks along +y. Its windows lie in holes, as the studio's do; sills and lintels stand before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Rectangle = tuple[float, float, float, float]
"""Lowest and highest x, lowest and highest z, metres."""

PIECES = ("wall", "pane", "frame", "door")
"""What the boxes are."""
RELIEF = 0.06
"""Metres that sills stand before the wall."""
_STOREY, _COLUMN = 3.0, 2.4
"""Metres from window to window, upwards and along the wall."""
_LOWEST, _SHOP = 2.2, 4.0
"""Metres: the lowest storey with a door, and a shop's."""
_WIDE, _TALL, _SILL = 1.1, 1.42, 0.95
"""Of a window, and how high it lies above its storey's floor, in a storey of `_STOREY`."""
_DOOR = 1.1, 2.25
_DEPTH = 0.16
"""Metres of wall before what is behind it."""


def facade_boxes(kind: str, size: Floats) -> tuple[Floats, list[str]]:
    """The boxes of a wall about its middle, (N, 2, 3) lowest and highest corners, and which of `PIECES` each is.

    Args:
        kind: "window wall", "facade" (with a door) or "shop front" (with a door between shop windows).
        size: (3,) along the wall, through it, and its height, metres.
    """
    wide, deep, high = size.tolist()
    holes, door = _holes(kind, wide, high)
    front = deep / 2 - min(RELIEF, deep / 4)
    scale = (front + deep / 2) / _DEPTH
    boxes = [(x0, -deep / 2, z0, x1, front, z1) for x0, x1, z0, z1 in rectangles_around((0.0, wide, 0.0, high), holes)]
    pieces = ["wall"] * len(boxes)

    def add(piece: str, area: Rectangle, back: float, before: float) -> None:
        """A box from so far behind the wall's front to so far behind it, metres in a wall as deep as the studio's."""
        boxes.append((area[0], front - back * scale, area[2], area[1], front - before * scale, area[3]))
        pieces.append(piece)

    for hole in holes:
        x0, x1, z0, z1 = hole
        edge = 0.055 * min(x1 - x0, z1 - z0)
        if hole == door:
            add("door", (x0 + edge, x1 - edge, z0, z1), 0.13, 0.07)
            continue
        add("pane", hole, 0.145, 0.115)
        bars = max(1, round((x1 - x0) / 1.6))
        for x in (x0, *(x0 + (x1 - x0) * bar / (bars + 1) - edge / 2 for bar in range(1, bars + 1)), x1 - edge):
            add("frame", (x, x + edge, z0, z1), 0.135, 0.065)
        for z in (z0, z1 - edge):
            add("frame", (x0, x1, z, z + edge), 0.134, 0.064)
        reach = min(0.08, x0, wide - x1)
        add("frame", (x0 - reach, x1 + reach, z0 - edge, z0), 0.08, (front - deep / 2) / scale)  # the sill
    return np.array(boxes).reshape(-1, 2, 3) - (wide / 2, 0.0, high / 2), pieces


def rectangles_around(wall: Rectangle, holes: Sequence[Rectangle]) -> list[Rectangle]:
    """Rectangles that fill a wall but for its holes, which may not overlap."""
    left, right, bottom, top = wall
    cuts = sorted({left, right, *(edge for hole in holes for edge in hole[:2] if left < edge < right)})
    pieces: list[Rectangle] = []
    for x0, x1 in pairwise(cuts):
        here = sorted((low, high) for begin, end, low, high in holes if begin < (x0 + x1) / 2 < end)
        z = bottom
        for low, high in [*here, (top, top)]:
            if low > z + 1e-6:
                before = [piece for piece in pieces if piece[1] == x0 and piece[2:] == (z, low)]
                if before:
                    pieces.remove(before[0])
                    pieces.append((before[0][0], x1, z, low))
                else:
                    pieces.append((x0, x1, z, low))
            z = max(z, high)
    return pieces


def _holes(kind: str, wide: float, high: float) -> tuple[list[Rectangle], Rectangle | None]:
    """Openings of a wall from its lower left corner, and which of them is the door."""
    columns = max(1, round(wide / _COLUMN))
    step = wide / columns
    holes: list[Rectangle] = []
    door: Rectangle | None = None
    ground = 0.0
    if kind == "shop front" and high >= _SHOP and wide >= 4.0:
        ground = _SHOP if high >= _SHOP + _LOWEST else high
        middle, half = wide / 2, _DOOR[0] / 2
        door = (middle - half, middle + half, 0.12, 2.35)
        holes = [
            (0.5, middle - half - 0.3, 0.55, ground - 0.85),
            door,
            (middle + half + 0.3, wide - 0.5, 0.55, ground - 0.85),
        ]
    storeys = max(1, round((high - ground) / _STOREY)) if high - ground > 0.3 else 0
    storey = (high - ground) / max(1, storeys)
    scale = min(1.0, storey / _STOREY)
    half = min(_WIDE * scale, 0.6 * step) / 2
    for row in range(storeys):
        floor = ground + row * storey
        for column in range(columns):
            middle = (column + 0.5) * step
            is_door = kind != "window wall" and ground == 0.0 and row == 0 and column == columns // 2
            if is_door and storey >= _LOWEST and step > 1.3 * _DOOR[0]:
                door = (
                    middle - _DOOR[0] / 2,
                    middle + _DOOR[0] / 2,
                    min(0.12, high / 50),
                    min(_DOOR[1], 0.85 * storey),
                )
                holes.append(door)
            else:
                low = floor + _SILL * scale
                holes.append((middle - half, middle + half, low, low + _TALL * scale))
    return holes, door
