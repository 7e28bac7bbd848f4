"""A tiny checkpoint as one file: diffusers' weights under the names of the original Stable Diffusion."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor


def save_single_file(pipeline: Any, path: Path) -> dict[str, Tensor]:
    """Writes `pipeline` (of four levels or fewer) to one file; returns what is in it."""
    weights = {f"model.diffusion_model.{key}": value for key, value in _unet(pipeline.unet).items()}
    weights |= {f"first_stage_model.{key}": value for key, value in _vae(pipeline.vae.state_dict()).items()}
    text = pipeline.text_encoder.state_dict()
    weights |= {f"cond_stage_model.transformer.{_text_name(key)}": value for key, value in text.items()}
    weights = {key: value.contiguous().clone() for key, value in weights.items()}
    save_file(weights, path)
    return weights


def _text_name(key: str) -> str:
    return key if key.startswith("text_model.") else f"text_model.{key}"


_RESNET = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "norm2": "out_layers.0", "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1", "conv_shortcut": "skip_connection",
}  # fmt: skip


def _unet(unet: Any) -> dict[str, Tensor]:
    """By the order in which the original network lists its blocks."""
    layers, levels = unet.config.layers_per_block, len(unet.config.block_out_channels)
    places = {
        "conv_in": "input_blocks.0.0", "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2", "conv_norm_out": "out.0", "conv_out": "out.2",
        "mid_block.resnets.0": "middle_block.0", "mid_block.attentions.0": "middle_block.1",
        "mid_block.resnets.1": "middle_block.2",
    }  # fmt: skip
    number = 1
    for level in range(levels):
        for layer in range(layers):
            places[f"down_blocks.{level}.resnets.{layer}"] = f"input_blocks.{number}.0"
            places[f"down_blocks.{level}.attentions.{layer}"] = f"input_blocks.{number}.1"
            number += 1
        places[f"down_blocks.{level}.downsamplers.0.conv"] = f"input_blocks.{number}.0.op"
        number += level < levels - 1
    number = 0
    for level in range(levels):
        for layer in range(layers + 1):
            places[f"up_blocks.{level}.resnets.{layer}"] = f"output_blocks.{number}.0"
            places[f"up_blocks.{level}.attentions.{layer}"] = f"output_blocks.{number}.1"
            number += 1
        with_attention = "CrossAttn" in unet.config.up_block_types[level]
        places[f"up_blocks.{level}.upsamplers.0.conv"] = f"output_blocks.{number - 1}.{1 + with_attention}.conv"
    return {_placed(key, places, _RESNET): value for key, value in unet.state_dict().items()}


def _vae(state: dict[str, Tensor]) -> dict[str, Tensor]:
    renamed = {}
    for key, value in state.items():
        name = key.replace("mid_block.resnets.0", "mid.block_1").replace("mid_block.resnets.1", "mid.block_2")
        name = name.replace("mid_block.attentions.0", "mid.attn_1").replace("conv_norm_out", "norm_out")
        name = (
            name.replace("group_norm", "norm").replace("to_out.0", "proj_out").replace("conv_shortcut", "nin_shortcut")
        )
        name = re.sub(r"\bto_([qkv])\b", r"\1", name)
        name = re.sub(r"down_blocks\.(\d+)\.resnets\.(\d+)", r"down.\1.block.\2", name)
        name = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0", r"down.\1.downsample", name)
        name = re.sub(r"up_blocks\.(\d+)\.resnets\.(\d+)", lambda m: f"up.{3 - int(m[1])}.block.{m[2]}", name)
        name = re.sub(r"up_blocks\.(\d+)\.upsamplers\.0", lambda m: f"up.{3 - int(m[1])}.upsample", name)
        is_matrix = ".attn_1." in name and name.endswith(".weight") and value.ndim == 2
        renamed[name] = value[:, :, None, None] if is_matrix else value
    return renamed


def _placed(key: str, places: dict[str, str], inner: dict[str, str]) -> str:
    for ours in sorted(places, key=len, reverse=True):
        if key.startswith(ours + "."):
            rest = key[len(ours) + 1 :]
            first, dot, last = rest.partition(".")
            return f"{places[ours]}.{inner.get(first, first) if 'resnets' in ours else first}{dot}{last}"
    raise KeyError(key)
