"""From a seed to a rendered street."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray
from occscene.camera import PinholeCamera
from occscene.grid import SemanticGrid
from occscene.taxonomy import OUTDOOR

from occscene_server.data.dataset import ItemFacts, RenderedScene, SceneInfo, stored_direction
from occscene_server.metrics.palette import COLORS
from occscene_server.studio.cameras import visible_items
from occscene_server.studio.cycles import LUMINANCE, RenderSettings, develop, render_items, render_views
from occscene_server.studio.scene_meshes import item_meshes
from occscene_server.studio.streets.blender_street import build_street_scene
from occscene_server.studio.streets.cameras import REACH, draw_street_cameras
from occscene_server.studio.streets.grids import street_grids
from occscene_server.studio.streets.prompt import street_prompt
from occscene_server.studio.streets.street import Street, build_street
from occscene_server.studio.streets.weather import WEATHERS, sun_direction


def modelled_street(seed: int) -> tuple[tuple[SemanticGrid, SemanticGrid], Callable[[], None]]:
    """The grids of the street of `seed`, and what builds it in Blender."""
    street = build_street(seed)
    return street_grids(street), partial(build_street_scene, street)


def render_outdoor_scene(
    seed: int, side: int = 256, settings: RenderSettings | None = None, semantics: bool = False
) -> RenderedScene:
    """Builds and renders the street of `seed`; the same seed gives the same grids, cameras and prompt at any size.

    Args:
        seed: of the street.
        side: pixels of the square views.
        settings: what the rendering costs; None for the data set's own.
        semantics: also render which item each pixel shows.

    Raises:
        NoViewError: no camera fits.
    """
    settings = settings or RenderSettings()
    street = build_street(seed)
    occupancy, blockout = street_grids(street)
    drawn = draw_street_cameras(street, occupancy)
    cameras = tuple(camera.resized(side, side) for camera in drawn)
    shares = visible_items(occupancy, drawn, 0.0015, REACH)
    prompt = street_prompt(street, [id_ - 1 for id_ in shares], np.random.default_rng([seed, 37]))
    build_street_scene(street)
    radiance = render_views(cameras, settings, seed)
    views = develop(radiance, ground_exposure(radiance, cameras, WEATHERS[street.weather].key))
    items = render_items(cameras, settings.threads) if semantics else None
    facts: tuple[ItemFacts, ...] = tuple(_facts(street, id_, share) for id_, share in shares.items())
    info = SceneInfo(
        seed, "outdoor", prompt, street.plan.kind, street.season, street.weather, _wall_color(street, shares),
        "white" if street.weather == "snow" else "grey", facts,
        stored_direction(sun_direction(street.weather, seed)),
    )  # fmt: skip
    return RenderedScene(info, occupancy, blockout, cameras, views, items, item_meshes(street.items, OUTDOOR))


def _facts(street: Street, id_: int, share: float) -> ItemFacts:
    item = street.items[id_ - 1]
    return {"id": id_, "name": item.name, "class": item.class_name, "phrase": item.phrase, "share": round(share, 4)}


def ground_exposure(radiance: NDArray[np.float32], cameras: tuple[PinholeCamera, ...], key: float) -> float:
    """The factor that brings the geometric mean of what lies below the horizon to the linear brightness `key`."""
    below = np.stack([camera.pixel_directions()[..., 2] < 0.02 for camera in cameras])
    return key / float(np.exp(np.log(np.clip(radiance @ LUMINANCE, 1e-3, None))[below].mean()))


def _wall_color(street: Street, shares: dict[int, float]) -> str:
    """The plain colour word nearest to the building that takes most of a picture; empty where none is seen."""
    for id_ in shares:
        item = street.items[id_ - 1]
        if item.class_name == "building":
            return min(COLORS, key=lambda word: float(np.abs(np.subtract(COLORS[word], item.color)).sum()))
    return ""
