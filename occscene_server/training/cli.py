"""`occscene-server train`: trains the parts of the model; each stage's file has its command."""

from __future__ import annotations

import typer

from occscene_server.training.autoencoder_stage import autoencoder
from occscene_server.training.bundle import bundle
from occscene_server.training.decoder_stage import decoder, decoder_adversarial
from occscene_server.training.denoiser_cli import denoiser
from occscene_server.training.draft_stage import drafts
from occscene_server.training.joint_stage import joint
from occscene_server.training.latents_stage import latents
from occscene_server.training.layout_stage import layout
from occscene_server.training.parts_stage import parts
from occscene_server.training.perception_stage import perception
from occscene_server.training.recipe_run import recipe
from occscene_server.training.regression_prior_stage import regression_prior
from occscene_server.training.stable_diffusion_cli import sd

STAGES = (
    autoencoder, perception, regression_prior, denoiser, joint, latents, decoder, decoder_adversarial, drafts, bundle,
    layout, parts, sd,
)  # fmt: skip

train_app = typer.Typer(help="Train the model on rendered scenes.", no_args_is_help=True)
for _stage in STAGES:
    train_app.command()(_stage)
train_app.command()(recipe)
