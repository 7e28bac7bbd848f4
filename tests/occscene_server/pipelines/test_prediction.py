"""Schedulers that are exchanged for one another, and the estimates of the clean latents."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DPMSolverMultistepScheduler,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    LCMScheduler,
    TCDScheduler,
    UniPCMultistepScheduler,
)

from occscene_server.evaluation.speed import main_job
from occscene_server.models.denoiser import Condition
from occscene_server.pipelines.occscene import OccScenePipeline
from occscene_server.pipelines.prediction import (
    PRIOR_SHARE,
    CfgBatch,
    blend_low_frequencies,
    check_scheduler,
    denoised_estimate,
    flow_scheduler,
    implied_prediction,
    model_input,
)
from occscene_server.weights import default_model

FLOW = {"prediction_type": "flow_prediction", "use_flow_sigmas": True}


@pytest.mark.weights
@pytest.mark.release
def test_schedulers_give_similar_views_with_the_bundled_weights() -> None:
    pipe = OccScenePipeline.from_pretrained(str(default_model()))
    pipe.set_progress_bar_config(disable=True)
    job = main_job(views=1, side=128)
    fine = job.grid
    assert fine.instances is not None
    grid = replace(
        fine, labels=fine.labels[::2, ::2, ::2], instances=fine.instances[::2, ::2, ::2], voxel_size=2 * fine.voxel_size
    )
    views = []
    for kind, options, steps in (
        (FlowMatchEulerDiscreteScheduler, {}, 24),
        (DPMSolverMultistepScheduler, FLOW, 12),
        (UniPCMultistepScheduler, FLOW, 10),
    ):
        pipe.scheduler = kind.from_config(pipe.scheduler.config, **options)
        options = {"num_inference_steps": steps, "start_strength": 1.0, "output_type": "np"}  # all of them from noise
        views.append(pipe(job.prompt, job.cameras, grid, **options).images)
    for first, second in itertools.combinations(views, 2):
        assert -10 * np.log10(np.square(first - second).mean()) > 36  # dB; another seed's are below 26


def test_a_scheduler_of_another_kind_is_refused_with_the_way_out() -> None:
    with pytest.raises(ValueError, match=r"make it with DDIMScheduler\.from_config") as error:
        check_scheduler(DDIMScheduler(), "flow_prediction")
    assert "use_flow_sigmas=True" in str(error.value)
    with pytest.raises(ValueError, match="has use_flow_sigmas=False"):
        check_scheduler(UniPCMultistepScheduler(prediction_type="flow_prediction"), "flow_prediction")
    with pytest.raises(ValueError, match="expects 'flow_prediction', but the denoiser gives 'epsilon'"):
        check_scheduler(flow_scheduler(), "epsilon")
    check_scheduler(flow_scheduler(), "flow_prediction")
    check_scheduler(DDIMScheduler(prediction_type="v_prediction"), "v_prediction")


@pytest.mark.parametrize("index", [0, 3])
@pytest.mark.parametrize(
    "kind", [FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler, DPMSolverMultistepScheduler]
)
def test_the_true_velocity_gives_the_clean_latents_and_the_exact_time(kind: type, index: int) -> None:
    scheduler = kind() if kind is FlowMatchEulerDiscreteScheduler else kind(**FLOW)
    scheduler.set_timesteps(5)
    clean, noise = torch.randn(2, 1, 2, 4, 8, 8)
    sigma = scheduler.sigmas[index]
    shown, time = model_input(scheduler, (1 - sigma) * clean + sigma * noise, index)
    assert float(time) == pytest.approx(1000 * float(sigma))
    torch.testing.assert_close(denoised_estimate(scheduler, noise - clean, shown, index), clean)


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("kind", [DDIMScheduler, EulerDiscreteScheduler, DPMSolverMultistepScheduler])
def test_the_true_noise_or_v_gives_the_clean_latents(kind: type, prediction_type: str) -> None:
    """Whether a scheduler keeps the signal's variance, or scales its noise up against the signal."""
    scheduler = kind(prediction_type=prediction_type)
    scheduler.set_timesteps(5)
    clean, noise = torch.randn(2, 1, 2, 4, 8, 8)
    if kind is EulerDiscreteScheduler:  # its times lie between whole ones
        signal = 1 / (1 + scheduler.sigmas[1].square())
    else:
        signal = scheduler.alphas_cumprod[scheduler.timesteps[1]]
    latents = signal.sqrt() * clean + (1 - signal).sqrt() * noise
    prediction = noise if prediction_type == "epsilon" else signal.sqrt() * noise - (1 - signal).sqrt() * clean
    if kind is EulerDiscreteScheduler:
        latents = latents / signal.sqrt()
    shown, _ = model_input(scheduler, latents, 1)
    torch.testing.assert_close(denoised_estimate(scheduler, prediction, shown, 1), clean, rtol=1e-3, atol=1e-3)


def test_broad_colors_come_from_the_prior_and_fine_detail_does_not() -> None:
    latents = torch.randn(1, 2, 4, 8, 8)
    columns = torch.tensor([1.0, -1.0]).repeat(4)  # the finest detail there is
    seen = torch.ones(2, 2, 3, 8, 8) / 3
    seen[:, 1] = 0  # the second view sees nothing that is known
    words, mask = torch.zeros(2, 5, 6), torch.ones(2, 5, dtype=torch.bool)
    condition = Condition(seen, seen, seen, seen)
    prior = torch.cat([latents + 2.0 + columns, torch.randn_like(latents)])  # of a pass with the prompt, and without
    kept = blend_low_frequencies(latents, CfgBatch(words, mask, condition, prior, 2.0, 1.0))
    torch.testing.assert_close(kept[:, 0], latents[:, 0] + 2.0 * PRIOR_SHARE)
    torch.testing.assert_close(kept[:, 1], latents[:, 1])
    assert blend_low_frequencies(latents, CfgBatch(words, mask, condition, None, 2.0, 1.0)) is latents


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (EulerDiscreteScheduler, {}),
        (EulerDiscreteScheduler, {"prediction_type": "v_prediction"}),
        (DPMSolverMultistepScheduler, {"use_karras_sigmas": True}),
        (DPMSolverMultistepScheduler, {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True,
                                       "timestep_spacing": "trailing"}),
        (UniPCMultistepScheduler, {}),
        (UniPCMultistepScheduler, FLOW),
        (DDIMScheduler, {"prediction_type": "v_prediction"}),
        (FlowMatchEulerDiscreteScheduler, {}),
        (LCMScheduler, {}),
        (TCDScheduler, {}),
        (EulerAncestralDiscreteScheduler, {}),
    ],
)  # fmt: skip
def test_the_implied_prediction_is_the_inverse_of_the_estimate(kind: type, options: dict[str, object]) -> None:
    scheduler = kind(**options)
    scheduler.set_timesteps(10)
    draw = torch.Generator().manual_seed(0)
    shown, prediction = torch.randn(2, 1, 4, 8, 8, generator=draw)
    for index in range(len(scheduler.timesteps) - 1):
        denoised = denoised_estimate(scheduler, prediction, shown, index)
        implied = implied_prediction(scheduler, denoised, shown, index)
        assert implied is not None
        torch.testing.assert_close(implied, prediction, atol=2e-4, rtol=2e-4)


def test_nothing_is_implied_without_noise() -> None:
    scheduler = FlowMatchEulerDiscreteScheduler()
    scheduler.set_timesteps(sigmas=[1.0, 1e-5])
    shown = torch.randn(1, 4, 8, 8)
    assert implied_prediction(scheduler, shown, shown, 0) is not None
    assert implied_prediction(scheduler, shown, shown, 1) is None
