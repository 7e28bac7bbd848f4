"""What the denoiser's loss counts."""

from __future__ import annotations

import pytest
import torch

from occscene_server.models.autoencoder import SceneAutoencoder
from occscene_server.training.denoiser_stage import channel_weights, velocity_loss


def test_a_channel_that_shows_more_counts_more() -> None:
    torch.manual_seed(0)
    vae = SceneAutoencoder(
        latent_channels=3, block_out_channels=(8, 8, 8), latents_mean=(0.0,) * 3, latents_std=(1.0,) * 3
    )
    first = vae.decoder[0]
    assert isinstance(first, torch.nn.Conv2d)
    with torch.no_grad():
        first.weight[:, 0] = 0.0  # the decoder does not look at the first channel
        first.weight[:, 1] *= 4.0
    views = torch.randint(256, (2, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    weights = channel_weights(vae, views)
    torch.testing.assert_close(weights.mean(), torch.tensor(1.0))
    assert weights[0] == 0
    assert weights[1] > weights[2] > 0


def loss_of_error(error: torch.Tensor, weights: torch.Tensor) -> float:
    target = torch.randn(error.shape, generator=torch.Generator().manual_seed(3))
    return float(velocity_loss(target + error, target, weights))


def test_an_error_of_many_pixels_counts_more_than_noise_of_its_size() -> None:
    shape, weights = (2, 3, 4, 16, 16), torch.ones(4)
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    assert abs(loss_of_error(noise, weights) - 1.0) < 0.05
    assert loss_of_error(torch.ones(shape), weights) == pytest.approx(15 / 1.875)  # 1 + 2 + 4 + 8
    assert loss_of_error(torch.zeros(shape), weights) == 0.0


def test_channels_count_by_their_weights_and_small_latents_by_fewer_scales() -> None:
    error = torch.zeros(1, 1, 2, 2, 2)
    error[:, :, 1] = 1.0
    assert loss_of_error(error, torch.tensor([5.0, 2.0])) == pytest.approx((1 + 2) / 1.5)
