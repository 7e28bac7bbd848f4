"""The triangles of parts, as the studio's own meshes have them: by formula, so that parts alone need be kept.

What a part does not say is what it mostly is there: edges of boxes are sharp, a rounded box has radii of 4 cm at most,
a leaf is straight, and a lathe is the tapered cylinder that it was recorded as.
"""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from occscene_server.geometry.solids import BLADE, BOX, CURTAIN, CUSHION, CYLINDER, ELLIPSOID, ROD, Floats, Ints, Solids

_RADIUS = 0.04
_FOLD = 0.1
"""Metres of a curtain that a fold takes."""
_BOX_SIDES = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
_CORNERS = np.array(list(product((-0.5, 0.5), repeat=3)))
_ROUND_SIDES, _ROD_SIDES = 16, 8


def solid_triangles(solids: Solids) -> tuple[Floats, Ints]:
    """Triangles (T, 3, 3) of all parts along the object's axes, counter-clockwise from outside, and whose they are."""
    triangles, owner = [np.zeros((0, 3, 3))], [np.zeros(0, np.int64)]
    for row in range(len(solids)):
        vertices, faces = _own_mesh(int(solids.kind[row]), solids.size[row], float(solids.taper[row]))
        placed = vertices @ solids.axes[row].T + solids.center[row]
        triangles.append(placed[faces])
        owner.append(np.full(len(faces), row))
    return np.concatenate(triangles), np.concatenate(owner)


def _own_mesh(kind: int, size: Floats, taper: float) -> tuple[Floats, Ints]:
    """Vertices (V, 3) along the part's own axes, and triangles (T, 3) of them."""
    if kind == BOX:
        return _CORNERS * size, _fans(_BOX_SIDES)
    if kind in (CYLINDER, ROD):
        return _tube(size, taper, _ROD_SIDES if kind == ROD else _ROUND_SIDES)
    if kind == BLADE:
        return _leaf(size)
    if kind == CURTAIN:
        return _folds(size)
    nodes = 6 if kind not in (ELLIPSOID, CUSHION) else 7
    grid, faces = _cube_grid(nodes)
    unit = (grid - (nodes - 1) / 2) / ((nodes - 1) / 2)
    if kind == ELLIPSOID:
        direction = np.tan(unit * np.pi / 4)
        return direction / np.linalg.norm(direction, axis=1, keepdims=True) * (size / 2), faces
    if kind == CUSHION:
        thin = int(np.argmin(size))
        flat = [axis for axis in range(3) if axis != thin]
        level = np.sqrt((np.abs(unit[:, flat]) ** 4).sum(1)) + unit[:, thin] ** 2
        return unit / np.sqrt(level)[:, None] * (size / 2), faces
    half = size / 2
    radius = min(_RADIUS, float(half.min()) * 0.98)
    corner = radius * np.tan(np.pi / 4 * np.array([1.0, 0.5, 0.0]))
    ticks = np.stack([np.concatenate([-h - corner, h + corner[::-1]]) for h in half - radius], axis=1)
    on_box = np.take_along_axis(ticks, grid.astype(np.int64), axis=0)
    core = np.clip(on_box, radius - half, half - radius)
    away = on_box - core
    return core + radius * away / np.linalg.norm(away, axis=1, keepdims=True), faces


def _fans(polygons: tuple[tuple[int, ...], ...]) -> Ints:
    return np.array([(p[0], p[i], p[i + 1]) for p in polygons for i in range(1, len(p) - 1)])


@cache
def _cube_grid(nodes: int) -> tuple[Floats, Ints]:
    """Nodes 0 .. nodes - 1 (V, 3) on a cube's surface, and triangles between neighbours."""
    index: dict[tuple[int, ...], int] = {}
    faces = []
    for axis, side in product(range(3), (0, nodes - 1)):
        for u, v in product(range(nodes - 1), repeat=2):
            loop = []
            for du, dv in ((0, 0), (1, 0), (1, 1), (0, 1)):
                node = [u + du, v + dv]
                node.insert(axis, side)
                loop.append(index.setdefault(tuple(node), len(index)))
            # (x, y), (y, z) and (z, x) turn to the third axis
            outward = (side > 0) == (axis != 1)
            faces.append(tuple(loop if outward else loop[::-1]))
    return np.array(list(index), np.float64), _fans(tuple(faces))


@cache
def _circle(sides: int) -> Floats:
    angle = np.arange(sides) * (2 * np.pi / sides)
    return np.stack([np.cos(angle) / 2, np.sin(angle) / 2], axis=1)


@cache
def _tube_faces(rings: int, sides: int) -> Ints:
    quads = [
        (r * sides + s, r * sides + (s + 1) % sides, (r + 1) * sides + (s + 1) % sides, (r + 1) * sides + s)
        for r, s in product(range(rings - 1), range(sides))
    ]
    last = (rings - 1) * sides
    return _fans((*quads, tuple(range(sides))[::-1], tuple(range(last, last + sides))))


def _tube(size: Floats, taper: float, sides: int) -> tuple[Floats, Ints]:
    lower, upper = (1.0, taper) if taper <= 1 else (1 / taper, 1.0)
    rings = [
        np.column_stack([_circle(sides) * size[:2] * width, np.full(sides, height * size[2])])
        for width, height in ((lower, -0.5), (upper, 0.5))
    ]
    return np.concatenate(rings), _tube_faces(2, sides)


def _leaf(size: Floats) -> tuple[Floats, Ints]:
    """A flat tube of four sides along its longest axis, widest in the middle."""
    long, wide, thin = np.argsort(-size, kind="stable")
    rings = []
    for along, width in ((-0.5, 0.1), (0.1, 1.0), (0.5, 0.1)):
        ring = np.zeros((4, 3))
        ring[:, long] = along
        ring[:, wide] = np.array([0.5, 0.0, -0.5, 0.0]) * width
        ring[:, thin] = np.array([0.0, 0.5, 0.0, -0.5])
        rings.append(ring * size)
    faces = _tube_faces(3, 4)
    even = (long, wide, thin) in ((0, 1, 2), (1, 2, 0), (2, 0, 1))
    return np.concatenate(rings), faces if even else faces[:, ::-1]


def _folds(size: Floats) -> tuple[Floats, Ints]:
    """A hanging sheet 1 cm thick along x that waves in y, half as much at its top."""
    folds = max(2, round(float(size[0]) / _FOLD))
    columns = folds * 6 + 1
    wave = (size[1] - 0.01) / 2 * np.sin(np.linspace(0.0, 2 * np.pi * folds, columns))
    y = wave[:, None] * (1.0, 1.0, 0.55, 0.55) + (-0.005, 0.005, 0.005, -0.005)
    x = np.broadcast_to(np.linspace(-0.5, 0.5, columns)[:, None] * size[0], y.shape)
    z = np.broadcast_to(np.array([-0.5, -0.5, 0.5, 0.5]) * size[2], y.shape)
    sides = [
        (4 * i + k, 4 * i + (k + 1) % 4, 4 * i + 4 + (k + 1) % 4, 4 * i + 4 + k)
        for i, k in product(range(columns - 1), range(4))
    ]
    last = 4 * (columns - 1)
    faces = _fans((*sides, (3, 2, 1, 0), (last, last + 1, last + 2, last + 3)))
    return np.stack([x, y, z], axis=2).reshape(-1, 3), faces


def face_planes(kind: int, size: Floats, taper: float) -> tuple[Floats, Floats]:
    """Half-spaces (F, 3) and (F,) whose intersection a part is, about its middle: n . p <= d. A curtain is its box."""
    vertices, faces = _own_mesh(BOX if kind == CURTAIN else kind, size, taper)
    a, b, c = vertices[faces].transpose(1, 0, 2)
    normal = np.cross(b - a, c - a)
    length = np.linalg.norm(normal, axis=1)
    real: NDArray[np.bool_] = length > 1e-12
    normal = normal[real] / length[real, None]
    # the two triangles of a bent quad would cut each other's corners: each plane is moved to the outermost vertex
    return normal, (vertices @ normal.T).max(0)
