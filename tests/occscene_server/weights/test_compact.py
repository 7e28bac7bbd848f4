"""What the bundled models must be, whatever their quality."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from occscene.camera import PinholeCamera
from occscene.grid import SemanticGrid
from occscene.taxonomy import TAXONOMIES
from occscene.volumes import default_volume

from occscene_server.pipelines.occscene import OccScenePipeline
from occscene_server.weights import bundled_models

pytestmark = pytest.mark.weights

MODELS = [pytest.param(domain, folder, id=folder.name) for domain, folder in bundled_models().items()]
SHOWN = {"indoor": ("floor", "sofa"), "outdoor": ("road", "car")}
"""What lies and what stands in the blockouts."""


def test_both_domains_are_there() -> None:
    assert list(bundled_models()) == list(TAXONOMIES)


@pytest.mark.parametrize(("domain", "folder"), MODELS)
def test_they_are_small_and_never_pickles(domain: str, folder: Path) -> None:
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".json", ".safetensors", ".md"}
    assert sum(path.stat().st_size for path in files) < 60e6


@pytest.mark.parametrize(("domain", "folder"), MODELS)
def test_they_draw_and_perceive(domain: str, folder: Path) -> None:
    """Views are pictures, and what is perceived follows them.

    A network whose image features have died still scores well from the blockout; it must not be shipped.
    """
    pipe = OccScenePipeline.from_pretrained(str(folder))
    pipe.set_progress_bar_config(disable=True)
    volume = default_volume(domain)
    ground, upright = (TAXONOMIES[domain].index_of(name) for name in SHOWN[domain])
    labels = np.zeros([min(side, 64) for side in volume.shape], np.uint8)  # of a street one corner
    labels[:, :, 0], labels[20:32, 20:40, 1:10] = ground, upright
    blockout = SemanticGrid(labels, volume.voxel_size, volume.world_from_grid, domain)
    pose = volume.world_from_grid.copy()
    pose[:3, :3] = pose[:3, :3] @ [[1, 0, 0], [0, 0, 1], [0, -1, 0]]
    pose[:3, 3] = volume.world_from_grid[:3, :3] @ (2.4, 0.2, 1.5) + volume.world_from_grid[:3, 3]
    camera = PinholeCamera("front", 64, 64, 50.0, 50.0, 32.0, 32.0, pose)
    drawn = pipe("bright day", [camera], blockout, num_inference_steps=1, seed=1).images
    assert drawn.shape == (1, 64, 64, 3)
    assert 8 < drawn.std() < 100
    plain = np.full_like(drawn, 200)
    first, second = (
        pipe.predict_occupancy(picture, [camera], blockout=blockout, taxonomy=domain) for picture in (drawn, plain)
    )
    assert (first.labels != second.labels).any()
