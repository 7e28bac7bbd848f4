"""Facades: walls with openings cut out, and what fills them. A facade lies in the plane y = 0 and faces +y."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from occscene.facade_shapes import rectangles_around

from occscene_server.metrics.palette import COLORS
from occscene_server.studio.room import Part
from occscene_server.studio.shapes import box, rod
from occscene_server.studio.streets.kit import StreetKit

SKIN = 0.16
"""Metres that a facade's wall stands before the body of its house: how deep windows lie."""


@dataclass(frozen=True)
class Hole:
    """An opening: x from `left` to `right`, z from `bottom` to `top`, metres, and what fills it.

    `kind` is "window", "shop", "door", "gate", "french" (a window down to the floor) or "passage".
    """

    left: float
    right: float
    bottom: float
    top: float
    kind: str


@dataclass(frozen=True)
class Trim:
    """The materials of a facade's details, and which details it has."""

    wall: str
    frame: str
    surround: str
    door: str
    sills: bool = True
    surrounds: bool = True
    shutters: str | None = None
    bars: int = 1


def wall_around(
    left: float, right: float, bottom: float, top: float, holes: Sequence[Hole], material: str
) -> list[Part]:
    """Boxes that fill a facade's rectangle but for its holes."""
    openings = [(hole.left, hole.right, hole.bottom, hole.top) for hole in holes]
    return [
        box(((x0 + x1) / 2, -SKIN / 2, (z0 + z1) / 2), (x1 - x0, SKIN, z1 - z0), material)
        for x0, x1, z0, z1 in rectangles_around((left, right, bottom, top), openings)
    ]


def filling(kit: StreetKit, hole: Hole, trim: Trim) -> list[Part]:
    """Panes, frames, doors, sills of one opening."""
    x, wide = (hole.left + hole.right) / 2, hole.right - hole.left
    z, high = (hole.bottom + hole.top) / 2, hole.top - hole.bottom
    if hole.kind == "passage":
        return [box((x, -SKIN - 0.01, z), (wide, 0.04, high), kit.shared("dark", "rough", "0c0c0d"))]
    parts: list[Part] = []
    if hole.kind == "gate":
        parts.append(box((x, -0.1, z), (wide, 0.06, high), trim.door))
        parts += [
            box((x, -0.07, hole.bottom + high * f), (wide, 0.03, 0.02), kit.rubber()) for f in (0.2, 0.4, 0.6, 0.8)
        ]
        return parts
    if hole.kind == "door":
        glazed = kit.chance(0.5)
        parts.append(box((x, -0.1, z), (wide - 0.1, 0.06, high), trim.door, 0.01))
        for f in (0.27, 0.7):
            tall = high * 0.3
            inset = kit.glass() if glazed and f > 0.5 else trim.door
            parts.append(box((x, -0.068, hole.bottom + high * f), (wide * 0.55, 0.03, tall), inset, 0.012))
        parts.append(
            rod(
                (x + wide * 0.36, -0.04, hole.bottom + 0.95),
                (x + wide * 0.36, -0.04, hole.bottom + 1.15),
                0.015,
                0.015,
                kit.chrome(),
                6,
            )
        )
        parts.append(box((x, 0.14, hole.bottom - 0.06), (wide + 0.3, 0.5, 0.14), kit.concrete(), 0.015))
    else:
        parts.append(box((x, -0.13, z), (wide, 0.03, high), kit.glass()))
        bars = max(1, round(wide / 1.6)) if hole.kind == "shop" else trim.bars
        edge = 0.06
        for side in (-1, 1):
            parts.append(box((x + side * (wide / 2 - edge / 2), -0.1, z), (edge, 0.07, high), trim.frame))
            parts.append(box((x, -0.1, z + side * (high / 2 - edge / 2)), (wide, 0.07, edge), trim.frame))
        for bar in range(1, bars + 1):
            parts.append(box((hole.left + wide * bar / (bars + 1), -0.1, z), (0.05, 0.065, high), trim.frame))
        if (hole.kind == "window" and trim.bars > 1) or hole.kind == "shop":
            at = 0.62 if hole.kind == "window" else 0.8
            parts.append(box((x, -0.1, hole.bottom + high * at), (wide, 0.062, 0.045), trim.frame))
        if hole.kind == "window" and kit.chance(0.6):
            cloth = kit.shared("net curtain", "cloth", "c9c5bb")
            drape = kit.between(0.22, 0.36) * wide
            parts += [
                box((x + s * (wide / 2 - drape / 2), -0.117, z), (drape, 0.01, high - 0.08), cloth) for s in (-1, 1)
            ]
    if hole.kind == "window" and trim.sills:
        parts.append(box((x, 0.02, hole.bottom - 0.035), (wide + 0.16, 0.2, 0.07), trim.surround, 0.01))
    if trim.surrounds and hole.kind != "shop":
        edge = 0.11
        for side in (-1, 1):
            parts.append(
                box(
                    (x + side * (wide / 2 + edge / 2), 0.005, z),
                    (edge, 0.05, high + 2 * edge * (hole.kind != "door")),
                    trim.surround,
                )
            )
        parts.append(
            box((x, 0.012, hole.top + edge / 2 + 0.01), (wide + 2 * edge + 0.06, 0.07, edge + 0.03), trim.surround)
        )
    if hole.kind == "window" and trim.shutters is not None:
        leaf = wide / 2
        for side in (-1, 1):
            at = x + side * (wide / 2 + leaf / 2 + (0.12 if trim.surrounds else 0.03))
            parts.append(box((at, 0.03, z), (leaf * 0.95, 0.05, high), trim.shutters, 0.008))
            parts += [
                box((at, 0.058, z + high * f), (leaf * 0.7, 0.012, 0.035), trim.frame if f == 0 else trim.shutters)
                for f in (-0.3, -0.15, 0.15, 0.3)
            ]
    return parts


def balcony(kit: StreetKit, x: float, z: float, wide: float, trim: Trim) -> list[Part]:
    """A slab with a railing before a french window."""
    deep = 0.95
    iron = kit.dark_steel()
    parts = [box((x, deep / 2 - 0.02, z - 0.08), (wide, deep, 0.16), trim.surround, 0.015)]
    if kit.keys.setdefault("balcony style", kit.pick(("bars", "glass"))) == "glass":
        parts.append(box((x, deep - 0.06, z + 0.45), (wide, 0.03, 0.8), kit.shared("balcony glass", "gloss", "5d7076")))
        parts += [
            box(
                (x + s * (wide / 2 - 0.02), deep / 2, z + 0.45),
                (0.03, deep - 0.1, 0.8),
                kit.shared("balcony glass", "gloss", "5d7076"),
            )
            for s in (-1, 1)
        ]
    else:
        count = int(wide / 0.16)
        parts += [
            rod(
                (x - wide / 2 + 0.05 + i * (wide - 0.1) / count, deep - 0.06, z),
                (x - wide / 2 + 0.05 + i * (wide - 0.1) / count, deep - 0.06, z + 0.95),
                0.012,
                0.012,
                iron,
                4,
            )
            for i in range(count + 1)
        ]
        parts += [
            rod((x + s * (wide / 2 - 0.03), y, z), (x + s * (wide / 2 - 0.03), y, z + 0.95), 0.012, 0.012, iron, 4)
            for s in (-1, 1)
            for y in (0.15, 0.35, 0.55, 0.75)
        ]
    parts.append(box((x, deep - 0.06, z + 0.98), (wide, 0.05, 0.05), iron))
    parts += [box((x + s * (wide / 2 - 0.03), deep / 2, z + 0.98), (0.05, deep - 0.05, 0.05), iron) for s in (-1, 1)]
    if kit.chance(0.45):
        flower = kit.shared("geraniums", "leaves", kit.pick(("b0303a", "c46a8a", "587a36")))
        parts.append(box((x, deep - 0.0, z + 0.86), (wide * 0.7, 0.22, 0.2), flower, 0.06))
    return parts


def awning(kit: StreetKit, hole: Hole) -> list[Part]:
    """A striped sunshade over a shop window."""
    word = kit.pick(("red", "green", "navy", "orange", "teal"))
    cloth = kit.material("stripes", COLORS[word], COLORS["white"])
    wide, deep = hole.right - hole.left + 0.2, 1.15
    x, top = (hole.left + hole.right) / 2, hole.top + 0.28
    sheet = box((x, 0, 0), (wide, deep, 0.04), cloth)
    vertices = sheet.vertices.copy()
    vertices[:, 1] += deep / 2
    vertices[:, 2] += top - vertices[:, 1] * 0.38
    flap = box((x, deep - 0.01, top - deep * 0.38 - 0.1), (wide, 0.03, 0.2), cloth)
    return [Part(vertices, sheet.faces, cloth, sheet.local), flap]


def shop_sign(kit: StreetKit, hole: Hole) -> list[Part]:
    """A fascia board with what reads as letters from afar."""
    word = kit.pick(("navy", "black", "green", "red", "teal", "cream", "mustard"))
    board, ink = (
        kit.material("painted", COLORS[word]),
        kit.material("painted", COLORS["cream" if word not in ("cream", "mustard") else "black"]),
    )
    wide = hole.right - hole.left
    x0, z = hole.left, hole.top + 0.3
    parts = [box((x0 + wide / 2, 0.05, z), (wide + 0.1, 0.1, 0.5), board, 0.015)]
    x = x0 + wide * 0.2
    while x < hole.right - wide * 0.2:
        letter = kit.between(0.07, 0.17)
        if kit.chance(0.85):
            parts.append(box((x + letter / 2, 0.105, z), (letter, 0.02, kit.between(0.16, 0.26)), ink))
        x += letter + 0.06
    return parts
