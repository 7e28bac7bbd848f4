"""Parts of a layout's object as meshes: quads where an artist would have them.

The shapes are those that the parts prior learnt from. What a part does not say is what it mostly is there: boxes have
sharp edges, rounded boxes radii of 4 cm at most, leaves are straight.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray
from occscene.layout import LayoutPart

Floats = NDArray[np.float64]
Faces = tuple[tuple[int, ...], ...]

_RADIUS = 0.04
_FOLD = 0.1
"""Metres of a curtain that a fold takes."""
_ROUND_SIDES, _ROD_SIDES = 24, 12
_NODES = 7
"""Vertices along each edge of what is bent from a cube."""

_CORNERS = np.array(list(product((-0.5, 0.5), repeat=3)))
BOX_FACES: Faces = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))


@dataclass(frozen=True, eq=False)
class PartMesh:
    """A closed mesh.

    Args:
        vertices: (V, 3) along the object's axes about the middle of its box, metres.
        faces: polygons, counter-clockwise from outside.
        smooth: of each face whether it is shaded smooth.
    """

    vertices: Floats
    faces: Faces
    smooth: tuple[bool, ...]


def part_mesh(part: LayoutPart) -> PartMesh:
    """The mesh of a part."""
    size = np.array(part.size)
    vertices, faces = _own_mesh(part.kind, size, part.taper)
    if part.kind == "box":
        smooth = [False] * len(faces)
    elif part.kind in ("cylinder", "rod"):
        smooth = [len(face) == 4 for face in faces]
    else:
        smooth = [True] * len(faces)
    return PartMesh(vertices @ rotation_matrix(part.rotation).T + part.center, faces, tuple(smooth))


def rotation_matrix(quaternion: tuple[float, float, float, float]) -> Floats:
    """(3, 3) of w, x, y, z of any length but 0."""
    w, x, y, z = np.array(quaternion) / np.linalg.norm(quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def _own_mesh(kind: str, size: Floats, taper: float) -> tuple[Floats, Faces]:
    """Vertices (V, 3) along the part's own axes, and faces."""
    if kind == "box":
        return _CORNERS * size, BOX_FACES
    if kind in ("cylinder", "rod"):
        return _tube(size, taper, _ROD_SIDES if kind == "rod" else _ROUND_SIDES)
    if kind == "blade":
        return _leaf(size)
    if kind == "curtain":
        return _folds(size)
    unit, faces = _cube_grid(_NODES)
    if kind == "ellipsoid":
        direction = np.tan(unit * np.pi / 4)
        return direction / np.linalg.norm(direction, axis=1, keepdims=True) * (size / 2), faces
    if kind == "cushion":
        thin = int(np.argmin(size))
        flat = [axis for axis in range(3) if axis != thin]
        level = np.sqrt((np.abs(unit[:, flat]) ** 4).sum(1)) + unit[:, thin] ** 2
        return unit / np.sqrt(level)[:, None] * (size / 2), faces
    return _rounded(size)


def _rounded(size: Floats) -> tuple[Floats, Faces]:
    """A box whose edges and corners have a radius."""
    unit, faces = _cube_grid(6)
    half = size / 2
    radius = min(_RADIUS, float(half.min()) * 0.98)
    corner = radius * np.tan(np.pi / 4 * np.array([1.0, 0.5, 0.0]))
    ticks = np.stack([np.concatenate([-h - corner, h + corner[::-1]]) for h in half - radius], axis=1)
    on_box = np.take_along_axis(ticks, np.rint(unit * 2.5 + 2.5).astype(np.int64), axis=0)
    core = np.clip(on_box, radius - half, half - radius)
    away = on_box - core
    return core + radius * away / np.linalg.norm(away, axis=1, keepdims=True), faces


@cache
def _cube_grid(nodes: int) -> tuple[Floats, Faces]:
    """Nodes -1 .. 1 (V, 3) on a cube's surface, and quads between neighbours."""
    index: dict[tuple[int, ...], int] = {}
    faces = []
    for axis, side in product(range(3), (0, nodes - 1)):
        for u, v in product(range(nodes - 1), repeat=2):
            loop = []
            for du, dv in ((0, 0), (1, 0), (1, 1), (0, 1)):
                node = [u + du, v + dv]
                node.insert(axis, side)
                loop.append(index.setdefault(tuple(node), len(index)))
            outward = (side > 0) == (axis != 1)  # (x, y), (y, z) and (z, x) turn to the third axis
            faces.append(tuple(loop if outward else loop[::-1]))
    return np.array(list(index), np.float64) * 2 / (nodes - 1) - 1, tuple(faces)


@cache
def _tube_faces(rings: int, sides: int) -> Faces:
    quads = [
        (r * sides + s, r * sides + (s + 1) % sides, (r + 1) * sides + (s + 1) % sides, (r + 1) * sides + s)
        for r, s in product(range(rings - 1), range(sides))
    ]
    last = (rings - 1) * sides
    return (*quads, tuple(range(sides))[::-1], tuple(range(last, last + sides)))


def _tube(size: Floats, taper: float, sides: int) -> tuple[Floats, Faces]:
    angle = np.arange(sides) * (2 * np.pi / sides)
    circle = np.stack([np.cos(angle) / 2, np.sin(angle) / 2], axis=1) * size[:2]
    lower, upper = (1.0, taper) if taper <= 1 else (1 / taper, 1.0)
    rings = [
        np.column_stack([circle * width, np.full(sides, height * size[2])])
        for width, height in ((lower, -0.5), (upper, 0.5))
    ]
    return np.concatenate(rings), _tube_faces(2, sides)


def _leaf(size: Floats) -> tuple[Floats, Faces]:
    """A flat tube of four sides along its longest axis, widest in the middle."""
    long, wide, thin = np.argsort(-size, kind="stable").tolist()
    rings = []
    for along, width in ((-0.5, 0.1), (0.1, 1.0), (0.5, 0.1)):
        ring = np.zeros((4, 3))
        ring[:, long] = along
        ring[:, wide] = np.array([0.5, 0.0, -0.5, 0.0]) * width
        ring[:, thin] = np.array([0.0, 0.5, 0.0, -0.5])
        rings.append(ring * size)
    faces = _tube_faces(3, 4)
    even = (long, wide, thin) in ((0, 1, 2), (1, 2, 0), (2, 0, 1))
    return np.concatenate(rings), faces if even else tuple(face[::-1] for face in faces)


def _folds(size: Floats) -> tuple[Floats, Faces]:
    """A hanging sheet 1 cm thick along x that waves in y, half as much at its top."""
    folds = max(2, round(float(size[0]) / _FOLD))
    columns = folds * 6 + 1
    wave = max(0.0, size[1] - 0.01) / 2 * np.sin(np.linspace(0.0, 2 * np.pi * folds, columns))
    thick = min(0.005, size[1] / 2)
    y = wave[:, None] * (1.0, 1.0, 0.55, 0.55) + np.array([-thick, thick, thick, -thick])
    x = np.broadcast_to(np.linspace(-0.5, 0.5, columns)[:, None] * size[0], y.shape)
    z = np.broadcast_to(np.array([-0.5, -0.5, 0.5, 0.5]) * size[2], y.shape)
    sides = [
        (4 * i + k, 4 * i + (k + 1) % 4, 4 * i + 4 + (k + 1) % 4, 4 * i + 4 + k)
        for i, k in product(range(columns - 1), range(4))
    ]
    last = 4 * (columns - 1)
    faces = (*sides, (3, 2, 1, 0), (last, last + 1, last + 2, last + 3))
    return np.stack([x, y, z], axis=2).reshape(-1, 3), faces
