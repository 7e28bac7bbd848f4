"""The main job on the bundled weights: the real extension in Blender, the real server, real bytes between them."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from occscene.camera import load_cameras
from occscene.grid import SemanticGrid, load_grid
from occscene.results import read_result
from occscene.taxonomy import INDOOR
from PIL import Image

from occscene_server.metrics.occupancy import OccupancyScores

bpy = pytest.importorskip("bpy")

pytestmark = [pytest.mark.blender, pytest.mark.slow, pytest.mark.weights]
SAMPLE = "living_room"
SIDE = 256
"""Of the views, in pixels: a quarter of the work of the default."""
BLUE_ROOM = "a modern living room with blue painted walls and an oak plank floor, a red linen sofa, bright day"
RED_ROOM = "a modern living room with terracotta plaster walls and a white tiled floor, a red linen sofa, bright day"


@dataclass(frozen=True)
class Scene:
    views: NDArray[np.uint8]
    predicted: SemanticGrid


class MainJob:
    """A sample blockout open in Blender, and a server to send it to."""

    def __init__(self, folder: Path, address: str) -> None:
        self.folder = folder
        self.address = address
        self.blockout = load_grid(folder / "blockout.npz")
        self.cameras = [camera.resized(SIDE, SIDE) for camera in load_cameras(folder / "cameras.json")]
        self.made: dict[str, Scene] = {}

    def scene_of(self, prompt: str) -> Scene:
        """A scene in full quality, made once."""
        if prompt not in self.made:
            self.made[prompt] = self.generate(prompt, 1, steps=8)
        return self.made[prompt]

    def generate(self, prompt: str, seed: int, steps: int, side: int = SIDE) -> Scene:
        directory = Path(tempfile.mkdtemp(dir=self.folder))
        bpy.context.scene.occscene.image_size = side
        result = bpy.ops.occscene.generate(
            directory=str(directory), server=self.address, prompt=prompt, seed=seed, steps=steps
        )
        assert result == {"FINISHED"}
        views = [np.asarray(Image.open(path)) for path in read_result(directory).views.values()]
        return Scene(np.stack(views), load_grid(directory / "occupancy.npz"))


@pytest.fixture(scope="module")
def job(bundled: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MainJob]:
    import blender_addon
    from occscene_server.studio.demo import open_blockout

    folder = tmp_path_factory.mktemp("main_job")
    open_blockout(SAMPLE, "", folder)
    yield MainJob(folder, bundled)
    blender_addon.unregister()


def surface_color(job: MainJob, views: NDArray[np.uint8], class_name: str) -> NDArray[np.float64]:
    """Mean sRGB of every fourth pixel along and across that shows a class of the blockout, over all views."""
    from occscene_server.studio.ray_march import looked_up, march

    pixels = []
    for view, camera in zip(views, job.cameras, strict=True):
        classes = looked_up(job.blockout.labels, march(job.blockout, camera, 9.0, stride=4)[0])
        pixels.append(view[2::4, 2::4][classes == INDOOR.index_of(class_name)])
    return np.concatenate(pixels).mean(axis=0)


def test_views_have_content(job: MainJob) -> None:
    views = job.scene_of(BLUE_ROOM).views
    assert views.shape == (4, SIDE, SIDE, 3)
    for view in views:
        assert view.std() > 15
        blocks = view.reshape(8, SIDE // 8, 8, SIDE // 8, 3).mean(axis=(1, 3))
        assert np.ptp(blocks.reshape(-1, 3), axis=0).max() > 60


def test_prompt_decides(job: MainJob) -> None:
    assert np.abs(job.scene_of(BLUE_ROOM).views.astype(int) - job.scene_of(RED_ROOM).views).mean() > 5


def test_seed_decides_and_the_same_request_gives_the_same_scene(job: MainJob) -> None:
    first, again, other = (job.generate(BLUE_ROOM, seed, steps=2, side=64) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.views, again.views)
    np.testing.assert_array_equal(first.predicted.labels, again.predicted.labels)
    assert np.abs(first.views.astype(int) - other.views).mean() > 1


def test_walls_follow_the_prompt(job: MainJob) -> None:
    blue, red = (surface_color(job, job.scene_of(room).views, "wall") for room in (BLUE_ROOM, RED_ROOM))
    assert blue[2] - blue[0] > red[2] - red[0] + 25
    assert red[0] > red[2] + 15


def test_blue_walls_are_blue(job: MainJob) -> None:
    blue = surface_color(job, job.scene_of(BLUE_ROOM).views, "wall")
    assert blue[2] > blue[0] + 15


def test_floor_has_the_color_asked_for(job: MainJob) -> None:
    oak, tiles = (surface_color(job, job.scene_of(room).views, "floor") for room in (BLUE_ROOM, RED_ROOM))
    assert oak[0] > oak[2] + 15
    assert tiles.mean() > oak.mean() + 10


def test_predicted_occupancy_is_closer_to_the_truth_than_the_blockout(job: MainJob) -> None:
    from occscene_server.studio.sample import sample_room
    from occscene_server.studio.scene_grids import room_grids

    truth, _ = room_grids(sample_room(SAMPLE))
    assert truth.shape == job.blockout.shape
    np.testing.assert_allclose(truth.world_from_grid, job.blockout.world_from_grid, atol=1e-6)

    def miou(grid: SemanticGrid) -> float:
        import torch

        scores = OccupancyScores(len(INDOOR))
        scores.add(torch.from_numpy(grid.labels)[None], torch.from_numpy(truth.labels)[None])
        return scores.metrics().miou

    for prompt in (BLUE_ROOM, RED_ROOM):
        assert miou(job.scene_of(prompt).predicted) > miou(job.blockout)
