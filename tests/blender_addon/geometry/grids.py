"""Grids to mesh and to write: random ones, a street and a room."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from occscene.grid import UNKNOWN, SemanticGrid
from occscene.taxonomy import INDOOR, OUTDOOR


def grid_of(labels: np.ndarray, voxel_size: float = 0.2, taxonomy: str = "outdoor") -> SemanticGrid:
    """A grid with its corner at the world's origin."""
    return SemanticGrid(labels, voxel_size, np.eye(4), taxonomy)


@st.composite
def random_grids(draw: st.DrawFn, largest_side: int = 7, classes: int = 3) -> SemanticGrid:
    """Small grids of a few classes with empty and unknown voxels in any arrangement."""
    side = st.integers(1, largest_side)
    shape = draw(st.tuples(side, side, side))
    values = st.sampled_from([0, 0, *range(1, classes + 1), UNKNOWN])
    return grid_of(draw(hnp.arrays(np.uint8, shape, elements=values)), draw(st.sampled_from([0.08, 0.2, 1.0])))


def street(shape: tuple[int, int, int] = (256, 256, 32), seed: int = 0) -> SemanticGrid:
    """A street between houses and trees, about a quarter of it occupied, as outdoor scenes of 51 m are."""
    rng = np.random.default_rng(seed)
    label = {entry.name: entry.index for entry in OUTDOOR.classes}
    labels = np.zeros(shape, np.uint8)
    labels[:, :, :3] = label["terrain"]
    middle, width = shape[1] // 2, shape[1] // 12
    labels[:, middle - width : middle + width, :3] = label["road"]
    for edge in (middle - width - 5, middle + width):
        labels[:, edge : edge + 5, :4] = label["sidewalk"]
    houses = (shape[0] * shape[1]) // 1000
    for name, count, low, high in (("building", houses, 6, 30), ("car", houses // 4, 4, 10)):
        for corner in rng.integers(0, shape[:2], (count, 2)):
            extent = rng.integers(low, high, 2)
            top = 3 + (rng.integers(6, shape[2] - 3) if name == "building" else 7)
            y = slice(corner[1], corner[1] + extent[1])
            if name == "car" or abs(corner[1] + extent[1] // 2 - middle) > width + 5 + extent[1] // 2:
                labels[corner[0] : corner[0] + extent[0], y, 3:top] = label[name]
    for center in rng.integers((0, 0, 8), (shape[0], shape[1], 14), (houses, 3)):
        radius = int(rng.integers(2, 6))
        low = np.maximum(center - radius, 0)
        box = tuple(slice(a, b) for a, b in zip(low, center + radius + 1, strict=True))
        cells = np.indices(labels[box].shape) + low[:, None, None, None]
        crown = ((cells - center[:, None, None, None]) ** 2).sum(axis=0) < radius**2
        labels[box][crown] = label["vegetation"]
        labels[center[0], center[1], 3 : center[2]] = label["trunk"]
    return grid_of(labels)


def room(shape: tuple[int, int, int] = (60, 60, 36), seed: int = 0) -> SemanticGrid:
    """A furnished room with floor, ceiling and walls, as indoor scenes of 4.8 m are."""
    rng = np.random.default_rng(seed)
    label = {entry.name: entry.index for entry in INDOOR.classes}
    labels = np.zeros(shape, np.uint8)
    names = ("chair", "bed", "sofa", "table", "furn", "objs")
    for name in rng.choice(names, 30):
        low = rng.integers(2, (shape[0] - 14, shape[1] - 14))
        extent = rng.integers(3, 13, 2)
        labels[low[0] : low[0] + extent[0], low[1] : low[1] + extent[1], 1 : rng.integers(4, 16)] = label[name]
    labels[:2], labels[-2:], labels[:, :2] = label["wall"], label["wall"], label["wall"]
    labels[20:40, :2, 12:26] = label["window"]
    labels[:, :, 0], labels[:, :, -1] = label["floor"], label["ceiling"]
    return grid_of(labels, 0.08, "indoor")
