"""Tables and beds: dining table, coffee table, side table, desk, bed."""

from __future__ import annotations

from occscene_server.studio.kit import Block, Kit, Piece, with_article
from occscene_server.studio.room import Part
from occscene_server.studio.seating import four_legs
from occscene_server.studio.shapes import board, box, cushion, cylinder, moved, rounded_box, turned


def tabletop(kit: Kit) -> tuple[str, str, str]:
    """Material of a top, material of its legs, and the words for the table."""
    if kit.chance(0.12):
        stone = kit.material("marble", (0.75, 0.74, 0.72), (0.25, 0.25, 0.27), scale=0.5)
        return stone, kit.metal().key, "white marble"
    body = kit.body()
    return body.key, kit.legs().key if kit.chance(0.5) else body.key, body.words


def dining_table(kit: Kit, width: float | None = None) -> Piece:
    """A dining table, rectangular on four legs or round on a column."""
    top, leg, words = tabletop(kit)
    width = width or kit.between(1.2, 1.7)
    depth, height = kit.between(0.78, 0.9), 0.74
    if kit.chance(0.25):
        radius = kit.between(0.5, 0.6)
        parts = [
            cylinder((0, 0, height - 0.035), radius, radius, 0.035, top, sides=28),
            cylinder((0, 0, 0.03), 0.06, 0.05, height - 0.06, leg),
            cylinder((0, 0, 0), 0.3, 0.24, 0.035, leg, sides=20),
        ]
        column: tuple[Block, ...] = (
            ((0.0, 0.0, height - 0.04), (2 * radius, 2 * radius, 0.08)),
            ((0.0, 0.0, 0.35), (0.2, 0.2, 0.7)),
        )
        return Piece(
            "dining table", "table", with_article(f"round {words} dining table"), tuple(parts), column, top=height
        )
    parts = [box((0, 0, height - 0.02), (width, depth, 0.04), top, 0.006)]
    parts.append(box((0, 0, height - 0.08), (width - 0.12, depth - 0.12, 0.08), leg, 0.004))
    parts += four_legs(width - 0.16, depth - 0.16, height - 0.04, 0.035, 0.02, leg)
    legs = (
        ((sx * (width / 2 - 0.07), sy * (depth / 2 - 0.07), 0.33), (0.1, 0.1, 0.66)) for sx in (-1, 1) for sy in (-1, 1)
    )
    blocks = (((0.0, 0.0, height - 0.05), (width, depth, 0.1)), *legs)
    return Piece("dining table", "table", with_article(f"{words} dining table"), tuple(parts), blocks, top=height)


def coffee_table(kit: Kit) -> Piece:
    """A low table in front of a sofa."""
    top, leg, words = tabletop(kit)
    height = kit.between(0.36, 0.44) - 0.06 * kit.style.low
    if kit.chance(0.35):
        radius = kit.between(0.35, 0.44)
        parts = [cylinder((0, 0, height - 0.035), radius, radius, 0.035, top, sides=24)]
        parts += four_legs(radius, radius, height - 0.03, 0.022, 0.06, leg)
        blocks = (((0.0, 0.0, height / 2), (2 * radius, 2 * radius, height)),)
        return Piece(
            "coffee table", "table", with_article(f"round {words} coffee table"), tuple(parts), blocks, top=height
        )
    width, depth = kit.between(0.8, 1.1), kit.between(0.48, 0.6)
    parts = [box((0, 0, height - 0.02), (width, depth, 0.04), top, 0.006)]
    parts += four_legs(width - 0.12, depth - 0.12, height - 0.03, 0.026, 0.015, leg)
    if kit.chance(0.5):
        parts.append(box((0, 0, 0.14), (width - 0.14, depth - 0.14, 0.02), leg, 0.004))
    blocks = (((0.0, 0.0, height / 2), (width, depth, height)),)
    return Piece("coffee table", "table", with_article(f"{words} coffee table"), tuple(parts), blocks, top=height)


def side_table(kit: Kit) -> Piece:
    """A small table next to a seat."""
    top, leg, words = tabletop(kit)
    height, radius = kit.between(0.48, 0.6), kit.between(0.2, 0.25)
    if kit.chance(0.5):
        parts = [
            cylinder((0, 0, height - 0.03), radius, radius, 0.03, top, sides=20),
            cylinder((0, 0, 0.02), 0.022, 0.022, height - 0.04, leg),
            cylinder((0, 0, 0), radius * 0.7, radius * 0.65, 0.025, leg),
        ]
    else:
        parts = [box((0, 0, height - 0.015), (2 * radius, 2 * radius, 0.03), top, 0.005)]
        parts += four_legs(1.6 * radius, 1.6 * radius, height - 0.02, 0.018, 0.02, leg)
    blocks = (((0.0, 0.0, height / 2), (2 * radius, 2 * radius, height)),)
    return Piece("side table", "table", with_article(f"{words} side table"), tuple(parts), blocks, top=height)


def desk(kit: Kit) -> Piece:
    """A desk with a stack of drawers at one side."""
    body, drawer, metal = kit.body(), kit.body(), kit.metal()
    width, depth, height = kit.between(1.1, 1.45), kit.between(0.58, 0.68), 0.74
    parts = [box((0, 0, height - 0.02), (width, depth, 0.04), body.key, 0.005)]
    leg = kit.legs().key
    side = -1 if kit.chance(0.5) else 1
    parts += [
        p
        for p in four_legs(width - 0.1, depth - 0.1, height - 0.03, 0.026, 0.01, leg)
        if p.vertices[:, 0].mean() * side < 0
    ]
    x = side * (width / 2 - 0.2)
    parts.append(box((x, 0, 0.37), (0.36, depth - 0.06, 0.66), body.key, 0.005))
    for i in range(3):
        z = 0.15 + 0.215 * i
        parts.append(box((x, depth / 2 - 0.02, z), (0.33, 0.03, 0.195), drawer.key, 0.004))
        parts.append(box((x, depth / 2 + 0.005, z), (0.12, 0.02, 0.018), metal.key, 0.004))
    blocks = (
        ((0.0, 0.0, height - 0.05), (width, depth, 0.1)),
        ((x, 0.0, 0.33), (0.36, depth, 0.66)),
        ((-side * (width / 2 - 0.05), 0.0, 0.33), (0.1, depth - 0.08, 0.66)),
    )
    return Piece("desk", "table", with_article(f"{body.words} desk"), tuple(parts), blocks, top=height)


def bed(kit: Kit, width: float | None = None) -> Piece:
    """A bed with headboard, pillows and a blanket folded back; its head lies at -y."""
    width = width or kit.between(1.35, 1.75)
    length = 2.02
    top = kit.between(0.44, 0.54) - 0.16 * kit.style.low
    frame = kit.fabric() if kit.chance(0.3) else kit.body()
    sheet = kit.material("fabric", (0.8, 0.79, 0.76), scale=0.02)
    blanket, pillow_cover = kit.fabric(), kit.fabric()
    head_top = kit.between(0.85, 1.15) - 0.2 * kit.style.low
    base = top - 0.2
    parts: list[Part] = [
        box((0, 0, base - 0.06), (width, length, 0.16), frame.key, 0.012),
        board((-width / 2, -length / 2 - 0.07, 0.0), (width / 2, -length / 2 + 0.0, head_top), frame.key, 0.015),
        rounded_box((0, 0.0, base + 0.1), (width - 0.06, length - 0.06, 0.22), 0.06, sheet),
    ]
    parts += four_legs(width - 0.2, length - 0.2, base - 0.13, 0.03, 0.0, frame.key)
    reach = kit.between(1.15, 1.5)
    drop = kit.between(0.15, 0.28)
    y = length / 2 - reach / 2 + 0.01
    parts.append(rounded_box((0, y, top + 0.02 - drop / 2), (width + 0.03, reach, drop + 0.05), 0.05, blanket.key))
    parts.append(rounded_box((0, y - reach / 2 + 0.12, top + 0.045), (width + 0.035, 0.28, 0.045), 0.02, sheet))
    count = 2 if width > 1.2 else 1
    for i in range(count):
        x = (i - (count - 1) / 2) * (width / 2 - 0.02)
        pillow = turned(cushion((0, 0, 0), (min(0.66, width / count - 0.08), 0.42, 0.17), pillow_cover.key), 0.45, "x")
        parts.append(moved(turned(pillow, kit.between(-0.08, 0.08)), (x, -length / 2 + 0.27, top + 0.15)))
    if kit.chance(0.5):
        throw = kit.fabric()
        small = turned(cushion((0, 0, 0), (0.42, 0.38, 0.14), throw.key), 0.7, "x")
        parts.append(moved(small, (kit.between(-0.15, 0.15), -length / 2 + 0.52, top + 0.17)))
    blocks = (
        ((0.0, 0.0, top / 2), (width, length, top)),
        ((0.0, -length / 2 - 0.03, head_top / 2), (width, 0.1, head_top)),
        ((0.0, -length / 2 + 0.27, top + 0.09), (width - 0.2, 0.4, 0.18)),
    )
    phrase = f"{with_article(frame.words)} bed with {with_article(blanket.words)} blanket"
    return Piece("bed", "bed", phrase, tuple(parts), blocks)
