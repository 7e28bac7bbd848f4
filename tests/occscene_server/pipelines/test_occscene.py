"""The pipeline with real components at a tiny size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from occscene.camera import PinholeCamera
from occscene.grid import GridObject, SemanticGrid

from occscene_server.models.autoencoder import SceneAutoencoder
from occscene_server.models.denoiser import OccSceneDenoiser
from occscene_server.models.perception import OccupancyPerception
from occscene_server.models.text import load_minilm
from occscene_server.pipelines.occscene import OccScenePipeline


@pytest.fixture(scope="module")
def pipe() -> OccScenePipeline:
    torch.manual_seed(0)
    text_encoder, tokenizer = load_minilm()
    pipeline = OccScenePipeline(
        vae=SceneAutoencoder((16, 16, 16), 1, 4, (0.0,) * 4, (1.0,) * 4),
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        denoiser=OccSceneDenoiser(latent_channels=4, block_out_channels=(32, 32, 64), layers_per_block=1),
        perception=OccupancyPerception(12, (8, 8, 16), 4, 8, (16, 16, 16), 8),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=1.0),
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.fixture(scope="module")
def grid() -> SemanticGrid:
    labels = np.zeros((16, 14, 10), np.uint8)
    labels[:, :, 0] = 2
    labels[4:8, 4:8, 1:5] = 7
    instances = (labels == 7).astype(np.uint16)
    return SemanticGrid(labels, 0.2, np.eye(4), "indoor", instances, (GridObject(1, "sofa", (0.8, 0.1, 0.1)),))


def cameras(count: int, width: int = 64, height: int = 64) -> list[PinholeCamera]:
    pose = np.eye(4)
    pose[:3, :3] = [[1, 0, 0], [0, 0, 1], [0, -1, 0]]  # looks along +y
    result = []
    for index in range(count):
        pose[:3, 3] = (0.8 + 0.3 * index, 0.1, 1.0)
        result.append(PinholeCamera(f"view{index}", width, height, 50.0, 50.0, width / 2, height / 2, pose))
    return result


def test_blockout_to_scene_gives_views_and_occupancy(pipe: OccScenePipeline, grid: SemanticGrid) -> None:
    output = pipe("a red sofa", cameras(2), grid, num_inference_steps=4, seed=1)
    assert output.images.shape == (2, 64, 64, 3)
    assert output.images.dtype == np.uint8
    assert output.grid.shape == grid.shape
    again = pipe("a red sofa", cameras(2), grid, num_inference_steps=4, seed=1)
    np.testing.assert_array_equal(output.images, again.images)
    np.testing.assert_array_equal(output.grid.labels, again.grid.labels)


def test_seed_and_hints_change_the_views(pipe: OccScenePipeline, grid: SemanticGrid) -> None:
    first = pipe("a sofa", cameras(1), grid, num_inference_steps=2, seed=1).images
    assert (first != pipe("a sofa", cameras(1), grid, num_inference_steps=2, seed=2).images).any()
    assert (first != pipe("a sofa", cameras(1), grid.without_instances(), num_inference_steps=2, seed=1).images).any()


def test_text_to_scene_needs_only_a_volume(pipe: OccScenePipeline, grid: SemanticGrid) -> None:
    output = pipe("a red sofa", cameras(3), volume=grid.volume, num_inference_steps=4)
    assert output.images.shape == (3, 64, 64, 3)
    assert output.grid.shape == grid.shape


def test_images_to_occupancy(pipe: OccScenePipeline, grid: SemanticGrid) -> None:
    images = np.zeros((2, 64, 64, 3), np.uint8)
    assert pipe.predict_occupancy(images, cameras(2), volume=grid.volume).shape == grid.shape
    assert pipe.predict_occupancy(images, cameras(2), blockout=grid).shape == grid.shape
    with pytest.raises(ValueError, match="images has shape"):
        pipe.predict_occupancy(images, cameras(1), volume=grid.volume)


def test_image_size_may_be_any_multiple(pipe: OccScenePipeline, grid: SemanticGrid) -> None:
    assert pipe("", cameras(1, 96, 64), grid, num_inference_steps=1).images.shape == (1, 64, 96, 3)
    with pytest.raises(ValueError, match="width 72; it must be a multiple of 32"):
        pipe("", cameras(1, 72, 64), grid)


def test_inputs_are_checked(pipe: OccScenePipeline, grid: SemanticGrid) -> None:
    with pytest.raises(ValueError, match="at least one camera"):
        pipe("", [], grid)
    with pytest.raises(ValueError, match="needs the volume"):
        pipe("", cameras(1))
    with pytest.raises(ValueError, match="one size"):
        pipe("", [*cameras(1), *cameras(1, 96, 64)], grid)
    with pytest.raises(ValueError, match="knows 'indoor'"):
        pipe("", cameras(1), volume=grid.volume, taxonomy="outdoor")


def test_callback_sees_every_step_and_can_interrupt(pipe: OccScenePipeline, grid: SemanticGrid) -> None:
    seen = []

    def callback(pipeline: OccScenePipeline, index: int, timestep: torch.Tensor, tensors: dict) -> dict:
        seen.append((index, tensors["denoised"].shape))
        assert pipeline.preview(tensors["denoised"]).shape == (2, 32, 32, 3)
        pipeline._interrupt = index == 1
        return tensors

    pipe("", cameras(2), grid, num_inference_steps=5, callback_on_step_end=callback)
    assert [index for index, _ in seen] == [0, 1]


def test_guidance_passes_equal_their_formula(pipe: OccScenePipeline, grid: SemanticGrid) -> None:
    from occscene_server.geometry.cameras import CameraTensors
    from occscene_server.geometry.grids import GridTensors
    from occscene_server.pipelines.occscene import PlacedScene

    scene = PlacedScene(CameraTensors.from_cameras([cameras(2)]), GridTensors.from_grids([grid]), True)
    with torch.no_grad():
        condition = pipe.encode_conditions(scene, scene.placed.labels, (8, 8))
        text, mask = pipe.encode_text(["a sofa", ""])
        latents, time = torch.randn(1, 2, 4, 8, 8), torch.tensor(500.0)

        def velocity(text_scale: float, occupancy_scale: float) -> torch.Tensor:
            return pipe.guided_velocity(latents, time, text, mask, condition, text_scale, occupancy_scale)

        full, no_text = velocity(1, 1), velocity(0, 1)
        neither = velocity(0, 0)
        expected = neither + 1.5 * (no_text - neither) + 3.0 * (full - no_text)
        torch.testing.assert_close(velocity(3.0, 1.5), expected, rtol=1e-3, atol=1e-4)


def test_saved_pipeline_is_the_same(pipe: OccScenePipeline, grid: SemanticGrid, tmp_path: Path) -> None:
    pipe.save_pretrained(tmp_path)
    assert not list(tmp_path.rglob("*.bin"))
    loaded = OccScenePipeline.from_pretrained(tmp_path)
    loaded.set_progress_bar_config(disable=True)
    first = pipe("a sofa", cameras(1), grid, num_inference_steps=2).images.astype(int)
    second = loaded("a sofa", cameras(1), grid, num_inference_steps=2).images.astype(int)
    assert np.abs(first - second).max() <= 1
