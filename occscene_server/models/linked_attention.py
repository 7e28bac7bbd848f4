"""Attention of a Stable Diffusion UNet that knows of other views, and of regions with words of their own.

A *linked* layer of self-attention also attends to what a hub view shows in the same layer, the hub's keys weighed by a
strength (keys of a reference are shared as in StyleAligned, Hertz et al. 2024, arXiv 2312.02133). A *regional* layer of
cross-attention lets each pixel attend only to the words of its own region ("attention couple"). Processors and loop
share one context, for what is the same for all layers of a UNet's call.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from torch import Tensor


@dataclass
class AttentionContext:
    """What the layers do in the present call of the UNet.

    Args:
        strength: of the hub's keys; 0 links nothing.
        records: whether the call is of the hub view, whose keys are kept.
        halves: batches of one call: 2 with classifier-free guidance, else 1.
        hub: keys and values (halves, heads, tokens, width) of the hub view by layer.
        regions: (views, h, w) int64 region of every latent of the call's views; None where all have the same words.
        counts: how many regions have words.
        tokens: of each region's words.
    """

    strength: float = 0.0
    records: bool = False
    halves: int = 2
    hub: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict)
    regions: Tensor | None = None
    counts: int = 1
    tokens: int = 0
    _masks: dict[int, Tensor] = field(default_factory=dict)

    def begin(self, records: bool, halves: int, regions: Tensor | None, counts: int = 1, tokens: int = 0) -> None:
        """Sets what the next call is about."""
        self.records, self.halves = records, halves
        self.regions, self.counts, self.tokens = regions, counts, tokens
        self._masks.clear()

    def text_mask(self, pixels: int, like: Tensor) -> Tensor:
        """(batch, 1, pixels, regions * tokens) additive mask of a layer with so many pixels."""
        assert self.regions is not None
        if pixels not in self._masks:
            regions = regions_at(self.regions, pixels, self.counts).flatten(1)  # (views, pixels)
            owner = torch.arange(self.counts, device=regions.device).repeat_interleave(self.tokens)
            allowed = regions[..., None] == owner
            unconditional = (owner == 0).expand_as(allowed)  # the negative prompt is the same everywhere
            allowed = torch.cat([unconditional, allowed] if self.halves == 2 else [allowed])
            mask = torch.zeros(allowed.shape, dtype=like.dtype, device=like.device)
            self._masks[pixels] = mask.masked_fill_(~allowed, -torch.inf)[:, None]
        return self._masks[pixels]


def regions_at(regions: Tensor, pixels: int, counts: int) -> Tensor:
    """Regions (V, h, w) at a layer's size (V, h', w') of `pixels` pixels: what most of a pixel's latents belong to."""
    height, width = regions.shape[1:]
    factor = math.isqrt(height * width // pixels)
    if factor == 1:
        return regions
    shares = F.avg_pool2d(F.one_hot(regions, counts).movedim(-1, 1).float(), factor, ceil_mode=True)
    return shares.argmax(1)


class SceneAttnProcessor:
    """Attention of one layer; without links and regions it is diffusers' own, to the bit.

    Args:
        context: shared by all layers.
        name: of the layer.
        links: whether it may attend to the hub view.
    """

    def __init__(self, context: AttentionContext, name: str, links: bool) -> None:
        self.context, self.name, self.links = context, name, links
        self._plain = AttnProcessor2_0()

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        """Attends; the arguments are those of diffusers' processors, hidden states (batch, pixels, width)."""
        context = self.context
        if encoder_hidden_states is not None:
            if context.regions is None:
                return self._plain(attn, hidden_states, encoder_hidden_states, attention_mask, temb)
            mask = context.text_mask(hidden_states.shape[1], hidden_states)
            return _attend(attn, hidden_states, encoder_hidden_states, mask, None)
        if not self.links or context.strength == 0:
            return self._plain(attn, hidden_states, None, attention_mask, temb)
        if context.records:
            context.hub[self.name] = (_heads(attn, attn.to_k(hidden_states)), _heads(attn, attn.to_v(hidden_states)))
            return self._plain(attn, hidden_states, None, attention_mask, temb)
        views = len(hidden_states) // context.halves
        key, value = (part.repeat_interleave(views, 0) for part in context.hub[self.name])
        bias = hidden_states.new_zeros(1, 1, 1, hidden_states.shape[1] + key.shape[2])
        bias[..., hidden_states.shape[1] :] = math.log(context.strength)
        return _attend(attn, hidden_states, None, bias, (key, value))


def _attend(
    attn: Attention, hidden: Tensor, text: Tensor | None, mask: Tensor, more: tuple[Tensor, Tensor] | None
) -> Tensor:
    """Attention with an additive mask, and with further keys and values (batch, heads, tokens, width)."""
    source = hidden if text is None else text
    query, key, value = (_heads(attn, part) for part in (attn.to_q(hidden), attn.to_k(source), attn.to_v(source)))
    if more is not None:
        key, value = torch.cat([key, more[0]], 2), torch.cat([value, more[1]], 2)
    attended = F.scaled_dot_product_attention(query, key, value, attn_mask=mask)
    return attn.to_out[0](attended.transpose(1, 2).flatten(2).to(hidden.dtype))


def _heads(attn: Attention, states: Tensor) -> Tensor:
    """(batch, tokens, width) to (batch, heads, tokens, width of a head)."""
    return states.unflatten(2, (attn.heads, -1)).transpose(1, 2)


@contextmanager
def scene_attention(unet: Any, context: AttentionContext) -> Iterator[None]:
    """Gives a UNet processors of a context for the time of a `with`.

    Layers are linked where the UNet is widest: they hold what a view is like, at few pixels.
    """
    before = dict(unet.attn_processors)
    widest = unet.config.block_out_channels[-1]

    def processor(name: str) -> SceneAttnProcessor:
        layer: Attention = unet.get_submodule(name.removesuffix(".processor"))
        return SceneAttnProcessor(context, name, ".attn1." in name and layer.query_dim == widest)

    unet.set_attn_processor({name: processor(name) for name in before})
    try:
        yield
    finally:
        unet.set_attn_processor(before)
