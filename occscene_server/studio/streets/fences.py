"""Fences and garden walls along x, their face to +y."""

from __future__ import annotations

import numpy as np

from occscene_server.studio.kit import Piece
from occscene_server.studio.room import Part
from occscene_server.studio.shapes import box, rod
from occscene_server.studio.streets.kit import STONES, StreetKit

FENCES = ("picket", "boards", "rails", "mesh", "wall", "railing")


def fence(kit: StreetKit, kind: str, length: float) -> Piece:
    """A fence of one of `FENCES` over `length` metres."""
    height, words, parts = {
        "picket": _picket, "boards": _boards, "rails": _rails, "mesh": _mesh, "wall": _wall, "railing": _railing,
    }[kind](kit, length)  # fmt: skip
    block = ((0.0, 0.0, height / 2), (length, 0.12 if kind != "wall" else 0.28, height))
    name = "garden wall" if kind == "wall" else "fence"
    return Piece(name, "fence", words, tuple(parts), (block,))


def _posts(length: float, every: float) -> list[float]:
    count = max(1, round(length / every))
    return np.linspace(-length / 2 + 0.04, length / 2 - 0.04, count + 1).tolist()


def _picket(kit: StreetKit, length: float) -> tuple[float, str, list[Part]]:
    word, code = (("white", "dedbd2"), ("brown", "6b4a30"), ("grey", "8a8984"))[int(kit.rng.integers(3))]
    wood = kit.shared(f"{word} pickets", "painted", code)
    height = kit.between(0.95, 1.15)
    parts = [box((0, -0.03, z), (length, 0.04, 0.07), wood) for z in (0.25, height - 0.25)]
    parts += [
        box((x, 0, height / 2 - 0.02), (0.1, 0.025, height + 0.04), wood)
        for x in np.arange(-length / 2 + 0.06, length / 2, 0.17).tolist()
    ]
    parts += [box((x, -0.05, height / 2), (0.1, 0.1, height + 0.1), wood) for x in _posts(length, 2.4)]
    return height, f"a {word} picket fence", parts


def _boards(kit: StreetKit, length: float) -> tuple[float, str, list[Part]]:
    wood = kit.shared("fence boards", "planks", "7d5f3f")
    height = kit.between(1.5, 1.85)
    parts = [box((0, 0, height / 2), (length, 0.05, height), wood)]
    parts += [
        box((x, 0, height / 2 + 0.02), (0.11, 0.11, height + 0.1), kit.shared("fence posts", "wood", "5d452d"))
        for x in _posts(length, 1.9)
    ]
    parts.append(box((0, 0, height + 0.02), (length, 0.12, 0.05), kit.shared("fence posts", "wood", "5d452d")))
    return height, "a wooden board fence", parts


def _rails(kit: StreetKit, length: float) -> tuple[float, str, list[Part]]:
    wood = kit.shared("rails", "wood", "75604a")
    parts = [box((0, 0, z), (length, 0.06, 0.12), wood) for z in (0.45, 0.8, 1.15)]
    parts += [box((x, -0.06, 0.6), (0.12, 0.1, 1.4), wood) for x in _posts(length, 2.2)]
    return 1.25, "a wooden rail fence", parts


def _mesh(kit: StreetKit, length: float) -> tuple[float, str, list[Part]]:
    wire = kit.shared("wire", "painted", "2f4a3c")
    height = kit.between(1.6, 2.0)
    parts = [rod((x, 0, -0.1), (x, 0, height + 0.05), 0.03, 0.03, wire, 6) for x in _posts(length, 2.5)]
    parts += [
        rod((x, 0, 0.04), (x, 0, height), 0.007, 0.007, wire, 4)
        for x in np.arange(-length / 2, length / 2, 0.14).tolist()
    ]
    parts += [
        rod((-length / 2, 0.01, z), (length / 2, 0.01, z), 0.009, 0.009, wire, 4)
        for z in np.arange(0.1, height + 0.01, 0.3).tolist()
    ]
    return height, "a green wire mesh fence", parts


def _wall(kit: StreetKit, length: float) -> tuple[float, str, list[Part]]:
    word = kit.pick(tuple(STONES))
    stone = kit.keys.setdefault(f"{word} garden wall", kit.material("stone", STONES[word]))
    height = kit.between(0.8, 1.5)
    parts = [
        box((0, 0, height / 2 - 0.1), (length, 0.24, height + 0.1), stone),
        box((0, 0, height), (length, 0.32, 0.08), kit.concrete(), 0.01),
    ]
    return height, f"a {word} stone wall", parts


def _railing(kit: StreetKit, length: float) -> tuple[float, str, list[Part]]:
    iron = kit.dark_steel()
    height = kit.between(1.1, 1.4)
    parts = [box((0, 0, 0.2), (length, 0.22, 0.4), kit.concrete(), 0.01)]
    parts += [box((0, 0, z), (length, 0.035, 0.035), iron) for z in (0.5, height - 0.06)]
    parts += [
        rod((x, 0, 0.35), (x, 0, height), 0.012, 0.012, iron, 5)
        for x in np.arange(-length / 2 + 0.06, length / 2, 0.14).tolist()
    ]
    parts += [box((x, 0, height / 2 + 0.1), (0.06, 0.06, height), iron) for x in _posts(length, 2.2)]
    return height, "an iron railing on a low wall", parts
