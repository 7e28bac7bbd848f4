"""What the denoiser's loss counts."""

from __future__ import annotations

import torch

from occscene_server.models.autoencoder import SceneAutoencoder
from occscene_server.training.denoiser_stage import channel_weights


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
