"""Latents on disk: encoded once, whoever asks."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from occscene_server.models.autoencoder import SceneAutoencoder
from occscene_server.training.latent_store import LatentStore


def test_views_are_encoded_once(tmp_path: Path) -> None:
    torch.manual_seed(0)
    vae = SceneAutoencoder((8, 8, 8), 1, 4, (0.1,) * 4, (2.0,) * 4)
    views = torch.randint(256, (2, 64, 48, 3), dtype=torch.uint8)
    path = tmp_path / "new" / "latents.npy"
    latents = LatentStore(path, 3, vae).of(1, views)
    with torch.no_grad():
        expected = vae.normalize(vae.encode(views.movedim(-1, 1) / 127.5 - 1).latent_dist.mode())
    torch.testing.assert_close(latents, expected, atol=0.02, rtol=0.02)
    with torch.no_grad():
        for parameter in vae.parameters():
            parameter.zero_()
    again = LatentStore(path, 3, vae)
    assert torch.equal(again.of(1, views), latents)
    assert not again.of(2, views).allclose(latents)
    with pytest.raises(ValueError, match="not of 4 scenes; delete it"):
        LatentStore(path, 4, vae)
