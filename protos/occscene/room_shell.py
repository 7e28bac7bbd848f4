"""The floor, ceiling and walls of a layout's room as boxes, as servers voxelise them and artists get them."""

from __future__ import annotations

from occscene.layout import LayoutObject, LayoutRoom

WALL_THICKNESS, FLOOR_THICKNESS, CEILING_THICKNESS = 0.1, 0.075, 0.1
"""Metres, as the rooms are built that the networks learnt from."""


def shell_objects(room: LayoutRoom) -> list[LayoutObject]:
    """Floor, ceiling and walls around a room."""
    width, depth, height = room.size
    t = WALL_THICKNESS
    outer = (width + 2 * t, depth + 2 * t)
    return [
        LayoutObject("floor", "floor", (0.0, 0.0, -FLOOR_THICKNESS / 2), (*outer, FLOOR_THICKNESS)),
        LayoutObject("ceiling", "ceiling", (0.0, 0.0, height + CEILING_THICKNESS / 2), (*outer, CEILING_THICKNESS)),
        LayoutObject("south wall", "wall", (0.0, -(depth + t) / 2, height / 2), (outer[0], t, height)),
        LayoutObject("north wall", "wall", (0.0, (depth + t) / 2, height / 2), (outer[0], t, height)),
        LayoutObject("west wall", "wall", (-(width + t) / 2, 0.0, height / 2), (t, depth, height)),
        LayoutObject("east wall", "wall", ((width + t) / 2, 0.0, height / 2), (t, depth, height)),
    ]
