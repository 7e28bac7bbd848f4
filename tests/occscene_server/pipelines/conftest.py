"""A tiny pipeline with random weights, and a blockout for it."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest
import torch
from occscene.grid import GridObject, SemanticGrid

from occscene_server.models.autoencoder import SceneAutoencoder
from occscene_server.models.denoiser import OccSceneDenoiser
from occscene_server.models.guided_decoder import GuidedDecoder
from occscene_server.models.perception import OccupancyPerception
from occscene_server.models.text import load_minilm
from occscene_server.pipelines import guided_views
from occscene_server.pipelines import occscene as pipeline_module
from occscene_server.pipelines.occscene import OccScenePipeline
from occscene_server.pipelines.prediction import flow_scheduler


@pytest.fixture(scope="module")
def pipe() -> OccScenePipeline:
    torch.manual_seed(0)
    text_encoder, tokenizer = load_minilm()
    pipeline = OccScenePipeline(
        vae=SceneAutoencoder((16, 16, 16), 1, 4, (0.0,) * 4, (1.0,) * 4),
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        denoiser=OccSceneDenoiser(
            latent_channels=4, block_out_channels=(32, 32, 64), layers_per_block=1, prior_widths=(16, 16, 16)
        ),
        perception=OccupancyPerception(12, (8, 8, 16), 4, 8, (16, 16, 16), 8),
        scheduler=flow_scheduler(),
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.fixture(scope="module")
def grid() -> SemanticGrid:
    labels = np.zeros((16, 14, 10), np.uint8)
    labels[:, :, 0] = 2
    labels[4:8, 4:8, 1:5] = 7
    instances = (labels == 7).astype(np.uint16)
    return SemanticGrid(labels, 0.2, np.eye(4), "indoor", instances, (GridObject(1, "sofa", (0.8, 0.1, 0.1)),))


@pytest.fixture
def single_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline_module, "fast_autocast", lambda *_: nullcontext())


def tiny_decoder() -> GuidedDecoder:
    torch.manual_seed(1)
    decoder = GuidedDecoder(12, 4, (8, 8, 16, 16), 16, word_channels=16)
    for parameter in decoder.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    return decoder.eval()


@pytest.fixture
def decoding(pipe: OccScenePipeline) -> OccScenePipeline:
    """The same networks with a guided decoder."""
    pipeline = OccScenePipeline(**(pipe.components | {"guided_decoder": tiny_decoder()}))
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.fixture
def guided(decoding: OccScenePipeline, monkeypatch: pytest.MonkeyPatch) -> OccScenePipeline:
    """The denoiser sees 64 pixels, which is faster than 256."""
    monkeypatch.setattr(guided_views, "SENSOR_SIDE", 64)
    return decoding
