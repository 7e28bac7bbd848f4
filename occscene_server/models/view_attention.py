"""Attention over all views of a scene at once, with an embedding of where in the room each feature lies.

The denoiser's self-attention layers become joint: a query in one view attends to keys in every view, and both carry an
embedding of the 3D point that their pixel sees in the blockout, so that the same spot is found from two cameras.
Joint attention over views is common (MVDiffusion, MagicDrive); the 3D positions are OccScene's own choice.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention
from torch import Tensor, nn


def fourier_features(values: Tensor, octaves: int, dim: int = 1) -> Tensor:
    """Sines and cosines of `values` at wavelengths 8, 4, 2 ... along `dim`: C channels become 2 * C * octaves.

    Args:
        values: coordinates in metres.
        octaves: how many wavelengths, the first 8 m.
        dim: the channel dimension.
    """
    scaled = torch.cat([values * (2 * math.pi / 8 * 2**octave) for octave in range(octaves)], dim)
    return torch.cat([scaled.sin(), scaled.cos()], dim)


class ViewAttnProcessor(nn.Module):
    """Scaled dot-product attention, over all views together where `joint`.

    Args:
        channels: of the layer's input.
        joint: whether views of a scene attend to each other; else within each view (or to the text) only.
        octaves: of the 3D positions' Fourier features.
    """

    def __init__(self, channels: int, joint: bool, octaves: int = 6) -> None:
        super().__init__()
        self.joint = joint
        self.octaves = octaves
        if joint:
            self.position = nn.Linear(6 * octaves, channels)
            nn.init.zeros_(self.position.weight)
            nn.init.zeros_(self.position.bias)

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
        positions: Tensor | None = None,
    ) -> Tensor:
        """Attends.

        Args:
            attn: the layer that owns the projections.
            hidden_states: (B * V, L, C).
            encoder_hidden_states: (B * V, T, D) of the text; None for self-attention.
            attention_mask: (B * V, 1, T) additive, of the text.
            temb: unused; diffusers passes it.
            positions: (B, V, 3, h, w) metres, of the whole latent image.
        """
        batch_views, length, channels = hidden_states.shape
        located = hidden_states
        if self.joint and positions is not None:
            batch, views = positions.shape[:2]
            located = hidden_states + self._embed(positions, length).to(hidden_states.dtype)
            located = located.reshape(batch, views * length, channels)
            hidden_states = hidden_states.reshape(batch, views * length, channels)
        source = located if encoder_hidden_states is None else encoder_hidden_states
        content = hidden_states if encoder_hidden_states is None else encoder_hidden_states

        def heads(x: Tensor) -> Tensor:
            return x.unflatten(2, (attn.heads, -1)).transpose(1, 2)

        query, key, value = heads(attn.to_q(located)), heads(attn.to_k(source)), heads(attn.to_v(content))
        if attention_mask is not None:
            attention_mask = attention_mask[:, None]  # (B * V, 1, 1, T)
        attended = F.scaled_dot_product_attention(query, key, value, attn_mask=attention_mask)
        attended = attended.transpose(1, 2).reshape(batch_views, length, channels)
        return attn.to_out[1](attn.to_out[0](attended))

    def _embed(self, positions: Tensor, length: int) -> Tensor:
        """The positions' embedding at the layer's resolution, (B * V, L, C)."""
        flat = positions.flatten(0, 1)  # (B * V, 3, h, w)
        factor = math.isqrt(flat.shape[2] * flat.shape[3] // length)
        coarse = F.avg_pool2d(flat, factor).flatten(2).transpose(1, 2)  # (B * V, L, 3)
        return self.position(fourier_features(coarse, self.octaves, dim=2).to(self.position.weight.dtype))


def install_view_attention(unet: UNet2DConditionModel) -> None:
    """Replaces a UNet's attention processors; self-attention becomes joint over the views of a scene."""

    def processor(name: str) -> ViewAttnProcessor:
        layer: Attention = unet.get_submodule(name.removesuffix(".processor"))
        return ViewAttnProcessor(layer.query_dim, joint=".attn1." in name)

    unet.set_attn_processor({name: processor(name) for name in unet.attn_processors})
