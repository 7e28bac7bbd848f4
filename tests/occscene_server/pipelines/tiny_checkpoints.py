"""Tiny random checkpoints of SDXL, and ControlNets for them and for Stable Diffusion, written by diffusers itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    ControlNetModel,
    ControlNetUnionModel,
    EulerDiscreteScheduler,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from tests.occscene_server.pipelines.tiny_stable_diffusion import save_tiny_stable_diffusion

TEXT_WIDTH = 32


def _tokenizer() -> CLIPTokenizer:
    letters = [*"abcdefghijklmnopqrstuvwxyz", *(f"{letter}</w>" for letter in "abcdefghijklmnopqrstuvwxyz")]
    vocabulary = {token: index for index, token in enumerate([*letters, "<|startoftext|>", "<|endoftext|>"])}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=77)


def _text_config() -> CLIPTextConfig:
    return CLIPTextConfig(
        vocab_size=54, hidden_size=TEXT_WIDTH, intermediate_size=37, num_hidden_layers=3, num_attention_heads=4,
        bos_token_id=52, eos_token_id=53, projection_dim=TEXT_WIDTH,
    )  # fmt: skip


def save_tiny_xl(folder: Path, prediction_type: str = "epsilon", **unet: Any) -> StableDiffusionXLPipeline:
    """SDXL's kin: two text encoders, pooled states and sizes as further conditions."""
    torch.manual_seed(0)
    pipeline = StableDiffusionXLPipeline(
        vae=AutoencoderKL(
            block_out_channels=(8, 8, 8, 16), down_block_types=("DownEncoderBlock2D",) * 4,
            up_block_types=("UpDecoderBlock2D",) * 4, latent_channels=4, norm_num_groups=8, sample_size=64,
            scaling_factor=0.13025, force_upcast=True,
        ),
        text_encoder=CLIPTextModel(_text_config()),
        text_encoder_2=CLIPTextModelWithProjection(_text_config()),
        tokenizer=_tokenizer(),
        tokenizer_2=_tokenizer(),
        unet=UNet2DConditionModel(**{
            "sample_size": 8, "in_channels": 4, "out_channels": 4, "block_out_channels": (16, 32),
            "layers_per_block": 1, "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"), "cross_attention_dim": 2 * TEXT_WIDTH,
            "attention_head_dim": (2, 4), "norm_num_groups": 8, "use_linear_projection": True,
            "transformer_layers_per_block": (1, 2), "addition_embed_type": "text_time", "addition_time_embed_dim": 8,
            "projection_class_embeddings_input_dim": TEXT_WIDTH + 6 * 8, **unet,
        }),
        scheduler=EulerDiscreteScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", prediction_type=prediction_type,
            timestep_spacing="leading", steps_offset=1, interpolation_type="linear",
        ),
        force_zeros_for_empty_prompt=True,
        add_watermarker=False,
    )  # fmt: skip
    pipeline.set_progress_bar_config(disable=True)
    pipeline.save_pretrained(folder)
    return pipeline


def save_tiny_control(folder: Path, unet: UNet2DConditionModel, union: bool = False, seed: int = 1) -> Any:
    """A ControlNet of a UNet's size, whose output convolutions are not zero, as if it had been trained."""
    torch.manual_seed(seed)
    config = {
        name: unet.config[name]
        for name in (
            "in_channels", "down_block_types", "block_out_channels", "layers_per_block", "cross_attention_dim",
            "attention_head_dim", "norm_num_groups", "use_linear_projection", "transformer_layers_per_block",
            "addition_embed_type", "addition_time_embed_dim", "projection_class_embeddings_input_dim",
        )
    } | {"conditioning_embedding_out_channels": (8, 8, 8, 8)}  # fmt: skip
    if union:
        width = config["block_out_channels"][0]
        network: Any = ControlNetUnionModel(
            **config, num_control_type=6, num_trans_channel=width, num_trans_head=2, num_proj_channel=width
        )
    else:
        network = ControlNetModel(**config)
    for name, parameter in network.named_parameters():
        if not parameter.any() and ("controlnet_" in name or "spatial_ch_projs" in name):
            torch.nn.init.normal_(parameter, std=0.3)
    network.save_pretrained(folder)
    return network.eval()


def save_tiny_kit(root: Path, family: str, prediction_type: str = "epsilon", union: bool = False) -> tuple[Any, Any]:
    """A checkpoint in `root / "checkpoint"` with a ControlNet in `root / "control"`; diffusers' own objects."""
    save = save_tiny_xl if family == "sdxl" else save_tiny_stable_diffusion
    pipeline = save(root / "checkpoint", prediction_type)
    return pipeline, save_tiny_control(root / "control", pipeline.unet, union)
