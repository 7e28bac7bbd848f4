"""What a street is before anything stands on it: its course, its cross-section, its side streets."""

from __future__ import annotations

from dataclasses import dataclass

from occscene_server.geometry.course import Course
from occscene_server.studio.streets.kit import StreetKit

KINDS = ("city", "suburb", "village", "industrial estate", "countryside")
KIND_SHARES = (0.28, 0.26, 0.2, 0.13, 0.13)
"""How often each of `KINDS` is drawn."""

BEGIN, END, ACROSS = -36.0, 74.0, 40.0
"""Metres: from where to where along it a street is modelled, and how far to either side."""


@dataclass(frozen=True)
class Side:
    """One side of a street, from the carriageway outwards, metres; widths of 0 leave a strip out.

    Args:
        sign: 1 for the left, -1 for the right.
        parking: width of the parking strip.
        pavement: width of the pavement; kerb: its height.
        verge: width of grass behind the pavement.
        line: from the back of that to the front of the buildings.
        across_parking: cars stand at a right angle to the street.
    """

    sign: int
    parking: float
    pavement: float
    kerb: float
    verge: float
    line: float
    across_parking: bool = False

    def edges(self, half: float) -> tuple[float, float, float, float]:
        """Distances from the centre line of: kerb, back of the pavement, back of the verge, fronts of buildings."""
        kerb = half + self.parking
        back = kerb + self.pavement
        return kerb, back, back + self.verge, back + self.verge + self.line


@dataclass(frozen=True)
class Junction:
    """A side street: its middle along the street, its width, and the sides (1, -1) on which it leaves."""

    at: float
    width: float
    sides: tuple[int, ...]
    pavement: float

    def covers(self, s: float, side: int, margin: float = 0.0) -> bool:
        """Whether `s` lies within the side street and its pavements."""
        return side in self.sides and abs(s - self.at) < self.width / 2 + self.pavement + margin


@dataclass(frozen=True)
class Plan:
    """A street's layout.

    Args:
        kind: one of `KINDS`.
        course: where it runs.
        width: of the carriageway.
        lanes: in all.
        left, right: its sides.
        junction: its side street, if any.
        square: s from, s to and side of a courtyard or square that is paved up to the buildings, if any.
    """

    kind: str
    course: Course
    width: float
    lanes: int
    left: Side
    right: Side
    junction: Junction | None
    square: tuple[float, float, int] | None

    @property
    def sides(self) -> tuple[Side, Side]:
        """Left, then right."""
        return self.left, self.right

    def is_free(self, s: float, sign: int, margin: float = 0.0) -> bool:
        """Whether no side street leaves at `s`."""
        return self.junction is None or not self.junction.covers(s, sign, margin)

    def runs(self, sign: int, margin: float = 0.0, fillet: float = 0.0) -> list[tuple[float, float]]:
        """Stretches of s along a side that side streets leave over."""
        if self.junction is None or sign not in self.junction.sides:
            return [(BEGIN, END)]
        half = self.junction.width / 2 + margin + fillet
        return [(BEGIN, self.junction.at - half), (self.junction.at + half, END)]


def draw_plan(kit: StreetKit) -> Plan:
    """A street's layout; the kit's generator decides."""
    kind = str(kit.rng.choice(KINDS, p=KIND_SHARES))
    bend, start, length = 0.0, 0.0, 0.0
    if kit.chance({"city": 0.12, "industrial estate": 0.15}.get(kind, 0.4)):
        bend = (1 if kit.chance(0.5) else -1) / kit.between(45.0, 140.0)
        start, length = kit.between(-16.0, 8.0), kit.between(16.0, 42.0)
        length = min(length, 0.7 / abs(bend))
    slope = kit.between(-0.045, 0.045) if kit.chance(0.3) else 0.0
    width, lanes = {
        "city": (kit.between(6.5, 8.5), 2), "suburb": (kit.between(5.5, 7.0), 2), "village": (kit.between(5.0, 6.0), 2),
        "industrial estate": (kit.between(7.0, 8.5), 2), "countryside": (kit.between(5.5, 7.0), 2),
    }[kind]  # fmt: skip
    if kind in ("city", "industrial estate") and kit.chance(0.22):
        width, lanes = kit.between(11.5, 13.5), 4
    sides = [_draw_side(kit, kind, sign) for sign in (1, -1)]
    junction = None
    if kit.chance({"city": 0.5, "countryside": 0.15}.get(kind, 0.36)):
        which = ((1, -1), (1,), (-1,))[int(kit.rng.integers(3))]
        junction = Junction(kit.between(-8.0, 13.0), kit.between(5.2, 7.5), which, max(side.pavement for side in sides))
    square = None
    if kind in ("city", "village", "suburb") and kit.chance(0.3):
        at, wide = kit.between(-17.0, 8.0), kit.between(11.0, 17.0)
        square = (at, at + wide, 1 if kit.chance(0.5) else -1)
        if junction is not None and square[2] in junction.sides:
            square = None
    return Plan(kind, Course(bend, start, length, slope), width, lanes, sides[0], sides[1], junction, square)


def _draw_side(kit: StreetKit, kind: str, sign: int) -> Side:
    kerb = kit.between(0.11, 0.15)
    parking, pavement, verge, line, across = 0.0, 0.0, 0.0, 0.0, False
    if kind == "city":
        parking = kit.between(2.0, 2.3) if kit.chance(0.7) else 0.0
        pavement, verge = kit.between(2.4, 4.2), 0.0
        line = 0.0 if kit.chance(0.75) else kit.between(2.5, 4.0)
        if parking and kit.chance(0.18):
            parking, across = 5.0, True
    elif kind == "suburb":
        parking = kit.between(2.0, 2.2) if kit.chance(0.4) else 0.0
        pavement, verge = kit.between(1.6, 2.3), kit.between(0.8, 2.0) if kit.chance(0.4) else 0.0
        line = kit.between(4.0, 7.5)
    elif kind == "village":
        parking = kit.between(2.0, 2.2) if kit.chance(0.2) else 0.0
        pavement = kit.between(1.2, 1.9) if kit.chance(0.85) else 0.0
        line = kit.between(0.6, 5.0)
    elif kind == "industrial estate":
        parking = kit.between(2.2, 2.5) if kit.chance(0.4) else 0.0
        pavement, verge = (
            kit.between(1.6, 2.4) if kit.chance(0.8) else 0.0,
            kit.between(1.0, 3.0) if kit.chance(0.6) else 0.0,
        )
        line = kit.between(7.0, 12.0)
    else:
        verge, line = kit.between(1.6, 3.0), kit.between(7.0, 14.0)
        pavement = kit.between(1.5, 2.0) if kit.chance(0.2) else 0.0
    return Side(sign, parking, pavement, kerb, verge, line, across)
