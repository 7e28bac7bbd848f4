"""Bicycles and motorcycles. Their front is at +y, they stand on z = 0."""

from __future__ import annotations

import math

from occscene.srgb import LinearColor

from occscene_server.studio.kit import Piece, with_article
from occscene_server.studio.room import Part
from occscene_server.studio.shapes import box, ellipsoid, rod
from occscene_server.studio.streets.kit import CAR_COLORS, StreetKit
from occscene_server.studio.streets.solids import ring, wheel
from occscene_server.studio.streets.vehicles import paint


def bicycle_parts(kit: StreetKit, color: LinearColor) -> list[Part]:
    """A bicycle, 1.75 m long."""
    frame, tyre = kit.material("painted", color), kit.shared("bicycle tyre", "rubber", "161616")
    parts = [ring((0, y, 0.34), 0.32, 0.045, tyre) for y in (-0.54, 0.54)]
    for y in (-0.54, 0.54):
        for turn in (0.4, 1.45, 2.5):
            dy, dz = 0.3 * math.cos(turn), 0.3 * math.sin(turn)
            parts.append(rod((0, y - dy, 0.34 - dz), (0, y + dy, 0.34 + dz), 0.006, 0.006, kit.chrome(), 4))
    joints = {
        "rear": (0, -0.54, 0.34),
        "crank": (0, -0.08, 0.3),
        "seat": (0, -0.24, 0.84),
        "head": (0, 0.38, 0.86),
        "front": (0, 0.54, 0.34),
    }
    for a, b in (
        ("rear", "crank"),
        ("rear", "seat"),
        ("crank", "seat"),
        ("crank", "head"),
        ("seat", "head"),
        ("head", "front"),
    ):
        parts.append(rod(joints[a], joints[b], 0.022, 0.022, frame, 6))
    parts += [
        rod((0, -0.24, 0.84), (0, -0.27, 0.96), 0.015, 0.015, kit.chrome(), 6),
        box((0, -0.28, 0.98), (0.16, 0.27, 0.06), kit.rubber(), 0.02),
        rod((0, 0.38, 0.86), (0, 0.34, 1.02), 0.018, 0.018, kit.chrome(), 6),
        rod((-0.29, 0.32, 1.03), (0.29, 0.32, 1.03), 0.018, 0.018, kit.rubber(), 6),
        box((0, -0.62, 0.72), (0.14, 0.36, 0.02), kit.dark_steel()),
        rod((0, -0.6, 0.4), (0, -0.62, 0.72), 0.01, 0.01, kit.dark_steel(), 4),
        wheel((0.03, -0.08, 0.3), 0.09, 0.02, kit.chrome(), 10),
    ]
    return parts


def bicycle(kit: StreetKit) -> Piece:
    """A parked bicycle on its stand."""
    color = kit.one_of(CAR_COLORS)
    parts = [
        *bicycle_parts(kit, CAR_COLORS[color]),
        rod((0.02, -0.1, 0.3), (0.16, -0.16, 0.0), 0.01, 0.01, kit.steel(), 4),
    ]
    return Piece(
        "bicycle", "bicycle", with_article(f"{color} bicycle"), tuple(parts), (((0.0, 0.0, 0.53), (0.5, 1.75, 1.06)),)
    )


def motorcycle_parts(kit: StreetKit, color: LinearColor) -> list[Part]:
    """A motorcycle, 2.1 m long."""
    body, tyre = paint(kit, color), kit.shared("tyre", "rubber", "1b1b1b")
    parts: list[Part] = []
    for y in (-0.68, 0.72):
        parts += [wheel((0, y, 0.31), 0.31, 0.15, tyre, 18), wheel((0, y, 0.31), 0.19, 0.17, kit.chrome(), 10)]
    parts += [
        ellipsoid((0, 0.16, 0.88), (0.17, 0.34, 0.16), body),
        box((0, 0.0, 0.5), (0.34, 0.5, 0.36), kit.shared("engine", "metal", "55585a"), 0.05),
        box((0, -0.38, 0.82), (0.26, 0.62, 0.12), kit.rubber(), 0.04),
        ellipsoid((0, -0.72, 0.85), (0.11, 0.26, 0.09), body),
        box((0, 0.72, 0.66), (0.17, 0.34, 0.04), body, 0.01),
        rod((0, -0.68, 0.31), (0, -0.1, 0.5), 0.05, 0.06, kit.dark_steel(), 6),
        ellipsoid((0, 0.5, 0.95), (0.13, 0.1, 0.13), kit.shared("head lamp", "lamp", "dfe6ea", emission=4.0)),
        rod((-0.38, 0.36, 1.08), (0.38, 0.36, 1.08), 0.02, 0.02, kit.rubber(), 6),
        rod((0.19, 0.1, 0.32), (0.2, -0.85, 0.42), 0.05, 0.07, kit.chrome(), 8),
    ]
    parts += [rod((s * 0.09, 0.42, 1.0), (s * 0.09, 0.72, 0.31), 0.03, 0.03, kit.chrome(), 6) for s in (-1, 1)]
    parts += [ellipsoid((s * 0.34, 0.4, 1.2), (0.08, 0.03, 0.06), kit.rubber()) for s in (-1, 1)]
    return parts


def motorcycle(kit: StreetKit) -> Piece:
    """A parked motorcycle."""
    color = kit.one_of(CAR_COLORS, {"red": 3, "black": 3})
    parts = [
        *motorcycle_parts(kit, CAR_COLORS[color]),
        rod((-0.1, -0.1, 0.35), (-0.26, -0.16, 0.0), 0.015, 0.015, kit.steel(), 4),
    ]
    return Piece(
        "motorcycle",
        "motorcycle",
        with_article(f"{color} motorcycle"),
        tuple(parts),
        (((0.0, 0.0, 0.6), (0.7, 2.1, 1.15)),),
    )
