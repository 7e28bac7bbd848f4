"""What stands in a street as a few primitives: its meshes' own, and slices of those that are none.

Most meshes of the studio know the primitive that they are. Bodies of vehicles, roofs and other prisms are cut into
slices instead, each the box of its cross-section: a gable becomes steps under its sheets. A side of a dwelling with
windows is one wall with windows. What is small, or lies within larger parts, is left out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
from occscene.facade_shapes import RELIEF
from occscene.layout import LayoutObject
from occscene.part_shapes import triangulated

from occscene_server.data.layouts import Parts
from occscene_server.geometry.solids import Ints, quaternions
from occscene_server.studio.room import FloatArray, Item, MaterialSpec, Part, Solid
from occscene_server.studio.shapes import solid
from occscene_server.studio.streets.facades import SKIN

_DWELLINGS = ("house", "cottage")
"""Buildings whose windows stand in storeys and columns."""
_SHOP_WINDOW = 1.9
"""Metres from which on a pane is a shop's."""
MOST = 24
"""Parts of one object, before those that mirror each other count as one."""
_FULL, _ROUNDED, _STEPPED = 0.88, 0.7, 4
"""Share of its box from which on a mesh is one box, or two slices; else so many slices."""
_COVERED = 0.9
"""Where in a slice its cross-section is taken if something lies over it, as tiles do over a gable; else the middle."""
_SMALL = 0.04
"""Of the object's second longest side: parts whose own is shorter are left out."""
_LEAST = 0.03
"""Metres: the same for slender objects."""
_NEW = 0.15
"""Least share of a part that no larger part covers."""
_MARGIN = 0.05
"""Of the object's second longest side, 10 cm at most: how far around a part counts as covered by it."""
_GRID = np.stack(np.meshgrid(*[np.linspace(-0.45, 0.45, 5)] * 3, indexing="ij"), -1).reshape(-1, 3)

Named = tuple[Solid, str]
"""A primitive in the piece's frame, and its material."""


def street_parts(item: Item, obj: LayoutObject, up: float, materials: Mapping[str, MaterialSpec]) -> Parts:
    """The primitives of an item along the axes of its box, the largest first.

    Args:
        item: with a pose.
        obj: in the street's plan.
        up: height of the item's own z = 0 in the plan, metres.
        materials: of the item's parts.
    """
    assert item.pose is not None
    scale = float(np.linalg.norm(item.pose[:, 0]))
    offset = _box_middle(item, obj, scale)
    half = np.array(obj.size) / 2
    placed = []
    shapes = _primitives(item.parts)
    if item.class_name == "building":
        panes = [shape for shape, material in shapes if materials[material].kind == "pane"]
        shapes = _walled(shapes, panes if item.name in _DWELLINGS else [])
    for shape, material in shapes:
        center = shape.pose[:, 3] * scale - offset
        center[2] += up - obj.center[2]
        inside = _cut(shape, center, np.array(shape.size) * scale, half)
        if inside is not None:
            placed.append((*inside, shape, material))
    chosen = _telling(placed, obj)
    order: dict[str, int] = {}
    rows = [placed[row] for row in chosen]
    roles = [order.setdefault(material, len(order)) for *_, material in rows]
    boxes = np.array([np.concatenate([center, size]) for center, size, _, _ in rows]).reshape(-1, 6)
    axes = np.array([shape.pose[:, :3] for _, _, shape, _ in rows]).reshape(-1, 3, 3)
    colors = np.array([materials[material].color for *_, material in rows]).reshape(-1, 3)
    return Parts(
        tuple(shape.kind for _, _, shape, _ in rows),
        tuple(materials[material].kind for *_, material in rows),
        np.rint(boxes * 1000).astype(np.int16),
        quaternions(axes).astype(np.float16),
        np.array([shape.taper for _, _, shape, _ in rows], np.float16),
        np.array(roles, np.uint8),
        np.rint(np.sqrt(colors) * 255).astype(np.uint8),
    )


def _box_middle(item: Item, obj: LayoutObject, scale: float) -> FloatArray:
    """Middle of the object's box in the piece's frame along x and y, metres."""
    solids = [part.vertices for part in item.parts if not part.foliage]
    points = np.concatenate(solids) * scale
    low, high = points.min(0), points.max(0)
    # boxes of poles are narrower than their arms reach, and stand on the pole
    is_slim = obj.size[1] < 0.9 * (high[1] - low[1]) or obj.size[0] < 0.9 * (high[0] - low[0])
    middle = np.zeros(3) if is_slim else (low + high) / 2
    middle[2] = 0.0
    return middle


def _walled(shapes: Sequence[Named], panes: Sequence[Solid]) -> list[Named]:
    """A building's primitives, with walls where panes are, and its body as wide as its other facades.

    Args:
        shapes: of all parts.
        panes: of them, those that count as windows.
    """
    body = max(range(len(shapes)), key=lambda row: float(np.prod(shapes[row][0].size)))
    shape, material = shapes[body]
    middle, size = shape.pose[:, 3], np.array(shape.size)
    low, high = middle - size / 2, middle + size / 2
    skin = np.array([SKIN, SKIN, 0.0])
    outer_low, outer_high = low - skin, high + skin
    walls = []
    for axis, sign in ((1, 1), (1, -1), (0, 1), (0, -1)):
        out = [sign * (pane.pose[axis, 3] - middle[axis]) - size[axis] / 2 for pane in panes]
        own = [pane for pane, distance in zip(panes, out, strict=True) if 0 < distance < SKIN]
        if own:
            walls.append((axis, sign, own))
        elif sign > 0:
            high[axis] = outer_high[axis]
        else:
            low[axis] = outer_low[axis]
    pose, fronts = np.column_stack([np.eye(3), (low + high) / 2]), []
    wide = Solid(shape.kind, tuple((high - low).tolist()), pose, shape.taper)
    for axis, sign, own in walls:
        # fronts and backs cover the ends of the walls at the sides
        begin, end = (outer_low, outer_high) if axis == 1 else (low, high)
        place = high[axis] if sign > 0 else low[axis]
        fronts.append((_wall(begin, end, axis, sign, place, own), material))
    return [*shapes[:body], (wide, material), *shapes[body + 1 :], *fronts]


def _wall(low: FloatArray, high: FloatArray, axis: int, sign: int, place: float, panes: Sequence[Solid]) -> Solid:
    """The wall with panes before a body's side at a place along an axis, from low to high along the others.

    In front it has a door, and is a shop's if it has wide panes.
    """
    across = 1 - axis
    kind = "window wall"
    if (axis, sign) == (1, 1):
        kind = "shop front" if max(max(pane.size[:2]) for pane in panes) > _SHOP_WINDOW else "facade"
    center = (low + high) / 2
    center[axis] = place + sign * (SKIN + RELIEF) / 2
    angle = {(1, 1): 0.0, (1, -1): math.pi, (0, 1): -math.pi / 2, (0, -1): math.pi / 2}[axis, sign]
    cosine, sine = round(math.cos(angle)), round(math.sin(angle))
    turn = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
    size = float(high[across] - low[across]), SKIN + RELIEF, float(high[2] - low[2])
    return Solid(kind, size, np.column_stack([turn, center]), 1.0)


def _primitives(parts: Sequence[Part]) -> list[Named]:
    named: list[Named] = []
    has_sheets = any(part.solid is not None and part.solid.kind == "box" and _is_askew(part.solid) for part in parts)
    for part in parts:
        if part.foliage:
            continue
        shapes = [part.solid] if part.solid is not None else slices(part, _COVERED if has_sheets else 0.5)
        named += [(shape, part.material) for shape in shapes]
    return named


def _is_askew(shape: Solid) -> bool:
    return bool(np.abs(shape.pose[:, :3]).max(0).min() < 0.999)


def slices(part: Part, place: float = 0.5) -> list[Solid]:
    """A mesh that is no primitive as boxes of its cross-sections: bodies along y, all else upwards.

    Args:
        part: closed, its faces convex.
        place: where in each slice its cross-section is taken: 0 at the beginning, 1 at the end.
    """
    vertices = part.vertices
    low, high = vertices.min(0), vertices.max(0)
    size = high - low
    a, b, c = vertices[_fans(part.faces)].transpose(1, 0, 2)
    volume = abs(float(np.einsum("ij,ij->", a - low, np.cross(b - low, c - low)))) / 6
    full = volume / max(float(np.prod(size)), 1e-9)
    axis = 1 if part.smooth and size[1] >= size[2] else 2
    count = 1 if full > _FULL else 2 if full > _ROUNDED and axis == 2 else _STEPPED
    edges = _edges(part.faces)
    start, end = vertices[edges[:, 0]], vertices[edges[:, 1]]
    others = [i for i in range(3) if i != axis]
    boxes = []
    for step in range(count):
        level = low[axis] + size[axis] * (step + (place if count == _STEPPED else 0.5)) / count
        first, last = start[:, axis] - level, end[:, axis] - level
        crossing = first * last < 0
        if not crossing.any():
            continue
        share = (first / np.where(first == last, 1.0, first - last))[crossing, None]
        points = start[crossing] + share * (end - start)[crossing]
        center, extent = np.empty(3), np.empty(3)
        center[others] = (points.min(0) + points.max(0))[others] / 2
        extent[others] = np.ptp(points, axis=0)[others]
        center[axis], extent[axis] = low[axis] + size[axis] * (step + 0.5) / count, size[axis] / count
        boxes.append(solid("rounded box" if part.smooth else "box", center.tolist(), extent.tolist()))
    return boxes


@lru_cache(maxsize=256)
def _fans(faces: tuple[tuple[int, ...], ...]) -> Ints:
    return triangulated(faces)


@lru_cache(maxsize=256)
def _edges(faces: tuple[tuple[int, ...], ...]) -> Ints:
    return np.array(sorted({(min(a, b), max(a, b)) for face in faces for a, b in pairwise((*face, face[0]))}))


def _cut(shape: Solid, center: FloatArray, size: FloatArray, half: FloatArray) -> tuple[FloatArray, FloatArray] | None:
    """Middle and size of what of an upright part is above the underside of the object's box; None if nothing is."""
    axes = shape.pose[:, :3]
    if abs(axes[2, 2]) < 0.999:
        return center, size
    low, high = max(center[2] - size[2] / 2, -half[2]), center[2] + size[2] / 2
    if high - low < 1e-3:
        return None
    return np.array([center[0], center[1], (low + high) / 2]), np.array([size[0], size[1], high - low])


def _telling(placed: Sequence[tuple[FloatArray, FloatArray, Solid, str]], obj: LayoutObject) -> list[int]:
    """Which parts are kept, the largest first."""
    least = max(_LEAST, _SMALL * sorted(obj.size)[1])
    margin = min(0.1, _MARGIN * sorted(obj.size)[1])
    volumes = [float(np.prod(size)) for _, size, _, _ in placed]
    kept: list[int] = []
    for row in sorted(range(len(placed)), key=lambda row: -volumes[row]):
        center, size, shape, _ = placed[row]
        if len(kept) == MOST:
            break
        if sorted(size.tolist())[1] < least or max(size) < 2 * least:
            continue
        points = (_GRID * size) @ shape.pose[:, :3].T + center
        covered = np.zeros(len(points), bool)
        for other in kept:
            middle, extent, own, _ = placed[other]
            local = np.abs((points - middle) @ own.pose[:, :3])
            # tiles lie closer to their roof than this
            covered |= (local < extent / 2 + (0.0 if _is_askew(shape) else margin)).all(1)
        if (~covered).mean() >= _NEW:
            kept.append(row)
    return kept
