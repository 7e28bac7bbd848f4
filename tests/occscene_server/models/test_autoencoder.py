"""The autoencoder at a tiny size."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F

from occscene_server.models.autoencoder import SceneAutoencoder
from occscene_server.training.autoencoder_stage import (
    autoencoder_loss,
    measure_latents,
    random_crops,
    reconstruction_scores,
)


def tiny() -> SceneAutoencoder:
    torch.manual_seed(0)
    return SceneAutoencoder((16, 16, 16), 1, 4, (0.0,) * 4, (1.0,) * 4)


def test_shapes() -> None:
    model = tiny()
    latents = model.encode(torch.zeros(2, 3, 64, 96)).latent_dist.mode()
    assert latents.shape == (2, 4, 8, 12)
    assert model.decode(latents).sample.shape == (2, 3, 64, 96)


def test_it_learns_one_picture() -> None:
    model = tiny()
    picture = F.interpolate(torch.rand(2, 3, 4, 4), size=32, mode="bilinear") * 2 - 1
    optimizer = torch.optim.Adam(model.parameters(), 3e-3)
    losses = []
    for _ in range(60):
        loss, _ = autoencoder_loss(model, picture)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.5 * losses[0]


def test_measured_latents_are_normal(tmp_path: Path) -> None:
    model = tiny()
    views = torch.randint(0, 255, (6, 64, 64, 3), dtype=torch.uint8)
    measure_latents(model, views, "cpu")
    model.save_pretrained(tmp_path)
    loaded = SceneAutoencoder.from_pretrained(tmp_path)
    images = views.permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.no_grad():
        raw = loaded.encode(images).latent_dist.mode()
        latents = loaded.normalize(raw)
    torch.testing.assert_close(latents.mean(dim=(0, 2, 3)), torch.zeros(4), atol=1e-4, rtol=0)
    torch.testing.assert_close(latents.std(dim=(0, 2, 3)), torch.ones(4), atol=1e-3, rtol=0)
    torch.testing.assert_close(loaded.denormalize(latents), raw)


def test_scores_of_a_perfect_and_a_blind_model() -> None:
    class Same(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    class Grey(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.zeros_like(x)

    views = torch.randint(0, 255, (2, 64, 64, 3), dtype=torch.uint8)
    assert reconstruction_scores(Same(), views, "cpu")["ssim"] > 0.999  # type: ignore[arg-type]
    assert reconstruction_scores(Grey(), views, "cpu")["psnr"] < 12  # type: ignore[arg-type]


def test_crops_follow_the_generator() -> None:
    views = torch.randint(0, 255, (3, 32, 40, 3), dtype=torch.uint8)
    first, again = (random_crops(views, 5, 16, torch.Generator().manual_seed(7)) for _ in range(2))
    assert first.shape == (5, 3, 16, 16)
    assert torch.equal(first, again)
