"""Trees of two pieces (crown and trunk), bushes and hedges; a street's leaves grow on them where they stand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from occscene.part_shapes import part_shape
from occscene.srgb import LinearColor, linear_rgb

from occscene_server.studio.kit import Piece, with_article
from occscene_server.studio.room import Part
from occscene_server.studio.shapes import Vector, box, rod
from occscene_server.studio.streets.kit import StreetKit
from occscene_server.studio.streets.solids import lump, scattered, skirt

LEAVES: dict[str, LinearColor] = {
    word: linear_rgb(code)
    for word, code in {
        "linden": "5d7a34", "plane": "6b8440", "maple": "57772f", "birch": "7f9a4a", "cherry": "6f7b3c",
        "oak": "4f6a2c", "chestnut": "496a2b", "poplar": "617f3a",
    }.items()
}  # fmt: skip
AUTUMN: tuple[LinearColor, ...] = tuple(linear_rgb(code) for code in ("b07a1e", "a34a1c", "c09a2c", "86361c"))
BARK: dict[str, str] = {"birch": "c9c5ba", "plane": "9a9380", "cherry": "5a3f36"}


def ball(center: Vector, radii: Vector, material: str) -> Part:
    """An ellipsoid as an artist adds it: coarse, for a blockout."""
    vertices, faces = part_shape("ellipsoid", np.array([2 * r for r in radii]))
    placed = vertices + np.asarray(center)
    return Part(placed, faces, material, placed.copy())


def tree(kit: StreetKit, kind: str, autumn: bool) -> tuple[Piece, Piece]:
    """A broad-leaved tree: its crown, then its trunk."""
    rng = kit.rng
    color = AUTUMN[int(rng.integers(len(AUTUMN)))] if autumn else LEAVES[kind]
    leaf = kit.material("leaves", color, vary=0.12)
    bark = kit.shared(f"{kind} bark", "bark", BARK.get(kind, "54463a"))
    slim = kind in ("poplar", "birch")
    wide = kit.between(1.2, 1.7) if slim else kit.between(1.9, 2.9)
    bole, height = kit.between(2.0, 2.7), kit.between(6.0, 9.0) if slim else kit.between(5.6, 8.2)
    middle = (bole + height) / 2
    half = (height - bole) / 2
    balls: list[tuple[Vector, Vector]] = [((0.0, 0.0, middle), (wide * 0.72, wide * 0.72, half * 0.92))]
    for index in range(7):
        angle = 2.4 * index + kit.between(0, 0.8)
        up = -0.62 + 1.35 * index / 6
        away = wide * 0.62 * math.sqrt(max(0.08, 1 - up * up * 0.9))
        radius = wide * kit.between(0.34, 0.5)
        at = (away * math.cos(angle), away * math.sin(angle), middle + up * half * 0.85)
        balls.append((at, (radius, radius, radius * kit.between(0.75, 0.95) * (1.3 if slim else 1.0))))
    crown = [lump(rng, center, [0.9 * r for r in radii], 0.24, leaf, 5) for center, radii in balls]
    thick = kit.between(0.12, 0.24) * (0.7 if slim else 1.0)
    lean = (kit.between(-0.12, 0.12), kit.between(-0.12, 0.12))
    stem = [
        rod((0, 0, -0.25), (0, 0, 0.25), thick * 1.5, thick * 1.1, bark),
        rod((0, 0, 0.1), (lean[0], lean[1], bole + 0.4), thick * 1.1, thick * 0.8, bark),
    ]
    for index in range(4):
        angle = index * 1.57 + kit.between(-0.4, 0.4)
        reach = wide * 0.5
        stem.append(
            rod(
                (lean[0], lean[1], bole * kit.between(0.82, 1.0)),
                (reach * math.cos(angle), reach * math.sin(angle), bole + half * 0.7),
                thick * 0.5, thick * 0.25, bark, 6,
            )
        )  # fmt: skip
    word = f"{kind} tree"
    words = f"autumn {word}" if autumn else word
    sketch = (ball((0, 0, middle), (wide, wide, half), leaf),)
    top = Piece("tree crown", "vegetation", with_article(words), tuple(crown), sketch=sketch)
    pillar = rod((0, 0, -0.1), (0, 0, bole + 0.2), thick * 1.1, thick * 1.1, bark)
    return top, Piece("tree trunk", "trunk", with_article(f"{words} trunk"), tuple(stem), sketch=(pillar,))


def bare_tree(kit: StreetKit) -> tuple[Piece, Piece]:
    """A winter tree: branches, and what twigs look like from afar."""
    crown, trunk = tree(kit, kit.pick(("linden", "maple", "oak")), autumn=False)
    twig = kit.shared("twigs", "bark", "4a3d33")
    branches = []
    for part in crown.parts:
        middle = part.vertices.mean(axis=0)
        for _ in range(5):
            tip = part.vertices[int(kit.rng.integers(len(part.vertices)))]
            branches.append(rod((0, 0, 2.2), middle.tolist(), 0.06, 0.04, twig, 5))
            branches.append(rod(middle.tolist(), tip.tolist(), 0.04, 0.015, twig, 5))
    balls: list[tuple[Vector, Vector]] = [
        (p.vertices.mean(axis=0).tolist(), (np.ptp(p.vertices, axis=0) / 2).tolist()) for p in crown.parts
    ]
    fine = scattered(kit.rng, balls, 2600, 0.3, twig, 0.035, (0.2, 1.15))
    return (
        replace(crown, phrase="a bare tree", parts=(*branches, fine)),
        replace(trunk, phrase="a bare tree trunk"),
    )


def conifer(kit: StreetKit) -> tuple[Piece, Piece]:
    """A spruce."""
    rng = kit.rng
    needle = kit.material("leaves", linear_rgb(kit.pick(("2c4a2c", "35502f", "24412f"))), vary=0.1)
    bark = kit.shared("spruce bark", "bark", "4b3628")
    height, wide = kit.between(5.5, 9.5), kit.between(1.3, 2.0)
    crown: list[Part] = []
    tiers = 8
    for tier in range(tiers):
        share = tier / tiers
        radius = (wide * (1 - share) ** 0.9 + 0.1) * kit.between(0.9, 1.1)
        z, step = 0.8 + (height - 1.0) * share, (height - 1.0) / tiers
        crown.append(skirt(rng, z, radius, step * 1.75, needle))
    stem = (rod((0, 0, -0.25), (0, 0, height * 0.9), 0.17, 0.04, bark),)
    cone, faces = part_shape("cylinder", np.array([2 * wide, 2 * wide, height - 0.8]), 0.1)
    cone = cone + np.array([0.0, 0.0, 0.8 + (height - 0.8) / 2])
    sketch = (Part(cone, faces, needle, cone.copy()),)
    pillar = rod((0, 0, -0.1), (0, 0, 1.2), 0.17, 0.17, bark)
    return (
        Piece("tree crown", "vegetation", "a dark spruce", tuple(crown), sketch=sketch),
        Piece("tree trunk", "trunk", "a spruce trunk", stem, sketch=(pillar,)),
    )


def bush(kit: StreetKit) -> Piece:
    """A round shrub, now and then in flower."""
    leaf = kit.material("leaves", linear_rgb(kit.pick(("4c6b30", "5c7838", "3f5f2e", "748a46"))), vary=0.1)
    size = kit.between(0.45, 0.95)
    balls: list[tuple[Vector, Vector]] = []
    for index in range(4):
        angle = 1.6 * index + kit.between(0, 1)
        at = (0.5 * size * math.cos(angle), 0.5 * size * math.sin(angle), size * kit.between(0.32, 0.56))
        balls.append((at, (size * 0.6, size * 0.6, size * 0.6)))
    parts = [lump(kit.rng, center, radii, 0.16, leaf, 5) for center, radii in balls]
    words = "green bush"
    if kit.chance(0.4):
        word, code = kit.pick(("pink", "white", "yellow")), {"pink": "d77f9c", "white": "e9e6dc", "yellow": "dcbf3c"}
        parts.append(scattered(kit.rng, balls, 120, 0.06, kit.shared(f"{word} blossom", "rough", code[word])))
        words = f"bush with {word} flowers"
    return Piece(
        "bush",
        "vegetation",
        with_article(words),
        tuple(parts),
        (((0.0, 0.0, size * 0.6), (size * 2, size * 2, size * 1.2)),),
    )


def hedge(kit: StreetKit, length: float, height: float) -> Piece:
    """A clipped hedge along x."""
    leaf = kit.shared("hedge", "leaves", "47652d")
    thick = kit.between(0.55, 0.8)
    core = box((0, 0, height / 2 - 0.1), (length, thick, height + 0.1), leaf, 0.1)
    return Piece(
        "hedge", "vegetation", "a clipped hedge", (core,), (((0.0, 0.0, height / 2), (length, thick, height)),)
    )
