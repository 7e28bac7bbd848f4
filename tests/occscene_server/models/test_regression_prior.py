"""The regression prior: the mean until trained, each view by itself, from words, classes and places on surfaces."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from occscene_server.geometry.gbuffer_maps import GBufferMaps, gbuffer_channels
from occscene_server.models.regression_prior import RegressionPrior
from occscene_server.models.surfaces import WAVELENGTHS, SurfaceEncoder

CLASSES, TEXT, LATENTS, CELLS, SIDE = 5, 16, 4, 2, 8


@pytest.fixture
def regression_prior() -> RegressionPrior:
    torch.manual_seed(0)
    return RegressionPrior(CLASSES, LATENTS, TEXT, CELLS, widths=(16, 16, 16)).requires_grad_(False).eval()


@pytest.fixture
def trained(regression_prior: RegressionPrior) -> RegressionPrior:
    nn.init.normal_(regression_prior.outlet[-1].weight)
    return regression_prior


@pytest.fixture
def gbuffer() -> GBufferMaps:
    """Two scenes of three views, random."""
    generator = torch.Generator().manual_seed(1)
    shape = (2, 3, 1, CELLS * SIDE, CELLS * SIDE)

    def maps(channels: int) -> Tensor:
        return torch.rand((*shape[:2], channels, *shape[3:]), generator=generator)

    flat = torch.zeros(shape)[:, :, 0]
    return GBufferMaps(maps(gbuffer_channels(CLASSES)), maps(3), maps(2), flat.long(), flat.long(), flat)


def predicted(network: RegressionPrior, gbuffer: GBufferMaps, text: Tensor, kind: int = 2) -> Tensor:
    seen = torch.zeros(2, 3, CLASSES, SIDE, SIDE)
    seen[:, :, kind] = 1.0
    return network(network.encode_gbuffer(gbuffer), seen, text, torch.ones(text.shape[:2], dtype=torch.bool))


@pytest.fixture
def text() -> Tensor:
    return torch.randn(2, 6, TEXT, generator=torch.Generator().manual_seed(2))


def test_untrained_it_predicts_the_mean(regression_prior: RegressionPrior, gbuffer: GBufferMaps, text: Tensor) -> None:
    prior = predicted(regression_prior, gbuffer, text)
    assert prior.shape == (2, 3, LATENTS, SIDE, SIDE)
    assert not prior.any()


def test_words_classes_and_what_is_seen_decide(trained: RegressionPrior, gbuffer: GBufferMaps, text: Tensor) -> None:
    prior = predicted(trained, gbuffer, text)
    assert not torch.allclose(predicted(trained, gbuffer, text.flip(0)), prior, atol=1e-3)
    assert not torch.allclose(predicted(trained, gbuffer, text, kind=3), prior, atol=1e-3)
    for part in ("channels", "points", "surface"):
        other = GBufferMaps(**(vars(gbuffer) | {part: 1 - getattr(gbuffer, part)}))
        assert not torch.allclose(predicted(trained, other, text), prior, atol=1e-3), part


def test_each_view_is_predicted_by_itself(trained: RegressionPrior, gbuffer: GBufferMaps, text: Tensor) -> None:
    turned = GBufferMaps(*(part.flip(1) for part in vars(gbuffer).values()))
    torch.testing.assert_close(
        predicted(trained, turned, text), predicted(trained, gbuffer, text).flip(1), rtol=1e-4, atol=1e-4
    )


def test_surfaces_repeat_with_the_longest_wave_alone() -> None:
    torch.manual_seed(0)
    encoder = SurfaceEncoder(2, 8)
    surface = torch.rand(1, 2, 8, 8)
    features = encoder(surface)
    assert features.shape == (1, 8, 4, 4)
    torch.testing.assert_close(encoder(surface + max(WAVELENGTHS)), features, rtol=1e-3, atol=1e-3)
    assert not torch.allclose(encoder(surface + max(WAVELENGTHS) / 2), features, atol=1e-2)
