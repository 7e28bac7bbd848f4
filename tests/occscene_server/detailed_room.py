"""A room modelled by an artist who does not stop at boxes: most of it is thinner than a voxel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from occscene.camera import PinholeCamera
from occscene.grid import GridVolume, SemanticGrid
from occscene.rigid import looking_at
from occscene.taxonomy import INDOOR

from blender_addon.geometry.voxelization.voxelize import TriangleObject, voxelize
from occscene_server.studio.room import Box
from occscene_server.studio.scene_grids import box_triangles

Bar = tuple[float, float, float, float, float, float]
"""Lowest and highest corner in metres, the floor's top at 0."""

SIZE = (4.4, 4.0, 2.6)
E_STROKES = ((0, 0, 0.06, 0.4), (0, 0, 0.25, 0.06), (0, 0.17, 0.2, 0.23), (0, 0.34, 0.25, 0.4))
A_STROKES = ((0, 0, 0.06, 0.4), (0.19, 0, 0.25, 0.4), (0, 0.34, 0.25, 0.4), (0, 0.15, 0.25, 0.21))
T_STROKES = ((0, 0.34, 0.3, 0.4), (0.12, 0, 0.18, 0.4))


def chair(x: float, y: float, back: int) -> list[Bar]:
    """A chair of 42 cm with legs of 4 cm whose back is toward -y or +y."""
    side = 0.42
    legs = [(x + a, y + b, 0, x + a + 0.04, y + b + 0.04, 0.44) for a in (0, side - 0.04) for b in (0, side - 0.04)]
    edge = y if back < 0 else y + side - 0.04
    return [*legs, (x, y, 0.42, x + side, y + side, 0.47), (x, edge, 0.42, x + side, edge + 0.04, 0.9)]


def table(x: float, y: float, width: float, depth: float) -> list[Bar]:
    """A table with a top of 4 cm and legs of 6 cm."""
    legs = [
        (x + a, y + b, 0, x + a + 0.06, y + b + 0.06, 0.72) for a in (0.03, width - 0.09) for b in (0.03, depth - 0.09)
    ]
    return [*legs, (x, y, 0.71, x + width, y + depth, 0.75)]


def letters(x: float, y: float, z: float) -> list[Bar]:
    """EAT on the back wall, 40 cm high, strokes of 6 cm, 5 cm deep."""
    strokes = zip((0.0, 0.35, 0.7), (E_STROKES, A_STROKES, T_STROKES), strict=True)
    return [(x + dx + a, y, z + b, x + dx + c, y + 0.05, z + d) for dx, glyph in strokes for a, b, c, d in glyph]


def detailed_room() -> tuple[SemanticGrid, list[PinholeCamera]]:
    """The room at 8 cm a voxel, and two cameras of 256 x 256 in its corners."""
    width, depth, height = SIZE
    wall = 0.1
    objects: list[tuple[str, str, Sequence[Bar]]] = [
        ("floor", "floor", [(-wall, -wall, -0.08, width + wall, depth + wall, 0)]),
        ("back wall", "wall", [(-wall, depth, 0, 2.5, depth + wall, height),
                               (2.5, depth, 0, 3.9, depth + wall, 0.9),
                               (2.5, depth, 2.0, 3.9, depth + wall, height),
                               (3.9, depth, 0, width + wall, depth + wall, height)]),
        ("left wall", "wall", [(-wall, 0, 0, 0, depth, height)]),
        ("right wall", "wall", [(width, 0, 0, width + wall, depth, height)]),
        ("window", "window", [(2.5, depth + 0.03, 0.9, 3.9, depth + 0.06, 2.0)]),
        ("bars", "furn", [(2.6 + 0.24 * i, depth - 0.1, 0.9, 2.63 + 0.24 * i, depth - 0.07, 2.0) for i in range(6)]
                         + [(2.5, depth - 0.1, 1.43, 3.9, depth - 0.07, 1.46)]),
        ("table", "table", table(1.0, 1.4, 1.4, 0.8)),
        *((f"chair {i + 1}", "chair", chair(x, y, back))
          for i, (x, y, back) in enumerate(((1.1, 0.85, -1), (1.85, 0.85, -1), (1.1, 2.35, 1), (1.85, 2.35, 1)))),
        ("lamp pole", "objs", [(3.5, 3.2, 0, 3.53, 3.23, 1.6)]),
        ("lamp shade", "objs", [(3.3, 3.0, 1.6, 3.73, 3.43, 1.9)]),
        ("pipe", "furn", [(0.05, 0.3, 2.2, 0.1, 3.7, 2.25), (0.05, 3.65, 0, 0.1, 3.7, 2.25)]),
        ("letters", "objs", letters(0.8, depth - 0.06, 1.6)),
        ("glass pane", "window", [(3.4, 0.4, 0, 3.42, 1.6, 2.0)]),
        ("rail", "furn", [(2.75, 0.3, 0.95, 2.8, 2.1, 1.0),
                          (2.75, 0.3, 0, 2.8, 0.35, 0.95), (2.75, 2.05, 0, 2.8, 2.1, 0.95)]),
    ]  # fmt: skip
    objects = [
        TriangleObject(name, INDOOR.index_of(kind), box_triangles(tuple(_box(bar) for bar in bars)))
        for name, kind, bars in objects
    ]
    pose = np.eye(4)
    pose[:3, 3] = (-0.2, -0.2, -0.08)
    grid = voxelize(objects, GridVolume((60, 56, 36), 0.08, pose), INDOOR)
    views = [_camera("left", (0.4, 0.3, 1.7), (2.2, 2.6, 0.8)), _camera("right", (3.9, 0.2, 1.7), (1.9, 2.6, 0.8))]
    return grid, views


def _box(bar: Bar) -> Box:
    x0, y0, z0, x1, y1, z1 = bar
    return Box(((x0 + x1) / 2, (y0 + y1) / 2, (z0 + z1) / 2), (x1 - x0, y1 - y0, z1 - z0))


def _camera(name: str, eye: tuple[float, float, float], target: tuple[float, float, float]) -> PinholeCamera:
    return PinholeCamera(name, 256, 256, 190.0, 190.0, 128.0, 128.0, looking_at(np.array(eye), np.array(target)))
