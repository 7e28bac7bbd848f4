"""What a builder of streets works with: the material book, and the words and colours of what stands outdoors."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from occscene.srgb import LinearColor, linear_rgb

from occscene_server.metrics.palette import COLORS
from occscene_server.studio.kit import MaterialBook
from occscene_server.studio.room import MaterialSpec

RENDERS: dict[str, LinearColor] = {
    word: linear_rgb(code)
    for word, code in {
        "white": "e4e0d6", "cream": "e6d7b2", "yellow": "dcbb6a", "ochre": "c4924f", "terracotta": "b8694b",
        "pink": "d6a396", "grey": "a3a39f", "pale green": "a9b892", "pale blue": "9fb3c4", "beige": "cdb994",
        "brown": "8a6a4e", "red": "9a3d31", "teal": "5f9390", "orange": "cf8a52",
    }.items()
}  # fmt: skip
"""Colours of rendered and painted walls by the words for them."""

BRICKS: dict[str, LinearColor] = {
    word: linear_rgb(code)
    for word, code in {"red": "8f4631", "brown": "6d4a38", "yellow": "b99a66", "dark red": "6b3028"}.items()
}
STONES: dict[str, LinearColor] = {
    word: linear_rgb(code) for word, code in {"grey": "8b877e", "beige": "b3a284", "brown": "84705a"}.items()
}
ROOFS: dict[str, LinearColor] = {
    word: linear_rgb(code)
    for word, code in {
        "red": "8a3b2a",
        "brown": "5c3a2c",
        "slate": "44484e",
        "grey": "5b5b5a",
        "orange": "a9542f",
    }.items()
}
CAR_COLORS: dict[str, LinearColor] = {
    word: linear_rgb(code)
    for word, code in {
        "white": "e2e3e3", "silver": "a9adb1", "grey": "5f6468", "black": "131416", "blue": "1e3f7e", "navy": "151f3d",
        "red": "9c1418", "green": "1f4a35", "yellow": "d9a915", "orange": "c9581a", "beige": "b9a888",
        "brown": "4b3426", "teal": "1c6a70",
    }.items()
}  # fmt: skip
CAR_SHARES = {"white": 4, "silver": 4, "grey": 4, "black": 4, "blue": 2.5, "navy": 1.5, "red": 2.5}
"""How often each colour of car is seen; colours that are not named here, once."""

CLOTHES: dict[str, LinearColor] = {
    word: COLORS[word]
    for word in ("black", "navy", "grey", "red", "blue", "beige", "olive", "white", "mustard", "brown", "teal", "pink")
}
SKIN: tuple[LinearColor, ...] = tuple(linear_rgb(code) for code in ("e8bfa0", "c9926b", "8a5a3c", "5c3a28"))
HAIR: tuple[LinearColor, ...] = tuple(linear_rgb(code) for code in ("1c1512", "4a2f1d", "a47a45", "8d8a86"))


@dataclass
class StreetKit(MaterialBook):
    """Draws what a street is made of.

    Args:
        rng: the street's generator.
        materials: the book.
        keys: materials that everything shares, by what they are for.
    """

    rng: np.random.Generator
    materials: dict[str, MaterialSpec] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)

    def shared(self, name: str, kind: str, code: str, scale: float = 1.0, emission: float = 0.0) -> str:
        """The material called `name`, the same wherever it is asked for in this street."""
        if name not in self.keys:
            self.keys[name] = self.material(kind, linear_rgb(code), scale=scale, emission=emission, vary=0.03)
        return self.keys[name]

    def glass(self) -> str:
        """Window panes of buildings, some of them lit after dusk."""
        return self.shared("pane", "pane", "28323a", emission=3.0)

    def car_glass(self) -> str:
        """Tinted panes of vehicles."""
        return self.shared("car glass", "gloss", "0d1114")

    def rubber(self) -> str:
        """Tyres, seals, bumpers."""
        return self.shared("rubber", "rubber", "121212")

    def steel(self) -> str:
        """Galvanised steel."""
        return self.shared("steel", "metal", "8f9496")

    def chrome(self) -> str:
        """Rims, mirrors."""
        return self.shared("chrome", "metal", "c4c7c9")

    def dark_steel(self) -> str:
        """Painted posts and railings."""
        return self.shared("dark steel", "painted", "1e2326")

    def marking(self) -> str:
        """Road paint."""
        return self.shared("marking", "marking", "d8d8d2")

    def concrete(self) -> str:
        """Kerbs, plinths, sills."""
        return self.shared("concrete", "rough", "9a9892")

    def one_of(self, options: dict[str, LinearColor], shares: dict[str, float] | None = None) -> str:
        """A word of a palette."""
        words = list(options)
        weights = np.array([(shares or {}).get(word, 1.0) for word in words])
        return words[int(self.rng.choice(len(words), p=weights / weights.sum()))]
