"""Meshes that streets need beyond the studio's shapes: lofts, wedges, ribbons along a course, crowns, twigs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from occscene.part_shapes import cube_grid, tube_faces

from occscene_server.geometry.course import Course
from occscene_server.studio.room import FloatArray, Part
from occscene_server.studio.shapes import Vector, moved, solid, turned

Section = tuple[float, float, float, float]
"""A cross-section of a loft: place along it, half its width, its lowest and its highest point, metres."""

_ALONG_X = np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
"""Axes of a rod along x."""


def loft(sections: Sequence[Section], material: str, power: float = 5.0, sides: int = 16, smooth: bool = True) -> Part:
    """A body along y through rounded cross-sections: superellipses |x / w|^p + |z / h|^p = 1 of exponent `power`."""
    angle = (np.arange(sides) + 0.5) * (2 * np.pi / sides)
    cosine, sine = np.cos(angle), np.sin(angle)
    across = np.sign(cosine) * np.abs(cosine) ** (2 / power)
    up = np.sign(sine) * np.abs(sine) ** (2 / power)
    rings = [
        np.column_stack([-across * half, np.full(sides, y), (low + high) / 2 + up * (high - low) / 2])
        for y, half, low, high in sections
    ]
    vertices = np.concatenate(rings)
    return Part(vertices, tube_faces(len(rings), sides), material, vertices.copy(), smooth=smooth)


def tower(levels: Sequence[tuple[float, float, float, float]], material: str, power: float = 6.0) -> Part:
    """A body upwards through rounded plans: height, rear y, front y, half the width."""
    sides = 16
    angle = (np.arange(sides) + 0.5) * (2 * np.pi / sides)
    cosine, sine = np.cos(angle), np.sin(angle)
    across = np.sign(cosine) * np.abs(cosine) ** (2 / power)
    along = np.sign(sine) * np.abs(sine) ** (2 / power)
    rings = [
        np.column_stack([across * half, (rear + front) / 2 + along * (front - rear) / 2, np.full(sides, height)])
        for height, rear, front, half in levels
    ]
    vertices = np.concatenate(rings)
    return Part(vertices, tube_faces(len(rings), sides), material, vertices.copy(), smooth=True)


def prism(outline: Sequence[tuple[float, float]], start: float, end: float, material: str) -> Part:
    """A convex outline of (x, z), counter-clockwise seen from +y, along y."""
    points = np.array(outline, np.float64)
    rings = [np.column_stack([points[:, 0], np.full(len(points), y), points[:, 1]]) for y in (start, end)]
    vertices = np.concatenate(rings)
    return Part(vertices, tube_faces(2, len(points)), material, vertices.copy())


def wheel(center: Vector, radius: float, width: float, material: str, sides: int = 16) -> Part:
    """A disc that rolls along y, its axle along x."""
    rim = min(0.02, width / 4)
    profile = [
        (radius - rim, -width / 2),
        (radius, -width / 2 + rim),
        (radius, width / 2 - rim),
        (radius - rim, width / 2),
    ]
    angle = np.arange(sides) * (2 * np.pi / sides)
    circle = np.stack([np.cos(angle), np.sin(angle), np.zeros(sides)], axis=1)
    vertices = np.concatenate([circle * r + (0.0, 0.0, h) for r, h in profile])
    shape = solid("rod", (0.0, 0.0, 0.0), (2 * radius, 2 * radius, width))
    disc = Part(vertices, tube_faces(4, sides), material, vertices.copy(), solid=shape)
    return moved(turned(disc, np.pi / 2, "y"), center)


def ring(center: Vector, radius: float, thickness: float, material: str, sides: int = 18) -> Part:
    """A tyre without its inside: a closed tube of square section that rolls along y."""
    angle = np.arange(sides) * (2 * np.pi / sides)
    half = thickness / 2
    corners = [(radius - half, -half), (radius + half, -half), (radius + half, half), (radius - half, half)]
    loops = [
        np.stack([np.full(sides, x), r * np.cos(angle), r * np.sin(angle)], axis=1) + np.asarray(center)
        for r, x in corners
    ]
    vertices = np.concatenate(loops)
    faces = tuple(
        (a * sides + i, a * sides + (i + 1) % sides, b * sides + (i + 1) % sides, b * sides + i)
        for a, b in ((0, 1), (1, 2), (2, 3), (3, 0))
        for i in range(sides)
    )
    disc = solid("rod", center, (2 * (radius + half), 2 * (radius + half), thickness), axes=_ALONG_X)
    return Part(vertices, faces, material, vertices - np.asarray(center), solid=disc)


def ribbon(course: Course, left: FloatArray, right: FloatArray, top: float, thickness: float, material: str) -> Part:
    """A slab between two lines of places (K, 2), `left` lying to the left of `right` as one walks along them.

    Its texture runs along the course: local x is s, local y is d.
    """
    corners = []
    for line, height in ((left, top), (right, top), (right, top - thickness), (left, top - thickness)):
        corners.append(course.points(line, height))
    vertices = np.stack(corners, axis=1).reshape(-1, 3)
    flat = np.stack([left, right, right, left], axis=1).reshape(-1, 2)
    local = np.column_stack([flat, np.zeros(len(flat))])
    faces = tube_faces(len(left), 4)
    return Part(vertices, faces, material, local)


def strip(
    course: Course,
    span: tuple[float, float],
    across: tuple[float, float],
    top: float,
    thickness: float,
    material: str,
    step: float = 2.0,
) -> Part:
    """A slab over s in `span` and d in `across`, its samples along a bend `step` metres apart."""
    pieces = 1 if course.bend == 0.0 else max(1, int(np.ceil((span[1] - span[0]) / step)))
    s = np.linspace(span[0], span[1], pieces + 1)
    low, high = min(across), max(across)
    left, right = (np.column_stack([s, np.full(len(s), d)]) for d in (high, low))
    return ribbon(course, left, right, top, thickness, material)


@lru_cache(maxsize=4)
def _ball(nodes: int) -> tuple[FloatArray, tuple[tuple[int, ...], ...]]:
    grid, faces = cube_grid(nodes)
    middle = (nodes - 1) / 2
    direction = np.tan((grid - middle) / middle * np.pi / 4)
    return direction / np.linalg.norm(direction, axis=1, keepdims=True), faces


def lump(rng: np.random.Generator, center: Vector, radii: Vector, rough: float, material: str, nodes: int = 6) -> Part:
    """A ball whose surface is displaced by up to `rough` of its radius: part of a crown, a bush, a heap."""
    direction, faces = _ball(nodes)
    waves = rng.normal(0.0, 1.0, (6, 3)) * 3.5
    bumps = np.sin(direction @ waves.T + rng.uniform(0, 6.3, 6)).mean(axis=1) * 1.6
    vertices = direction * (1 + rough * bumps)[:, None] * np.asarray(radii) + np.asarray(center)
    middle, size = (vertices.min(0) + vertices.max(0)) / 2, np.ptp(vertices, axis=0)
    shape = solid("ellipsoid", middle.tolist(), size.tolist())
    return Part(vertices, faces, material, vertices.copy(), smooth=True, solid=shape)


def skirt(rng: np.random.Generator, z: float, radius: float, height: float, material: str) -> Part:
    """One tier of a conifer: a cone whose rim of `radius` is jagged and droops below `z`."""
    sides = 18
    angle = np.arange(sides) * (2 * np.pi / sides)
    out = radius * np.where(np.arange(sides) % 2, 0.74, 1.0) * rng.uniform(0.88, 1.12, sides)
    rows = []
    for share, level in ((0.3, -0.02), (1.0, -0.28), (0.96, -0.2), (0.5, 0.3), (0.08, 1.0)):
        rows.append(
            np.column_stack(
                [np.cos(angle) * out * share, np.sin(angle) * out * share, np.full(sides, z + level * height * 0.8)]
            )
        )
    rows[1][:, 2] -= rng.uniform(0.0, 0.12, sides) * height
    vertices = np.concatenate(rows)
    low, high = -0.28 * 0.8 * height, 0.8 * height
    # as wide as its rim is on average, with as narrow a top
    shape = solid("cylinder", (0.0, 0.0, z + (low + high) / 2), (1.74 * radius, 1.74 * radius, high - low), 0.1)
    return Part(vertices, tube_faces(5, sides), material, vertices.copy(), solid=shape)


def scattered(
    rng: np.random.Generator,
    balls: Sequence[tuple[Vector, Vector]],
    count: int,
    size: float,
    material: str,
    aspect: float = 0.6,
    spread: tuple[float, float] = (0.84, 1.22),
) -> Part:
    """`count` small quads scattered over ellipsoids (centre, radii): seen only, never voxelised.

    Args:
        rng: scatters them.
        balls: the ellipsoids.
        count: number of quads.
        size: half their length in metres; aspect: their width over it.
        material: of the leaves.
        spread: how far from the middle they lie, in radii.
    """
    share = np.array([radii[0] * radii[2] for _, radii in balls])
    chosen = rng.choice(len(balls), count, p=share / share.sum())
    centers = np.array([center for center, _ in balls], np.float64)[chosen]
    radii = np.array([radius for _, radius in balls], np.float64)[chosen]
    direction = rng.normal(0.0, 1.0, (count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    at = centers + direction * radii * rng.uniform(*spread, (count, 1))
    normal = direction + rng.normal(0.0, 0.55, (count, 3))
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    side = np.cross(normal, rng.normal(0.0, 1.0, (count, 3)))
    side /= np.linalg.norm(side, axis=1, keepdims=True)
    other = np.cross(normal, side)
    long = size * rng.uniform(0.6, 1.4, (count, 1))
    corners = [at - side * long, at - other * long * aspect, at + side * long, at + other * long * aspect]
    vertices = np.stack(corners, axis=1).reshape(-1, 3)
    faces = tuple((4 * i, 4 * i + 1, 4 * i + 2, 4 * i + 3) for i in range(count))
    return Part(vertices, faces, material, vertices.copy(), foliage=True)


def blades(rng: np.random.Generator, points: FloatArray, height: float, width: float, material: str) -> Part:
    """Blades of grass, a triangle each, at world points (N, 3): seen only, never voxelised."""
    count = len(points)
    angle = rng.uniform(0, 2 * np.pi, count)
    side = np.column_stack([np.cos(angle), np.sin(angle), np.zeros(count)]) * width / 2
    tip = np.column_stack([rng.normal(0, 0.35, (count, 2)) * height, height * rng.uniform(0.5, 1.2, count)])
    vertices = np.stack([points - side, points + side, points + tip], axis=1).reshape(-1, 3)
    faces = tuple((3 * i, 3 * i + 1, 3 * i + 2) for i in range(count))
    return Part(vertices, faces, material, vertices.copy(), foliage=True)
