"""The pipeline with real components at a tiny size."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from diffusers.callbacks import PipelineCallback
from occscene.camera import PinholeCamera
from occscene.grid import SemanticGrid
from occscene.layout import Layout, LayoutObject, LayoutRoom
from occscene.placed_layout import PlacedLayout
from occscene.rig import default_rig
from occscene.volumes import default_volume

from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.grids import GridTensors
from occscene_server.geometry.lifting import lift
from occscene_server.pipelines.guided_views import Sensor
from occscene_server.pipelines.occscene import OccScenePipeline
from occscene_server.pipelines.output import to_uint8
from occscene_server.pipelines.prediction import CfgBatch, guided_prediction
from occscene_server.pipelines.scene_inputs import PlacedScenes, SceneInputs
from occscene_server.pipelines.text_to_scene import PROPOSALS, LayoutDraft


def cameras(count: int, width: int = 64, height: int = 64) -> list[PinholeCamera]:
    pose = np.eye(4)
    pose[:3, :3] = [[1, 0, 0], [0, 0, 1], [0, -1, 0]]  # looks along +y
    result = []
    for index in range(count):
        pose[:3, 3] = (0.8 + 0.1 * index, 0.1, 1.0)
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


def test_seed_hints_and_negative_prompt_change_the_views(pipe: OccScenePipeline, grid: SemanticGrid) -> None:
    def views(seed: int = 1, grid: SemanticGrid = grid, **options: Any) -> np.ndarray:
        return pipe("a sofa", cameras(1), grid, num_inference_steps=2, seed=seed, **options).images

    first = views()
    assert (first != views(seed=2)).any()
    assert (first != views(grid=grid.without_instances())).any()
    assert (first != views(negative_prompt="blue walls")).any()


def test_text_is_encoded_once(pipe: OccScenePipeline, grid: SemanticGrid) -> None:
    runs = []
    with pipe.text_encoder.register_forward_hook(lambda *_: runs.append(1)):
        pipe("brick walls", cameras(2), grid, negative_prompt="dark", num_inference_steps=4)
    assert len(runs) == 1


def test_gbuffer_shows_objects_as_perceived_in_the_regression_prior(
    pipe: OccScenePipeline, grid: SemanticGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And dual alignment, like the last perception, gets them as they were placed."""
    perceived, drawn, aligned = grid.labels.copy(), [], []
    perceived[4:6, 4:8, 3:] = 0
    labels = torch.from_numpy(perceived)[None]
    logits = 9.0 * F.one_hot(labels.long(), 12).movedim(-1, 1)
    draw, align = pipe.denoiser.gbuffer_features, pipe.denoiser.alignment.forward
    monkeypatch.setattr(pipe.perception, "forward", lambda *_: logits)
    monkeypatch.setattr(pipe.denoiser, "gbuffer_features", lambda *a: (drawn.append(a[0].labels), draw(*a))[1])
    monkeypatch.setattr(pipe.denoiser.alignment, "forward", lambda *a: (aligned.append(a[0]), align(*a))[1])
    pipe("a sofa", cameras(1), grid, num_inference_steps=1)
    torch.testing.assert_close(drawn[-1], labels)
    assert all((given == torch.from_numpy(grid.labels)).all() for given in aligned)


def test_views_show_the_finer_blockout_and_perception_is_told_of_the_boxes(
    pipe: OccScenePipeline, grid: SemanticGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels, instances = grid.labels.copy(), np.asarray(grid.instances).copy()
    labels[4:8, 4:6, 3:5], instances[4:8, 4:6, 3:5] = 0, 0
    finer = replace(grid, labels=labels, instances=instances)
    blockouts, aligned = [], []
    perceive, align = pipe.perception.forward, pipe.denoiser.alignment.forward
    monkeypatch.setattr(pipe.perception, "forward", lambda *a: (blockouts.append(a[3]), perceive(*a))[1])
    monkeypatch.setattr(pipe.denoiser.alignment, "forward", lambda *a: (aligned.append(a[0]), align(*a))[1])
    shown = pipe("a sofa", cameras(1), grid, finer=finer, num_inference_steps=1)
    assert len(blockouts) == 2
    assert all((given == torch.from_numpy(grid.labels)).all() for given in blockouts)
    torch.testing.assert_close(aligned[-1][0], torch.from_numpy(labels))
    plain = pipe("a sofa", cameras(1), grid, num_inference_steps=1)
    assert (shown.images != plain.images).any()
    with pytest.raises(ValueError, match="finer must have"):
        pipe("a sofa", cameras(1), grid, finer=[finer, finer], num_inference_steps=1)


def test_a_layout_takes_the_drafts_place_and_is_drawn_anew(pipe: OccScenePipeline) -> None:
    volume = default_volume("indoor")
    sofa = LayoutObject("sofa", "sofa", (0.0, 1.0, 0.4), (1.6, 0.8, 0.8), color=(0.6, 0.1, 0.1))
    placed = PlacedLayout(Layout("indoor", LayoutRoom((3.5, 3.5, 2.4)), (sofa,)))
    asked: list[int] = []

    def propose(layout: Layout, index: int, seed: int) -> Layout:
        asked.append(index)
        return replace(layout, objects=(replace(sofa, center=(0.0, -1.0 + 1e-3 * len(asked), 0.4)),))

    draft = LayoutDraft(placed, volume, propose)
    output = pipe("a red sofa", default_rig(volume, 2, 64, 64), volume=volume, drafts=[draft], num_inference_steps=4)
    assert pipe.num_timesteps == 4  # no draft of views
    assert len(asked) == PROPOSALS
    assert output.grid.shape == volume.shape
    assert draft.placed.layout.room == placed.layout.room
    assert (draft.placed.layout.objects == (sofa,)) == (draft.accepted == 0)


def test_text_to_scene_needs_only_a_volume(pipe: OccScenePipeline, grid: SemanticGrid) -> None:
    output = pipe("a red sofa", cameras(3), volume=grid.volume, num_inference_steps=4)
    assert output.images.shape == (3, 64, 64, 3)
    assert output.grid.shape == grid.shape


def test_text_to_scene_is_its_drafts_occupancy_as_blockout(
    pipe: OccScenePipeline, grid: SemanticGrid, monkeypatch: pytest.MonkeyPatch
) -> None:
    drafts, perceived, perceive = [], [], pipe.perceive

    def keep(pipeline: OccScenePipeline, step: int, time: torch.Tensor, tensors: dict[str, Any]) -> dict[str, Any]:
        drafts.append(tensors["latents"])
        return {}

    def watch(images: torch.Tensor, scene: PlacedScenes, real: bool = False) -> torch.Tensor:
        labels = perceive(images, scene, real)
        if not scene.has_blockout:
            perceived.append(labels)
        return labels

    monkeypatch.setattr(pipe, "perceive", watch)
    output = pipe("a red sofa", cameras(2), volume=grid.volume, num_inference_steps=2, callback_on_step_end=keep)
    assert len(drafts) == pipe.num_timesteps == 4
    blockout = replace(output.grid, labels=perceived[-1][0].numpy())
    again = pipe("a red sofa", cameras(2), blockout, num_inference_steps=2)
    np.testing.assert_array_equal(output.images, again.images)
    draft = pipe.cut(pipe.decode_latents(drafts[1]))[0]
    seen = pipe.predict_occupancy(to_uint8(draft), cameras(2), volume=grid.volume)
    assert (seen.labels == blockout.labels).mean() > 0.9  # the draft was rounded here


def test_images_to_occupancy_take_any_size(pipe: OccScenePipeline, grid: SemanticGrid) -> None:
    images = np.random.default_rng(0).integers(0, 255, (2, 64, 64, 3), np.uint8)
    assert pipe.predict_occupancy(images, cameras(2), volume=grid.volume).shape == grid.shape
    assert pipe.predict_occupancy(images, cameras(2), blockout=grid).shape == grid.shape
    wide = np.random.default_rng(0).integers(0, 255, (2, 65, 101, 3), np.uint8)
    assert pipe.predict_occupancy(wide, cameras(2, 101, 65), blockout=grid).shape == grid.shape
    with pytest.raises(ValueError, match="images has shape"):
        pipe.predict_occupancy(images, cameras(1), volume=grid.volume)


def test_what_lies_beside_a_photo_is_unseen(pipe: OccScenePipeline, grid: SemanticGrid) -> None:
    """The sensor around an image of odd size: its camera sees as much as the camera of the image's own size."""
    volume, device = grid.volume, torch.device("cpu")
    views = cameras(2, 101, 65)
    images = np.random.default_rng(0).integers(0, 255, (2, 65, 101, 3), np.uint8)
    inputs = SceneInputs.gather(1, views, None, volume, "indoor", "indoor")
    pictures, scene = inputs.photographed(images, pipe.perception.size_multiple, device)
    assert pictures.shape == (1, 2, 3, 80, 112)
    np.testing.assert_array_equal(to_uint8(pictures[0, :, :, :65, :101]), images)
    ones = torch.ones(1, 2, 1, 20, 28)
    _, count = lift(ones, scene.cameras, scene.placed.volume)
    centers = volume.world_from_grid[:3, :3] @ ((np.indices(volume.shape).reshape(3, -1) + 0.5) * volume.voxel_size)
    expected = np.zeros(centers.shape[1], int)
    for camera in views:
        pixels, depth = camera.project(centers.T + volume.world_from_grid[:3, 3])
        expected += (depth > 0) & (pixels >= 0).all(axis=1) & (pixels < (101, 65)).all(axis=1)
    seen = count.flatten().numpy()
    assert 0 < (seen > 0).sum() < seen.size
    assert (seen != expected).mean() < 0.002  # of what lies on the very edge
    _, wider = lift(ones, replace(scene.cameras, picture=None), scene.placed.volume)
    assert wider.sum() > count.sum()


def test_an_image_is_the_top_left_part_of_a_larger_one(pipe: OccScenePipeline, grid: SemanticGrid) -> None:
    """Sides may be any; what the networks can halve is a larger sensor, from which the image is cut."""
    odd = [PinholeCamera("odd", 71, 107, 50.0, 50.0, 40.0, 50.0, cameras(1)[0].world_from_camera)]
    large = [PinholeCamera("large", 96, 128, 50.0, 50.0, 40.0, 50.0, cameras(1)[0].world_from_camera)]
    assert pipe.sensor(107, 71) == Sensor((128, 96), (107, 71), 1.0)
    previews = []

    def callback(pipeline: OccScenePipeline, index: int, timestep: torch.Tensor, tensors: dict) -> dict:
        previews.append(pipeline.preview(tensors["denoised"]).shape)
        return {}

    views = pipe("a sofa", odd, grid, num_inference_steps=2, callback_on_step_end=callback).images
    assert views.shape == (1, 107, 71, 3)
    assert previews == [(1, 54, 36, 3)] * 2
    np.testing.assert_array_equal(views, pipe("a sofa", large, grid, num_inference_steps=2).images[:, :107, :71])


@pytest.mark.parametrize("count", [1, 5, 16])
def test_one_to_sixteen_views(pipe: OccScenePipeline, grid: SemanticGrid, count: int) -> None:
    assert pipe("", cameras(count), grid, num_inference_steps=2).images.shape == (count, 64, 64, 3)


@pytest.mark.usefixtures("single_precision")
def test_a_scene_of_many_is_as_alone(pipe: OccScenePipeline, grid: SemanticGrid) -> None:
    """Scene i of a list has the seed `seed + i`; cameras and grid may be shared or each scene's own."""
    other = SemanticGrid(grid.labels[::-1], 0.2, np.eye(4), "indoor")
    prompts, negative = ["a red sofa", "a green room with brick walls"], ["dark", ""]
    both = pipe(
        prompts,
        [cameras(3)[:2], cameras(3)[1:]],
        [grid, other],
        negative_prompt=negative,
        seed=4,
        num_inference_steps=4,
    )
    assert both.images.shape == (2, 2, 64, 64, 3)
    for index, (views, placed) in enumerate([(cameras(3)[:2], grid), (cameras(3)[1:], other)]):
        alone = pipe(
            prompts[index], views, placed, negative_prompt=negative[index], seed=4 + index, num_inference_steps=4
        )
        assert np.abs(both.images[index].astype(int) - alone.images).max() <= 1
        np.testing.assert_array_equal(both.grids[index].labels, alone.grid.labels)
    shared = pipe(prompts, cameras(3)[:2], grid, negative_prompt=negative, seed=4, num_inference_steps=4)
    assert np.abs(shared.images[0].astype(int) - both.images[0]).max() <= 1


def test_generators_and_latents_take_the_seeds_place(pipe: OccScenePipeline, grid: SemanticGrid) -> None:
    def generator(seed: int) -> torch.Generator:
        return torch.Generator().manual_seed(seed)

    def views(prompt: str | list[str], **options: Any) -> np.ndarray:
        return pipe(prompt, cameras(2), grid, num_inference_steps=2, **options).images

    by_seed = views("a sofa", seed=7)
    np.testing.assert_array_equal(by_seed, views("a sofa", generator=generator(7)))
    noise = torch.randn(1, 2, 4, 8, 8, generator=generator(7))
    np.testing.assert_array_equal(by_seed, views("a sofa", latents=noise))
    both = views(["a sofa", "a bed"], generator=[generator(7), generator(8)])
    np.testing.assert_array_equal(both, views(["a sofa", "a bed"], seed=7))


def test_noise_scale_is_the_noise_that_the_denoising_starts_from(pipe: OccScenePipeline, grid: SemanticGrid) -> None:
    def views(**options: Any) -> np.ndarray:
        return pipe("a sofa", cameras(2), grid, num_inference_steps=2, **options).images

    noise = torch.randn(1, 2, 4, 8, 8, generator=torch.Generator().manual_seed(7))
    np.testing.assert_array_equal(views(seed=7, noise_scale=0.5), views(latents=0.5 * noise))
    np.testing.assert_array_equal(views(seed=7, noise_scale=0.0), views(seed=8, noise_scale=0.0))
    np.testing.assert_array_equal(views(seed=7), views(seed=7, noise_scale=pipe.config.default_noise_scale))


@pytest.mark.slow
def test_output_types_show_the_same_views(pipe: OccScenePipeline, grid: SemanticGrid) -> None:
    def views(output_type: str, prompt: str | list[str] = "a sofa") -> Any:
        return pipe(prompt, cameras(2), grid, num_inference_steps=2, output_type=output_type).images

    reference = views("uint8")
    pictures = views("pil")
    np.testing.assert_array_equal(reference, np.stack([np.asarray(picture) for picture in pictures]))
    np.testing.assert_allclose(views("np"), reference / 255, atol=0.51 / 255)
    np.testing.assert_allclose(views("pt").permute(0, 2, 3, 1).numpy(), views("np"), atol=1e-6)
    assert views("latent").shape == (2, 4, 8, 8)
    assert views("pt", ["a sofa", "a bed"]).shape == (2, 2, 3, 64, 64)
    assert [len(scene) for scene in views("pil", ["a sofa", "a bed"])] == [2, 2]
    images, grids, *_ = pipe("a sofa", cameras(2), grid, num_inference_steps=2).to_tuple()
    np.testing.assert_array_equal(images, reference)
    assert grids[0].shape == grid.shape


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cameras": []}, "at least one camera"),
        ({"cameras": cameras(1) * 17}, "17 views; a scene has 1 to 16"),
        ({"cameras": [*cameras(1), *cameras(1, 96, 64)]}, "one size"),
        ({"cameras": [cameras(1), cameras(2)], "prompt": ["", ""]}, "need the same number"),
        ({"grid": None}, "without a blockout the volume to predict is needed"),
        ({"prompt": 3}, "prompt is 3; it must be a string"),
        ({"prompt": []}, "at least one prompt"),
        ({"negative_prompt": ["", ""]}, "2 texts for 1 prompts"),
        ({"num_inference_steps": 0}, "num_inference_steps is 0; it must be 1 to 100"),
        ({"text_guidance_scale": float("nan")}, "text_guidance_scale is nan"),
        ({"noise_scale": -0.5}, "noise_scale is -0.5; it must be 0 to 2"),
        ({"noise_scale": float("nan")}, "noise_scale is nan"),
        ({"generator": [torch.Generator()] * 2}, "2 generators for 1 prompts"),
        ({"latents": torch.zeros(1, 1, 4, 4, 4)}, r"latents has the shape \(1, 1, 4, 4, 4\); this call needs"),
        ({"output_type": "jpeg"}, "output_type is 'jpeg'; it must be one of uint8, pil"),
        ({"callback_on_step_end_tensor_inputs": ["noise"]}, "may have latents, denoised, occupancy"),
    ],
)
def test_inputs_are_checked(pipe: OccScenePipeline, grid: SemanticGrid, options: dict[str, Any], message: str) -> None:
    arguments = {"prompt": "", "cameras": cameras(1), "grid": grid} | options
    with pytest.raises(ValueError, match=message):
        pipe(**arguments)


def test_another_taxonomy_is_refused(pipe: OccScenePipeline, grid: SemanticGrid) -> None:
    with pytest.raises(ValueError, match="knows 'indoor'"):
        pipe("", cameras(1), volume=grid.volume, taxonomy="outdoor")


def test_callback_sees_every_step_and_can_interrupt(pipe: OccScenePipeline, grid: SemanticGrid) -> None:
    seen = []

    def callback(pipeline: OccScenePipeline, index: int, timestep: torch.Tensor, tensors: dict) -> dict:
        seen.append((index, tensors["denoised"].shape))
        assert pipeline.num_timesteps == 5
        assert pipeline.preview(tensors["denoised"]).shape == (2, 32, 32, 3)
        pipeline._interrupt = index == 1
        return tensors

    pipe("", cameras(2), grid, num_inference_steps=5, callback_on_step_end=callback)
    assert [index for index, _ in seen] == [0, 1]


def test_callback_objects_choose_their_tensors_and_can_change_the_latents(
    pipe: OccScenePipeline, grid: SemanticGrid
) -> None:
    class Grey(PipelineCallback):
        tensor_inputs = ["latents"]

        def callback_fn(self, pipeline: Any, step_index: int, timestep: Any, callback_kwargs: dict) -> dict:
            assert callback_kwargs.keys() == {"latents"}
            last = step_index == pipeline.num_timesteps - 1
            return {"latents": callback_kwargs["latents"] * 0} if last else {}

    latents = pipe(
        "", cameras(1), grid, num_inference_steps=3, callback_on_step_end=Grey(), output_type="latent"
    ).images
    assert torch.equal(latents, torch.zeros_like(latents))


def test_guidance_passes_equal_their_formula(pipe: OccScenePipeline, grid: SemanticGrid) -> None:
    scene = PlacedScenes(CameraTensors.from_cameras([cameras(2)]), GridTensors.from_grids([grid]), True)
    with torch.no_grad():
        condition = pipe.encode_condition(scene, scene.placed.labels, (8, 8), None)
        absent = pipe.denoiser.encode_absence(scene.placed, scene.cameras, (8, 8))
        text, mask = pipe.encode_text(["a sofa", ""])
        latents, time = torch.randn(1, 2, 4, 8, 8), torch.tensor(500.0)

        def velocity(text_scale: float, occupancy_scale: float) -> torch.Tensor:
            passes = CfgBatch.gather(pipe.denoiser, text, mask, condition, absent, text_scale, occupancy_scale)
            return guided_prediction(pipe.denoiser, latents, time, passes)

        full, no_text = velocity(1, 1), velocity(0, 1)
        neither = velocity(0, 0)
        expected = neither + 1.5 * (no_text - neither) + 3.0 * (full - no_text)
        torch.testing.assert_close(velocity(3.0, 1.5), expected, rtol=1e-3, atol=1e-4)


def test_saved_pipeline_is_the_same(pipe: OccScenePipeline, grid: SemanticGrid, tmp_path: Path) -> None:
    pipe.save_pretrained(tmp_path)
    assert not list(tmp_path.rglob("*.bin"))
    loaded = OccScenePipeline.from_pretrained(tmp_path)
    loaded.set_progress_bar_config(disable=True)
    assert loaded.config.default_steps == pipe.config.default_steps
    assert type(loaded.scheduler) is type(pipe.scheduler)
    first = pipe("a sofa", cameras(1), grid, num_inference_steps=2).images.astype(int)
    second = loaded("a sofa", cameras(1), grid, num_inference_steps=2).images.astype(int)
    assert np.abs(first - second).max() <= 1


def test_half_precision_weights_run(pipe: OccScenePipeline, grid: SemanticGrid, tmp_path: Path) -> None:
    pipe.save_pretrained(tmp_path)
    half = OccScenePipeline.from_pretrained(tmp_path, dtype=torch.bfloat16)
    half.set_progress_bar_config(disable=True)
    assert half.denoiser.dtype is torch.bfloat16
    views = half("a sofa", cameras(2), grid, num_inference_steps=4, output_type="np").images
    assert np.isfinite(views).all()
    assert (
        np.abs(views - pipe("a sofa", cameras(2), grid, num_inference_steps=4, output_type="np").images).mean() < 0.02
    )
