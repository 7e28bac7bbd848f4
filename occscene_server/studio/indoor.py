"""A whole furnished room from one seed."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from occscene.srgb import LinearColor
from occscene.taxonomy import INDOOR
from occscene.volumes import default_volume

from occscene_server.studio import decor, shell
from occscene_server.studio.blockout import BlockoutHabit, block_out, draw_habit
from occscene_server.studio.furnish import ROOM_KINDS, wall_order
from occscene_server.studio.kit import Kit
from occscene_server.studio.layout import Floorplan, Placed
from occscene_server.studio.room import Item, MaterialSpec, Opening, Part, Room
from occscene_server.studio.shapes import moved, turned
from occscene_server.studio.styles import STYLES

LIGHTS = ("morning sun", "bright day", "overcast", "warm evening", "sunset")

ROOM_SHARES = (0.28, 0.22, 0.14, 0.14, 0.1, 0.12)
"""How often each of `ROOM_KINDS` is drawn."""


def build_room(seed: int) -> Room:
    """A furnished room; the same seed gives the same room.

    Args:
        seed: any non-negative integer.
    """
    rng = np.random.default_rng(seed)
    style = STYLES[int(rng.integers(len(STYLES)))]
    kind = str(rng.choice(list(ROOM_KINDS), p=ROOM_SHARES))
    light = LIGHTS[int(rng.integers(len(LIGHTS)))]
    kit = Kit(style, rng)
    size = (_on_voxels(kit.between(3.3, 4.55)), _on_voxels(kit.between(3.3, 4.55)), kit.between(2.42, 2.66))
    thickness = kit.between(0.08, 0.12)
    surfaces = shell.draw_surfaces(kit)
    door = kit.pick(shell.WALLS)
    length = shell.wall_length(door, size)
    start = kit.between(0.12, 0.5) if kit.chance(0.5) else length - 0.84 - kit.between(0.12, 0.5)
    openings = shell.draw_openings(kit, size, door)

    plan = Floorplan(size, rng)
    plan.keep_free(*shell.wall_box(door, size, (start - 0.08, start + 0.92), (0.0, 2.1), (-0.6, 0.0)))
    _hang_curtains(plan, kit, openings)
    for opening in openings:
        plan.keep_opening_free(opening)
    ROOM_KINDS[kind](plan, kit)
    _hang_pictures(plan, kit)
    _hang_lamp(plan, kit)

    habit = draw_habit(rng)
    frame = kit.paint("white") if kit.chance(0.5) else kit.paint("black") if kit.chance(0.3) else kit.wood()
    items = [
        shell.floor_item(size, thickness, surfaces),
        shell.ceiling_item(kit, size, thickness, surfaces),
        *(shell.wall_item(wall, size, thickness, openings, surfaces) for wall in shell.WALLS),
        *(shell.window_item(kit, frame, opening, size, thickness) for opening in openings),
        shell.door_item(kit, door, size, start),
        shell.skirting_item(kit, size, door, start),
        *(_item(placed, habit, rng) for placed in plan.placed),
    ]
    colored = tuple(replace(item, color=mean_color(item.parts, kit.materials)) for item in _numbered(items))
    used = {part.material for item in colored for part in item.parts}
    return Room(
        seed,
        kind,
        style.name,
        light,
        size,
        colored,
        {key: spec for key, spec in kit.materials.items() if key in used},
        openings,
        surfaces.wall_phrase,
        surfaces.floor_phrase,
        surfaces.wall_color,
        surfaces.floor_color,
    )


def _on_voxels(length: float) -> float:
    """About `length` metres, so that both walls stand a centimetre behind a voxel's face.

    What a view shows and what is seen in the grid then agree to a centimetre, and so do the patterns on both.
    """
    pair = 2 * default_volume(INDOOR.name).voxel_size  # the volume is centred on the room
    return round((length - 0.02) / pair) * pair + 0.02


def _numbered(items: list[Item]) -> list[Item]:
    """Number items of one name that look different ("bookshelf 2"), so that a name stands for one phrase."""
    phrases: dict[str, list[str]] = {}
    named = []
    for item in items:
        known = phrases.setdefault(item.name, [])
        if item.phrase not in known:
            known.append(item.phrase)
        number = known.index(item.phrase) + 1
        named.append(item if number == 1 else replace(item, name=f"{item.name} {number}"))
    return named


def _item(placed: Placed, habit: BlockoutHabit, rng: np.random.Generator) -> Item:
    piece = placed.piece
    parts = tuple(moved(turned(part, placed.angle), (placed.x, placed.y, placed.z)) for part in piece.parts)
    boxes = block_out(placed, habit, rng)
    return Item(
        piece.name, piece.class_name, parts, boxes, (0, 0, 0), piece.phrase, piece.fill, piece.priority,
        placed.box,
    )  # fmt: skip


def _hang_curtains(plan: Floorplan, kit: Kit, openings: tuple[Opening, ...]) -> None:
    """Curtains at both sides of most windows."""
    if not kit.chance(0.65):
        return
    cloth, metal = kit.fabric(kit.pick(("fabric", "velvet", "fabric", "stripes"))), kit.metal()
    for opening in openings:
        half, wide = (opening.end - opening.start) / 2, kit.between(0.25, 0.4)
        bottom = 0.02 if kit.chance(0.6) else max(opening.bottom - 0.15, 0.02)
        top = min(opening.top + 0.12, plan.size[2] - 0.04)
        spans = [(-half - wide * 0.8, -half + wide * 0.2), (half - wide * 0.2, half + wide * 0.8)]
        x, y = plan.pose(opening.wall, (opening.start + opening.end) / 2, 0.0)
        for panel in decor.curtains(cloth, metal, spans, bottom, top):
            candidate = Placed(panel, x, y, 0.0, shell.ANGLES[opening.wall])
            if plan.fits(candidate):
                plan.add(candidate)


def _hang_pictures(plan: Floorplan, kit: Kit) -> None:
    for _ in range(int(kit.rng.integers(1, 5))):
        plan.on_wall(decor.picture(kit), wall_order(kit), 1.3, 1.75)


def _hang_lamp(plan: Floorplan, kit: Kit) -> None:
    """A pendant in the middle of the room."""
    if kit.chance(0.7):
        lamp = decor.ceiling_lamp(kit, kit.between(0.5, 0.75))
        plan.add(Placed(lamp, plan.size[0] / 2, plan.size[1] / 2, plan.size[2], 0.0))


@lru_cache(maxsize=512)
def _fans(faces: tuple[tuple[int, ...], ...]) -> NDArray[np.int64]:
    """(T, 3) triangles of polygons."""
    return np.array([(face[0], face[i], face[i + 1]) for face in faces for i in range(1, len(face) - 1)])


def mean_color(parts: tuple[Part, ...], materials: dict[str, MaterialSpec]) -> LinearColor:
    """The parts' albedo weighted by their surface area, linear RGB."""
    alike: dict[tuple[tuple[int, ...], ...], list[int]] = {}
    for i, part in enumerate(parts):
        alike.setdefault(part.faces, []).append(i)
    areas = np.empty(len(parts))
    for faces, rows in alike.items():
        a, b, c = np.stack([parts[row].vertices for row in rows])[:, _fans(faces)].transpose(2, 0, 1, 3)
        u, v = b - a, c - a
        areas[rows] = np.sqrt((u * u).sum(2) * (v * v).sum(2) - (u * v).sum(2) ** 2 + 1e-18).sum(1)
    mean = areas @ np.array([materials[part.material].color for part in parts]) / areas.sum()
    return (float(mean[0]), float(mean[1]), float(mean[2]))
