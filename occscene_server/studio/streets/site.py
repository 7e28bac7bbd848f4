"""Where objects stand along a street: placing pieces on its plan without collisions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from occscene_server.studio.kit import Piece
from occscene_server.studio.room import FloatArray
from occscene_server.studio.streets.kit import StreetKit
from occscene_server.studio.streets.plan import Plan

ALONG, AGAINST, TO_LEFT, TO_RIGHT = -math.pi / 2, math.pi / 2, 0.0, math.pi
"""Turns relative to the street's heading of a piece whose front looks along it, against it, to its left and right."""


def facing_street(sign: int) -> float:
    """The turn of what stands on the side `sign` and looks at the carriageway."""
    return TO_LEFT if sign < 0 else TO_RIGHT


@dataclass(frozen=True)
class Stand:
    """A piece, or a group of pieces, in its place.

    Args:
        pieces: what stands there.
        s, d: where along and beside the street.
        turn: radians relative to the street's heading.
        height: of what it stands on above the carriageway, metres.
        scale: of the pieces.
        role: what it does there, for prompts: "parked", "driving", "walking", "crossing", "waiting", "" ...
    """

    pieces: tuple[Piece, ...]
    s: float
    d: float
    turn: float
    height: float = 0.0
    scale: float = 1.0
    role: str = ""


@dataclass
class Site:
    """A street that is being furnished.

    Args:
        plan: its layout.
        kit: its generator and materials.
        stands: what stands there so far.
        taken: footprints that nothing else may stand on: corners (4, 2), lowest and highest x and y, world metres.
    """

    plan: Plan
    kit: StreetKit
    stands: list[Stand] = field(default_factory=list)
    taken: list[tuple[FloatArray, list[float], list[float]]] = field(default_factory=list)

    def footprint(self, stand: Stand, margin: float) -> FloatArray:
        """(4, 2) corners of what a stand covers, `margin` metres wider."""
        lows, highs = zip(*(piece.solid_extent for piece in stand.pieces), strict=True)
        low, high = np.min(lows, axis=0), np.max(highs, axis=0)
        return self._rectangle(stand, low[:2] * stand.scale - margin, high[:2] * stand.scale + margin)

    def _rectangle(self, stand: Stand, low: FloatArray, high: FloatArray) -> FloatArray:
        x, y, _, heading = self.plan.course.stand(stand.s, stand.d)
        angle = heading + stand.turn
        corners = np.array([[low[0], low[1]], [high[0], low[1]], [high[0], high[1]], [low[0], high[1]]])
        turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        placed: FloatArray = corners @ turn.T + (x, y)
        return placed

    def put(
        self, pieces: Piece | Sequence[Piece], s: float, d: float, turn: float, height: float = 0.0,
        scale: float = 1.0, role: str = "", margin: float = 0.12, reach: float | None = None,
    ) -> Stand | None:  # fmt: skip
        """Adds a stand unless something is in its way; trees say with `reach` how wide their trunk's place is."""
        group = (pieces,) if isinstance(pieces, Piece) else tuple(pieces)
        stand = Stand(group, s, d, turn, height, scale, role)
        if reach is None:
            corners = self.footprint(stand, margin)
        else:
            corners = self._rectangle(stand, np.array([-reach, -reach]), np.array([reach, reach]))
        low, high = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
        for other, (left, near), (right, far) in self.taken:
            if low[0] < right and left < high[0] and low[1] < far and near < high[1] and overlap(corners, other):
                return None
        self.taken.append((corners, low, high))
        self.stands.append(stand)
        return stand


def overlap(a: FloatArray, b: FloatArray) -> bool:
    """Whether two convex outlines (4, 2) overlap: no side of either separates them."""
    for outline in (a, b):
        edges = np.roll(outline, -1, axis=0) - outline
        normals = np.stack([edges[:, 1], -edges[:, 0]], axis=1)
        first, second = a @ normals.T, b @ normals.T
        if np.any((first.max(axis=0) <= second.min(axis=0)) | (second.max(axis=0) <= first.min(axis=0))):
            return False
    return True
