"""The kinds of synthetic scene by name."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from occscene.grid import SemanticGrid

from occscene_server.data.dataset import RenderedScene

VIEWS = {"indoor": 4, "outdoor": 5}
"""How many views a scene of each domain has."""

Grids = tuple[SemanticGrid, SemanticGrid]
"""The true grid and the blockout's."""

DOMAINS = {
    "indoor": "occscene_server.studio.render_scene:render_indoor_scene",
    "outdoor": "occscene_server.studio.streets.render:render_outdoor_scene",
}
"""What renders each domain, as module:function: Blender is loaded only where a scene is rendered."""


MODELLERS = {
    "indoor": "occscene_server.studio.render_scene:modelled_room",
    "outdoor": "occscene_server.studio.streets.render:modelled_street",
}
"""What models a scene of each domain anew: from its seed to its grids, and what builds it in Blender."""


def modelled(domain: str, seed: int) -> tuple[Grids, Callable[[], None]]:
    """The grids of the scene of `seed` in `domain` as the studio draws it now, and what builds it in Blender."""
    module, function = MODELLERS[domain].split(":")
    grids: Grids
    grids, build = getattr(import_module(module), function)(seed)
    return grids, build


def render_scene(domain: str, seed: int, side: int, semantics: bool = False) -> RenderedScene:
    """Renders the scene of `seed` in `domain`, one of `DOMAINS`, in views of `side` pixels."""
    module, function = DOMAINS[domain].split(":")
    scene: RenderedScene = getattr(import_module(module), function)(seed, side, semantics=semantics)
    return scene
