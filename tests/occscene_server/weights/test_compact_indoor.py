"""What the bundled weights must be, whatever their quality."""

from __future__ import annotations

import numpy as np
import pytest
from occscene.camera import PinholeCamera
from occscene.grid import SemanticGrid
from occscene.volumes import default_volume

from occscene_server.pipelines.occscene import OccScenePipeline
from occscene_server.weights import default_model

pytestmark = [pytest.mark.weights, pytest.mark.slow]


@pytest.fixture(scope="module")
def pipe() -> OccScenePipeline:
    return OccScenePipeline.from_pretrained(str(default_model()))


def test_they_are_small_and_never_pickles() -> None:
    files = [path for path in default_model().rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".json", ".safetensors", ".md"}
    assert sum(path.stat().st_size for path in files) < 60e6


def test_perception_looks_at_the_images(pipe: OccScenePipeline) -> None:
    """A network whose image features have died still scores well from the blockout; it must not be shipped."""
    volume = default_volume("indoor")
    labels = np.zeros(volume.shape, np.uint8)
    labels[:, :, 0], labels[20:32, 20:40, 1:10] = 2, 7
    blockout = SemanticGrid(labels, volume.voxel_size, volume.world_from_grid, "indoor")
    pose = volume.world_from_grid.copy()
    pose[:3, :3] = pose[:3, :3] @ [[1, 0, 0], [0, 0, 1], [0, -1, 0]]
    pose[:3, 3] = volume.world_from_grid[:3, :3] @ (2.4, 0.2, 1.5) + volume.world_from_grid[:3, 3]
    camera = PinholeCamera("front", 256, 256, 200.0, 200.0, 128.0, 128.0, pose)
    rng = np.random.default_rng(0)
    pictures = [np.full((1, 256, 256, 3), 200, np.uint8), rng.integers(0, 255, (1, 256, 256, 3), np.uint8)]
    first, second = (pipe.predict_occupancy(picture, [camera], blockout=blockout) for picture in pictures)
    assert (first.labels != second.labels).any()
