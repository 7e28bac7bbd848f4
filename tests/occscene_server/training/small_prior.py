"""A regression prior so narrow that a step of Muon on it takes no time."""

from __future__ import annotations

import pytest

from occscene_server.models.autoencoder import SceneAutoencoder
from occscene_server.models.denoiser import OccSceneDenoiser
from occscene_server.training import regression_prior_stage

WIDTHS = (32, 32, 32)
"""Of the regression prior; Muon leaves smaller matrices to AdamW."""


def small_denoiser(latent_channels: int, classes: int) -> OccSceneDenoiser:
    return OccSceneDenoiser(latent_channels, classes, (32, 32, 64), layers_per_block=1, prior_widths=WIDTHS)


def start_with_a_small_prior(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has the command `train regression-prior` begin with a small denoiser."""

    def initial(_: object, vae: SceneAutoencoder, classes: int, *__: object) -> OccSceneDenoiser:
        return small_denoiser(vae.config.latent_channels, classes)

    monkeypatch.setattr(regression_prior_stage, "initial_denoiser", initial)
