"""How an artist would block an item out: one to a few boxes, a little off, now and then forgotten."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from occscene_server.studio.layout import Placed
from occscene_server.studio.room import Box

MISSING_FURNITURE, MISSING_DECOR = 0.06, 0.25


@dataclass(frozen=True)
class BlockoutHabit:
    """One artist's way of working.

    Args:
        coarseness: probability that an item becomes a single box.
        offset: standard deviation of a box's position in metres.
        stretch: largest relative error of a box's width and depth.
        reach: largest error of a box's position in metres.
    """

    coarseness: float
    offset: float
    stretch: float
    reach: float = 0.07


def draw_habit(rng: np.random.Generator) -> BlockoutHabit:
    """A room's blockout artist."""
    return BlockoutHabit(float(rng.uniform(0.1, 0.8)), float(rng.uniform(0.005, 0.03)), float(rng.uniform(0.02, 0.1)))


def block_out(placed: Placed, habit: BlockoutHabit, rng: np.random.Generator) -> tuple[Box, ...]:
    """World boxes for a placed piece; empty when the artist left it out."""
    piece = placed.piece
    if rng.random() < (MISSING_DECOR if piece.decor else MISSING_FURNITURE):
        return ()
    blocks = piece.blocks
    if len(blocks) > 1 and rng.random() < habit.coarseness:
        low, high = piece.extent
        whole = [float(value) for value in (*(low + high) / 2, *(high - low))]
        blocks = (((whole[0], whole[1], whole[2]), (whole[3], whole[4], whole[5])),)
    # Thin objects are put where they belong: a curtain is not a hand's breadth off its wall.
    shift = np.clip(rng.normal(0.0, habit.offset, 2), -habit.reach, habit.reach) * np.minimum(piece.size[:2] / 0.4, 1.0)
    stretch = 1 + habit.stretch * rng.uniform(-1, 1, 2)
    # An artist rarely bothers with a few degrees.
    right_angle = math.pi / 2 * round(placed.angle / (math.pi / 2))
    angle = right_angle if abs(placed.angle - right_angle) < 0.2 and rng.random() < 0.5 else placed.angle
    x, y = placed.at(float(shift[0]), float(shift[1]))
    drawn = Placed(piece, x, y, placed.z, angle)
    boxes = []
    for center, size in blocks:
        x, y = drawn.at(center[0] * float(stretch[0]), center[1] * float(stretch[1]))
        width, depth = size[0] * float(stretch[0]), size[1] * float(stretch[1])
        boxes.append(Box((x, y, center[2] + placed.z), (width, depth, size[2]), angle))
    return tuple(boxes)
