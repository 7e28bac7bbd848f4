"""Networks of one taxonomy that begin with those of another."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from occscene_server.models.autoencoder import SceneAutoencoder
from occscene_server.models.denoiser import OccSceneDenoiser
from occscene_server.models.guided_decoder import GuidedDecoder
from occscene_server.models.perception import PIXEL_INPUTS, OccupancyPerception
from occscene_server.training.decoder_stage import initial_decoder
from occscene_server.training.denoiser_stage import REACH, initial_denoiser
from occscene_server.training.perception_stage import initial_perception


def test_perception_keeps_its_eyes(tmp_path: Path) -> None:
    """Its image encoder, color inputs included, and its 3D UNet; what depends on the classes and the size is new."""
    trained = OccupancyPerception(12, (8, 8, 8), 4, 8, (16, 16, 16), 8)
    trained.save_pretrained(tmp_path)
    model = initial_perception(tmp_path, 20, half_size=True)
    assert (model.classes, model.config.detail_channels) == (20, 0)
    own, other = model.state_dict(), trained.state_dict()
    first = "image_encoder.quarter.0.weight"
    assert torch.equal(own[first][:, :PIXEL_INPUTS], other[first][:, :PIXEL_INPUTS])
    for name in ("image_encoder.to_coarse.2.weight", "unet.bottom.layers.2.weight", "gather_coarse.weight"):
        assert torch.equal(own[name], other[name])
    assert initial_perception(tmp_path, 12, half_size=False).config.detail_channels == 8


def test_the_decoder_keeps_all_but_its_classes(tmp_path: Path) -> None:
    """Embeddings of classes and of materials are all that is new; materials change nothing yet."""
    trained = GuidedDecoder(12, 4, (8, 8, 16, 16), 16, word_channels=16)
    trained.save_pretrained(tmp_path)
    model = initial_decoder(tmp_path, 20)
    other = trained.state_dict()
    new = [name for name, own in model.state_dict().items() if name not in other or other[name].shape != own.shape]
    assert new == ["kinds.weight", "made_of.weight"]
    assert not model.state_dict()["made_of.weight"].any()
    assert all(torch.equal(own, other[name]) for name, own in model.state_dict().items() if name not in new)
    assert model.training


@pytest.mark.parametrize("classes", [12, 20])
def test_the_denoiser_keeps_its_trunk(tmp_path: Path, classes: int) -> None:
    """And its dual alignment reaches as far as streets do, or stays as it is for its own classes."""
    trained = OccSceneDenoiser(latent_channels=4, block_out_channels=(32, 32, 64), layers_per_block=1, prior_widths=())
    trained.save_pretrained(tmp_path)
    vae = SceneAutoencoder((16, 16, 16), 1, 4, (0.0,) * 4, (1.0,) * 4)
    model = initial_denoiser(tmp_path, vae, classes, "32,32,64", 1)
    assert model.config.classes == classes
    assert (model.alignment.near, model.alignment.far) == REACH["outdoor" if classes == 20 else "indoor"]
    own, other = model.unet.state_dict(), trained.unet.state_dict()
    assert all(torch.equal(weight, other[name]) for name, weight in own.items())
