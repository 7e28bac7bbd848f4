"""Many views of one scene: what is shared, what does not depend on how they are run, and that they agree more."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from occscene.camera import PinholeCamera

from occscene_server.geometry.correspondence import correspondences
from occscene_server.geometry.gbuffer_maps import render_gbuffer_maps
from occscene_server.geometry.grids import GridTensors
from occscene_server.geometry.pixel_values import images_from_bytes
from occscene_server.geometry.view_fusion import disagreement
from occscene_server.geometry.view_noise import surface_fixed_noise
from occscene_server.models.linked_attention import AttentionContext, SceneAttnProcessor, scene_attention
from occscene_server.pipelines import checkpoint_denoiser
from occscene_server.pipelines import zero_shot as zero_shot_module
from occscene_server.pipelines.output import to_uint8
from occscene_server.pipelines.shown_scene import resized, working_size
from occscene_server.pipelines.zero_shot import NOISE_CELLS, ZeroShotPipeline
from tests.occscene_server.geometry.closed_room import closed_room, corner_cameras, room_buffer
from tests.occscene_server.pipelines.test_zero_shot import zero_shot
from tests.occscene_server.pipelines.tiny_checkpoints import save_tiny_kit

ROOM = closed_room()


@pytest.fixture(scope="module", params=["sd", "sdxl"])
def root(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp(request.param)
    save_tiny_kit(folder, request.param)
    return folder


@pytest.fixture(scope="module")
def pipe(root: Path) -> ZeroShotPipeline:
    return zero_shot(root, "depth:0.7")


def views(pipe: ZeroShotPipeline, cameras: list[PinholeCamera], **options: Any) -> np.ndarray:
    settings = {"num_inference_steps": 5, "text_guidance_scale": 3.0, "seed": 4, "output_type": "np"}
    images: np.ndarray = pipe("a bright room", cameras, ROOM, **settings | options).images
    return images


@pytest.mark.slow
@pytest.mark.parametrize("consistency", ["none", "linked", "synced"])
def test_results_do_not_depend_on_how_many_views_are_run_at_once(pipe: ZeroShotPipeline, consistency: str) -> None:
    drawn = []
    for count in (1, 2, 4):
        pipe.views_at_once = count
        drawn.append(views(pipe, corner_cameras(), consistency=consistency))
    for other in drawn[1:]:
        np.testing.assert_allclose(other, drawn[0], atol=1e-4)


def test_views_of_one_camera_are_one_view(pipe: ZeroShotPipeline) -> None:
    camera = corner_cameras(1)[0]
    twins = [replace(camera, name=str(index)) for index in range(3)]
    drawn = views(pipe, twins, consistency="linked")
    np.testing.assert_allclose(drawn[1:], drawn[:1].repeat(2, 0), atol=1e-5)
    pipe_noise = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(2))
    single = views(pipe, twins[:1], latents=pipe_noise)
    same = views(pipe, twins, latents=pipe_noise.repeat(3, 1, 1, 1), consistency="synced")
    np.testing.assert_allclose(same, single.repeat(3, 0), atol=1e-4)


@pytest.mark.slow
def test_the_order_of_cameras_only_reorders_the_views(pipe: ZeroShotPipeline) -> None:
    cameras = corner_cameras()
    order = [2, 0, 3, 1]
    straight = views(pipe, cameras)
    np.testing.assert_allclose(views(pipe, [cameras[index] for index in order]), straight[order], atol=1e-4)


def test_views_without_overlap_are_drawn_as_if_apart(pipe: ZeroShotPipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fusing changes nothing where no place is seen twice: up and down have nothing in common."""
    first = corner_cameras(1)[0]
    pose = first.world_from_camera.copy()
    pose[:3, 1:3] *= -1  # the other way, upside down
    cameras = [first, replace(first, name="away", world_from_camera=pose)]
    monkeypatch.setattr(zero_shot_module, "LINK_STRENGTH", 0.0)
    noise = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(2))
    apart = views(pipe, cameras, latents=noise, consistency="none")
    np.testing.assert_allclose(views(pipe, cameras, latents=noise, consistency="synced"), apart, atol=1e-5)


def test_no_strength_links_nothing_and_a_strength_does(pipe: ZeroShotPipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = torch.randn(3, 4, 8, 8, generator=torch.Generator().manual_seed(2))
    apart = views(pipe, corner_cameras(3), latents=noise, consistency="none")
    linked = views(pipe, corner_cameras(3), latents=noise, consistency="linked")
    changed = np.abs(linked - apart).max((1, 2, 3))
    assert (changed > 1e-4).sum() == 2  # all but the hub
    monkeypatch.setattr(zero_shot_module, "LINK_STRENGTH", 0.0)
    np.testing.assert_array_equal(views(pipe, corner_cameras(3), latents=noise, consistency="linked"), apart)


def test_processors_without_links_and_words_are_diffusers_own(pipe: ZeroShotPipeline) -> None:
    unet, draw = pipe.checkpoint.unet, torch.Generator().manual_seed(0)
    states = torch.randn(2, 77, unet.config.cross_attention_dim, generator=draw)
    added = {"text_embeds": torch.randn(2, 32, generator=draw), "time_ids": torch.zeros(2, 6)}
    arguments = (torch.randn(2, 4, 8, 8, generator=draw), torch.tensor(300), states)
    before = unet(*arguments, added_cond_kwargs=added).sample
    with scene_attention(unet, AttentionContext()):
        assert all(isinstance(each, SceneAttnProcessor) for each in unet.attn_processors.values())
        assert torch.equal(unet(*arguments, added_cond_kwargs=added).sample, before)
    assert not any(isinstance(each, SceneAttnProcessor) for each in unet.attn_processors.values())


@pytest.mark.slow
def test_noise_on_surfaces_is_white_in_each_view_and_shared_between_them() -> None:
    cameras, size = corner_cameras(), (64, 64)
    buffer, tensors = room_buffer(cameras, size)
    placed = GridTensors.from_grids([ROOM])
    seen = render_gbuffer_maps(placed, tensors, (size[0] * NOISE_CELLS, size[1] * NOISE_CELLS), 12)
    noise = torch.cat([surface_fixed_noise(seen, tensors, torch.tensor([seed]), 4, NOISE_CELLS) for seed in range(8)])
    assert abs(float(noise.mean())) < 0.01
    assert abs(float(noise.std()) - 1) < 0.01
    for axis in (-1, -2):
        near = noise.narrow(axis, 0, 63) * noise.narrow(axis, 1, 63)
        assert abs(float(near.mean())) < 0.015
    found = correspondences(buffer, ROOM, tensors)
    rank = found.sources[0].tolist().index(1)
    place = ((found.places[0, rank] + 1) * 32).long().clamp(0, 63)
    mask = found.weights[0, rank] > 0
    there = noise[:, 1][:, :, place[..., 1], place[..., 0]]
    shared = (noise[:, 0] * there)[:, :, mask].mean()
    assert float(shared) > 0.1  # and would be 0 for noise of each view's own
    again = surface_fixed_noise(seen, tensors, torch.tensor([3]), 4, NOISE_CELLS)
    assert torch.equal(again[0], noise[3])


def test_estimates_agree_more_from_apart_to_linked_to_synced(pipe: ZeroShotPipeline) -> None:
    """On a random network: what fusion does to the last estimate that it changes, and what is left at the end."""
    buffer, tensors = room_buffer(corner_cameras(), (64, 64))
    found = correspondences(buffer, ROOM, tensors)
    left = {}
    for consistency in ("none", "synced"):
        images = torch.from_numpy(views(pipe, corner_cameras(), consistency=consistency)).movedim(-1, 1)
        left[consistency] = disagreement(images, found)
    assert left["synced"] < left["none"]


@pytest.mark.slow
def test_out_of_memory_halves_the_views_and_goes_on_with_the_same_step(
    pipe: ZeroShotPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe.views_at_once = 1
    expected = views(pipe, corner_cameras())
    pipe.views_at_once = 4
    run, steps = checkpoint_denoiser.CheckpointDenoiser._of_views, []

    def limited(self: Any, shown: torch.Tensor, timestep: Any, chosen: list[int], step: int, *rest: Any) -> Any:
        if len(chosen) > 2 and step >= 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        steps.append((step, len(chosen)))
        return run(self, shown, timestep, chosen, step, *rest)

    monkeypatch.setattr(checkpoint_denoiser.CheckpointDenoiser, "_of_views", limited)
    np.testing.assert_allclose(views(pipe, corner_cameras()), expected, atol=1e-4)
    assert pipe.views_at_once == 2
    assert [count for step, count in steps if step == 2].count(1) >= 1
    assert {step for step, _ in steps} == set(range(5))


def test_a_view_that_does_not_fit_alone_says_what_helps(
    pipe: ZeroShotPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*arguments: Any) -> Any:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")

    monkeypatch.setattr(checkpoint_denoiser.CheckpointDenoiser, "_of_views", full)
    pipe.views_at_once = 4
    with pytest.raises(torch.OutOfMemoryError):
        views(pipe, corner_cameras())
    assert pipe.views_at_once == 1
    assert "--offload model" in pipe.memory_advice()


def test_known_views_stay_and_change_the_others(pipe: ZeroShotPipeline) -> None:
    cameras = corner_cameras(2)
    bright = np.full((cameras[0].height, cameras[0].width, 3), 230, np.uint8)
    made = views(pipe, cameras, known={1: bright}, output_type="uint8")
    np.testing.assert_array_equal(made[1], bright)
    assert np.abs(made[0].astype(int) - views(pipe, cameras, known={1: bright // 8}, output_type="uint8")[0]).max() > 1


def test_no_strength_returns_the_start_as_it_is_decoded(pipe: ZeroShotPipeline) -> None:
    cameras = corner_cameras(2)
    given = np.random.default_rng(0).integers(0, 256, (2, cameras[0].height, cameras[0].width, 3), np.uint8)
    size = working_size(cameras[0], pipe.checkpoint.side, pipe.checkpoint.multiple)
    made = views(pipe, cameras, start=given, strength=0.0, output_type="uint8")
    decoded = pipe.decode(pipe.encode(resized(images_from_bytes(torch.from_numpy(given)), size)))
    np.testing.assert_array_equal(made, to_uint8(resized(decoded.float(), given.shape[1:3])))
    anew = [views(pipe, cameras, start=each, strength=1.0) for each in (given, 255 - given)]
    np.testing.assert_array_equal(*anew)
