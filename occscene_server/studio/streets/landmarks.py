"""Buildings that are no dwellings: churches, halls, barns. They face +y and stand on z = 0."""

from __future__ import annotations

import math

import numpy as np

from occscene_server.metrics.palette import COLORS
from occscene_server.studio.kit import Block, Piece, with_article
from occscene_server.studio.room import Part
from occscene_server.studio.shapes import box, moved, turned
from occscene_server.studio.streets.facades import SKIN, Hole, Trim, shop_sign
from occscene_server.studio.streets.houses import FOOTING, House, around, columns, facade, roof
from occscene_server.studio.streets.kit import BRICKS, RENDERS, ROOFS, STONES, StreetKit


def church(kit: StreetKit) -> Piece:
    """A village church: a nave, and a tower with a spire at its left."""
    word = kit.pick(("grey", "beige"))
    stone, render = kit.material("stone", STONES[word]), kit.material("render", RENDERS["cream"])
    wall = stone if kit.chance(0.6) else render
    slate = kit.material("roof_tiles", ROOFS["slate"])
    trim = Trim(wall, kit.dark_steel(), kit.concrete(), kit.material("painted", COLORS["brown"]), True, True)
    nave, deep, high = 13.0, 8.0, 5.6
    holes = [Hole(x - 0.5, x + 0.5, 1.6, 4.4, "window") for x in (-3.2, -0.4, 2.4, 5.0)]
    parts = [box((0, 0, (high - FOOTING) / 2), (nave - 2 * SKIN, deep - 2 * SKIN, high + FOOTING), wall)]
    parts += around(facade(kit, nave, high, holes, trim), 0.0, 0.0, deep / 2)
    parts += around(facade(kit, nave, high, [], trim), math.pi, 0.0, -deep / 2)
    for side in (-1, 1):
        parts += around(facade(kit, deep - 2 * SKIN, high, [], trim), -side * math.pi / 2, side * nave / 2, 0.0)
    house = House("church", nave, deep, (high,), "gable", 1.1, "stone", STONES[word], word, chimneys=0)
    parts += roof(kit, house, wall, trim)
    parts += [box((x, deep / 2 + 0.2, 1.6), (0.5, 0.6, 5.0), wall) for x in (-1.8, 1.0, 3.7)]
    tall, wide, x = 15.0, 4.4, -nave / 2 - 1.6
    parts.append(box((x, 0.6, (tall - FOOTING) / 2), (wide, wide, tall + FOOTING), wall))
    front = [
        Hole(-0.7, 0.7, 0.1, 2.9, "door"),
        Hole(-0.5, 0.5, 5.0, 6.6, "window"),
        Hole(-0.6, 0.6, 11.5, 13.8, "window"),
    ]
    parts += around(facade(kit, wide, tall, front, trim), 0.0, x, 0.6 + wide / 2 + SKIN)
    r = wide / 2 + 0.3
    vertices = np.array(
        [
            (x - r, 0.6 - r, tall),
            (x + r, 0.6 - r, tall),
            (x + r, 0.6 + r, tall),
            (x - r, 0.6 + r, tall),
            (x, 0.6, tall + 8.0),
        ]
    )
    parts.append(Part(vertices, ((3, 2, 1, 0), (0, 1, 4), (1, 2, 4), (2, 3, 4), (3, 0, 4)), slate, vertices.copy()))
    parts.append(
        box(
            (x, 0.6 + wide / 2 + SKIN + 0.03, 9.4),
            (1.5, 0.06, 1.5),
            kit.shared("clock face", "painted", "e8e4d6"),
            0.02,
        )
    )
    parts += [
        turned_hand(kit, x, 0.6 + wide / 2 + SKIN + 0.07, 9.4, turn, long) for turn, long in ((0.6, 0.6), (2.4, 0.42))
    ]
    blocks: tuple[Block, ...] = (
        ((0.0, 0.0, high / 2), (nave, deep, high)),
        ((0.0, 0.0, high + 2.0), (nave, deep * 0.5, 4.0)),
        ((x, 0.6, tall / 2), (wide, wide, tall)),
    )
    return Piece(
        "church",
        "building",
        f"a {word} stone church" if wall == stone else "a cream rendered church",
        tuple(parts),
        blocks,
    )


def turned_hand(kit: StreetKit, x: float, y: float, z: float, turn: float, long: float) -> Part:
    """A clock's hand."""
    return moved(turned(box((0, 0, long / 2), (0.06, 0.02, long), kit.rubber()), turn, "y"), (x, y, z))


def hall(kit: StreetKit) -> Piece:
    """A factory hall or warehouse of corrugated metal or brick."""
    wide, deep, high = kit.between(14, 20), kit.between(10, 13), kit.between(5.8, 8.0)
    word = kit.pick(("grey", "pale blue", "white", "beige", "pale green", "red"))
    is_brick = kit.chance(0.25)
    wall = kit.material("brick" if is_brick else "corrugated", BRICKS["red"] if is_brick else RENDERS[word])
    trim = Trim(
        wall,
        kit.steel(),
        kit.concrete(),
        kit.material("corrugated", COLORS[kit.pick(("navy", "grey", "red", "green"))]),
        False,
        False,
        None,
        3,
    )
    gates = [Hole(x - 1.8, x + 1.8, 0.02, 3.9, "gate") for x in columns(-wide / 2 + 1.0, wide / 2 - 4.5, 5.2)]
    holes = [*gates, Hole(wide / 2 - 3.6, wide / 2 - 2.6, 0.1, 2.3, "door")]
    holes += [
        Hole(x - 1.6, x + 1.6, high - 1.6, high - 0.7, "window") for x in columns(-wide / 2 + 0.6, wide / 2 - 0.6, 4.0)
    ]
    parts = [box((0, 0, (high - FOOTING) / 2), (wide - 2 * SKIN, deep - 2 * SKIN, high + FOOTING), wall)]
    parts += around(facade(kit, wide, high, holes, trim), 0.0, 0.0, deep / 2)
    parts += around(facade(kit, wide, high, [], trim), math.pi, 0.0, -deep / 2)
    for side in (-1, 1):
        row = [
            Hole(y - 1.2, y + 1.2, high - 1.6, high - 0.7, "window")
            for y in columns(-deep / 2 + 0.6, deep / 2 - 0.6, 3.6)
        ]
        parts += around(facade(kit, deep - 2 * SKIN, high, row, trim), -side * math.pi / 2, side * wide / 2, 0.0)
    house = House(
        "hall",
        wide,
        deep,
        (high,),
        "flat" if kit.chance(0.6) else "gable",
        0.22,
        "corrugated",
        RENDERS["grey"],
        word,
        chimneys=0,
    )
    parts += roof(kit, house, wall, trim)
    parts.append(box((0, deep / 2 + 0.03, 0.25), (wide, 0.08, 0.7), kit.concrete()))
    sign = Hole(-2.4, 2.4, 1.0, high - 2.7, "shop")
    parts += around(shop_sign(kit, sign), 0.0, 0.0, deep / 2)
    parts += [
        box((gate.left - 0.3, deep / 2 + 0.25, 0.5), (0.14, 0.14, 1.0), kit.shared("guard", "painted", "d9a90f"))
        for gate in gates
    ]
    words = "red brick factory" if is_brick else f"{word} warehouse"
    return Piece(
        words.split()[-1], "building", with_article(words), tuple(parts), (((0.0, 0.0, high / 2), (wide, deep, high)),)
    )


def barn(kit: StreetKit) -> Piece:
    """A wooden barn with a large door."""
    wide, deep, high = kit.between(9, 13), kit.between(7, 9), kit.between(3.6, 4.6)
    word, color = (("brown", COLORS["brown"]), ("red", RENDERS["red"]), ("grey", RENDERS["grey"]))[
        int(kit.rng.integers(3))
    ]
    wall = kit.material("clapboard", color)
    trim = Trim(
        wall,
        kit.shared("frames white", "painted", "dddbd5"),
        kit.shared("frames white", "painted", "dddbd5"),
        kit.material("clapboard", (0.6 * color[0], 0.6 * color[1], 0.6 * color[2])),
        False,
        kit.chance(0.5),
    )
    holes = [
        Hole(-1.8, 1.8, 0.02, 3.2, "gate"),
        Hole(-wide / 2 + 0.8, -wide / 2 + 1.7, 1.3, 2.2, "window"),
        Hole(wide / 2 - 1.7, wide / 2 - 0.8, 1.3, 2.2, "window"),
    ]
    parts = [box((0, 0, (high - FOOTING) / 2), (wide - 2 * SKIN, deep - 2 * SKIN, high + FOOTING), wall)]
    parts += around(facade(kit, wide, high, holes, trim), 0.0, 0.0, deep / 2)
    parts += around(facade(kit, wide, high, [], trim), math.pi, 0.0, -deep / 2)
    for side in (-1, 1):
        parts += around(facade(kit, deep - 2 * SKIN, high, [], trim), -side * math.pi / 2, side * wide / 2, 0.0)
    house = House("barn", wide, deep, (high,), "gable", 0.75, "clapboard", color, word, chimneys=0)
    parts += roof(kit, house, wall, trim)
    blocks: tuple[Block, ...] = (
        ((0.0, 0.0, high / 2), (wide, deep, high)),
        ((0.0, 0.0, high + 1.2), (wide, deep * 0.5, 2.4)),
    )
    return Piece("barn", "building", with_article(f"{word} wooden barn"), tuple(parts), blocks)
