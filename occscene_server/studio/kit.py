"""What a furniture builder works with: the room's material book, and pieces in their own frame before placement."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from occscene.srgb import LinearColor

from blender_addon.geometry.voxelization.voxelize import Fill
from occscene_server.metrics.palette import COLORS
from occscene_server.studio.room import FloatArray, MaterialSpec, Part
from occscene_server.studio.shapes import bounds
from occscene_server.studio.styles import FABRIC_WORDS, METALS, PLAIN_COLORS, WOODS, Style

Block = tuple[tuple[float, float, float], tuple[float, float, float]]
"""Centre and size of a blockout box in a piece's own frame, metres."""


@dataclass(frozen=True)
class Finish:
    """A material of the room's book and the words for it: `key`, "mustard velvet", "mustard"."""

    key: str
    words: str
    color: str


@dataclass(frozen=True)
class Piece:
    """An object in its own frame: standing on z = 0, its back toward -y, its front toward +y.

    Args:
        name, class_name, phrase, fill, priority: as in `Item`.
        parts: meshes in the piece's frame.
        blocks: the boxes of a careful blockout, in the piece's frame.
        decor: small enough that an artist often leaves it out of a blockout.
        top: height of a surface that holds other pieces, metres; 0 for none.
        sketch: what of a blockout is no box, in the piece's frame.
    """

    name: str
    class_name: str
    phrase: str
    parts: tuple[Part, ...]
    blocks: tuple[Block, ...] = ()
    decor: bool = False
    top: float = 0.0
    fill: Fill = Fill.AUTOMATIC
    priority: int | None = None
    sketch: tuple[Part, ...] = ()

    @cached_property
    def extent(self) -> tuple[FloatArray, FloatArray]:
        """Lowest and highest corner in the piece's frame, metres."""
        return bounds(self.parts)

    @cached_property
    def solid_extent(self) -> tuple[FloatArray, FloatArray]:
        """The same without foliage."""
        return bounds([part for part in self.parts if not part.foliage])

    @property
    def size(self) -> FloatArray:
        """Width, depth, height in metres."""
        low, high = self.extent
        return high - low


def with_article(words: str) -> str:
    """ "oak desk" -> "an oak desk"."""
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


class MaterialBook:
    """Draws numbers from a scene's generator and records each material that is used.

    Args:
        rng: the scene's generator.
        materials: the book; keys are unique words such as "velvet 3".
    """

    rng: np.random.Generator
    materials: dict[str, MaterialSpec]

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return bool(self.rng.random() < probability)

    def pick(self, options: tuple[str, ...]) -> str:
        """One of the options."""
        return options[int(self.rng.integers(len(options)))]

    def between(self, low: float, high: float) -> float:
        """A uniform draw."""
        return float(self.rng.uniform(low, high))

    def material(
        self,
        kind: str,
        color: LinearColor,
        accent: LinearColor | None = None,
        scale: float = 1.0,
        emission: float = 0.0,
        vary: float = 0.06,
    ) -> str:
        """Record a material, its colours varied by a factor of up to 1 +- `vary`, and return its key."""
        factor = 1 + vary * self.rng.uniform(-1, 1, 3)
        varied = tuple(float(min(max(c * f, 0.003), 0.95)) for c, f in zip(color, factor, strict=True))
        key = f"{kind} {len(self.materials)}"
        second = accent if accent is not None else tuple(0.55 * c for c in varied)
        self.materials[key] = MaterialSpec(
            kind,
            (varied[0], varied[1], varied[2]),
            (second[0], second[1], second[2]),
            scale,
            int(self.rng.integers(1 << 16)),
            emission,
        )
        return key


@dataclass
class Kit(MaterialBook):
    """Draws finishes that suit a style and records each material that is used.

    Args:
        style: the room's style.
        rng: the room's generator.
        materials: the book; keys are unique words such as "velvet 3".
    """

    style: Style
    rng: np.random.Generator
    materials: dict[str, MaterialSpec] = field(default_factory=dict)

    def color_word(self) -> str:
        """A colour that is the style's in two cases of three, else any: a prompt must be able to ask for each."""
        return self.pick(self.style.colors if self.chance(0.65) else PLAIN_COLORS)

    def other_color(self, word: str) -> str:
        """A contrasting second colour word for a pattern of main colour `word`."""
        if self.chance(0.4):
            return "white" if word not in ("white", "cream", "beige", "yellow") else "navy"
        other = self.color_word()
        return other if other != word else "white" if word != "white" else "grey"

    def fabric(self, kind: str | None = None, color: str | None = None) -> Finish:
        """Upholstery."""
        kind = kind or self.pick(self.style.fabrics)
        word = color or self.color_word()
        scale = {
            "stripes": self.between(0.06, 0.16),
            "checker": self.between(0.08, 0.18),
            "knit": 0.04,
            "leather": 0.05,
        }.get(kind, 0.02)
        name, accent = FABRIC_WORDS[kind], None
        words = f"{word} {name}"
        if kind in ("stripes", "checker"):
            other = self.other_color(word)
            accent, words = COLORS[other], f"{word} and {other} {name}"
        return Finish(self.material(kind, COLORS[word], accent, scale), words, word)

    def wood(self, word: str | None = None) -> Finish:
        """Bare wood."""
        word = word or self.pick(self.style.woods)
        color, plain = WOODS[word]
        return Finish(self.material("wood", color, scale=self.between(0.2, 0.35), vary=0.1), word, plain)

    def paint(self, color: str | None = None) -> Finish:
        """Smooth paint."""
        word = color or self.color_word()
        return Finish(self.material("painted", COLORS[word]), word, word)

    def body(self) -> Finish:
        """The carcass of a cabinet or table: wood or paint."""
        return self.paint() if self.chance(self.style.painted) else self.wood()

    def metal(self) -> Finish:
        """Bare or lacquered metal."""
        word = self.pick(self.style.metals)
        return Finish(self.material("metal", METALS[word], vary=0.03), word, word)

    def legs(self) -> Finish:
        """What legs are made of: metal or wood."""
        return self.metal() if self.chance(self.style.metal_legs) else self.wood()

    def shade(self) -> Finish:
        """A lamp shade; its emission applies when the lamps are on."""
        word = self.pick(("white", "cream", "beige", self.color_word()))
        return Finish(self.material("emissive", COLORS[word], emission=self.between(2.0, 4.0)), word, word)
