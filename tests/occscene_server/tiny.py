"""OccScenePipeline with real networks of a tiny size and random weights, for the worker process of a test's server."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from occscene.taxonomy import TAXONOMIES

from occscene_server.engine.model_info import describe
from occscene_server.engine.pipeline_loader import LoadedPipeline, OnDemand

if TYPE_CHECKING:
    from occscene_server.pipelines.occscene import OccScenePipeline


def tiny_pipeline(taxonomy: str) -> OccScenePipeline:
    """Makes the pipeline of a domain; every call makes the same weights."""
    import torch
    from diffusers import FlowMatchEulerDiscreteScheduler

    from occscene_server.models.autoencoder import SceneAutoencoder
    from occscene_server.models.denoiser import OccSceneDenoiser
    from occscene_server.models.perception import OccupancyPerception
    from occscene_server.models.text import load_minilm
    from occscene_server.pipelines.occscene import OccScenePipeline

    torch.manual_seed(0)
    torch.set_num_threads(1)
    text_encoder, tokenizer = load_minilm()
    classes = len(TAXONOMIES[taxonomy])
    pipe = OccScenePipeline(
        vae=SceneAutoencoder((16, 16, 16), 1, 4, (0.0,) * 4, (1.0,) * 4),
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        denoiser=OccSceneDenoiser(4, classes, (32, 32, 64), 1, prior_widths=(16, 16, 16)),
        perception=OccupancyPerception(classes, (8, 8, 16), 4, 8, (16, 16, 16), 8),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=1.0),
        taxonomy=taxonomy,
    )
    pipe.set_progress_bar_config(disable=True)
    return pipe


def load_tiny(model: str, device: str) -> LoadedPipeline:
    """The indoor pipeline alone."""
    pipe = tiny_pipeline("indoor")
    return LoadedPipeline(pipe, "cpu", describe(model, pipe))


def load_tiny_domains(model: str, device: str) -> LoadedPipeline:
    """The indoor pipeline with priors, and on demand the outdoor one, which has none."""
    from occscene_server.pipelines.scene_priors import ScenePriors

    pipe, priors = tiny_pipeline("indoor"), ScenePriors.bundled("indoor")
    name = f"{model}-outdoor"
    known = describe(model, pipe)
    known.name, known.taxonomies[:] = name, ["outdoor"]
    other = OnDemand(known, partial(_load_outdoor, name))
    return LoadedPipeline(pipe, "cpu", describe(model, pipe, priors), priors, (other,))


def _load_outdoor(name: str) -> LoadedPipeline:
    pipe = tiny_pipeline("outdoor")
    return LoadedPipeline(pipe, "cpu", describe(name, pipe))


def load_tiny_with_priors(model: str, device: str) -> LoadedPipeline:
    """The same with the bundled priors."""
    from occscene_server.pipelines.scene_priors import ScenePriors

    pipe = tiny_pipeline("indoor")
    priors = ScenePriors.bundled("indoor")
    return LoadedPipeline(pipe, "cpu", describe(model, pipe, priors), priors)


def load_tiny_with_decoder(model: str, device: str) -> LoadedPipeline:
    """With priors and a guided decoder."""
    import torch

    from occscene_server.models.guided_decoder import GuidedDecoder

    loaded = load_tiny_with_priors(model, device)
    torch.manual_seed(1)
    decoder = GuidedDecoder(12, 4, (8, 8, 16, 16), 16, word_channels=16).eval()
    for parameter in decoder.parameters():
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.1)
    loaded.pipe.register_modules(guided_decoder=decoder)
    return LoadedPipeline(loaded.pipe, "cpu", describe(model, loaded.pipe, loaded.priors), loaded.priors)
