"""Closed meshes with outward normals: the primitives that furniture and rooms are assembled from.

All lengths are metres. A shape's texture coordinates (`Part.local`) put its longest side along local x, the second
along local y and the thinnest along local z, so wood grain follows a board and flat patterns lie in local xy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from occscene.part_shapes import BOX_CORNERS, BOX_FACES, Faces, cube_grid, sheet_faces, tube_faces

from occscene_server.geometry.surface_frames import pattern_coordinates
from occscene_server.studio.room import FloatArray, Part, Solid

Vector = Sequence[float]
CORNERS: FloatArray = BOX_CORNERS * 2.0
"""Of a box of side 2 about the origin."""
_BEVELLED: FloatArray = np.repeat(CORNERS, 3, axis=0)
_ON_SIDE = np.tile(np.eye(3, dtype=bool), (8, 1))
"""Each corner once for each side that it touches, and the axis across that side."""


def solid(kind: str, center: Vector, size: Vector, taper: float = 1.0, axes: FloatArray | None = None) -> Solid:
    """A primitive in its place; `axes` (3, 3) holds its own axes as columns, the world's where None."""
    pose = np.empty((3, 4))
    pose[:, :3] = np.eye(3) if axes is None else axes
    pose[:, 3] = center
    return Solid(kind, (float(size[0]), float(size[1]), float(size[2])), pose, taper)


def _outward(vertices: FloatArray, faces: list[tuple[int, ...]]) -> Faces:
    """Orient the faces of a solid that is convex about the origin."""
    oriented = []
    for face in faces:
        a, b, c = vertices[list(face[:3])]
        outside = float(np.dot(np.cross(b - a, c - a), vertices[list(face)].mean(axis=0)))
        oriented.append(face if outside > 0 else face[::-1])
    return tuple(oriented)


@lru_cache(maxsize=1)
def _bevel_faces() -> Faces:
    """Faces of a bevelled cube whose vertex 3 * corner + axis lies on the side across `axis`."""
    vertices = np.array(
        [[s * (1.0 if i == axis else 0.8) for i, s in enumerate(c)] for c in CORNERS for axis in range(3)]
    )
    faces = [tuple(3 * corner + side // 2 for corner in loop) for side, loop in enumerate(BOX_FACES)]
    faces += [(3 * corner, 3 * corner + 1, 3 * corner + 2) for corner in range(8)]
    for axis, bit in enumerate((4, 2, 1)):
        a, b = (other for other in range(3) if other != axis)
        for corner in (c for c in range(8) if not c & bit):
            far = corner | bit
            faces.append((3 * corner + a, 3 * corner + b, 3 * far + b, 3 * far + a))
    return _outward(vertices, faces)


def box(center: Vector, size: Vector, material: str, bevel: float = 0.0, centered: bool = False) -> Part:
    """A box, its edges cut by `bevel` metres."""
    half = np.asarray(size) / 2
    if bevel == 0.0:
        vertices = CORNERS * half + np.asarray(center)
        faces = BOX_FACES
    else:
        inner = np.maximum(half - bevel, half * 0.3)
        corners = np.where(_ON_SIDE, _BEVELLED * half, _BEVELLED * inner)
        vertices = corners + np.asarray(center)
        faces = _bevel_faces()
    local = pattern_coordinates(vertices, np.asarray(center), np.asarray(size), centered)
    return Part(vertices, faces, material, local, solid=solid("box", center, size))


def board(low: Vector, high: Vector, material: str, bevel: float = 0.004) -> Part:
    """A bevelled box between two corners."""
    center = [(a + b) / 2 for a, b in zip(low, high, strict=True)]
    size = [b - a for a, b in zip(low, high, strict=True)]
    return box(center, size, material, min(bevel, min(size) / 3))


def rounded_box(center: Vector, size: Vector, radius: float, material: str) -> Part:
    """A box with round edges: upholstery."""
    half = np.asarray(size) / 2
    radius = min(radius, float(half.min()) * 0.98)
    grid, faces = cube_grid(6)
    corner = radius * np.tan(np.pi / 4 * np.array([1.0, 0.5, 0.0]))
    inner = half - radius
    nodes = np.stack([np.concatenate([-h - corner, h + corner[::-1]]) for h in inner], axis=1)
    on_box = np.take_along_axis(nodes, grid.astype(np.int64), axis=0)
    core = np.clip(on_box, -inner, inner)
    direction = on_box - core
    vertices = core + radius * direction / np.linalg.norm(direction, axis=1, keepdims=True) + np.asarray(center)
    local = pattern_coordinates(vertices, np.asarray(center), np.asarray(size))
    return Part(vertices, faces, material, local, smooth=True, solid=solid("rounded box", center, size))


def cushion(center: Vector, size: Vector, material: str) -> Part:
    """A pillow: square in its two long directions, bulging in the thinnest (|u|^p + |v|^p)^(2/p) + w^2 = 1, p = 4."""
    grid, faces = cube_grid(7)
    direction = (grid - 3.0) / 3.0
    thin = int(np.argmin(np.asarray(size)))
    flat = [axis for axis in range(3) if axis != thin]
    level = np.sqrt((np.abs(direction[:, flat]) ** 4).sum(axis=1)) + direction[:, thin] ** 2
    vertices = direction / np.sqrt(level)[:, None] * (np.asarray(size) / 2) + np.asarray(center)
    local = pattern_coordinates(vertices, np.asarray(center), np.asarray(size))
    return Part(vertices, faces, material, local, smooth=True, solid=solid("cushion", center, size))


def ellipsoid(center: Vector, radii: Vector, material: str) -> Part:
    """An ellipsoid."""
    grid, faces = cube_grid(7)
    direction = np.tan((grid - 3.0) / 3.0 * np.pi / 4)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    vertices = direction * np.asarray(radii) + np.asarray(center)
    size = [2 * r for r in radii]
    local = pattern_coordinates(vertices, np.asarray(center), np.asarray(size))
    return Part(vertices, faces, material, local, smooth=True, solid=solid("ellipsoid", center, size))


def lathe(center: Vector, profile: Sequence[tuple[float, float]], material: str, sides: int = 14) -> Part:
    """A solid of revolution about a vertical axis through `center`; `profile` lists (radius, height) from below."""
    angle = np.arange(sides) * (2 * np.pi / sides)
    circle = np.stack([np.cos(angle), np.sin(angle), np.zeros(sides)], axis=1)
    rings = [circle * radius + (0.0, 0.0, height) for radius, height in profile]
    vertices = np.concatenate(rings) + np.asarray(center)
    width = 2 * max(radius for radius, _ in profile)
    size = (width, width, profile[-1][1] - profile[0][1])
    local = pattern_coordinates(vertices, np.asarray(center), np.asarray(size))
    middle = (center[0], center[1], center[2] + (profile[0][1] + profile[-1][1]) / 2)
    shape = solid("lathe", middle, size, profile[-1][0] / profile[0][0])
    return Part(vertices, tube_faces(len(profile), sides), material, local, smooth=True, solid=shape)


def cylinder(center: Vector, bottom: float, top: float, height: float, material: str, sides: int = 14) -> Part:
    """An upright, tapered cylinder standing on `center` with its rims slightly broken."""
    rim = min(0.006, bottom / 4, top / 4, height / 4)
    profile = [(bottom - rim, 0.0), (bottom, rim), (top, height - rim), (top - rim, height)]
    part = lathe(center, profile, material, sides)
    assert part.solid is not None
    return replace(part, solid=replace(part.solid, kind="cylinder", taper=top / bottom))


def rod(start: Vector, end: Vector, start_radius: float, end_radius: float, material: str, sides: int = 8) -> Part:
    """A round, tapered rod between two points: legs, handles, lamp posts."""
    first, last = np.asarray(start, dtype=np.float64), np.asarray(end, dtype=np.float64)
    axis = last - first
    length = float(np.linalg.norm(axis))
    axis = axis / length
    side = _across(axis, np.array((1.0, 0.0, 0.0) if abs(axis[0]) < 0.9 else (0.0, 1.0, 0.0)))
    side /= np.linalg.norm(side)
    other = _across(axis, side)
    angle = np.arange(sides) * (2 * np.pi / sides)
    circle = np.cos(angle)[:, None] * side + np.sin(angle)[:, None] * other
    vertices = np.concatenate([first + circle * start_radius, last + circle * end_radius])
    along = (vertices - first) @ axis
    local = np.stack([along + 9.0 * first[0], (vertices - first) @ side, (vertices - first) @ other], axis=1)
    width = 2 * max(start_radius, end_radius)
    axes = np.stack([side, other, axis], axis=1)
    shape = solid("rod", ((first + last) / 2).tolist(), (width, width, length), end_radius / start_radius, axes)
    return Part(vertices, tube_faces(2, sides), material, local, smooth=True, solid=shape)


def _across(a: FloatArray, b: FloatArray) -> FloatArray:
    """The cross product of two vectors (3,), for which numpy's own takes ten times as long."""
    (x, y, z), (u, v, w) = a.tolist(), b.tolist()
    return np.array([y * w - z * v, z * u - x * w, x * v - y * u])


def blade(path: FloatArray, widths: Sequence[float], side: Vector, thickness: float, material: str) -> Part:
    """A leaf: a flat tube with four sides along `path` (K, 3), `widths` (K,) across `side`."""
    tangent = np.gradient(path, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    across = np.broadcast_to(np.asarray(side, dtype=np.float64), path.shape)
    across = across - (across * tangent).sum(axis=1, keepdims=True) * tangent
    across = across / np.linalg.norm(across, axis=1, keepdims=True)
    normal = np.cross(tangent, across)
    half = np.asarray(widths)[:, None] / 2
    thick = np.minimum(thickness / 2, half)
    rings = np.stack([path + across * half, path + normal * thick, path - across * half, path - normal * thick], axis=1)
    vertices = rings.reshape(-1, 3)
    middle = len(path) // 2
    axes = np.stack([tangent[middle], across[middle], normal[middle]], axis=1)
    size = (float(np.linalg.norm(path[-1] - path[0])), float(max(widths)), thickness)
    shape = solid("blade", ((path[0] + path[-1]) / 2).tolist(), size, 1.0, axes)
    return Part(vertices, tube_faces(len(path), 4), material, vertices - path[0], smooth=True, solid=shape)


def curtain(start: Vector, width: float, height: float, depth: float, folds: int, material: str) -> Part:
    """A hanging, folded sheet 1 cm thick from `start` (lower left) along +x, waving by `depth` in y about `start`."""
    columns = folds * 6 + 1
    x = np.linspace(0.0, width, columns)
    wave = depth / 2 * np.sin(np.linspace(0.0, 2 * np.pi * folds, columns))
    flare = np.array([1.0, 1.0, 0.55, 0.55])
    y = wave[:, None] * flare + np.array([-0.005, 0.005, 0.005, -0.005])
    z = np.broadcast_to([0.0, 0.0, height, height], y.shape)
    flat = np.stack([np.broadcast_to(x[:, None], y.shape), y, z], axis=2).reshape(-1, 3)
    vertices = flat + np.asarray(start)
    middle = (start[0] + width / 2, start[1], start[2] + height / 2)
    shape = solid("curtain", middle, (width, depth, height))
    return Part(vertices, sheet_faces(columns), material, flat[:, [0, 2, 1]], smooth=True, solid=shape)


def moved(part: Part, offset: Vector) -> Part:
    """The part shifted; its texture moves with it."""
    shape = part.solid
    if shape is not None:
        pose = shape.pose.copy()
        pose[:, 3] += offset
        shape = Solid(shape.kind, shape.size, pose, shape.taper)
    return _with(part, part.vertices + np.asarray(offset), shape)


def resized(part: Part, factor: float) -> Part:
    """The part larger about the origin; its texture grows with it."""
    shape = part.solid
    if shape is not None:
        pose = shape.pose.copy()
        pose[:, 3] *= factor
        x, y, z = shape.size
        shape = Solid(shape.kind, (x * factor, y * factor, z * factor), pose, shape.taper)
    return Part(part.vertices * factor, part.faces, part.material, part.local * factor, part.smooth, shape)


def turned(part: Part, angle: float, axis: str = "z", pivot: Vector = (0.0, 0.0, 0.0)) -> Part:
    """The part turned by `angle` radians about an axis through `pivot`; its texture turns with it."""
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    rotation = np.eye(3)
    rotation[i, i] = rotation[j, j] = math.cos(angle)
    rotation[i, j], rotation[j, i] = -math.sin(angle), math.sin(angle)
    shape = part.solid
    if shape is not None:
        pose = rotation @ shape.pose
        pose[:, 3] += np.asarray(pivot) - rotation @ np.asarray(pivot)
        shape = Solid(shape.kind, shape.size, pose, shape.taper)
    vertices = (part.vertices - np.asarray(pivot)) @ rotation.T + np.asarray(pivot)
    return _with(part, vertices, shape)


def _with(part: Part, vertices: FloatArray, shape: Solid | None) -> Part:
    # replace() takes as long as the geometry
    return Part(vertices, part.faces, part.material, part.local, part.smooth, shape, part.foliage)


def bounds(parts: Sequence[Part]) -> tuple[FloatArray, FloatArray]:
    """Lowest and highest corner of all parts."""
    vertices = np.concatenate([part.vertices for part in parts])
    return vertices.min(axis=0), vertices.max(axis=0)
