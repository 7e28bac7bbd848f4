"""Buildings: town houses, detached houses, cottages, churches, halls, barns. They face +y and stand on z = 0."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from occscene.srgb import LinearColor

from occscene_server.metrics.palette import COLORS
from occscene_server.studio.kit import Block, Piece, with_article
from occscene_server.studio.room import Part
from occscene_server.studio.shapes import box, moved, rod, turned
from occscene_server.studio.streets.facades import (
    SKIN,
    Hole,
    Trim,
    awning,
    balcony,
    filling,
    shop_sign,
    wall_around,
)
from occscene_server.studio.streets.kit import BRICKS, RENDERS, ROOFS, STONES, StreetKit
from occscene_server.studio.streets.solids import prism

FOOTING = 0.9
"""Metres that walls go below the ground, for slopes."""


@dataclass(frozen=True)
class House:
    """What a house is before it is modelled, metres.

    Args:
        words: "half-timbered house", "corner shop".
        width, depth: of the body.
        floors: heights of the storeys from below.
        roof: "gable" (ridge along the street), "cross" (gable towards it), "hip", "flat" or "shed".
        pitch: rise of the roof over its run.
        wall, color: material kind of the walls, linear RGB; `color_word` names it.
        ground: what the ground floor is: "flat", "shops" or "garage".
        sides: whether its left and right walls are seen.
    """

    words: str
    width: float
    depth: float
    floors: tuple[float, ...]
    roof: str
    pitch: float
    wall: str
    color: LinearColor
    color_word: str
    ground: str = "flat"
    sides: bool = True
    shutters: bool = False
    balconies: bool = False
    timbered: bool = False
    chimneys: int = 1
    dormers: int = 0


def columns(left: float, right: float, every: float) -> list[float]:
    """Middles of columns of openings some `every` metres apart."""
    count = max(1, round((right - left) / every))
    step = (right - left) / count
    return [left + step * (i + 0.5) for i in range(count)]


def _front_holes(kit: StreetKit, house: House) -> list[Hole]:
    half = house.width / 2
    holes: list[Hole] = []
    ground, z = house.floors[0], 0.0
    window = kit.between(0.95, 1.25)
    tall = kit.between(1.25, 1.6)
    if house.ground == "shops":
        door = kit.between(-half * 0.5, half * 0.5)
        holes.append(Hole(door - 0.55, door + 0.55, 0.12, 2.35, "door"))
        for low, high in ((-half + 0.5, door - 0.85), (door + 0.85, half - 0.5)):
            if high - low > 1.0:
                holes.append(Hole(low, high, 0.55, ground - 0.85, "shop"))
    elif house.ground == "garage" and house.width > 7.5:
        holes.append(Hole(-half + 0.5, -half + 3.1, 0.02, 2.25, "gate"))
        holes.append(Hole(-half + 3.9, -half + 4.9, 0.15, 2.25, "door"))
        holes += [
            Hole(x - window / 2, x + window / 2, 0.95, 0.95 + tall, "window")
            for x in columns(-half + 5.3, half - 0.3, 2.2)
        ]
    else:
        xs = columns(-half + 0.3, half - 0.3, kit.between(2.1, 2.7))
        door_at = int(kit.rng.integers(len(xs)))
        for index, x in enumerate(xs):
            if index == door_at:
                holes.append(Hole(x - 0.55, x + 0.55, 0.15, 2.35, "door"))
            else:
                holes.append(Hole(x - window / 2, x + window / 2, 0.95, min(0.95 + tall, ground - 0.3), "window"))
    z = ground
    xs = columns(-half + 0.25, half - 0.25, kit.between(1.9, 2.6))
    with_balcony = {i for i in range(len(xs)) if kit.chance(0.45)} if house.balconies else set()
    for floor in house.floors[1:]:
        for index, x in enumerate(xs):
            if index in with_balcony:
                holes.append(Hole(x - 0.6, x + 0.6, z + 0.08, z + 2.25, "french"))
            else:
                holes.append(
                    Hole(x - window / 2, x + window / 2, z + 0.85, z + min(0.85 + tall, floor - 0.25), "window")
                )
        z += floor
    return holes


def _side_holes(kit: StreetKit, house: House) -> list[Hole]:
    half, z, holes = house.depth / 2, 0.0, []
    xs = columns(-half + 0.8, half - 0.8, 3.2)
    for floor in house.floors:
        holes += [Hole(x - 0.5, x + 0.5, z + 0.95, z + min(2.2, floor - 0.3), "window") for x in xs if kit.chance(0.65)]
        z += floor
    return holes


def facade(kit: StreetKit, wide: float, top: float, holes: Sequence[Hole], trim: Trim) -> list[Part]:
    """A wall as wide and as high, with what fills its holes, in the plane y = 0."""
    parts = wall_around(-wide / 2, wide / 2, -FOOTING, top, holes, trim.wall)
    for hole in holes:
        parts += filling(kit, hole, trim)
    return parts


def around(parts: Sequence[Part], angle: float, x: float, y: float) -> list[Part]:
    """Parts turned, then moved: a facade to its side of a house."""
    return [moved(turned(part, angle), (x, y, 0.0)) for part in parts]


def model(kit: StreetKit, house: House) -> Piece:
    """The house as a piece."""
    wall = kit.material(house.wall, house.color, vary=0.05)
    pale = kit.pick(("white", "cream", "grey"))
    frame = kit.shared(f"frames {pale}", "painted", {"white": "dddbd5", "cream": "d8cba9", "grey": "53585b"}[pale])
    door = kit.material("painted", COLORS[kit.pick(("green", "navy", "red", "brown", "teal", "black", "blue"))])
    surround = kit.keys.setdefault("surround", kit.material("rough", RENDERS[kit.pick(("white", "beige", "grey"))]))
    shutter = (
        kit.material("painted", COLORS[kit.pick(("green", "blue", "brown", "teal", "grey", "red"))])
        if house.shutters
        else None
    )
    trim = Trim(wall, frame, surround, door, True, kit.chance(0.6), shutter, int(kit.rng.integers(1, 3)))
    top = sum(house.floors)
    half, deep = house.width / 2, house.depth / 2
    front = _front_holes(kit, house)
    parts = [box((0, 0, (top - FOOTING) / 2), (house.width - 2 * SKIN, house.depth - 2 * SKIN, top + FOOTING), wall)]
    face = facade(kit, house.width, top, front, trim)
    for hole in front:
        if hole.kind == "french":
            face += balcony(kit, (hole.left + hole.right) / 2, hole.bottom - 0.04, hole.right - hole.left + 0.7, trim)
        if hole.kind == "shop" and hole.right - hole.left > 1.4:
            face += awning(kit, hole) if kit.chance(0.45) else shop_sign(kit, hole)
    face += _bands(kit, house, trim)
    parts += around(face, 0.0, 0.0, deep)
    parts += around(
        facade(kit, house.width, top, _side_holes(kit, house) if house.sides else [], trim), math.pi, 0.0, -deep
    )
    for side in (-1, 1):
        holes = _side_holes(kit, house) if house.sides else []
        parts += around(facade(kit, house.depth - 2 * SKIN, top, holes, trim), -side * math.pi / 2, side * half, 0.0)
    parts += roof(kit, house, wall, trim)
    phrase = with_article(f"{house.color_word} {house.words}")
    ridge = _ridge(house)
    blocks: tuple[Block, ...] = (((0.0, 0.0, top / 2), (house.width, house.depth, top)),)
    if ridge > 0.8:
        across = (house.width, house.depth * 0.5) if house.roof != "cross" else (house.width * 0.5, house.depth)
        blocks += (((0.0, 0.0, top + ridge * 0.45), (*across, ridge * 0.9)),)
    return Piece(house.words.split()[-1], "building", phrase, tuple(parts), blocks)


def _bands(kit: StreetKit, house: House, trim: Trim) -> list[Part]:
    """Plinth, storey bands, cornice, downpipes, timbers."""
    top, half = sum(house.floors), house.width / 2
    parts: list[Part] = []
    if house.timbered:
        wood = kit.shared("timbers", "wood", "3d2a1e")
        z = house.floors[0]
        levels = [z]
        for floor in house.floors[1:]:
            levels.append(levels[-1] + floor)
        parts += [box((0, 0.012, level), (house.width, 0.05, 0.2), wood) for level in levels]
        for low, high in pairwise(levels):
            xs = np.arange(-half + 0.1, half, house.width / max(3, round(house.width / 1.25))).tolist()
            parts += [box((x, 0.008, (low + high) / 2), (0.15, 0.045, high - low), wood) for x in [*xs, half - 0.1]]
            for x0, x1 in ((xs[0], xs[1]), (xs[-1], half - 0.1)):
                parts.append(rod((x0, 0.0, low + 0.1), (x1, 0.0, high - 0.1), 0.06, 0.06, wood, 4))
        return parts
    if house.wall in ("render", "brick", "stone") and kit.chance(0.75):
        parts.append(box((0, 0.015, -0.2), (house.width + 0.02, 0.06, 1.1), kit.concrete()))
    if len(house.floors) > 2:
        parts.append(box((0, 0.03, house.floors[0] - 0.1), (house.width, 0.1, 0.2), trim.surround, 0.01))
        parts.append(box((0, 0.1, top - 0.14), (house.width + 0.05, 0.26, 0.28), trim.surround, 0.02))
        parts.append(box((0, 0.16, top + 0.03), (house.width + 0.1, 0.42, 0.1), trim.surround, 0.01))
    pipe = kit.shared("zinc", "metal", "6b7072")
    parts.append(rod((half - 0.12, 0.07, 0.0), (half - 0.12, 0.07, top), 0.045, 0.045, pipe, 6))
    return parts


def _ridge(house: House) -> float:
    run = house.width / 2 if house.roof == "cross" else house.depth / 2
    return {"flat": 0.0, "shed": house.depth * house.pitch * 0.5}.get(house.roof, run * house.pitch)


def roof(kit: StreetKit, house: House, wall: str, trim: Trim) -> list[Part]:
    """A roof over a house, with its gutters, chimneys and dormers."""
    word = kit.keys.setdefault("roof word", kit.one_of(ROOFS)) if house.sides is False else kit.one_of(ROOFS)
    tiles = kit.material("roof_tiles", ROOFS[word])
    top, rise, eaves = sum(house.floors), _ridge(house), 0.45 if house.sides else 0.3
    parts: list[Part] = []
    if house.roof == "flat":
        edge = 0.45
        for x, y, w, d in (
            (0, house.depth / 2 - 0.12, house.width, 0.24),
            (0, -house.depth / 2 + 0.12, house.width, 0.24),
            (house.width / 2 - 0.12, 0, 0.24, house.depth - 0.48),
            (-house.width / 2 + 0.12, 0, 0.24, house.depth - 0.48),
        ):
            parts.append(box((x, y, top + edge / 2 - 0.02), (w, d, edge), wall))
            parts.append(box((x, y, top + edge), (w + 0.08, d + 0.08, 0.06), kit.concrete()))
        if kit.chance(0.6):
            parts.append(box((kit.between(-1, 1), -1.0, top + 0.6), (1.6, 1.2, 1.2), kit.steel(), 0.03))
        return parts
    cross = house.roof == "cross"
    long, run = (house.depth, house.width / 2) if cross else (house.width, house.depth / 2)
    over = 0.3 if house.sides else 0.0
    half = long / 2 + over
    if house.roof == "hip":
        inset = min(run, long / 2 - 0.3)
        low, high = top - eaves * house.pitch, top + rise
        r = run + eaves
        corners = [(-half - 0.15, -r), (half + 0.15, -r), (half + 0.15, r), (-half - 0.15, r)]
        ridge = [(-long / 2 + inset, 0.0), (long / 2 - inset, 0.0)]
        vertices = np.array(
            [(x, y, low) for x, y in corners]
            + [(x, y, high) for x, y in ridge]
            + [(x, y, low + 0.14) for x, y in corners]
        )
        faces = (
            (3, 2, 1, 0),
            (0, 1, 7, 6),
            (1, 2, 8, 7),
            (2, 3, 9, 8),
            (3, 0, 6, 9),
            (6, 7, 5, 4),
            (8, 9, 4, 5),
            (7, 8, 5),
            (9, 6, 4),
        )
        parts.append(Part(vertices, faces, tiles, vertices.copy()))
    else:
        gable = prism(
            [(-run, top - 0.02), (-run, top), (0.0, top + rise), (run, top), (run, top - 0.02)],
            -long / 2 + 0.001,
            long / 2 - 0.001,
            wall,
        )
        slope = math.hypot(run, rise)
        angle = math.atan2(rise, run)
        sheets: list[Part] = [gable]
        length = slope + eaves
        for side in (-1, 1):
            sheet = box((side * length / 2, 0, 0.06), (length, 2 * half, 0.14), tiles)
            sheets.append(moved(turned(sheet, side * angle, "y"), (0.0, 0.0, top + rise)))
        sheets.append(box((0, 0, top + rise + 0.1), (0.26, 2 * half, 0.14), tiles, 0.04))
        if over > 0:
            for end in (-1, 1):
                for side in (-1, 1):
                    barge = box((side * length / 2, end * (half + 0.015), 0.02), (length, 0.04, 0.22), trim.frame)
                    sheets.append(moved(turned(barge, side * angle, "y"), (0.0, 0.0, top + rise)))
        parts += sheets if cross else around(sheets, math.pi / 2, 0.0, 0.0)
    if not cross:
        gutter = kit.shared("zinc", "metal", "6b7072")
        y = house.depth / 2 + eaves * math.cos(math.atan(house.pitch)) + 0.02
        z = top - eaves * house.pitch * 0.9
        parts += [
            rod((-house.width / 2, s * y, z), (house.width / 2, s * y, z), 0.07, 0.07, gutter, 6) for s in (-1, 1)
        ]
    parts += _chimneys(kit, house, top, rise)
    parts += _dormers(kit, house, top, rise, tiles, trim)
    return parts


def _chimneys(kit: StreetKit, house: House, top: float, rise: float) -> list[Part]:
    brick = kit.shared("chimney", "brick", "7d4634")
    parts: list[Part] = []
    for index in range(house.chimneys):
        x = (-0.3 + 0.6 * index) * house.width if house.roof != "cross" else 0.0
        y = 0.12 * house.depth * (1 if index % 2 else -1)
        parts.append(box((x, y, top + rise + 0.1), (0.6, 0.6, 2.0), brick))
        parts.append(box((x, y, top + rise + 1.12), (0.72, 0.72, 0.1), kit.concrete()))
        parts.append(
            rod(
                (x, y, top + rise + 1.1),
                (x, y, top + rise + 1.4),
                0.12,
                0.1,
                kit.shared("chimney pot", "rough", "8a4a32"),
                8,
            )
        )
    return parts


def _dormers(kit: StreetKit, house: House, top: float, rise: float, tiles: str, trim: Trim) -> list[Part]:
    parts: list[Part] = []
    if house.roof != "gable":
        return parts
    for x in columns(-house.width / 2, house.width / 2, house.width / house.dormers) if house.dormers else []:
        run = house.depth / 2
        y, z = run * 0.62, top + rise * 0.38
        body = [box((x, y - 0.7, z + 0.3), (1.35, 1.9, 1.5), trim.wall)]
        body += [
            moved(part, (x, y + 0.26 + SKIN, z - 0.45))
            for part in filling(
                kit,
                Hole(-0.45, 0.45, 0.35, 1.4, "window"),
                Trim(trim.wall, trim.frame, trim.surround, trim.door, False, False),
            )
        ]
        cap = prism([(-0.85, z + 1.0), (0.85, z + 1.0), (0.0, z + 1.6)][::-1], y - 2.0, y + 0.45, tiles)
        parts += [*body, moved(cap, (x, 0.0, 0.0))]
    return parts


def draw_house(kit: StreetKit, place: str, width: float | None = None, is_corner: bool = False) -> Piece:
    """A house as they stand in a "city", "suburb", "village" or "countryside"; at corners they show all sides."""
    floor = kit.between(2.8, 3.15)
    if place == "city":
        kind = kit.pick(("render", "render", "brick", "stone"))
        palette = {"render": RENDERS, "brick": BRICKS, "stone": STONES}[kind]
        word = kit.one_of(palette)
        floors = (kit.between(3.5, 4.1), *([floor] * int(kit.rng.integers(2, 5))))
        ground = "shops" if kit.chance(0.55) else "flat"
        house = House(
            "town house with a shop" if ground == "shops" else "town house", width or kit.between(7.5, 13.0),
            kit.between(9, 12), floors,
            kit.pick(("gable", "gable", "flat")), kit.between(0.6, 0.9), kind, palette[word],
            f"{word} {kind}" if kind != "render" else word, ground, is_corner, kit.chance(0.25), kit.chance(0.6), False,
            1,
            int(kit.rng.integers(0, 4)),
        )  # fmt: skip
        piece = model(kit, house)
        return Piece("house", piece.class_name, piece.phrase, piece.parts, piece.blocks)
    if place == "suburb":
        kind = kit.pick(("render", "brick", "clapboard", "render"))
        palette = BRICKS if kind == "brick" else RENDERS
        word = kit.one_of(palette)
        floors = (floor,) * int(kit.rng.integers(1, 3))
        house = House(
            "house", width or kit.between(9.0, 12.5), kit.between(8, 10), floors,
            kit.pick(("gable", "hip", "cross")), kit.between(0.55, 0.9),
            kind, palette[word], f"{word} brick" if kind == "brick" else word, "garage" if kit.chance(0.5) else "flat",
            True, kit.chance(0.3), False, False, int(kit.chance(0.7)), int(kit.rng.integers(0, 3)),
        )  # fmt: skip
        return model(kit, house)
    timbered = kit.chance(0.3)
    kind = "render" if timbered else kit.pick(("render", "stone", "render", "brick"))
    palette = {"render": RENDERS, "stone": STONES, "brick": BRICKS}[kind]
    word = kit.pick(("white", "cream", "yellow")) if timbered else kit.one_of(palette)
    floors = (kit.between(2.5, 2.8),) * (2 if timbered or kit.chance(0.5) else 1)
    words = "half-timbered house" if timbered else "cottage" if len(floors) == 1 else "village house"
    house = House(
        words, width or kit.between(7.5, 11.0), kit.between(7, 8.5), floors,
        kit.pick(("gable", "gable", "cross")), kit.between(0.85, 1.15),
        kind, palette[word], f"{word} {kind}" if kind != "render" else word, "flat", True, kit.chance(0.6), False,
        timbered, int(kit.chance(0.85)), int(kit.rng.integers(0, 2)),
    )  # fmt: skip
    return model(kit, house)
