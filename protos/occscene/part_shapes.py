"""The shapes of a layout's parts by formula: polygons as an artist would have them, and triangles of those.

They are those that the parts prior learnt from. What a part does not say is what it mostly is there: boxes have sharp
edges, rounded boxes radii of 4 cm at most, leaves are straight, and what was turned on a lathe is a tapered cylinder.
"""

from __future__ import annotations

from functools import cache, lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from occscene.facade_shapes import facade_boxes

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Faces = tuple[tuple[int, ...], ...]

_RADIUS = 0.04
_FOLD = 0.1
"""Metres of a curtain that a fold takes."""
_THICKNESS = 0.01
"""Of a curtain's cloth, metres."""
_ROUND_SIDES, _ROD_SIDES = 16, 8
_THIN = 0.3
"""Metres across below which a rod has few sides: a wheel is none."""
WALLS = ("window wall", "facade", "shop front")
"""Kinds of parts that are walls with windows."""

BOX_CORNERS: Floats = np.array(list(product((-0.5, 0.5), repeat=3)))
"""(8, 3) of a box of side 1 about the origin, z fastest."""
BOX_FACES: Faces = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
"""Of a box with the corners `BOX_CORNERS`, counter-clockwise from outside."""


def part_shape(kind: str, size: Floats, taper: float = 1.0) -> tuple[Floats, Faces]:
    """A part's closed mesh, along its own axes about its middle.

    Args:
        kind: one of `occscene.layout.PART_KINDS`.
        size: (3,) extent.
        taper: width of a cylinder's or rod's upper end over that of its lower.

    Returns:
        Vertices (V, 3), and polygons counter-clockwise from outside: quads but for the ends of tubes. Walls are many
        boxes, all else is one piece.
    """
    if kind == "box":
        return BOX_CORNERS * size, BOX_FACES
    if kind in ("cylinder", "rod"):
        is_thin = kind == "rod" and size[0] < _THIN
        return _tube(size, taper, _ROD_SIDES if is_thin else _ROUND_SIDES)
    if kind == "blade":
        return _leaf(size)
    if kind in WALLS:
        return _boxes(facade_boxes(kind, size)[0])
    if kind == "curtain":
        return _folds(size)
    if kind == "rounded box":
        return _rounded(size)
    unit, faces = _cube_grid(7)
    if kind == "ellipsoid":
        direction = np.tan(unit * np.pi / 4)
        return direction / np.linalg.norm(direction, axis=1, keepdims=True) * (size / 2), faces
    thin = int(np.argmin(size))
    flat = [axis for axis in range(3) if axis != thin]
    level = np.sqrt((np.abs(unit[:, flat]) ** 4).sum(1)) + unit[:, thin] ** 2
    return unit / np.sqrt(level)[:, None] * (size / 2), faces


def _boxes(ends: Floats) -> tuple[Floats, Faces]:
    """Boxes between lowest and highest corners (N, 2, 3)."""
    middle, size = ends.mean(1), np.ptp(ends, axis=1)
    return (BOX_CORNERS * size[:, None] + middle[:, None]).reshape(-1, 3), _box_faces(len(ends))


@lru_cache(maxsize=64)
def _box_faces(count: int) -> Faces:
    return tuple(tuple(8 * box + corner for corner in face) for box in range(count) for face in BOX_FACES)


@lru_cache(maxsize=64)
def triangulated(faces: Faces) -> Ints:
    """Triangles (T, 3) of convex polygons, each a fan from its first corner."""
    return np.array([(face[0], face[i], face[i + 1]) for face in faces for i in range(1, len(face) - 1)])


def rotations(quaternions: Floats) -> Floats:
    """(N, 3, 3) of quaternions w, x, y, z (N, 4), which need not have length 1."""
    w, x, y, z = (quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True)).T
    return np.stack(
        [
            np.stack([1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)], 1),
            np.stack([2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)], 1),
            np.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], 1),
        ],
        1,
    )


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


def _cube_grid(nodes: int) -> tuple[Floats, Faces]:
    """Nodes -1 .. 1 (V, 3) on a cube's surface, and quads between neighbours."""
    places, faces = cube_grid(nodes)
    return places * 2 / (nodes - 1) - 1, faces


@cache
def cube_grid(nodes: int) -> tuple[Floats, Faces]:
    """Places of nodes, 0 .. nodes - 1 (V, 3), on a cube's surface, and quads between neighbors."""
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
    return np.array(list(index), np.float64), tuple(faces)


@cache
def tube_faces(rings: int, sides: int) -> Faces:
    """Quads between consecutive rings of vertices, and one polygon over each end."""
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
    return np.concatenate(rings), tube_faces(2, sides)


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
    is_even = (long, wide, thin) in ((0, 1, 2), (1, 2, 0), (2, 0, 1))
    faces = tube_faces(3, 4)
    return np.concatenate(rings), faces if is_even else tuple((face[0], *face[:0:-1]) for face in faces)


def _folds(size: Floats) -> tuple[Floats, Faces]:
    """A hanging sheet along x that waves in y, half as much at its top; never deeper than its size."""
    folds = max(2, round(float(size[0]) / _FOLD))
    columns = folds * 6 + 1
    wave = max(0.0, float(size[1]) - _THICKNESS) / 2 * np.sin(np.linspace(0.0, 2 * np.pi * folds, columns))
    half = min(_THICKNESS, float(size[1])) / 2
    y = wave[:, None] * (1.0, 1.0, 0.55, 0.55) + np.array([-half, half, half, -half])
    x = np.broadcast_to(np.linspace(-0.5, 0.5, columns)[:, None] * size[0], y.shape)
    z = np.broadcast_to(np.array([-0.5, -0.5, 0.5, 0.5]) * size[2], y.shape)
    return np.stack([x, y, z], axis=2).reshape(-1, 3), sheet_faces(columns)


@lru_cache(maxsize=64)
def sheet_faces(columns: int) -> Faces:
    """Faces of a folded sheet; column i has vertices 4i.. = front bottom, back bottom, back top, front top."""
    sides = [
        (4 * i + k, 4 * i + (k + 1) % 4, 4 * i + 4 + (k + 1) % 4, 4 * i + 4 + k)
        for i, k in product(range(columns - 1), range(4))
    ]
    last = 4 * (columns - 1)
    return (*sides, (3, 2, 1, 0), (last, last + 1, last + 2, last + 3))
