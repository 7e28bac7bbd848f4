"""Placing pieces on a floor plan without collisions."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from occscene_server.studio.kit import Piece
from occscene_server.studio.room import Box, FloatArray, Opening
from occscene_server.studio.shell import ANGLES, Size, wall_box, wall_length


@dataclass(frozen=True)
class Placed:
    """A piece at a position (metres) and a turn (radians about +Z)."""

    piece: Piece
    x: float
    y: float
    z: float
    angle: float

    def at(self, across: float, forward: float) -> tuple[float, float]:
        """World x, y of a point in the piece's frame."""
        cosine, sine = math.cos(self.angle), math.sin(self.angle)
        return self.x + cosine * across - sine * forward, self.y + sine * across + cosine * forward

    @property
    def box(self) -> Box:
        """The piece's own extent where it stands."""
        low, high = self.piece.extent
        x, y = self.at(float(low[0] + high[0]) / 2, float(low[1] + high[1]) / 2)
        width, depth, height = (float(length) for length in high - low)
        return Box((x, y, self.z + float(low[2] + high[2]) / 2), (width, depth, height), self.angle)

    @property
    def extent(self) -> tuple[FloatArray, FloatArray]:
        """World corners of an upright box around the piece."""
        low, high = self.piece.extent
        corners = np.array([self.at(x, y) for x in (low[0], high[0]) for y in (low[1], high[1])])
        return (np.array([*corners.min(axis=0), low[2] + self.z]), np.array([*corners.max(axis=0), high[2] + self.z]))


@dataclass
class Floorplan:
    """A room being furnished.

    Args:
        size: inner width, depth, height in metres.
        rng: the room's generator.
        placed: what stands in the room so far.
        taken: low and high corners of what must stay free or is filled.
    """

    size: Size
    rng: np.random.Generator
    placed: list[Placed] = field(default_factory=list)
    taken: list[tuple[FloatArray, FloatArray]] = field(default_factory=list)

    def keep_free(self, low: Size, high: Size) -> None:
        """Reserve a box."""
        self.taken.append((np.asarray(low), np.asarray(high)))

    def keep_opening_free(self, opening: Opening) -> None:
        """Keep tall pieces from standing in front of a window."""
        along, up = (opening.start, opening.end), (opening.bottom - 0.02, opening.top)
        self.keep_free(*wall_box(opening.wall, self.size, along, up, (-0.6, 0.0)))

    def fits(self, candidate: Placed, margin: float = 0.02, near: Placed | None = None) -> bool:
        """Whether a candidate lies within the room and touches nothing but `near`."""
        low, high = candidate.extent
        if np.any(low[:2] < -0.001) or np.any(high > np.asarray(self.size) + 0.001):
            return False
        allowed = near.extent[0] if near is not None else None
        for other_low, other_high in self.taken:
            if allowed is not None and np.array_equal(other_low, allowed):
                continue
            if np.all(low < other_high + margin) and np.all(other_low < high + margin):
                return False
        return True

    def add(self, candidate: Placed) -> Placed:
        """Put a piece down."""
        self.placed.append(candidate)
        self.taken.append(candidate.extent)
        return candidate

    def add_flat(self, candidate: Placed) -> None:
        """Put down what may lie under or behind other pieces: rugs."""
        self.placed.append(candidate)

    def try_add(self, candidate: Placed, margin: float = 0.02, near: Placed | None = None) -> Placed | None:
        """Put a piece down if it fits."""
        return self.add(candidate) if self.fits(candidate, margin, near) else None

    def pose(self, wall: str, along: float, distance: float) -> tuple[float, float]:
        """World x, y of a point `along` a wall and `distance` from it."""
        width, depth, _ = self.size
        return {
            "south": (along, distance),
            "north": (along, depth - distance),
            "west": (distance, along),
            "east": (width - distance, along),
        }[wall]

    def at_wall(self, piece: Piece, wall: str, along: float, gap: float = 0.03, z: float = 0.0) -> Placed:
        """The candidate with its back `gap` metres from a wall."""
        x, y = self.pose(wall, along, gap - float(piece.extent[0][1]))
        return Placed(piece, x, y, z, ANGLES[wall])

    def against_wall(self, piece: Piece, walls: tuple[str, ...], gap: float = 0.03, tries: int = 6) -> Placed | None:
        """Try random places along each of the walls in order."""
        half = piece.size[0] / 2 + 0.02
        for wall in walls:
            length = wall_length(wall, self.size)
            if length < 2 * half:
                continue
            for _ in range(tries):
                added = self.try_add(self.at_wall(piece, wall, float(self.rng.uniform(half, length - half)), gap))
                if added:
                    return added
        return None

    def in_corner(self, piece: Piece, gap: float = 0.08) -> Placed | None:
        """Try the four corners in random order."""
        low, high = piece.extent
        reach = max(float(np.abs(low[:2]).max()), float(np.abs(high[:2]).max())) + gap
        width, depth, _ = self.size
        corners = [(x, y) for x in (reach, width - reach) for y in (reach, depth - reach)]
        for i in self.rng.permutation(4):
            added = self.try_add(Placed(piece, *corners[int(i)], 0.0, float(self.rng.uniform(0, 6.28))))
            if added:
                return added
        return None

    def next_to(self, anchor: Placed, piece: Piece, side: int, gap: float = 0.05) -> Placed | None:
        """Put a piece at the left (-1) or right (+1) of another, their backs aligned."""
        low, high = anchor.piece.extent
        across = (float(high[0]) if side > 0 else float(low[0])) + side * (float(piece.size[0]) / 2 + gap)
        x, y = anchor.at(across, float(low[1] - piece.extent[0][1]))
        return self.try_add(Placed(piece, x, y, 0.0, anchor.angle))

    def facing(
        self, anchor: Placed, piece: Piece, across: float, forward: float, turn: float, margin: float = 0.02
    ) -> Placed | None:
        """Put a piece at a point of another's frame, turned by `turn` against it."""
        x, y = anchor.at(across, forward)
        return self.try_add(Placed(piece, x, y, 0.0, anchor.angle + turn), margin, near=anchor)

    def on_top(self, anchor: Placed, piece: Piece, across: float = 0.0, forward: float = 0.0) -> Placed:
        """Put a piece on another's top."""
        x, y = anchor.at(across, forward)
        return self.add(Placed(piece, x, y, anchor.piece.top, anchor.angle))

    def on_wall(self, piece: Piece, walls: tuple[str, ...], low: float, high: float) -> Placed | None:
        """Hang a piece whose back lies in y = 0 at a height between `low` and `high`."""
        half = float(piece.size[0]) / 2 + 0.1
        for wall in walls:
            length = wall_length(wall, self.size)
            for _ in range(5):
                x, y = self.pose(wall, float(self.rng.uniform(half, length - half)), 0.0)
                z = float(self.rng.uniform(low, high))
                candidate = Placed(piece, x, y, z, ANGLES[wall])
                corner, far = candidate.extent
                clear = np.array([0.0, 0.0, 0.06])
                hit = any(np.all(corner - clear < b) and np.all(a < far + clear) for a, b in self.taken)
                if not hit and far[2] < self.size[2] - 0.05:
                    return self.add(candidate)
        return None
