"""A whole street from one seed: named items on their ground, with weather and hour."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from occscene.srgb import LinearColor

from occscene_server.studio.blockout import BlockoutHabit, block_out, draw_habit
from occscene_server.studio.indoor import mean_color
from occscene_server.studio.kit import Piece
from occscene_server.studio.layout import Placed
from occscene_server.studio.room import Box, FloatArray, Item, MaterialSpec, Part
from occscene_server.studio.streets import buildings, dressing
from occscene_server.studio.streets.ground import Surfaces, draw_surfaces, grow_grass, lay_ground
from occscene_server.studio.streets.kit import StreetKit
from occscene_server.studio.streets.plan import Plan, draw_plan
from occscene_server.studio.streets.site import Site, Stand
from occscene_server.studio.streets.weather import WEATHER_SHARES, WEATHERS

HALF_VOLUME = 25.6
"""Metres from the middle of the volume to its sides."""


@dataclass(frozen=True)
class Actor:
    """Where an item stands in its street, for prompts and cameras: its index in `Street.items`, place and role."""

    index: int
    s: float
    d: float
    role: str


@dataclass(frozen=True)
class Street:
    """Everything that a rendering and a prompt of a street need.

    Args:
        seed: the same seed gives the same street.
        plan: its layout; `plan.kind` is "city", "village", ...
        weather: one of `weather.WEATHERS`.
        season: "summer", "autumn" or "winter".
        surfaces: words and materials of the ground.
        items: everything with geometry.
        actors: of the items that stand on the ground.
        materials: every key that `Part.material` uses.
    """

    seed: int
    plan: Plan
    weather: str
    season: str
    surfaces: Surfaces
    items: tuple[Item, ...]
    actors: tuple[Actor, ...]
    materials: dict[str, MaterialSpec] = field(default_factory=dict)


def build_street(seed: int) -> Street:
    """A street; the same seed gives the same one.

    Args:
        seed: any non-negative integer.
    """
    rng = np.random.default_rng([seed, 23])
    kit = StreetKit(rng)
    weather = str(rng.choice(list(WEATHERS), p=WEATHER_SHARES))
    season = "winter" if weather == "snow" else "autumn" if rng.random() < 0.16 else "summer"
    plan = draw_plan(kit)
    surfaces = draw_surfaces(kit, plan)
    ground = lay_ground(kit, plan, surfaces)
    site = Site(plan, kit)
    buildings.line_with_buildings(site)
    dressing.set_posts(site)
    dressing.drive(site)
    dressing.park(site)
    dressing.populate(site)
    dressing.plant(site, season)
    habit = _street_habit(rng)
    items = list(ground)
    actors: list[Actor] = []
    for stand in site.stands:
        for piece in stand.pieces:
            actors.append(Actor(len(items), stand.s, stand.d, stand.role))
            items.append(_item(site, stand, piece, habit, rng))
    if weather != "snow":
        items = _with_grass(kit, plan, items)
    colored = _colored(items, kit.materials)
    used = {part.material for item in colored for part in item.parts}
    materials = {key: spec for key, spec in kit.materials.items() if key in used}
    return Street(seed, plan, weather, season, surfaces, colored, tuple(actors), materials)


def _street_habit(rng: np.random.Generator) -> BlockoutHabit:
    """An artist who works with whole streets is less exact in centimetres."""
    habit = draw_habit(rng)
    return replace(habit, offset=habit.offset * 4, stretch=habit.stretch * 0.8, reach=0.3)


def _item(site: Site, stand: Stand, piece: Piece, habit: BlockoutHabit, rng: np.random.Generator) -> Item:
    x, y, z, heading = site.plan.course.stand(stand.s, stand.d, stand.height)
    angle = heading + stand.turn
    cosine, sine = np.cos(angle) * stand.scale, np.sin(angle) * stand.scale
    pose = np.array([[cosine, -sine, 0.0, x], [sine, cosine, 0.0, y], [0.0, 0.0, stand.scale, z]])
    low, high = piece.solid_extent
    middle = pose[:, :3] @ ((low + high) / 2) + pose[:, 3]
    size = (high - low) * stand.scale
    extent = Box(_triple(middle), _triple(size), float(angle))
    boxes: tuple[Box, ...] = ()
    sketch: tuple[Part, ...] = ()
    if _is_near(x, y, size):
        boxes = block_out(Placed(piece, x, y, z, float(angle)), habit, rng) if piece.blocks else ()
        shift = np.array([*rng.normal(0.0, habit.offset, 2), 0.0])
        if piece.sketch and rng.random() > 0.05:
            sketch = tuple(
                replace(part, vertices=part.vertices @ pose[:, :3].T + pose[:, 3] + shift) for part in piece.sketch
            )
    return Item(
        piece.name, piece.class_name, piece.parts, boxes, (0, 0, 0), piece.phrase, piece.fill, piece.priority, extent,
        pose, sketch,
    )  # fmt: skip


def _is_near(x: float, y: float, size: FloatArray) -> bool:
    """Whether an artist would model what stands at x, y: only what reaches into the volume."""
    return max(abs(x), abs(y)) < HALF_VOLUME + max(size[0], size[1]) / 2


def _triple(values: FloatArray) -> tuple[float, float, float]:
    x, y, z = values.tolist()
    return x, y, z


def _with_grass(kit: StreetKit, plan: Plan, items: list[Item]) -> list[Item]:
    grass = grow_grass(kit, plan)
    if grass is None:
        return items
    return [replace(item, parts=(*item.parts, grass)) if item.class_name == "terrain" else item for item in items]


def _colored(items: list[Item], materials: dict[str, MaterialSpec]) -> tuple[Item, ...]:
    """The items with their mean colours, computed once for all that share a mesh."""
    known: dict[int, LinearColor] = {}
    for item in items:
        if id(item.parts) not in known:
            solids = tuple(part for part in item.parts if not part.foliage)
            known[id(item.parts)] = mean_color(solids, materials)
    return tuple(replace(item, color=known[id(item.parts)]) for item in items)
