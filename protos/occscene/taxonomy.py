"""Semantic classes of the two domains: indoor (NYUv2) and outdoor (SemanticKITTI).

Colours are the data sets' own: NYUv2's as SSC papers draw its 12 classes, SemanticKITTI's from its API's
configuration (`semantic-kitti.yaml`, there in BGR), where other-vehicle has the color of its buses. Paint priorities
and words are OccScene's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from occscene.limits import MAX_CLASSES, MAX_NAME_LENGTH
from occscene.object_names import Vocabulary, Word, build_vocabulary, english_words, word_of_name, words_of


@dataclass(frozen=True)
class SemanticClass:
    """One class.

    Args:
        index: the label in a grid, 0 .. 254.
        name: lower case, as the data set spells it.
        color: sRGB, 0 .. 255.
        priority: where objects overlap in a voxel the larger priority wins, 0 .. 255.
        aliases: further words by which an object's name is recognised.

    Raises:
        ValueError: a field is outside its limits; the message names the field, the value and the limit.
    """

    index: int
    name: str
    color: tuple[int, int, int]
    priority: int
    aliases: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 1 <= len(self.name) <= MAX_NAME_LENGTH:
            raise ValueError(f"name has {len(self.name)} characters; it must have 1 to {MAX_NAME_LENGTH}")
        if len(self.color) != 3 or not all(_is_byte(channel) for channel in self.color):
            raise ValueError(f"color is {self.color}; it must be three whole numbers from 0 to 255 (sRGB)")
        if not _is_byte(self.priority):
            raise ValueError(f"priority is {self.priority!r}; it must be a whole number from 0 to 255")


@dataclass(frozen=True)
class Taxonomy:
    """An ordered set of classes; class 0 is empty space.

    Raises:
        ValueError: no name, fewer than 2 or more than 255 classes, indexes that are not 0, 1, 2 ..., a first class that
            is not "empty", or a class name used twice.
    """

    name: str
    classes: tuple[SemanticClass, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.name) <= MAX_NAME_LENGTH:
            raise ValueError(f"taxonomy: name has {len(self.name)} characters; it must have 1 to {MAX_NAME_LENGTH}")
        if not 2 <= len(self.classes) <= MAX_CLASSES:
            raise ValueError(f"taxonomy {self.name}: has {len(self.classes)} classes; it must have 2 to {MAX_CLASSES}")
        if self.classes[0].name != "empty":
            raise ValueError(f"taxonomy {self.name}: class 0 is {self.classes[0].name!r}; it must be 'empty'")
        if [entry.index for entry in self.classes] != list(range(len(self.classes))):
            raise ValueError(f"taxonomy {self.name}: class indexes must be 0, 1, 2 ... in order")
        names = [entry.name for entry in self.classes]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise ValueError(f"taxonomy {self.name}: the class name {min(twice)!r} is used twice")

    def __len__(self) -> int:
        return len(self.classes)

    def index_of(self, name: str) -> int:
        """The label of the class called `name`.

        Raises:
            KeyError: there is no such class; the message lists those that are.
        """
        for entry in self.classes:
            if entry.name == name:
                return entry.index
        raise KeyError(
            f"class {name!r} is not in taxonomy {self.name!r}; it has {', '.join(e.name for e in self.classes)}"
        )

    def guess(self, object_name: str) -> SemanticClass | None:
        """The class that an object's name speaks of, or None; `occscene.object_names` says by which rules."""
        word = self.word_of(object_name)
        return None if word is None else self.classes[self.index_of(word.class_name)]

    def word_of(self, object_name: str) -> Word | None:
        """The word of an object's name that says what it is, or None."""
        return word_of_name(object_name, self._vocabulary)

    @cached_property
    def _vocabulary(self) -> Vocabulary:
        names = [(entry.name, entry.name, "en") for entry in self.classes[1:]]
        if self.name in ("indoor", "outdoor"):
            return build_vocabulary([*words_of(self.name), *names])
        return build_vocabulary(
            [*names, *((word, entry.name, "en") for entry in self.classes for word in entry.aliases)]
        )


def _is_byte(value: Any) -> bool:
    return type(value) is int and 0 <= value <= 255


def _classes(taxonomy: str, *rows: tuple[str, tuple[int, int, int], int]) -> tuple[SemanticClass, ...]:
    return tuple(
        SemanticClass(index, name, color, priority, english_words(taxonomy, name))
        for index, (name, color, priority) in enumerate(rows)
    )


INDOOR = Taxonomy(
    "indoor",
    _classes(
        "indoor",
        ("empty", (0, 0, 0), 0),
        ("ceiling", (214, 38, 40), 10),
        ("floor", (43, 160, 43), 12),
        ("wall", (158, 216, 229), 14),
        ("window", (114, 158, 206), 50),
        ("chair", (204, 204, 91), 60),
        ("bed", (255, 186, 119), 60),
        ("sofa", (147, 102, 188), 60),
        ("table", (30, 119, 181), 62),
        ("tvs", (188, 188, 33), 72),
        ("furn", (255, 127, 12), 58),
        ("objs", (196, 175, 214), 70),
    ),
)

OUTDOOR = Taxonomy(
    "outdoor",
    _classes(
        "outdoor",
        ("empty", (0, 0, 0), 0),
        ("car", (100, 150, 245), 60),
        ("bicycle", (100, 230, 245), 66),
        ("motorcycle", (30, 60, 150), 66),
        ("truck", (80, 30, 180), 60),
        ("other-vehicle", (100, 80, 250), 60),
        ("person", (255, 30, 30), 70),
        ("bicyclist", (255, 40, 200), 70),
        ("motorcyclist", (150, 30, 90), 70),
        ("road", (255, 0, 255), 14),
        ("parking", (255, 150, 255), 15),
        ("sidewalk", (75, 0, 75), 16),
        ("other-ground", (175, 0, 75), 13),
        ("building", (255, 200, 0), 30),
        ("fence", (255, 120, 50), 40),
        ("vegetation", (0, 175, 0), 36),
        ("trunk", (135, 60, 0), 44),
        ("terrain", (150, 240, 80), 12),
        ("pole", (255, 240, 150), 48),
        ("traffic-sign", (255, 0, 0), 50),
    ),
)

TAXONOMIES = {taxonomy.name: taxonomy for taxonomy in (INDOOR, OUTDOOR)}


def taxonomy_named(name: str, field: str) -> Taxonomy:
    """The taxonomy of that name.

    Raises:
        ValueError: there is none.
    """
    if name not in TAXONOMIES:
        raise ValueError(f"{field} is {name[:50]!r}; it must be one of {', '.join(sorted(TAXONOMIES))}")
    return TAXONOMIES[name]
