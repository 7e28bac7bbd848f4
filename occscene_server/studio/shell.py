"""The room's shell: walls with window openings, floor, ceiling, windows, a door and skirting boards."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from occscene.part_shapes import BOX_FACES
from occscene.srgb import LinearColor, linear_rgb

from blender_addon.geometry.voxelization.voxelize import Fill
from occscene_server.metrics.palette import COLORS
from occscene_server.studio.kit import Finish, Kit, with_article
from occscene_server.studio.room import Box, Item, Opening, Part
from occscene_server.studio.shapes import CORNERS, box, solid
from occscene_server.studio.styles import PALE_WALLS, WOODS

WALLS = ("south", "north", "west", "east")
ANGLES = {"south": 0.0, "north": math.pi, "west": -math.pi / 2, "east": math.pi / 2}
"""The turn about +Z that puts a piece's back to a wall."""
OPPOSITE = {"south": "north", "north": "south", "west": "east", "east": "west"}
FLOOR_THICKNESS = 0.075
"""Half a centimetre less than a voxel, so that the topmost voxels of a floor end where it does."""
CEILING_THICKNESS = 0.1

Size = tuple[float, float, float]


@dataclass(frozen=True)
class Surfaces:
    """Materials and words of the large surfaces."""

    wall: str
    floor: str
    ceiling: str
    wall_phrase: str
    floor_phrase: str
    wall_color: str
    floor_color: str


_WALL_NAMES = {
    "plaster": "plaster",
    "painted": "painted",
    "brick": "brick",
    "concrete": "concrete",
    "stone": "stone",
    "planks": "plank",
    "shoji": "shoji paper",
    "wallpaper_stripes": "striped wallpaper",
    "wallpaper_damask": "damask wallpaper",
}
_FLOOR_NAMES = {
    "planks": "plank floor",
    "parquet": "parquet floor",
    "tatami": "tatami floor",
    "concrete": "concrete floor",
    "tiles": "tiled floor",
    "marble": "marble floor",
    "stone": "stone floor",
    "terrazzo": "terrazzo floor",
}
_SCALES = {
    "brick": 0.22,
    "stone": 0.3,
    "wallpaper_stripes": 0.18,
    "wallpaper_damask": 0.35,
    "shoji": 0.28,
    "concrete": 1.2,
}
_TATAMI: dict[str, LinearColor] = {"green": linear_rgb("a3ac6c"), "beige": linear_rgb("cdb886")}


def draw_surfaces(kit: Kit) -> Surfaces:
    """Wall, floor and ceiling materials that suit the style."""
    kind, words = kit.style.walls[int(kit.rng.integers(len(kit.style.walls)))]
    word = kit.pick(words)
    if kind in ("plaster", "painted", "wallpaper_stripes", "wallpaper_damask") and kit.chance(0.25):
        word = kit.pick(tuple(PALE_WALLS))
    wall_color = WOODS[word][1] if word in WOODS else word
    tint = (
        WOODS[word][0]
        if word in WOODS
        else linear_rgb("9c4a38")
        if (kind, word) == ("brick", "red")
        else PALE_WALLS[word]
    )
    accent = {"brick": (0.5, 0.48, 0.44), "stone": (0.35, 0.33, 0.3), "shoji": linear_rgb("5a3d28")}.get(kind)
    if kind.startswith("wallpaper"):
        accent = (
            PALE_WALLS["cream"]
            if kit.chance(0.6) and word not in ("cream", "white")
            else (0.6 * tint[0], 0.6 * tint[1], 0.6 * tint[2])
        )
    wall = kit.material(kind, tint, accent, _SCALES.get(kind, 1.0) * kit.between(0.85, 1.15))
    floor, floor_phrase, floor_color = _draw_floor(kit)
    ceiling = kit.material("plaster", (0.8, 0.79, 0.77), vary=0.03)
    if kit.style.name == "rustic" and kit.chance(0.5):
        ceiling = kit.material("planks", WOODS[kit.pick(kit.style.woods)][0], scale=0.15)
    return Surfaces(wall, floor, ceiling, f"{word} {_WALL_NAMES[kind]} walls", floor_phrase, wall_color, floor_color)


def _draw_floor(kit: Kit) -> tuple[str, str, str]:
    kind, words = kit.style.floors[int(kit.rng.integers(len(kit.style.floors)))]
    word = kit.pick(words)
    if kind == "checker":
        key = kit.material("checker", COLORS[word], COLORS["white"], kit.between(0.24, 0.34))
        return key, f"{word} and white checkered floor", word
    if word in WOODS:
        scale = kit.between(0.1, 0.18) if kind == "planks" else kit.between(0.3, 0.45)
        return kit.material(kind, WOODS[word][0], scale=scale, vary=0.1), f"{word} {_FLOOR_NAMES[kind]}", WOODS[word][1]
    tint = (
        _TATAMI[word] if kind == "tatami" else PALE_WALLS[word] if word in ("grey", "beige", "pink") else COLORS[word]
    )
    accent = {
        "tatami": linear_rgb("2e3a2a"),
        "tiles": (0.45, 0.44, 0.42),
        "stone": (0.3, 0.28, 0.26),
        "marble": (0.3, 0.3, 0.32),
    }
    scale = {"tatami": 0.9, "tiles": kit.between(0.18, 0.34), "stone": 0.32, "terrazzo": 0.065, "concrete": 1.3}.get(
        kind, 1.0
    )
    phrase = _FLOOR_NAMES[kind] if kind == "tatami" else f"{word} {_FLOOR_NAMES[kind]}"
    return kit.material(kind, tint, accent.get(kind, COLORS["brown"]), scale), phrase, word


def wall_length(wall: str, size: Size) -> float:
    """Inner length of a wall in metres."""
    return size[0] if wall in ("south", "north") else size[1]


def wall_box(
    wall: str, size: Size, along: tuple[float, float], up: tuple[float, float], out: tuple[float, float]
) -> tuple[Size, Size]:
    """Low and high world corner of a box given along the wall, above the floor, and outwards from its inner face."""
    if wall == "south":
        return (along[0], -out[1], up[0]), (along[1], -out[0], up[1])
    if wall == "north":
        return (along[0], size[1] + out[0], up[0]), (along[1], size[1] + out[1], up[1])
    if wall == "west":
        return (-out[1], along[0], up[0]), (-out[0], along[1], up[1])
    return (size[0] + out[0], along[0], up[0]), (size[0] + out[1], along[1], up[1])


def _center_and_size(low: Size, high: Size) -> tuple[Size, Size]:
    middle = [(a + b) / 2 for a, b in zip(low, high, strict=True)]
    extent = [b - a for a, b in zip(low, high, strict=True)]
    return (middle[0], middle[1], middle[2]), (extent[0], extent[1], extent[2])


def extent_at_wall(
    wall: str, size: Size, along: tuple[float, float], up: tuple[float, float], out: tuple[float, float]
) -> Box:
    """The box of `wall_box` as that of an object with its back to the wall."""
    center, _ = _center_and_size(*wall_box(wall, size, along, up, out))
    return Box(center, (along[1] - along[0], out[1] - out[0], up[1] - up[0]), ANGLES[wall])


def wall_part(
    wall: str, size: Size, along: tuple[float, float], up: tuple[float, float], out: tuple[float, float], material: str
) -> Part:
    """A box in a wall's frame: x along the wall, y up."""
    low, high = wall_box(wall, size, along, up, out)
    center, extent = _center_and_size(low, high)
    vertices = CORNERS * (np.asarray(extent) / 2) + np.asarray(center)
    order = [0, 2, 1] if wall in ("south", "north") else [1, 2, 0]
    return Part(vertices, BOX_FACES, material, vertices[:, order], solid=solid("box", center, extent))


def slab(low: Size, high: Size, material: str) -> Part:
    """A floor or ceiling with its pattern in world x and y."""
    center, extent = _center_and_size(low, high)
    vertices = CORNERS * (np.asarray(extent) / 2) + np.asarray(center)
    return Part(vertices, BOX_FACES, material, vertices.copy())


def draw_openings(kit: Kit, size: Size, door: str) -> tuple[Opening, ...]:
    """One to three windows, one a wall, none in the door's."""
    free = [str(wall) for wall in kit.rng.permutation([w for w in WALLS if w != door])]
    openings = []
    for wall in free[: (1, 1, 2, 2, 3)[int(kit.rng.integers(5))]]:
        length = wall_length(wall, size)
        width = min(kit.between(0.8, 1.9), length - 1.1)
        start = kit.between(0.55, length - width - 0.55)
        bottom = kit.between(0.75, 1.0) if kit.chance(0.8) else 0.12
        openings.append(Opening(wall, start, start + width, bottom, min(kit.between(2.0, 2.25), size[2] - 0.2)))
    return tuple(openings)


def wall_item(wall: str, size: Size, thickness: float, openings: tuple[Opening, ...], surfaces: Surfaces) -> Item:
    """A wall of boxes around its opening; its blockout is one box."""
    length = wall_length(wall, size)
    reach = thickness if wall in ("south", "north") else 0.0
    out, full = (0.0, thickness), (0.0, size[2])
    own = [opening for opening in openings if opening.wall == wall]
    spans = [((-reach, length + reach), full)]
    if own:
        hole = own[0]
        spans = [
            ((-reach, hole.start), full),
            ((hole.end, length + reach), full),
            ((hole.start, hole.end), (0.0, hole.bottom)),
            ((hole.start, hole.end), (hole.top, size[2])),
        ]
    parts = tuple(wall_part(wall, size, along, up, out, surfaces.wall) for along, up in spans)
    center, extent = _center_and_size(*wall_box(wall, size, (-reach, length + reach), full, out))
    return Item(
        f"{wall} wall", "wall", parts, (Box(center, extent),), (0, 0, 0), surfaces.wall_phrase, Fill.SURFACE, 15
    )


def window_item(kit: Kit, frame: Finish, opening: Opening, size: Size, thickness: float) -> Item:
    """A frame with bars and panes filling an opening."""
    glass = kit.material("glass", (0.75, 0.82, 0.85), vary=0.02)
    left, right, low, high = opening.start, opening.end, opening.bottom, opening.top
    deep, rim = (0.02, thickness - 0.01), 0.05
    spans = [
        ((left, right), (low, low + rim)),
        ((left, right), (high - rim, high)),
        ((left, left + rim), (low + rim, high - rim)),
        ((right - rim, right), (low + rim, high - rim)),
    ]
    columns, rows = max(1, round((right - left) / kit.between(0.45, 0.8))), int(kit.rng.integers(1, 4))
    for i in range(1, columns):
        x = left + (right - left) * i / columns
        spans.append(((x - 0.016, x + 0.016), (low + rim, high - rim)))
    crossbars = []
    for i in range(1, rows):
        z = low + (high - low) * i / rows
        crossbars.append(((left + rim, right - rim), (z - 0.014, z + 0.014)))
    parts = [wall_part(opening.wall, size, along, up, deep, frame.key) for along, up in spans]
    # Crossbars are thinner than the bars they cross: faces in one plane render black.
    thin = (deep[0] + 0.004, deep[1] - 0.004)
    parts += [wall_part(opening.wall, size, along, up, thin, frame.key) for along, up in crossbars]
    middle = thickness / 2
    pane = wall_part(
        opening.wall, size, (left + rim, right - rim), (low + rim, high - rim), (middle - 0.004, middle + 0.004), glass
    )
    sill = wall_part(opening.wall, size, (left - 0.03, right + 0.03), (low - 0.025, low), (-0.05, 0.02), frame.key)
    center, extent = _center_and_size(*wall_box(opening.wall, size, (left, right), (low, high), (0.0, thickness)))
    phrase = f"a window with {with_article(frame.words)} frame"
    own = extent_at_wall(opening.wall, size, (left, right), (low, high), (0.0, thickness))
    return Item(
        "window", "window", (*parts, pane, sill), (Box(center, extent),), (0, 0, 0), phrase, Fill.SURFACE, 50, own
    )


def door_item(kit: Kit, wall: str, size: Size, start: float) -> Item:
    """A closed door in its frame, sunk into the wall's inner face."""
    leaf, metal = kit.body(), kit.metal()
    width, height, rim = 0.84, min(2.02, size[2] - 0.2), 0.07

    def bar(along: tuple[float, float], up: tuple[float, float], proud: float, key: str) -> Part:
        low, high = wall_box(wall, size, along, up, (-proud, 0.03))
        center, extent = _center_and_size(low, high)
        return box(center, extent, key, 0.004)

    parts = [
        bar((start, start + width), (0.005, height), 0.02, leaf.key),
        bar((start - rim, start), (0.0, height + rim), 0.035, leaf.key),
        bar((start + width, start + width + rim), (0.0, height + rim), 0.035, leaf.key),
        bar((start, start + width), (height, height + rim), 0.035, leaf.key),
        bar((start + width - 0.16, start + width - 0.05), (1.02, 1.045), 0.06, metal.key),
    ]
    for low, high in ((0.14, 0.9), (1.08, height - 0.14)):
        parts.append(bar((start + 0.13, start + width - 0.19), (low, high), 0.028, leaf.key))
    center, extent = _center_and_size(*wall_box(wall, size, (start, start + width), (0.0, height), (-0.03, 0.03)))
    phrase = with_article(f"{leaf.words} door")
    own = extent_at_wall(wall, size, (start, start + width), (0.0, height), (-0.03, 0.03))
    return Item("door", "wall", tuple(parts), (Box(center, extent),), (0, 0, 0), phrase, Fill.SURFACE, 25, own)


def skirting_item(kit: Kit, size: Size, door: str, start: float) -> Item:
    """Boards 8 cm high along all walls but for the door; an artist never blocks them out."""
    paint = kit.paint("white") if kit.chance(0.7) else kit.wood()
    parts = []
    for wall in WALLS:
        length = wall_length(wall, size)
        spans = [(0.0, start - 0.07), (start + 0.91, length)] if wall == door else [(0.0, length)]
        if wall in ("west", "east"):
            spans = [(max(low, 0.014), min(high, length - 0.014)) for low, high in spans]
        parts += [
            wall_part(wall, size, span, (0.0, 0.08), (-0.014, 0.02), paint.key)
            for span in spans
            if span[1] - span[0] > 0.02
        ]
    return Item(
        "skirting board", "wall", tuple(parts), (), (0, 0, 0), f"{paint.words} skirting boards", Fill.SURFACE, 16
    )


def floor_item(size: Size, thickness: float, surfaces: Surfaces) -> Item:
    """The floor, reaching under the walls; its top is z = 0."""
    low, high = (-thickness, -thickness, -FLOOR_THICKNESS), (size[0] + thickness, size[1] + thickness, 0.0)
    center, extent = _center_and_size(low, high)
    return Item(
        "floor",
        "floor",
        (slab(low, high, surfaces.floor),),
        (Box(center, extent),),
        (0, 0, 0),
        surfaces.floor_phrase,
        Fill.SURFACE,
        10,
    )


def ceiling_item(kit: Kit, size: Size, thickness: float, surfaces: Surfaces) -> Item:
    """The ceiling, in some rustic and industrial rooms with beams."""
    top = size[2] + CEILING_THICKNESS
    low, high = (-thickness, -thickness, size[2]), (size[0] + thickness, size[1] + thickness, top)
    center, extent = _center_and_size(low, high)
    parts = [slab(low, high, surfaces.ceiling)]
    phrase = "a white ceiling"
    if kit.style.name in ("rustic", "industrial") and kit.chance(0.5):
        beam = kit.wood()
        parts += [
            box((x, size[1] / 2, size[2] - 0.04), (0.12, size[1], 0.12), beam.key, 0.008)
            for x in np.linspace(0.5, size[0] - 0.5, 4)
        ]
        phrase = f"a ceiling with {beam.words} beams"
    return Item("ceiling", "ceiling", tuple(parts), (Box(center, extent),), (0, 0, 0), phrase, Fill.SURFACE, 10)
