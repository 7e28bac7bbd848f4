"""Views of the guided decoder in sunlight, and what latents change in them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from occscene.grid import SemanticGrid
from occscene.mesh import TriangleMesh

from occscene_server.pipelines.occscene import OccScenePipeline
from tests.occscene_server.pipelines.test_guided_views import SOFA_MESH, cameras


def test_a_sun_shines_on_triangles(guided: OccScenePipeline, grid: SemanticGrid) -> None:
    def draft(mesh: TriangleMesh | None = SOFA_MESH, **sun: float) -> np.ndarray:
        return guided.draw_draft("a red sofa", cameras(), grid, meshes=mesh, seed=3, **sun).images

    def views(**sun: float) -> np.ndarray:
        call: dict[str, Any] = {"meshes": SOFA_MESH, "num_inference_steps": 2, "seed": 3}
        return guided("a red sofa", cameras(), grid, **call, **sun).images

    assert (draft(sun_elevation=30.0, sun_azimuth=9.0) != draft()).any()
    assert (views(sun_elevation=30.0, sun_azimuth=9.0) != views()).any()
    np.testing.assert_array_equal(draft(sun_azimuth=30.0), draft(), "the words speak of no sun")
    of_voxels = draft(None, sun_elevation=30.0, sun_azimuth=9.0)
    np.testing.assert_array_equal(of_voxels, draft(None), "voxels throw no shadows")
    for name, value in (("sun_elevation", -1.0), ("sun_elevation", 90.5), ("sun_azimuth", 361.0)):
        for draw in (draft, views):
            with pytest.raises(ValueError, match=f"{name} is {value}; it must be 0 to"):
                draw(**{name: value})


def test_changes_of_a_model_with_cells_are_broad(guided: OccScenePipeline, grid: SemanticGrid) -> None:
    call: dict[str, Any] = {"meshes": SOFA_MESH, "seed": 3}
    draft = guided.draw_draft("a red sofa", cameras(), grid, **call).images.astype(int)

    def change(cell: int) -> np.ndarray:
        guided.register_to_config(change_cell=cell)
        views = guided("a red sofa", cameras(), grid, num_inference_steps=2, **call).images
        return (views.astype(int) - draft)[0]

    fine, broad = change(1), change(8)
    assert np.abs(broad).mean() > 1, "what latents say counts"
    roughness = [float(np.abs(np.diff(each, axis=0)).mean()) for each in (fine, broad)]
    assert roughness[1] < 0.7 * roughness[0]
