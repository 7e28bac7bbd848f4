"""Kinds of material that surfaces are known to be made of, as the studio names them, and what parts say besides."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from occscene.mesh import TriangleMesh

MATERIALS = (
    "", "asphalt", "bark", "brick", "car_paint", "checker", "clapboard", "cloth", "cobbles", "concrete", "corrugated",
    "crops", "emissive", "fabric", "foliage", "glass", "gloss", "grass", "gravel", "knit", "lamp", "leather", "leaves",
    "marble", "marking", "metal", "painted", "pane", "paper", "parquet", "picture", "planks", "plaster", "render",
    "roof_tiles", "rough", "rubber", "rug_pattern", "setts", "shoji", "sign", "skin", "slabs", "soil", "stone",
    "stripes", "tatami", "terrazzo", "tiles", "velvet", "wallpaper_damask", "wallpaper_stripes", "wood", "hair",
    "trousers", "lit_pane", "sign_black", "sign_blue", "sign_red", "sign_white", "sign_yellow",
)  # fmt: skip
"""The first stands for what is not known; new ones go to the end, networks know them by their places."""
LEAVES, MARKING = MATERIALS.index("leaves"), MATERIALS.index("marking")
_ROWS = {name: row for row, name in enumerate(MATERIALS)}


def material_rows(names: Iterable[str]) -> NDArray[np.uint8]:
    """(N,) rows of `MATERIALS`; 0 for names that are not among them."""
    return np.array([_ROWS.get(name, 0) for name in names], np.uint8)


def known_materials(mesh: TriangleMesh) -> NDArray[np.uint8]:
    """(T,) rows of `MATERIALS` of a mesh's triangles, 0 where they are not known."""
    return np.zeros(len(mesh.triangles), np.uint8) if mesh.materials is None else mesh.materials
