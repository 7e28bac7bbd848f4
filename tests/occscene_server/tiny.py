"""OccScenePipeline with real networks of a tiny size and random weights, for the worker process of a test's server."""

from __future__ import annotations

from occscene_server.engine.pipeline_loader import LoadedPipeline, describe


def load_tiny(model: str, device: str) -> LoadedPipeline:
    """Makes the pipeline; every call makes the same weights."""
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
    pipe = OccScenePipeline(
        vae=SceneAutoencoder((16, 16, 16), 1, 4, (0.0,) * 4, (1.0,) * 4),
        text_encoder=text_encoder,
        tokenizer=tokenizer,
        denoiser=OccSceneDenoiser(
            latent_channels=4, block_out_channels=(32, 32, 64), layers_per_block=1, prior_widths=(16, 16, 16)
        ),
        perception=OccupancyPerception(12, (8, 8, 16), 4, 8, (16, 16, 16), 8),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=1.0),
    )
    pipe.set_progress_bar_config(disable=True)
    return LoadedPipeline(pipe, "cpu", describe(model, pipe))


def load_tiny_with_priors(model: str, device: str) -> LoadedPipeline:
    """The same with the bundled priors."""
    from occscene_server.pipelines.scene_priors import ScenePriors

    pipe = load_tiny(model, device).pipe
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
