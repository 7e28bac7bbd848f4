"""What stands along streets on posts: lamps, signs, signals, bollards, power poles."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from occscene_server.studio.kit import Piece
from occscene_server.studio.room import Part
from occscene_server.studio.shapes import box, ellipsoid, lathe, rod, turned
from occscene_server.studio.streets.kit import StreetKit

LAMP_COLOR = "ffc98a"


def street_lamp(kit: StreetKit, style: str) -> Piece:
    """A lamp whose arm reaches along +y: "arm", "lantern" or "double"."""
    post = kit.steel() if style != "lantern" else kit.dark_steel()
    light = kit.shared("street light", "lamp", LAMP_COLOR, emission=8.0)
    if style == "lantern":
        parts = [
            lathe((0, 0, -0.2), [(0.14, 0.0), (0.14, 0.7), (0.07, 0.8), (0.055, 3.5), (0.09, 3.6)], post, 10),
            lathe((0, 0, 3.38), [(0.1, 0.0), (0.19, 0.42)], light, 6),
            lathe((0, 0, 3.8), [(0.26, 0.0), (0.05, 0.22), (0.02, 0.32)], post, 6),
        ]
        return Piece("street lamp", "pole", "a cast iron lantern", tuple(parts), (((0, 0, 2.0), (0.25, 0.25, 4.0)),))
    high, reach = kit.between(6.2, 7.8), kit.between(1.1, 1.8)
    parts = [rod((0, 0, -0.2), (0, 0, 0.9), 0.1, 0.1, post, 10), rod((0, 0, 0.8), (0, 0, high), 0.075, 0.05, post, 10)]
    for side in (1, -1) if style == "double" else (1,):
        parts += [
            rod((0, 0, high - 0.05), (0, side * reach, high + 0.25), 0.045, 0.035, post, 8),
            box((0, side * (reach + 0.25), high + 0.27), (0.26, 0.72, 0.1), post, 0.03),
            box((0, side * (reach + 0.27), high + 0.21), (0.2, 0.5, 0.05), light, 0.01),
        ]
    return Piece(
        "street lamp",
        "pole",
        "a street lamp",
        tuple(parts),
        (((0, 0, high / 2), (0.2, 0.2, high)), ((0, reach / 2, high + 0.2), (0.25, reach + 0.8, 0.2))),
    )


def power_pole(kit: StreetKit) -> Piece:
    """A wooden pole with a cross-arm and insulators, without its wires."""
    wood = kit.shared("pole wood", "bark", "5b4b3c")
    high = kit.between(7.0, 8.0)
    parts = [rod((0, 0, -0.3), (0, 0, high), 0.14, 0.1, wood, 10), box((0, 0, high - 0.5), (1.7, 0.1, 0.12), wood)]
    parts += [
        rod((x, 0, high - 0.45), (x, 0, high - 0.25), 0.04, 0.05, kit.shared("insulator", "gloss", "d5d9d6"), 8)
        for x in (-0.75, -0.3, 0.3, 0.75)
    ]
    return Piece("power pole", "pole", "a wooden power pole", tuple(parts), (((0, 0, high / 2), (0.25, 0.25, high)),))


def bollard(kit: StreetKit) -> Piece:
    """A post that keeps cars off."""
    parts = [lathe((0, 0, -0.1), [(0.08, 0.0), (0.07, 0.95), (0.05, 1.03)], kit.dark_steel(), 10)]
    parts.append(lathe((0, 0, 0.72), [(0.077, 0.0), (0.077, 0.1)], kit.marking(), 10))
    return Piece("bollard", "pole", "a bollard", tuple(parts), (((0, 0, 0.5), (0.2, 0.2, 1.0)),), decor=True)


@dataclass(frozen=True)
class SignKind:
    """A traffic sign: its outline ("round", "triangle", "square", "octagon", "diamond"), its colours, its words."""

    outline: str
    rim: str
    face: str
    words: str


SIGNS: tuple[SignKind, ...] = (
    SignKind("octagon", "b3141b", "b3141b", "a stop sign"),
    SignKind("triangle", "b3141b", "e9e8e2", "a warning sign"),
    SignKind("round", "b3141b", "e9e8e2", "a speed limit sign"),
    SignKind("round", "b3141b", "1c4fa0", "a no parking sign"),
    SignKind("round", "1c4fa0", "1c4fa0", "a blue direction sign"),
    SignKind("square", "1c4fa0", "e9e8e2", "a pedestrian crossing sign"),
    SignKind("square", "1c4fa0", "1c4fa0", "a parking sign"),
    SignKind("diamond", "e9e8e2", "e3b505", "a priority road sign"),
)


def _plate(outline: str, radius: float, z: float, y: float, material: str) -> Part:
    sides, turn = {
        "round": (20, 0.0),
        "triangle": (3, math.pi / 2),
        "square": (4, math.pi / 4),
        "octagon": (8, math.pi / 8),
        "diamond": (4, 0.0),
    }[outline]
    disc = lathe((0, 0, -0.01), [(radius, 0.0), (radius, 0.02)], material, sides)
    upright = turned(turned(disc, turn), math.pi / 2, "x")
    moved = upright.vertices + np.array([0.0, y, z])
    return Part(moved, upright.faces, material, upright.vertices.copy())


def traffic_sign(kit: StreetKit, kind: SignKind | None = None) -> tuple[Piece, Piece]:
    """A sign and its post; it faces +y."""
    kind = kind or SIGNS[int(kit.rng.integers(len(SIGNS)))]
    z, radius = kit.between(2.2, 2.5), 0.38 if kind.outline != "triangle" else 0.46
    rim, face = (kit.shared(f"sign {code}", "sign", code) for code in (kind.rim, kind.face))
    ink = kit.shared("sign ink", "sign", "15161a" if kind.face != kind.rim else "eeeeea")
    parts = [
        _plate(kind.outline, radius * 1.01, z, 0.032, kit.steel()),
        _plate(kind.outline, radius, z, 0.05, rim),
        _plate(kind.outline, radius * 0.78, z, 0.062, face),
        box((0, 0.03, z), (0.12, 0.03, 0.5), kit.steel()),
    ]
    if kind.words in ("a stop sign", "a speed limit sign"):
        wide = radius * (1.0 if "stop" in kind.words else 0.7)
        parts += [
            box(
                (wide * (i - 1.5) * 0.3, 0.078, z),
                (wide * 0.2, 0.01, radius * 0.55),
                kit.shared(f"ink {kind.words}", "sign", "eeeeea" if "stop" in kind.words else "15161a"),
            )
            for i in (range(4) if "stop" in kind.words else (1, 2))
        ]
    elif kind.words in ("a blue direction sign", "a parking sign"):
        parts.append(box((-0.06, 0.078, z), (0.07, 0.01, radius * 0.9), ink))
        parts.append(box((0.03, 0.078, z + 0.1), (0.18, 0.01, 0.07), ink))
    elif kind.words == "a warning sign":
        parts.append(box((0, 0.078, z), (0.06, 0.01, 0.26), kit.shared("ink warning", "sign", "15161a")))
    elif kind.words == "a no parking sign":
        parts.append(turned(box((0, 0.078, 0), (0.08, 0.01, radius * 1.7), rim), math.pi / 4, "y"))
        last = parts.pop()
        parts.append(Part(last.vertices + np.array([0.0, 0.0, z]), last.faces, rim, last.local))
    wide = 2 * radius
    sign = Piece("traffic sign", "traffic-sign", kind.words, tuple(parts), (((0.0, 0.05, z), (wide, 0.1, wide)),))
    post = rod((0, 0, -0.2), (0, 0, z + radius * 0.7), 0.035, 0.035, kit.steel(), 8)
    return sign, Piece("sign post", "pole", "a sign post", (post,), (((0.0, 0.0, (z + 0.3) / 2), (0.1, 0.1, z + 0.3)),))


def traffic_light(kit: StreetKit) -> tuple[Piece, Piece]:
    """A signal of three lights and its post; it faces +y."""
    case = kit.shared("signal case", "painted", "16191a")
    lit = int(kit.rng.integers(3))
    parts = [box((0, 0.16, 3.0), (0.3, 0.22, 0.95), case, 0.04), box((0, 0.05, 3.0), (0.5, 0.02, 1.15), case)]
    for index, (code, dark) in enumerate((("ff2a1a", "3a0d0a"), ("ffb020", "3a2a08"), ("2aff7a", "0a3418"))):
        z = 3.3 - 0.3 * index
        shine = kit.shared(
            f"signal {index} {index == lit}",
            "lamp",
            code if index == lit else dark,
            emission=6.0 if index == lit else 0.0,
        )
        parts.append(ellipsoid((0, 0.27, z), (0.1, 0.03, 0.1), shine))
        parts.append(box((0, 0.33, z + 0.11), (0.24, 0.16, 0.02), case))
    post = rod((0, 0, -0.2), (0, 0, 3.6), 0.07, 0.06, kit.steel(), 10)
    return (
        Piece(
            "traffic light", "traffic-sign", "a traffic light", tuple(parts), (((0.0, 0.16, 3.0), (0.35, 0.3, 1.0)),)
        ),
        Piece("signal post", "pole", "a traffic light's post", (post,), (((0.0, 0.0, 1.8), (0.15, 0.15, 3.6)),)),
    )


def name_board(kit: StreetKit) -> tuple[Piece, Piece]:
    """A yellow board at a village's entrance, or a green one at a junction; it faces +y."""
    color, words = (("e6b90f", "a yellow village sign"), ("12633a", "a green direction board"))[
        int(kit.rng.integers(2))
    ]
    face, ink = (
        kit.shared(f"sign {color}", "sign", color),
        kit.shared(f"board ink {color}", "sign", "16171a" if color[0] == "e" else "f0f0ec"),
    )
    parts = [box((0, 0.06, 1.9), (1.5, 0.05, 0.8), ink, 0.01), box((0, 0.07, 1.9), (1.44, 0.05, 0.74), face, 0.01)]
    x = -0.5
    while x < 0.5:
        w = kit.between(0.08, 0.2)
        parts.append(box((x + w / 2, 0.098, 2.02), (w, 0.01, 0.16), ink))
        parts.append(box((x + w / 2, 0.098, 1.75), (w * 0.7, 0.01, 0.1), ink))
        x += w + 0.05
    posts = tuple(rod((s * 0.6, 0, -0.2), (s * 0.6, 0, 2.3), 0.04, 0.04, kit.steel(), 8) for s in (-1, 1))
    return (
        Piece("name sign", "traffic-sign", words, tuple(parts), (((0.0, 0.06, 1.9), (1.5, 0.1, 0.8)),)),
        Piece(
            "sign posts",
            "pole",
            "the sign's posts",
            posts,
            tuple(((s * 0.6, 0.0, 1.15), (0.1, 0.1, 2.3)) for s in (-1, 1)),
        ),
    )
