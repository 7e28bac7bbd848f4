"""Seats: sofa, armchair, dining chair, office chair, bench, stool, pouf, floor cushion."""

from __future__ import annotations

import math

from occscene_server.studio.kit import Kit, Piece, with_article
from occscene_server.studio.room import Part
from occscene_server.studio.shapes import box, cushion, cylinder, ellipsoid, moved, rod, rounded_box, turned


def four_legs(width: float, depth: float, height: float, radius: float, splay: float, material: str) -> list[Part]:
    """Tapered round legs under a rectangle centred on the origin; feet stand `splay` metres further out."""
    return [
        rod(
            (sx * (width / 2 + splay), sy * (depth / 2 + splay), 0.0),
            (sx * width / 2, sy * depth / 2, height),
            radius * 0.65,
            radius,
            material,
        )
        for sx in (-1, 1)
        for sy in (-1, 1)
    ]


def upholstered(kit: Kit, name: str, class_name: str, width: float, seats: int) -> Piece:
    """A sofa or armchair `width` metres wide with as many seat cushions as `seats`."""
    cloth = kit.fabric()
    plump, low = kit.style.plump, 0.08 * kit.style.low
    depth = kit.between(0.8, 0.92)
    arm = kit.between(0.1, 0.2) if kit.chance(0.85) or class_name == "chair" else 0.0
    leg = kit.between(0.06, 0.15) * (1 - 0.6 * kit.style.low)
    seat_top, back_top = kit.between(0.4, 0.45) - low, kit.between(0.74, 0.9) - low
    arm_top = seat_top + kit.between(0.12, 0.22)
    back, radius = 0.2, 0.02 + 0.05 * plump
    inner = width - 2 * arm
    parts = [
        rounded_box(
            (0, 0, (leg + seat_top - 0.1) / 2), (width - 0.04, depth - 0.03, seat_top - 0.104 - leg), 0.03, cloth.key
        ),
        rounded_box((0, -depth / 2 + back / 2, (leg + back_top) / 2), (width, back, back_top - leg), radius, cloth.key),
    ]
    # Arms stop 1 cm short of the back's faces: faces in one plane render black.
    for side in (-1, 1) if arm else ():
        x = side * ((width - arm) / 2 - 0.005)
        center, size = (x, 0.005, (leg + arm_top) / 2 + 0.002), (arm - 0.01, depth - 0.012, arm_top - leg)
        parts.append(rounded_box(center, size, min(radius, arm / 2), cloth.key))
    each = inner / seats
    for i in range(seats):
        x = -inner / 2 + each * (i + 0.5)
        size = (each - 0.012, depth - back, 0.15)
        parts.append(rounded_box((x, back / 2 + 0.01, seat_top - 0.06), size, 0.045, cloth.key))
        rest = rounded_box((x, 0, 0), (each - 0.02, 0.14, back_top - seat_top + 0.02), 0.055, cloth.key)
        rest = turned(rest, 0.14, "x")
        parts.append(moved(rest, (0.0, -depth / 2 + back + 0.05, (seat_top + back_top) / 2 + 0.02)))
    for i in range(int(kit.rng.integers(0, seats + 1)) if name != "armchair" else int(kit.chance(0.4))):
        throw = kit.fabric()
        x = (-inner / 2 + 0.24, inner / 2 - 0.24, 0.0)[i % 3] if seats > 1 else 0.0
        pillow = turned(cushion((0, 0, 0), (0.42, 0.15, 0.4), throw.key), 0.3 + kit.between(-0.1, 0.1), "x")
        pillow = turned(pillow, kit.between(-0.25, 0.25), "z")
        parts.append(moved(pillow, (x, -depth / 2 + back + 0.2, seat_top + 0.2)))
    foot = kit.legs()
    parts += four_legs(width - 0.16, depth - 0.16, leg + 0.01, 0.022, 0.02, foot.key)
    blocks = [
        ((0.0, 0.0, seat_top / 2), (width, depth, seat_top)),
        ((0.0, -depth / 2 + back / 2, back_top / 2), (width, back, back_top)),
    ]
    for side in (-1, 1) if arm else ():
        blocks.append(((side * (width - arm) / 2, 0.0, arm_top / 2), (arm, depth, arm_top)))
    return Piece(name, class_name, with_article(f"{cloth.words} {name}"), tuple(parts), tuple(blocks))


def sofa(kit: Kit) -> Piece:
    """A sofa for two or three."""
    seats = int(kit.rng.integers(2, 4))
    return upholstered(kit, "sofa", "sofa", kit.between(0.66, 0.74) * seats + 0.25, seats)


def armchair(kit: Kit) -> Piece:
    """An armchair."""
    return upholstered(kit, "armchair", "chair", kit.between(0.76, 0.92), 1)


def dining_chair(kit: Kit, seat: str | None = None, frame: str | None = None, words: str | None = None) -> Piece:
    """A dining chair; finishes may be given so that chairs around a table match."""
    if seat is None or frame is None or words is None:
        seat, frame, words = chair_finish(kit)
    width, depth, top, back_top = 0.44, 0.46, 0.46, 0.88
    parts = [rounded_box((0, 0.01, top - 0.025), (width, depth - 0.02, 0.05), 0.02, seat)]
    for side in (-1, 1):
        x = side * (width / 2 - 0.025)
        parts.append(rod((x * 1.04, depth / 2 - 0.03, 0), (x, depth / 2 - 0.04, top - 0.03), 0.014, 0.02, frame))
        parts.append(rod((x * 1.04, -depth / 2 + 0.02, 0), (x, -depth / 2 + 0.05, top - 0.03), 0.014, 0.02, frame))
        parts.append(
            rod((x, -depth / 2 + 0.05, top - 0.03), (x, -depth / 2 + 0.015, back_top - 0.03), 0.02, 0.014, frame)
        )
    rest = turned(rounded_box((0, 0, 0), (width, 0.035, 0.24), 0.017, seat), 0.1, "x")
    parts.append(moved(rest, (0, -depth / 2 + 0.022, back_top - 0.12)))
    blocks = (
        ((0.0, 0.0, top / 2), (width, depth, top)),
        ((0.0, -depth / 2 + 0.03, back_top / 2), (width, 0.08, back_top)),
    )
    return Piece("dining chair", "chair", with_article(f"{words} dining chair"), tuple(parts), blocks)


def chair_finish(kit: Kit) -> tuple[str, str, str]:
    """Seat material, frame material and words for a set of dining chairs."""
    frame = kit.legs()
    if kit.chance(0.45):
        cloth = kit.fabric()
        return cloth.key, frame.key, cloth.words
    paint = kit.paint() if kit.chance(0.6) else kit.wood()
    return (
        paint.key,
        paint.key if kit.chance(0.6) else frame.key,
        f"{paint.words} wooden" if paint.words == paint.color else paint.words,
    )


def office_chair(kit: Kit) -> Piece:
    """A swivel chair on a five-pointed foot."""
    cloth, metal = kit.fabric(), kit.metal()
    parts = [cylinder((0, 0, 0.06), 0.028, 0.028, 0.36, metal.key)]
    for i in range(5):
        angle = 2 * math.pi * i / 5 + 0.3
        tip = (0.3 * math.cos(angle), 0.3 * math.sin(angle))
        parts.append(rod((*tip, 0.07), (0, 0, 0.11), 0.016, 0.024, metal.key))
        parts.append(ellipsoid((*tip, 0.03), (0.03, 0.03, 0.03), metal.key))
    parts.append(rounded_box((0, 0.02, 0.46), (0.5, 0.48, 0.09), 0.04, cloth.key))
    rest = turned(rounded_box((0, 0, 0), (0.46, 0.07, 0.5), 0.034, cloth.key), 0.12, "x")
    parts.append(moved(rest, (0, -0.26, 0.8)))
    parts.append(rod((0, -0.16, 0.42), (0, -0.27, 0.62), 0.02, 0.02, metal.key))
    for side in (-1, 1):
        parts.append(box((side * 0.27, 0, 0.64), (0.05, 0.28, 0.03), metal.key, 0.01))
        parts.append(rod((side * 0.24, 0, 0.46), (side * 0.27, 0, 0.63), 0.014, 0.014, metal.key))
    blocks = (((0.0, 0.0, 0.25), (0.52, 0.52, 0.5)), ((0.0, -0.25, 0.77), (0.46, 0.1, 0.54)))
    return Piece("office chair", "chair", with_article(f"{cloth.words} office chair"), tuple(parts), blocks)


def bench(kit: Kit, width: float | None = None) -> Piece:
    """A low bench with a padded or wooden top."""
    width = width or kit.between(1.0, 1.4)
    depth, height = 0.38, 0.44
    frame = kit.legs()
    top = kit.fabric() if kit.chance(0.6) else kit.body()
    parts = [rounded_box((0, 0, height - 0.05), (width, depth, 0.1), 0.035, top.key)]
    parts += four_legs(width - 0.14, depth - 0.12, height - 0.09, 0.024, 0.01, frame.key)
    blocks = (((0.0, 0.0, height / 2), (width, depth, height)),)
    return Piece("bench", "chair", with_article(f"{top.words} bench"), tuple(parts), blocks)


def stool(kit: Kit) -> Piece:
    """A round stool on four splayed legs."""
    frame = kit.legs()
    top = kit.fabric() if kit.chance(0.4) else kit.body()
    height, radius = kit.between(0.44, 0.55), kit.between(0.17, 0.2)
    parts = [cylinder((0, 0, height - 0.05), radius, radius, 0.05, top.key, sides=18)]
    parts += four_legs(radius * 1.1, radius * 1.1, height - 0.045, 0.02, 0.035, frame.key)
    blocks = (((0.0, 0.0, height / 2), (2 * radius, 2 * radius, height)),)
    return Piece("stool", "chair", with_article(f"{top.words} stool"), tuple(parts), blocks)


def pouf(kit: Kit) -> Piece:
    """A round, soft seat."""
    cloth = kit.fabric()
    radius, height = kit.between(0.25, 0.33), kit.between(0.34, 0.42)
    parts = [
        ellipsoid((0, 0, height / 2), (radius, radius, height / 2), cloth.key),
        cylinder((0, 0, 0), radius * 0.75, radius * 0.8, height * 0.8, cloth.key, sides=20),
    ]
    blocks = (((0.0, 0.0, height / 2), (1.8 * radius, 1.8 * radius, height)),)
    return Piece("pouf", "chair", with_article(f"{cloth.words} pouf"), tuple(parts), blocks)


def floor_cushion(kit: Kit) -> Piece:
    """A flat square cushion to sit on."""
    cloth = kit.fabric()
    side = kit.between(0.5, 0.6)
    parts = (cushion((0, 0, 0.07), (side, side, 0.14), cloth.key),)
    blocks = (((0.0, 0.0, 0.06), (side, side, 0.12)),)
    return Piece("floor cushion", "objs", with_article(f"{cloth.words} floor cushion"), parts, blocks)
