"""The floor, ceiling and walls of a layout's room as boxes, as servers voxelise them and artists get them."""

from __future__ import annotations

from occscene.layout import LayoutObject, LayoutRoom
from occscene.srgb import LinearColor, linear_rgb

WALL_THICKNESS, FLOOR_THICKNESS, CEILING_THICKNESS = 0.1, 0.075, 0.1
"""Metres, as the rooms are built that the networks learnt from."""


_WALLS = {
    "white": "eceae6", "cream": "ece1c8", "grey": "a5a8ab", "beige": "d3c1a0", "green": "7fa583", "blue": "7c9cc4",
    "pink": "dba9b3", "yellow": "e6cf79", "terracotta": "b9674a", "teal": "3f8b8c", "navy": "25365f",
    "olive": "81824f", "red": "98323a", "purple": "8f72a8", "black": "2b2b2e", "brown": "7d5a43", "orange": "d08a4e",
}  # fmt: skip
_FLOORS = {
    "white": "e8e6e2", "grey": "a5a8aa", "beige": "d6bf94", "brown": "90653a", "black": "1e1c1d", "blue": "2b5eb9",
    "green": "7e995a", "pink": "dca7b2", "teal": "1c7c7f", "terracotta": "b75a3b",
}  # fmt: skip
"""sRGB of colour words in the networks' training rooms: paler on walls than on objects."""


def shell_objects(room: LayoutRoom) -> list[LayoutObject]:
    """Floor, ceiling and walls around a room; walls and floor in the room's colours, where these are known."""
    width, depth, height = room.size
    walls = room.wall_color, _linear(_WALLS.get(room.wall_color))
    floor = room.floor_color, _linear(_FLOORS.get(room.floor_color))
    t = WALL_THICKNESS
    outer = (width + 2 * t, depth + 2 * t)
    return [
        LayoutObject("floor", "floor", (0.0, 0.0, -FLOOR_THICKNESS / 2), (*outer, FLOOR_THICKNESS), 0.0, *floor),
        LayoutObject("ceiling", "ceiling", (0.0, 0.0, height + CEILING_THICKNESS / 2), (*outer, CEILING_THICKNESS)),
        LayoutObject("south wall", "wall", (0.0, -(depth + t) / 2, height / 2), (outer[0], t, height), 0.0, *walls),
        LayoutObject("north wall", "wall", (0.0, (depth + t) / 2, height / 2), (outer[0], t, height), 0.0, *walls),
        LayoutObject("west wall", "wall", (-(width + t) / 2, 0.0, height / 2), (t, depth, height), 0.0, *walls),
        LayoutObject("east wall", "wall", ((width + t) / 2, 0.0, height / 2), (t, depth, height), 0.0, *walls),
    ]


def _linear(code: str | None) -> LinearColor | None:
    return None if code is None else linear_rgb(code)
