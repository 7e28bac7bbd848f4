"""Pieces of furniture as their parts, shaded, each in the outline of its box."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from occscene.layout import LayoutObject
from PIL import Image, ImageDraw, ImageFont

from occscene_server.data.contact_sheet import tiled
from occscene_server.geometry.solid_meshes import solid_triangles
from occscene_server.geometry.solids import Floats, Solids

_SIDE, _TOP, _COLUMNS = 200, 16, 8
_COLORS = np.array(
    [(196, 164, 120), (110, 130, 160), (150, 90, 80), (120, 150, 110), (180, 180, 175), (90, 90, 100), (200, 150, 160),
     (160, 140, 90), (110, 160, 160), (140, 110, 150)]
)  # fmt: skip
"""One for each role of material."""
_EDGES = [(a, b) for a in range(8) for b in range(8) if a < b and bin(a ^ b).count("1") == 1]
_TURN, _TILT = np.deg2rad(150.0), np.deg2rad(25.0)
_LIGHT = np.array([0.35, 0.8, 0.5]) / np.linalg.norm([0.35, 0.8, 0.5])


def parts_sheet(objects: Sequence[LayoutObject]) -> Image.Image:
    """One tile for each object, seen from the front, the left and above; eight a row."""
    return tiled([_tile(obj) for obj in objects], _COLUMNS)


def _tile(obj: LayoutObject) -> Image.Image:
    tile = Image.new("RGB", (_SIDE, _SIDE + _TOP), "white")
    solids = Solids.of_layout(obj.parts)
    triangles, owner = solid_triangles(solids)
    half = np.array(obj.size) / 2
    box = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * half
    corners = _seen(box)
    scale = 0.88 * _SIDE / max(float(np.ptp(corners[:, 0])), float(np.ptp(corners[:, 1])))
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    shade = 0.55 + 0.45 * np.clip(normals @ _LIGHT, 0, 1)
    colors = np.rint(_COLORS[solids.role[owner] % len(_COLORS)] * shade[:, None]).astype(np.uint8)
    tile.paste(_rendered(_seen(triangles.reshape(-1, 3)).reshape(-1, 3, 3), colors, scale), (0, _TOP))
    draw = ImageDraw.Draw(tile)
    for a, b in _EDGES:
        ends = [(_SIDE / 2 + corners[i, 0] * scale, _TOP + _SIDE / 2 - corners[i, 1] * scale) for i in (a, b)]
        draw.line(ends, fill=(205, 205, 205))
    draw.text((3, 2), f"{obj.name} {obj.size[0]:.2f} x {obj.size[1]:.2f} x {obj.size[2]:.2f}", "black",
              ImageFont.load_default(10))  # fmt: skip
    return tile


def _seen(points: Floats) -> Floats:
    """Points (N, 3) to right, up and depth of an orthographic view."""
    cosine, sine = np.cos(_TURN), np.sin(_TURN)
    x, y = cosine * points[:, 0] - sine * points[:, 1], sine * points[:, 0] + cosine * points[:, 1]
    up = np.cos(_TILT) * points[:, 2] + np.sin(_TILT) * y
    seen: Floats = np.stack([x, up, np.cos(_TILT) * y - np.sin(_TILT) * points[:, 2]], axis=1)
    return seen


def _rendered(triangles: Floats, colors: NDArray[np.uint8], scale: float) -> Image.Image:
    """Triangles (T, 3, 3) with a depth buffer."""
    image = np.full((_SIDE, _SIDE, 3), 255, np.uint8)
    depth = np.full((_SIDE, _SIDE), np.inf)
    x, y = _SIDE / 2 + triangles[..., 0] * scale, _SIDE / 2 - triangles[..., 1] * scale
    low_x, high_x = np.floor(x.min(1)).astype(int).clip(0), np.ceil(x.max(1)).astype(int).clip(max=_SIDE - 1)
    low_y, high_y = np.floor(y.min(1)).astype(int).clip(0), np.ceil(y.max(1)).astype(int).clip(max=_SIDE - 1)
    for row in range(len(triangles)):
        (ax, bx, cx), (ay, by, cy) = x[row], y[row]
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay)
        if abs(area) < 1e-9:
            continue
        v, u = np.mgrid[low_y[row] : high_y[row] + 1, low_x[row] : high_x[row] + 1] + 0.5
        second = ((u - ax) * (cy - ay) - (cx - ax) * (v - ay)) / area
        third = ((bx - ax) * (v - ay) - (u - ax) * (by - ay)) / area
        first = 1 - second - third
        far = np.stack([first, second, third], -1) @ triangles[row, :, 2]
        place = slice(low_y[row], high_y[row] + 1), slice(low_x[row], high_x[row] + 1)
        shown = (first >= 0) & (second >= 0) & (third >= 0) & (far < depth[place])
        depth[place] = np.where(shown, far, depth[place])
        image[place] = np.where(shown[..., None], colors[row], image[place])
    return Image.fromarray(image)
