"""A street's blockout, modelled in Blender and tagged by its names, is voxelised as the studio's own grid is."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np
import pytest
from occscene.grid import load_grid
from occscene.taxonomy import OUTDOOR

from occscene_server.studio.streets.cameras import VIEWS
from occscene_server.studio.streets.grids import street_grids
from occscene_server.studio.streets.sample import build_street_blockout
from occscene_server.studio.streets.street import build_street

SEED = 12


@pytest.mark.slow
def test_the_extension_sends_the_grid_that_models_learn_from(scene: bpy.types.Scene, tmp_path: Path) -> None:
    build_street_blockout(SEED, "a quiet residential street on a clear day")
    bpy.ops.occscene.guess_classes()
    bpy.ops.occscene.voxelize(filepath=str(tmp_path / "grid.npz"))
    sent, drawn = load_grid(tmp_path / "grid.npz"), street_grids(build_street(SEED))[1]
    assert sent.taxonomy == OUTDOOR.name
    np.testing.assert_allclose(sent.world_from_grid, drawn.world_from_grid, atol=1e-6)
    assert (sent.labels != drawn.labels).mean() < 1e-4  # Blender's meshes have 32 bits
    assert len([obj for obj in scene.objects if obj.type == "CAMERA"]) == VIEWS
    assert all(obj.prompt for obj in sent.objects)
    hinted = {obj.name.split(".")[0] for obj in sent.objects if obj.hint is not None}
    assert "house" in hinted
    assert hinted & {"car", "truck", "bus"}
    assert "road" not in hinted
