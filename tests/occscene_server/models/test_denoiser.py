"""The denoiser at a tiny size."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from occscene.camera import PinholeCamera
from occscene.grid import GridObject, SemanticGrid

from occscene_server.geometry.cameras import CameraTensors
from occscene_server.geometry.grids import GridTensors
from occscene_server.models.denoiser import PRIOR_VARIANCE, Condition, OccSceneDenoiser, prior_velocity

VIEWS = 3


@pytest.fixture(scope="module")
def model() -> OccSceneDenoiser:
    torch.manual_seed(0)
    tiny = OccSceneDenoiser(
        latent_channels=4, block_out_channels=(32, 32, 64), layers_per_block=1, prior_widths=(16, 16, 16), text_dim=24
    ).eval()
    for parameter in tiny.parameters():
        if not parameter.abs().max() > 0:  # away from zero-initialised paths, so that every parameter matters
            torch.nn.init.normal_(parameter, std=0.2)
    return tiny


@pytest.fixture(scope="module")
def cameras() -> CameraTensors:
    pose = np.eye(4)
    pose[:3, :3] = [[1, 0, 0], [0, 0, 1], [0, -1, 0]]
    views = []
    for index in range(VIEWS):
        pose[:3, 3] = (0.6 + 0.4 * index, 0.1, 1.0)
        views.append(PinholeCamera(str(index), 64, 64, 50.0, 50.0, 32.0, 32.0, pose))
    return CameraTensors.from_cameras([views])


def grid(hint: tuple[float, float, float] | None = None) -> GridTensors:
    labels = np.zeros((12, 12, 10), np.uint8)
    labels[:, :, 0], labels[4:8, 6:9, 1:5] = 2, 7
    instances = (labels == 7).astype(np.uint16)
    return GridTensors.from_grids(
        [SemanticGrid(labels, 0.2, np.eye(4), "indoor", instances, (GridObject(1, "sofa", hint),))]
    )


def run(model: OccSceneDenoiser, condition: Condition, latents: torch.Tensor) -> torch.Tensor:
    torch.manual_seed(1)
    text = torch.randn(1, 5, 24)
    mask = torch.tensor([[True, True, True, False, False]])
    with torch.no_grad():
        return model(latents, torch.tensor([500.0]), text, mask, condition)


@pytest.fixture(scope="module")
def latents() -> torch.Tensor:
    return torch.randn(1, VIEWS, 4, 8, 8, generator=torch.Generator().manual_seed(2))


def test_views_see_each_other(model: OccSceneDenoiser, cameras: CameraTensors, latents: torch.Tensor) -> None:
    condition = model.encode_condition(grid(), cameras, (8, 8))
    base = run(model, condition, latents)
    assert base.shape == latents.shape
    changed = latents.clone()
    changed[:, 2] *= -1
    assert (run(model, condition, changed)[:, 0] - base[:, 0]).abs().max() > 1e-4


def test_occupancy_and_hints_matter_unless_dropped(
    model: OccSceneDenoiser, cameras: CameraTensors, latents: torch.Tensor
) -> None:
    plain, red = (model.encode_condition(grid(hint), cameras, (8, 8)) for hint in (None, (0.9, 0.0, 0.0)))
    assert (run(model, plain, latents) - run(model, red, latents)).abs().max() > 1e-4
    dropped = torch.tensor([True])
    plain, red = (
        model.encode_condition(grid(hint), cameras, (8, 8), dropped=dropped) for hint in (None, (0.9, 0.0, 0.0))
    )
    torch.testing.assert_close(run(model, plain, latents), run(model, red, latents))


def test_text_behind_the_mask_is_not_read(
    model: OccSceneDenoiser, cameras: CameraTensors, latents: torch.Tensor
) -> None:
    condition = model.encode_condition(grid(), cameras, (8, 8))
    mask = torch.tensor([[True, True, False, False]])
    text = torch.randn(1, 4, 24)
    other = text.clone()
    other[:, 2:] = 9.0
    with torch.no_grad():
        first, second = (model(latents, torch.tensor([300.0]), t, mask, condition) for t in (text, other))
        third = model(latents, torch.tensor([300.0]), -text, mask, condition)
    torch.testing.assert_close(first, second)
    assert (first - third).abs().max() > 1e-4


def test_one_of_many_is_as_alone(model: OccSceneDenoiser, cameras: CameraTensors, latents: torch.Tensor) -> None:
    condition = model.encode_condition(grid(), cameras, (8, 8))
    text, mask = torch.randn(1, 4, 24), torch.ones(1, 4, dtype=torch.bool)
    with torch.no_grad():
        alone = model(latents, torch.tensor([300.0]), text, mask, condition)
        both = model(
            torch.cat([latents, -latents]),
            torch.tensor([300.0, 700.0]),
            text.repeat(2, 1, 1),
            mask.repeat(2, 1),
            Condition.cat([condition, condition]),
        )
    torch.testing.assert_close(both[:1], alone, rtol=1e-4, atol=1e-5)


def test_perceived_probabilities_reach_the_output(
    model: OccSceneDenoiser, cameras: CameraTensors, latents: torch.Tensor
) -> None:
    logits = torch.randn(1, 12, 12, 12, 10, requires_grad=True)
    condition = model.encode_condition(grid(), cameras, (8, 8), logits.softmax(1))
    condition.features.square().sum().backward()
    assert logits.grad is not None
    assert logits.grad.abs().max() > 0


def test_what_is_encoded_apart_is_the_whole(model: OccSceneDenoiser, cameras: CameraTensors) -> None:
    placed = grid((0.9, 0.0, 0.0))
    whole = model.encode_condition(placed, cameras, (8, 8))
    parts = model.encode_condition(placed, cameras, (8, 8), gbuffer=model.gbuffer_features(placed, cameras, (8, 8)))
    torch.testing.assert_close(parts.features, whole.features)
    torch.testing.assert_close(parts.positions, whole.positions)
    dropped = model.encode_condition(placed, cameras, (8, 8), dropped=torch.tensor([True]))
    absent = model.encode_absence(placed, cameras, (8, 8))
    torch.testing.assert_close(absent.features, dropped.features)
    torch.testing.assert_close(absent.positions, dropped.positions)


def test_the_prior_is_made_once_or_by_the_way_and_of_what_is_known_alone(
    model: OccSceneDenoiser, cameras: CameraTensors, latents: torch.Tensor
) -> None:
    condition = model.encode_condition(grid(), cameras, (8, 8))
    text, mask = torch.randn(1, 4, 24), torch.ones(1, 4, dtype=torch.bool)
    with torch.no_grad():
        prior = model.predict_prior(condition, text, mask)
        assert prior is not None
        assert prior.shape == latents.shape
        assert prior.any()
        time = torch.tensor([300.0])
        by_the_way = model(latents, time, text, mask, condition)
        torch.testing.assert_close(model(latents, time, text, mask, condition, prior), by_the_way)
        assert not torch.allclose(model(latents, time, text, mask, condition, prior + 1), by_the_way)
        unknown = model.predict_prior(model.encode_absence(grid(), cameras, (8, 8)), text, mask)
    assert unknown is not None
    assert not unknown.any()


@pytest.mark.parametrize("level", [0.02, 0.3, 0.7, 0.98])
def test_the_linear_estimate_is_the_best_one(level: float) -> None:
    generator = torch.Generator().manual_seed(0)
    prior, rest, noise = torch.randn(3, 1, 1, 1, 200, 200, generator=generator, dtype=torch.float64)
    clean = prior + PRIOR_VARIANCE**0.5 * rest
    noisy, velocity = (1 - level) * clean + level * noise, noise - clean
    estimate = prior_velocity(noisy, torch.tensor([level]), prior, torch.tensor(PRIOR_VARIANCE))
    # least squares of the velocity + prior on what is left of the noisy latents without the prior
    left = noisy - (1 - level) * prior
    slope = (left * (velocity + prior)).mean() / left.square().mean()
    torch.testing.assert_close(estimate, slope * left - prior, rtol=0, atol=0.06)


@pytest.fixture(scope="module")
def drafted() -> OccSceneDenoiser:
    """A denoiser that is given drafts."""
    torch.manual_seed(0)
    tiny = OccSceneDenoiser(
        latent_channels=4, block_out_channels=(32, 32, 64), layers_per_block=1, prior_widths=(), text_dim=24
    ).eval()
    tiny.set_draft_statistics(torch.tensor([0.5, 0.7, 0.9, 1.0]), torch.tensor([0.8, 0.6, 0.4, 0.2]))
    for parameter in tiny.parameters():
        if not parameter.abs().max() > 0:
            torch.nn.init.normal_(parameter, std=0.2)
    return tiny


def test_a_denoiser_that_is_given_drafts_learns_no_prior_and_sees_hints_in_them_only(
    drafted: OccSceneDenoiser, model: OccSceneDenoiser, cameras: CameraTensors
) -> None:
    assert drafted.takes_draft
    assert not model.takes_draft
    assert not [
        name for name, _ in drafted.named_parameters() if name.startswith(("regression_prior", "class_text_attention"))
    ]
    plain, red = (drafted.encode_condition(grid(hint), cameras, (8, 8)) for hint in (None, (0.9, 0.0, 0.0)))
    torch.testing.assert_close(plain.features, red.features)
    assert OccSceneDenoiser.from_config(drafted.config).takes_draft
    assert drafted.state_dict()["draft_gains"].tolist() == pytest.approx([0.5, 0.7, 0.9, 1.0])


def test_without_a_draft_nothing_is_known(
    drafted: OccSceneDenoiser, cameras: CameraTensors, latents: torch.Tensor
) -> None:
    condition = drafted.encode_condition(grid(), cameras, (8, 8))
    text, mask, time = torch.randn(1, 4, 24), torch.ones(1, 4, dtype=torch.bool), torch.tensor([300.0])
    draft = torch.randn(latents.shape, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        without = drafted(latents, time, text, mask, condition)
        torch.testing.assert_close(drafted(latents, time, text, mask, condition, torch.zeros_like(latents)), without)
        given = drafted(latents, time, text, mask, condition, draft)
    assert (given - without).abs().max() > 1e-2


def test_the_linear_estimate_counts_on_a_draft_as_it_was_measured(
    drafted: OccSceneDenoiser, cameras: CameraTensors
) -> None:
    """With a UNet that says nothing, the prediction of each channel is the best linear one."""
    generator = torch.Generator().manual_seed(0)
    draft, rest, noise = torch.randn(3, 1, VIEWS, 4, 64, 64, generator=generator)
    gains, variances = (part[:, None, None] for part in (drafted.draft_gains, drafted.draft_variances))
    clean, level = gains * draft + variances.sqrt() * rest, 0.6
    noisy, velocity = (1 - level) * clean + level * noise, noise - clean
    condition = drafted.encode_condition(grid(), cameras, (64, 64))
    text, mask = torch.randn(1, 4, 24), torch.ones(1, 4, dtype=torch.bool)
    last = drafted.unet.conv_out
    kept = last.weight.detach().clone(), last.bias.detach().clone()
    with torch.no_grad():
        last.weight.zero_()
        last.bias.zero_()
        estimate = drafted(noisy, torch.tensor([1000 * level]), text, mask, condition, draft)
        blind = drafted(noisy, torch.tensor([1000 * level]), text, mask, condition, torch.zeros_like(draft))
        last.weight.copy_(kept[0])
        last.bias.copy_(kept[1])
    for channel in range(4):
        wrong = (velocity - estimate)[:, :, channel].square().mean()
        # the variance of (noise - rest) given (1 - t) rest + t noise
        left = variances[channel, 0, 0]
        best = left / ((1 - level) ** 2 * left + level**2)
        torch.testing.assert_close(wrong, best, rtol=0.05, atol=0)
        assert wrong < (velocity - blind)[:, :, channel].square().mean()
