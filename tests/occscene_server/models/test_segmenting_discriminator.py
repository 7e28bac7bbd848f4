"""The segmenting discriminator and the losses of both sides."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch.nn.utils.parametrize import is_parametrized

from occscene_server.models.segmenting_discriminator import SegmentingDiscriminator
from occscene_server.training.decoder_losses import decoder_loss, discriminator_loss, reconstruction_loss


@pytest.fixture
def discriminator() -> SegmentingDiscriminator:
    torch.manual_seed(0)
    return SegmentingDiscriminator(["nothing", "wall", "sofa"], (8, 8, 16, 16))


def views(seed: int) -> torch.Tensor:
    return torch.rand(2, 3, 32, 48, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_one_class_for_each_block_of_pixels(discriminator: SegmentingDiscriminator) -> None:
    assert discriminator(views(0)).shape == (2, 4, 16, 24)
    assert discriminator.generated == 3


def test_no_layer_but_the_last_stretches(discriminator: SegmentingDiscriminator) -> None:
    for _ in range(30):
        discriminator(views(0))
    layers = [m for m in discriminator.modules() if isinstance(m, torch.nn.Conv2d)]
    assert layers.pop() is discriminator.logits
    assert len(layers) == 10
    for layer in layers:
        assert is_parametrized(layer, "weight")
        assert float(torch.linalg.matrix_norm(layer.weight.flatten(1), 2)) == pytest.approx(1, abs=0.05)


def test_each_side_gets_the_gradient_of_its_own_loss(discriminator: SegmentingDiscriminator) -> None:
    made = views(1).requires_grad_()
    kinds = torch.randint(3, (2, 16, 24))
    decoder_loss(discriminator, made, kinds).backward()
    assert float(made.grad.abs().sum()) > 0
    assert all(p.grad is None and p.requires_grad for p in discriminator.parameters())
    made.grad = None
    discriminator_loss(discriminator, views(0), made, kinds, torch.Generator().manual_seed(0)).backward()
    assert made.grad is None
    assert all(float(p.grad.abs().sum()) > 0 for p in discriminator.parameters())


def test_the_discriminator_learns_kinds_and_what_is_generated(discriminator: SegmentingDiscriminator) -> None:
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.AdamW(discriminator.parameters(), 3e-3)

    def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        kinds = torch.randint(3, (4, 1, 2, 2), generator=generator).float()
        kinds = F.interpolate(kinds, scale_factor=8.0)[:, 0].long()
        real = F.interpolate((kinds[:, None].float() - 1) * 0.8, scale_factor=2.0).expand(-1, 3, -1, -1)
        noise = torch.randn(real.shape, generator=generator)
        return real + 0.05 * noise, real + 0.7 * noise, kinds

    for _ in range(120):
        optimizer.zero_grad()
        discriminator_loss(discriminator, *batch(), generator).backward()
        optimizer.step()
    real, made, kinds = batch()
    with torch.no_grad():
        assert float((discriminator(real).argmax(1) == kinds).float().mean()) > 0.75
        assert float((discriminator(made).argmax(1) == 3).float().mean()) > 0.8


def test_reconstruction_counts_hue_and_edges() -> None:
    real = views(0)
    assert float(reconstruction_loss(real, real)) == 0
    tinted = real.clone()
    tinted[:, 0] += 0.1
    tinted[:, 2] -= 0.1 * 0.299 / 0.114  # as bright as before
    assert float(reconstruction_loss(tinted, real)) > 0.1
    noisy = real + 0.1 * torch.randn(real.shape, generator=torch.Generator().manual_seed(1)).sign()
    assert float(reconstruction_loss(noisy, real)) > 1.5 * float(reconstruction_loss(real + 0.1, real))
