"""The kinds of synthetic scene by name."""

from __future__ import annotations

from importlib import import_module

from occscene_server.data.dataset import RenderedScene

VIEWS = {"indoor": 4, "outdoor": 5}
"""How many views a scene of each domain has."""

DOMAINS = {
    "indoor": "occscene_server.studio.render_scene:render_indoor_scene",
    "outdoor": "occscene_server.studio.streets.render:render_outdoor_scene",
}
"""What renders each domain, as module:function: Blender is loaded only where a scene is rendered."""


def render_scene(domain: str, seed: int, side: int, semantics: bool = False) -> RenderedScene:
    """Renders the scene of `seed` in `domain`, one of `DOMAINS`, in views of `side` pixels."""
    module, function = DOMAINS[domain].split(":")
    scene: RenderedScene = getattr(import_module(module), function)(seed, side, semantics=semantics)
    return scene
