"""Everything that is not furniture: lamps, plants, rugs, pictures, curtains, televisions, small objects on tables."""

from __future__ import annotations

import math

import numpy as np
from occscene.srgb import linear_rgb

from blender_addon.geometry.voxelization.voxelize import Fill
from occscene_server.metrics.palette import COLORS
from occscene_server.studio.kit import Finish, Kit, Piece, with_article
from occscene_server.studio.room import Part
from occscene_server.studio.shapes import blade, board, box, curtain, cylinder, ellipsoid, lathe, moved, rod, turned
from occscene_server.studio.storage import book_covers

SUNK = 0.03
"""Metres that rugs and pictures reach into the surface behind them, so that its voxels become theirs."""


def floor_lamp(kit: Kit) -> Piece:
    """A floor lamp with a drum or cone shade."""
    metal, shade = kit.metal(), kit.shade()
    height, radius = kit.between(1.35, 1.65), kit.between(0.17, 0.22)
    narrow = radius * kit.between(0.6, 1.0)
    if kit.style.low > 0.5:
        shade_height, height = 0.5, kit.between(0.75, 1.0)
    else:
        shade_height = kit.between(0.24, 0.32)
    parts = [
        cylinder((0, 0, 0), 0.14, 0.13, 0.025, metal.key, sides=18),
        rod((0, 0, 0.02), (0, 0, height - shade_height + 0.02), 0.012, 0.012, metal.key),
        cylinder((0, 0, height - shade_height), radius, narrow, shade_height, shade.key, sides=20),
    ]
    blocks = (
        ((0.0, 0.0, height - shade_height / 2), (2 * radius, 2 * radius, shade_height)),
        ((0.0, 0.0, (height - shade_height) / 2), (0.1, 0.1, height - shade_height)),
    )
    return Piece("floor lamp", "objs", f"{with_article(shade.words)} floor lamp", tuple(parts), blocks)


def table_lamp(kit: Kit) -> Piece:
    """A small lamp on a turned base."""
    base, shade = kit.paint(), kit.shade()
    parts = (
        lathe((0, 0, 0), [(0.06, 0), (0.065, 0.02), (0.05, 0.06), (0.062, 0.12), (0.02, 0.2), (0.015, 0.25)], base.key),
        cylinder((0, 0, 0.23), 0.13, 0.09, 0.17, shade.key, sides=18),
    )
    blocks = (((0.0, 0.0, 0.2), (0.22, 0.22, 0.4)),)
    return Piece("table lamp", "objs", f"{with_article(shade.words)} table lamp", parts, blocks, decor=True)


def ceiling_lamp(kit: Kit, drop: float) -> Piece:
    """A pendant whose cord is fixed at z = 0; it hangs `drop` metres below."""
    metal, shade = kit.metal(), kit.shade()
    radius = kit.between(0.16, 0.26)
    if kit.chance(0.4):
        profile = [
            (radius * math.sin(a), -drop + radius * (1 - math.cos(a))) for a in np.linspace(0.12, math.pi - 0.12, 9)
        ]
        high = 2 * radius
    else:
        high = kit.between(0.18, 0.26)
        profile = [(radius, -drop), (radius * 0.98, -drop + 0.03), (radius * 0.4, -drop + high)]
    parts = (
        lathe((0, 0, 0), profile, shade.key, sides=18),
        rod((0, 0, -drop + high - 0.03), (0, 0, 0), 0.008, 0.008, metal.key),
        cylinder((0, 0, -0.03), 0.05, 0.05, 0.03, metal.key),
    )
    blocks = (((0.0, 0.0, -drop + high / 2), (2 * radius, 2 * radius, high)),)
    return Piece("ceiling lamp", "objs", f"{with_article(shade.words)} ceiling lamp", parts, blocks)


def plant(kit: Kit) -> Piece:
    """A plant of arching leaves in a pot."""
    pot = kit.paint()
    leaf = kit.material(
        "foliage", linear_rgb(kit.pick(("2f6b2f", "3f7d3a", "56803a", "1f5a3a"))), linear_rgb("8db36a"), 0.1, vary=0.15
    )
    soil = kit.material("painted", linear_rgb("3a281c"))
    pot_height, radius = kit.between(0.22, 0.36), kit.between(0.13, 0.18)
    profile = [(radius * 0.72, 0.0), (radius * 0.76, 0.02), (radius, pot_height - 0.02), (radius, pot_height)]
    parts = [
        lathe((0, 0, 0), profile, pot.key, sides=16),
        cylinder((0, 0, pot_height - 0.004), radius * 0.85, radius * 0.8, 0.012, soil),
    ]
    reach, rise = kit.between(0.22, 0.34), kit.between(0.4, 0.95)
    broad = kit.between(0.08, 0.16)
    count = int(kit.rng.integers(13, 22))
    for i in range(count):
        angle = 2.399963 * i + kit.between(-0.2, 0.2)
        t = (i + 0.5) / count
        outward, upward = reach * kit.between(0.65, 1.0) * (0.4 + 0.6 * t), rise * (1.05 - 0.75 * t)
        u = np.linspace(0.0, 1.0, 6)
        along = outward * u**1.6
        height = pot_height + upward * np.sin(u * (1.3 + 0.8 * t)) / math.sin(min(1.57, 1.3 + 0.8 * t))
        path = np.stack([along * math.cos(angle), along * math.sin(angle), height], axis=1)
        widths = broad * np.array([0.12, 0.25, 0.75, 1.0, 0.7, 0.08])
        parts.append(blade(path, widths.tolist(), (-math.sin(angle), math.cos(angle), 0.0), 0.006, leaf))
    high = max(float(part.vertices[:, 2].max()) for part in parts)
    blocks = (
        ((0.0, 0.0, pot_height / 2), (2 * radius, 2 * radius, pot_height)),
        ((0.0, 0.0, (pot_height + high) / 2), (1.7 * reach, 1.7 * reach, high - pot_height)),
    )
    return Piece("plant", "objs", f"a green plant in {with_article(pot.words)} pot", tuple(parts), blocks)


def rug(kit: Kit, width: float, depth: float) -> Piece:
    """A rug, round or rectangular, sunk into the floor."""
    color = kit.color_word()
    kind, word = (
        ("rug_pattern", "patterned"),
        ("rug_pattern", "patterned"),
        ("knit", "knitted"),
        ("stripes", "striped"),
        ("checker", "checked"),
        ("fabric", "woven"),
    )[int(kit.rng.integers(6))]
    scale = {
        "rug_pattern": kit.between(0.3, 0.6),
        "stripes": kit.between(0.15, 0.35),
        "checker": kit.between(0.15, 0.4),
    }.get(kind, 0.04)
    other = kit.other_color(color)
    key = kit.material(kind, COLORS[color], COLORS[other], scale)
    colors = color if kind in ("knit", "fabric") else f"{color} and {other}"
    if kit.chance(0.22):
        radius = min(width, depth) / 2 + 0.15
        parts: list[Part] = [
            lathe((0, 0, 0), [(radius, -SUNK), (radius, 0.007), (radius - 0.006, 0.012)], key, sides=36)
        ]
        shape, size = "round ", (2 * radius, 2 * radius, 0.02)
    else:
        parts = [box((0, 0, (0.012 - SUNK) / 2), (width, depth, 0.012 + SUNK), key, 0.004, centered=True)]
        shape, size = "", (width, depth, 0.02)
    phrase = with_article(f"{shape}{colors} {word} rug")
    return Piece("rug", "floor", phrase, tuple(parts), (((0.0, 0.0, 0.01), size),), fill=Fill.SURFACE, priority=30)


def picture(kit: Kit) -> Piece:
    """A framed painting centred on the origin, its back in the wall at y = 0."""
    width, height = kit.between(0.4, 0.95), kit.between(0.4, 0.8)
    frame = kit.metal() if kit.chance(0.4) else kit.body()
    color = kit.color_word()
    canvas = kit.material("picture", COLORS[color], COLORS[kit.other_color(color)], 0.2, vary=0.15)
    front, rim = 0.03, 0.025
    parts = [box((0, (front - 0.012 - SUNK) / 2, 0), (width, front - 0.012 + SUNK, height), canvas, centered=True)]
    for side in (-1, 1):
        parts.append(
            board(
                (-width / 2 - rim, -SUNK, side * height / 2 - rim / 2 + side * rim / 2),
                (width / 2 + rim, front, side * height / 2 + rim / 2 + side * rim / 2),
                frame.key,
            )
        )
        parts.append(
            board(
                (side * width / 2 - rim / 2 + side * rim / 2, -SUNK, -height / 2),
                (side * width / 2 + rim / 2 + side * rim / 2, front, height / 2),
                frame.key,
            )
        )
    blocks = (((0.0, 0.015, 0.0), (width, 0.04, height)),)
    return Piece(
        "picture",
        "objs",
        with_article(f"{color} painting"),
        tuple(parts),
        blocks,
        decor=True,
        fill=Fill.SURFACE,
        priority=75,
    )


def curtains(cloth: Finish, metal: Finish, spans: list[tuple[float, float]], bottom: float, top: float) -> list[Piece]:
    """One hanging panel per span (start, end) along a wall's x; the wall lies at y = 0, heights are above the floor."""
    panels = []
    for start, end in spans:
        folds = max(2, round((end - start) / 0.1))
        sheet = curtain((start, 0.07, bottom), end - start, top - bottom, 0.07, folds, cloth.key)
        pole = rod((start - 0.06, 0.07, top + 0.012), (end + 0.06, 0.07, top + 0.012), 0.012, 0.012, metal.key)
        middle = ((start + end) / 2, 0.07, (bottom + top) / 2)
        blocks = ((middle, (end - start, 0.08, top - bottom)),)
        panels.append(Piece("curtain", "objs", with_article(f"{cloth.words} curtain"), (sheet, pole), blocks))
    return panels


def television(kit: Kit) -> Piece:
    """A television on a foot."""
    width = kit.between(0.9, 1.25)
    height = width * 0.58
    black = kit.material("painted", COLORS["black"], vary=0.02)
    if kit.chance(0.3):
        screen = kit.material("picture", COLORS[kit.pick(("blue", "teal", "green", "purple"))], COLORS["white"], 0.5)
    else:
        screen = kit.material("painted", linear_rgb("0b0c10"), vary=0.02)
    parts = (
        box((0, 0, 0.08 + height / 2), (width, 0.04, height), black, 0.006),
        box((0, 0.021, 0.08 + height / 2), (width - 0.03, 0.006, height - 0.03), screen, centered=True),
        box((0, 0, 0.05), (0.08, 0.03, 0.08), black),
        box((0, 0, 0.008), (0.4, 0.2, 0.016), black, 0.004),
    )
    blocks = (((0.0, 0.0, 0.05 + height / 2), (width, 0.08, height + 0.05)),)
    return Piece("television", "tvs", "a black television", parts, blocks)


def monitor(kit: Kit) -> Piece:
    """A computer monitor on a foot."""
    black = kit.material("painted", COLORS["black"], vary=0.02)
    screen = kit.material("picture", COLORS[kit.pick(("blue", "teal", "grey", "purple"))], COLORS["white"], 0.3)
    parts = (
        box((0, 0, 0.32), (0.58, 0.03, 0.35), black, 0.006),
        box((0, 0.016, 0.32), (0.55, 0.005, 0.32), screen, centered=True),
        rod((0, -0.02, 0.01), (0, -0.02, 0.2), 0.02, 0.02, black),
        box((0, -0.01, 0.006), (0.24, 0.18, 0.012), black, 0.004),
    )
    return Piece("computer monitor", "tvs", "a black computer monitor", parts, (((0.0, 0.0, 0.25), (0.58, 0.08, 0.5)),))


def vase(kit: Kit) -> Piece:
    """A vase, some with a few stems."""
    paint = kit.paint()
    height, radius = kit.between(0.18, 0.3), kit.between(0.05, 0.085)
    profile = [
        (radius * 0.6, 0),
        (radius, height * 0.35),
        (radius * 0.85, height * 0.6),
        (radius * 0.4, height * 0.85),
        (radius * 0.5, height),
    ]
    parts = [lathe((0, 0, 0), profile, paint.key)]
    if kit.chance(0.6):
        leaf = kit.material("foliage", linear_rgb("4b7a3a"), linear_rgb("a5bf74"), 0.05, vary=0.15)
        for i in range(6):
            angle = 1.05 * i + kit.between(-0.3, 0.3)
            tip = (0.1 * math.cos(angle), 0.1 * math.sin(angle), height + kit.between(0.12, 0.25))
            path = np.linspace((0.0, 0.0, height - 0.02), tip, 5)
            parts.append(
                blade(path, [0.008, 0.015, 0.05, 0.05, 0.004], (-math.sin(angle), math.cos(angle), 0.0), 0.005, leaf)
            )
    low, high = 2 * radius, height + (0.2 if len(parts) > 1 else 0.0)
    return Piece(
        "vase",
        "objs",
        with_article(f"{paint.words} vase"),
        tuple(parts),
        (((0.0, 0.0, high / 2), (low, low, high)),),
        decor=True,
    )


def book_stack(kit: Kit) -> Piece:
    """Three to five books lying on each other."""
    covers = book_covers(kit)
    parts, z = [], 0.0
    for _ in range(int(kit.rng.integers(3, 6))):
        thick = kit.between(0.022, 0.045)
        key = covers[int(kit.rng.integers(len(covers)))]
        book = box((0, 0, z + thick / 2), (kit.between(0.2, 0.26), kit.between(0.14, 0.18), thick), key, 0.003)
        parts.append(turned(book, kit.between(-0.3, 0.3)))
        z += thick
    return Piece("books", "objs", "a stack of books", tuple(parts), (((0.0, 0.0, z / 2), (0.24, 0.17, z)),), decor=True)


def fruit_bowl(kit: Kit) -> Piece:
    """A bowl of fruit."""
    paint = kit.paint()
    fruit = kit.material("painted", COLORS[kit.pick(("red", "orange", "green", "yellow"))], vary=0.15)
    parts = [lathe((0, 0, 0), [(0.06, 0), (0.1, 0.03), (0.14, 0.075), (0.13, 0.075)], paint.key)]
    parts += [
        moved(
            ellipsoid((0, 0, 0), (0.04, 0.04, 0.038), fruit),
            (0.065 * math.cos(2.1 * i), 0.065 * math.sin(2.1 * i), 0.095),
        )
        for i in range(3)
    ]
    return Piece(
        "fruit bowl",
        "objs",
        with_article(f"{paint.words} fruit bowl"),
        tuple(parts),
        (((0.0, 0.0, 0.06), (0.26, 0.26, 0.12)),),
        decor=True,
    )
