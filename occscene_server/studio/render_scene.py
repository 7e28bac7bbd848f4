"""From a seed to a rendered scene."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from occscene.grid import SemanticGrid

from occscene_server.data.dataset import ItemFacts, RenderedScene, SceneInfo, stored_direction
from occscene_server.studio.blender_scene import build_scene
from occscene_server.studio.cameras import draw_cameras, visible_items
from occscene_server.studio.cycles import RenderSettings, develop, exposure, render_items, render_views
from occscene_server.studio.indoor import build_room
from occscene_server.studio.moods import LIGHTINGS, room_sun
from occscene_server.studio.prompt import compose_prompt
from occscene_server.studio.scene_grids import room_grids
from occscene_server.studio.scene_meshes import room_meshes


def modelled_room(seed: int) -> tuple[tuple[SemanticGrid, SemanticGrid], Callable[[], None]]:
    """The grids of the room of `seed`, and what builds it in Blender."""
    room = build_room(seed)
    return room_grids(room), partial(build_scene, room)


def render_indoor_scene(
    seed: int, side: int = 256, settings: RenderSettings | None = None, semantics: bool = False
) -> RenderedScene:
    """Builds and renders the room of `seed`; the same seed gives the same grids, cameras and prompt at any size.

    Args:
        seed: of the room.
        side: pixels of the square views.
        settings: what the rendering costs; None for the data set's own.
        semantics: also render which item each pixel shows.

    Raises:
        NoViewError: the room is so full that no camera fits.
    """
    settings = settings or RenderSettings()
    room = build_room(seed)
    occupancy, blockout = room_grids(room)
    drawn = draw_cameras(room, occupancy)
    cameras = tuple(camera.resized(side, side) for camera in drawn)
    shares = visible_items(occupancy, drawn)
    shown = [room.items[id_ - 1] for id_ in shares]
    prompt = compose_prompt(room, [item.name for item in shown], np.random.default_rng([seed, 5]))
    build_scene(room)
    radiance = render_views(cameras, settings, seed)
    views = develop(radiance, exposure(radiance, LIGHTINGS[room.light].key))
    items = render_items(cameras, settings.threads) if semantics else None
    facts: tuple[ItemFacts, ...] = tuple(
        {"id": id_, "name": item.name, "class": item.class_name, "phrase": item.phrase, "share": round(share, 4)}
        for (id_, share), item in zip(shares.items(), shown, strict=True)
    )
    info = SceneInfo(
        seed, "indoor", prompt, room.kind, room.style, room.light, room.wall_color, room.floor_color, facts,
        stored_direction(room_sun(room)),
    )  # fmt: skip
    return RenderedScene(info, occupancy, blockout, cameras, views, items, room_meshes(room))
