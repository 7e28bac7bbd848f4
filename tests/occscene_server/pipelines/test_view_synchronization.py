"""Estimates that are made to agree in color space, through an autoencoder."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from occscene_server.geometry.correspondence import correspondences
from occscene_server.geometry.view_fusion import disagreement
from occscene_server.models.autoencoder import SceneAutoencoder
from occscene_server.pipelines.view_synchronization import ViewSynchronization
from occscene_server.weights import default_model
from tests.occscene_server.geometry.closed_room import closed_room, corner_cameras, room_buffer, textured


def _found(size: tuple[int, int], count: int = 4) -> tuple[ViewSynchronization, Tensor]:
    buffer, tensors = room_buffer(corner_cameras(count), size)
    return ViewSynchronization(correspondences(buffer, closed_room(), tensors), True), textured(buffer)


def test_views_are_fused_at_steps_between_a_tenth_and_four_fifths() -> None:
    synchronization, _ = _found((16, 16))
    exponents = synchronization.exponents(24, 8)
    assert len(exponents) == 8
    assert min(exponents) == 2
    assert max(exponents) == 19
    assert list(exponents.values()) == sorted(exponents.values())
    assert (exponents[2], exponents[19]) == (1.0, 6.0)
    assert len(synchronization.exponents(8, 4)) == 4
    assert max(synchronization.exponents(5, 8)) <= 3
    assert synchronization.exponents(1, 8) == {}
    assert ViewSynchronization(synchronization.found, False).exponents(24, 8) == {}


def test_one_view_is_left_exactly_as_it_is() -> None:
    synchronization, images = _found((32, 32), 1)

    def lossy(pixels: Tensor) -> Tensor:
        return (pixels * 8).round() / 8

    assert torch.equal(synchronization.agreed(images, 3.0, lossy, lossy), images)


@pytest.mark.weights
@pytest.mark.slow
def test_views_through_the_bundled_autoencoder_come_to_agree_and_stay_sharp() -> None:
    """Color casts and blotches of a wrong estimate, over latents: at most .3 of the error is left."""
    vae = SceneAutoencoder.from_pretrained(default_model() / "vae").eval()
    synchronization, images = _found((256, 256))
    draw = torch.Generator().manual_seed(0)
    casts = 0.3 * torch.randn(4, 3, 1, 1, generator=draw)
    blotches = F.interpolate(0.25 * torch.randn(4, 3, 16, 16, generator=draw), (256, 256), mode="bicubic")

    @torch.no_grad()
    def decode(latents: Tensor) -> Tensor:
        return vae.decode(latents).sample

    @torch.no_grad()
    def encode(pixels: Tensor) -> Tensor:
        return vae.encode(pixels).latent_dist.mode()

    def energy(pixels: Tensor) -> float:
        return float(pixels.diff(dim=-1).square().mean() + pixels.diff(dim=-2).square().mean())

    latents = encode(images * 0.6 + casts + blotches)
    before = decode(latents)
    after = decode(synchronization.agreed(latents, 6.0, decode, encode))
    assert disagreement(before, synchronization.found) > 0.3
    assert disagreement(after, synchronization.found) <= 0.3 * disagreement(before, synchronization.found)
    assert energy(after) >= 0.85 * energy(before)
