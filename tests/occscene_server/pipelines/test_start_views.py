"""Denoising that begins at given views."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
)
from numpy.typing import NDArray
from occscene.camera import PinholeCamera
from occscene.grid import SemanticGrid

from occscene_server.geometry.pixel_values import images_from_bytes
from occscene_server.models.precision import fast_autocast
from occscene_server.pipelines.occscene import OccScenePipeline
from occscene_server.pipelines.output import to_uint8
from occscene_server.pipelines.prediction import flow_scheduler
from occscene_server.pipelines.start_views import first_step, noised


def camera(width: int = 64, height: int = 64) -> PinholeCamera:
    pose = np.eye(4)
    pose[:3, :3] = [[1, 0, 0], [0, 0, 1], [0, -1, 0]]  # looks along +y
    pose[:3, 3] = (0.8, 0.1, 1.0)
    return PinholeCamera("view", width, height, 50.0, 50.0, width / 2, height / 2, pose)


def picture(views: int = 1, height: int = 64, width: int = 64) -> NDArray[np.uint8]:
    rows, columns = np.mgrid[:height, :width]
    one = np.stack([4 * rows, 4 * columns, 255 - 2 * rows - columns], -1) % 256
    return np.repeat(one[None].astype(np.uint8), views, 0)


def test_one_step_is_done_at_least() -> None:
    assert [first_step(steps, 0.6) for steps in (1, 2, 8, 100)] == [0, 1, 4, 40]
    assert first_step(10, 1.0) == 0
    assert first_step(10, 0.01) == 9
    assert first_step(10, 0.0) == 10


@pytest.mark.parametrize("make", [flow_scheduler, lambda: FlowMatchEulerDiscreteScheduler(shift=1.0)])
def test_a_flow_begins_at_its_steps_noise(make: Any) -> None:
    scheduler = make()
    scheduler.set_timesteps(10)
    clean, noise = torch.randn(1, 2, 4, 8, 8), torch.randn(1, 2, 4, 8, 8)
    begin = first_step(10, 0.5)
    level = scheduler.sigmas[begin]
    assert begin == 5
    torch.testing.assert_close(noised(scheduler, clean, noise, begin), (1 - level) * clean + level * noise)


@pytest.mark.parametrize("kind", [DDIMScheduler, DPMSolverMultistepScheduler, EulerDiscreteScheduler])
def test_other_schedulers_denoise_what_was_noised(kind: Any) -> None:
    scheduler = kind(**({"clip_sample": False} if kind is DDIMScheduler else {}))
    scheduler.set_timesteps(10)
    clean, noise = torch.randn(1, 2, 4, 8, 8), torch.randn(1, 2, 4, 8, 8)
    latents = noised(scheduler, clean, noise, 4)
    assert not torch.allclose(latents, clean)
    for timestep in scheduler.timesteps[4:]:  # a network that knows the noise leads back
        level = scheduler.sigmas[scheduler.step_index or 4] if kind is EulerDiscreteScheduler else None
        known = noise if level is None else (latents - clean) / level
        scheduler.scale_model_input(latents, timestep)
        latents = scheduler.step(known, timestep, latents, return_dict=False)[0]
    assert float((latents - clean).abs().max()) < 0.2


def test_little_strength_stays_near(pipe: OccScenePipeline, grid: SemanticGrid) -> None:
    def distance(strength: float) -> float:
        made = pipe("a room", [camera()], grid, num_inference_steps=10, start=picture(), strength=strength, seed=3)
        codes = pipe("a room", [camera()], grid, num_inference_steps=10, start=picture(), strength=0.1, seed=4)
        return float(np.abs(made.images.astype(float) - codes.images).mean())

    assert distance(0.1) < distance(0.5) < distance(1.0)


def test_no_strength_returns_the_start_as_it_is_decoded(pipe: OccScenePipeline, grid: SemanticGrid) -> None:
    given = picture(2)
    made = pipe("a room", [camera(), camera()], grid, num_inference_steps=4, start=given, strength=0.0, seed=3)
    codes = pipe.encode_views(images_from_bytes(torch.from_numpy(given))[None])
    with fast_autocast("cpu", pipe.denoiser.dtype):
        np.testing.assert_array_equal(made.images, to_uint8(pipe.decode_latents(codes)[0]))
    assert pipe.num_timesteps == 0


@pytest.mark.parametrize("make", [flow_scheduler, lambda: FlowMatchEulerDiscreteScheduler(shift=1.0)])
def test_full_strength_keeps_nothing_of_the_start(pipe: OccScenePipeline, grid: SemanticGrid, make: Any) -> None:
    other = OccScenePipeline(**(pipe.components | {"scheduler": make()}))
    other.set_progress_bar_config(disable=True)
    one, two = (
        other("a room", [camera()], grid, num_inference_steps=3, start=given, strength=1.0, seed=3).images
        for given in (picture(), 255 - picture())
    )
    np.testing.assert_array_equal(one, two)


def distances(made: NDArray[np.uint8], other: NDArray[np.uint8]) -> list[float]:
    return [float(np.abs(one.astype(int) - two).mean()) for one, two in zip(made, other, strict=True)]


@pytest.mark.slow
@pytest.mark.parametrize("make", [flow_scheduler, lambda: FlowMatchEulerDiscreteScheduler(shift=1.0)])
@pytest.mark.parametrize("start", [None, picture(3)])
def test_known_views_stay_and_the_others_see_them(
    pipe: OccScenePipeline, grid: SemanticGrid, make: Any, start: NDArray[np.uint8] | None
) -> None:
    other = OccScenePipeline(**(pipe.components | {"scheduler": make()}))
    other.set_progress_bar_config(disable=True)

    def made(known: dict[int, NDArray[np.uint8]], seed: int = 3) -> NDArray[np.uint8]:
        options = {"num_inference_steps": 4, "start": start, "known": known, "seed": seed}
        images: NDArray[np.uint8] = other("a room", [camera(), camera(), camera()], grid, **options).images
        return images

    dark = {0: picture()[0], 2: picture()[0] // 2}
    first = made(dark)
    np.testing.assert_array_equal(first[[0, 2]], [dark[0], dark[2]])
    np.testing.assert_array_equal(first, made(dark))
    assert distances(first, made(dark, seed=4))[1] > 0
    assert distances(first, made({0: 255 - picture()[0], 2: dark[2]}))[1] > 0  # through attention


def test_a_known_view_is_shown_at_the_noise_of_each_step(pipe: OccScenePipeline, grid: SemanticGrid) -> None:
    """So what the others attend to is what the model was trained with."""
    seen: list[torch.Tensor] = []

    def note(_pipe: OccScenePipeline, _step: int, _timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        seen.append(tensors["latents"][0, 0].clone())
        assert torch.equal(tensors["denoised"][0, 0], codes[0, 0])
        return {}

    with torch.no_grad():
        codes = pipe.encode_views(images_from_bytes(torch.from_numpy(picture()))[None])
    pipe("a room", [camera(), camera()], grid, num_inference_steps=4, known={0: picture()[0]}, seed=3,
         callback_on_step_end=note)  # fmt: skip
    away = [float((latents - codes[0, 0]).std()) for latents in seen]
    assert away == sorted(away, reverse=True)
    assert away[0] > 0.3
    assert away[-1] == 0.0


def test_known_views_are_of_one_scene(pipe: OccScenePipeline, grid: SemanticGrid) -> None:
    with pytest.raises(ValueError, match="known has views of one scene; there are 2 prompts"):
        pipe(["a room", "a room"], [camera(), camera()], grid, num_inference_steps=2, known={0: picture()[0]})


def test_only_the_last_steps_are_done_and_told(pipe: OccScenePipeline, grid: SemanticGrid) -> None:
    told: list[int] = []

    def note(_pipe: OccScenePipeline, step: int, _timestep: Any, _tensors: dict[str, Any]) -> dict[str, Any]:
        told.append(step)
        return {}

    pipe("a room", [camera()], grid, num_inference_steps=10, start=picture(), strength=0.35, callback_on_step_end=note)
    assert told == [0, 1, 2]
    assert pipe.num_timesteps == 3


def test_every_size_and_scene_has_its_start(pipe: OccScenePipeline, grid: SemanticGrid) -> None:
    odd = camera(70, 66)
    first, second = picture(1, 66, 70), 255 - picture(1, 66, 70)
    both = pipe(["a room", "a room"], [odd], grid, num_inference_steps=4, start=[first, second], strength=0.5, seed=7)
    alone = pipe("a room", [odd], grid, num_inference_steps=4, start=second, strength=0.5, seed=8)
    assert both.images.shape == (2, 1, 66, 70, 3)
    assert int(np.abs(both.images[1].astype(int) - alone.images).max()) <= 1
    assert np.abs(both.images[0].astype(int) - both.images[1]).mean() > 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"start": picture(), "strength": -0.1},
            r"strength is -0.1; it must be 0 \(keeps all\) to 1 \(keeps nothing\)",
        ),
        ({"start": picture(), "strength": 1.5}, "strength is 1.5"),
        ({"start": picture(), "strength": float("nan")}, "strength is nan"),
        ({"start": picture(1, 32, 64)}, r"start is uint8 of the shape \(1, 32, 64, 3\); these cameras need uint8 of"),
        ({"start": picture() / 255.0}, "start is float64"),
        ({"start": [picture(), picture()]}, "start has the views of 2 scenes; there are 1 prompts"),
        ({"known": {0: picture()[0]}}, "known has all 1 views; at least one must be left to generate"),
        ({"known": {1: picture()[0]}}, "known has a view 1; there are 1 cameras, numbered from 0"),
    ],
)
def test_a_start_that_does_not_fit_is_refused(
    pipe: OccScenePipeline, grid: SemanticGrid, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        pipe("a room", [camera()], grid, num_inference_steps=4, **options)
