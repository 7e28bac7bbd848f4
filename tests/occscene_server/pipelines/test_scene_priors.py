"""Parts of a scene are drawn once for all its cameras, and anew for whatever they depend on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from occscene.grid import SemanticGrid
from occscene.layout import Layout, LayoutObject, LayoutRoom
from occscene.volumes import default_volume

from occscene_server.geometry.layout_grid import layout_grid
from occscene_server.pipelines import scene_priors
from occscene_server.pipelines.scene_priors import ScenePriors

pytestmark = pytest.mark.weights


def room(x: float = 0.0) -> SemanticGrid:
    table = LayoutObject("table", "table", (x, 0.3, 0.37), (1.4, 0.8, 0.74))
    return layout_grid(Layout("indoor", LayoutRoom((4.02, 4.02, 2.6)), (table,)), default_volume("indoor"))


def test_parts_are_kept_for_the_same_scene_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    priors = ScenePriors.bundled("indoor")
    assert priors is not None
    drawn: list[int] = []
    refine = priors.parts.refine
    monkeypatch.setattr(priors.parts, "refine", lambda *a, **k: (drawn.append(1), refine(*a, **k))[1])
    grid = room()
    number = grid.objects[-1].id
    corners = {number: np.array([[-0.7, -0.1, 0.0], [0.7, 0.7, 0.74]])}
    first = priors.refined(grid, "a round table", corners)
    again = priors.refined(room(), "a round table", {number: corners[number].copy()})
    np.testing.assert_array_equal(first[0].labels, again[0].labels)
    assert first[1] == again[1] == refine(grid, "a round table", corners=corners)[1]
    assert len(drawn) == 1
    worded = replace(grid, objects=(*grid.objects[:-1], replace(grid.objects[-1], prompt="a desk")))
    moved = replace(grid, world_from_grid=np.eye(4))
    for other in (
        (room(0.3), "a round table", corners), (grid, "a table", corners), (grid, "a round table", None),
        (grid, "a round table", {number: corners[number] + 0.01}), (worded, "a round table", corners),
        (moved, "a round table", corners),
    ):  # fmt: skip
        before = len(drawn)
        priors.refined(*other)
        assert len(drawn) == before + 1
    assert len(priors._refined) == scene_priors.KEPT_SCENES
    priors.refined(grid, "a round table", corners)  # which was put out meanwhile
    assert len(drawn) == 8
