"""Voxels of materials, as programs without semantic classes store them, and what class each material becomes.

A material is what the file distinguishes: a color of a palette, a block's name, a volume's name. Which class it becomes
is guessed, and the artist's own choice goes before the guess.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from occscene.formats.material_words import word_class
from occscene.grid import EMPTY, SemanticGrid, check_grid_shape, check_voxel_size
from occscene.rigid import Float64Array, rigid_transform
from occscene.taxonomy import SemanticClass, Taxonomy

_Number = TypeVar("_Number", bound=np.generic)

_LABEL = "label "

_FALLBACK = {"indoor": "objs", "outdoor": "building"}
"""What a material becomes of which nothing is known."""


@dataclass(frozen=True)
class Material:
    """One material of a file.

    Args:
        key: what a choice of class is remembered by: "#a05028", "minecraft:oak_planks".
        name: what the file calls it, "" if it has no name.
        color: sRGB, 0 .. 255; None where the file has none.
        class_name: the class that the file itself gives it, "" if it gives none.
    """

    key: str
    name: str
    color: tuple[int, int, int] | None = None
    class_name: str = ""


@dataclass(frozen=True, eq=False)
class MaterialGrid:
    """A grid of materials.

    Args:
        palette: what the file's materials are called together; choices of class are remembered for it.
        indices: (X, Y, Z) unsigned integers; 0 is empty, else 1 + the place in `materials`.
        materials: those of the file; some may occur nowhere.
        voxel_size: metres.
        world_from_grid: as of a `SemanticGrid`.
    """

    palette: str
    indices: NDArray[np.unsignedinteger[Any]]
    materials: tuple[Material, ...]
    voxel_size: float
    world_from_grid: Float64Array

    def __post_init__(self) -> None:
        check_grid_shape(self.indices.shape, "the scene")
        check_voxel_size(self.voxel_size, "voxel_size")
        object.__setattr__(self, "world_from_grid", rigid_transform(self.world_from_grid, "world_from_grid"))

    def counts(self) -> list[int]:
        """Voxels of each material."""
        parts = [np.bincount(layer.reshape(-1), minlength=len(self.materials) + 1) for layer in self.indices]
        return np.sum(parts, axis=0)[1:].tolist()


@dataclass(frozen=True)
class Classified:
    """What became of a material.

    Args:
        material: the material.
        voxels: how many the file has of it.
        class_name: its class; "empty" where the material is left out.
        is_known: False where nothing spoke for the class.
    """

    material: Material
    voxels: int
    class_name: str
    is_known: bool


def classified(grid: MaterialGrid, taxonomy: Taxonomy, chosen: Mapping[str, str]) -> list[Classified]:
    """The class of each material: the chosen one, else by its name, else by its color.

    Args:
        grid: the materials.
        taxonomy: whose classes.
        chosen: class names by the keys of materials, "empty" to leave one out.

    Raises:
        ValueError: a chosen class is not of the taxonomy.
    """
    known = [entry.name for entry in taxonomy.classes]
    for key, name in chosen.items():
        if name not in known:
            raise ValueError(f"the class of {key} is {name[:50]!r}; it must be one of {', '.join(known)}")
    result = []
    for material, voxels in zip(grid.materials, grid.counts(), strict=True):
        choice = chosen.get(material.key) or _guess(material, taxonomy)
        result.append(Classified(material, voxels, choice or _FALLBACK[taxonomy.name], choice is not None))
    return result


def semantic_grid(grid: MaterialGrid, classes: Sequence[Classified], taxonomy: Taxonomy) -> SemanticGrid:
    """The grid with each material's class."""
    label_of = np.array([EMPTY, *(taxonomy.index_of(item.class_name) for item in classes)], np.uint8)
    return SemanticGrid(looked_up(label_of, grid.indices), grid.voxel_size, grid.world_from_grid, taxonomy.name)


def looked_up(table: NDArray[_Number], indices: NDArray[np.unsignedinteger[Any]]) -> NDArray[_Number]:
    """The table's entries at (X, Y, Z) indices, layer by layer, since numpy takes eight bytes for an index."""
    result = np.empty(indices.shape, table.dtype)
    for layer, places in zip(result, indices, strict=True):
        layer[:] = table[places]
    return result


def unknown_materials(classes: Sequence[Classified]) -> str:
    """A sentence on the materials of which nothing was known, "" where there are none."""
    unknown = sorted((item for item in classes if not item.is_known), key=lambda item: -item.voxels)
    if not unknown:
        return ""
    first = ", ".join(f"{item.material.key} ({item.voxels:,} voxels)" for item in unknown[:8])
    more = f" and {len(unknown) - 8} more" if len(unknown) > 8 else ""
    return f"taken for {unknown[0].class_name}, since nothing is known of them: {first}{more}; choose their classes"


def label_material(label: float) -> Material:
    """The material of a label that no taxonomy explains; it is taken for the same number of the scene's taxonomy."""
    return Material(f"{_LABEL}{label:g}", "")


def color_key(color: tuple[int, int, int]) -> str:
    """What a color is remembered by."""
    return "#{:02x}{:02x}{:02x}".format(*color)


def _guess(material: Material, taxonomy: Taxonomy) -> str | None:
    if material.class_name in {entry.name for entry in taxonomy.classes[1:]}:
        return material.class_name
    number = material.key.removeprefix(_LABEL)
    if material.key.startswith(_LABEL) and number.isdecimal() and 1 <= int(number) < len(taxonomy):
        return taxonomy.classes[int(number)].name
    by_word = word_class(material.name, taxonomy.name)
    if by_word is not None:
        return by_word
    by_alias = taxonomy.guess(material.name)
    if by_alias is not None:
        return by_alias.name
    return _nearest(material.color, taxonomy).name if material.color is not None else None


def _nearest(color: tuple[int, int, int], taxonomy: Taxonomy) -> SemanticClass:
    """The class whose color is the nearest (Euclid in sRGB)."""
    return min(taxonomy.classes[1:], key=lambda entry: math.dist(color, entry.color))
