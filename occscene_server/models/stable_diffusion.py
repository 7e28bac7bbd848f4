"""What turns a Stable Diffusion UNet into the trunk of the denoiser without changing what it computes.

Everything that is added starts at zero (after ControlNet's zero convolutions, Zhang et al. 2023, arXiv 2302.05543): the
condition joins the latents' embedding, and the views attend to each other in addition to the checkpoint's
self-attention.
"""

from __future__ import annotations

from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import Attention, AttentionProcessor
from torch import Tensor, nn

from occscene_server.models.view_attention import ViewAttnProcessor

ADDED_MODULES = ("conv_in.condition", ".processor.")
"""What the names of the parameters that `extend_trunk` adds have in common."""


class ConditionedConv(nn.Module):
    """A trained first convolution plus one for further channels whose result is added.

    Args:
        latents: the trained convolution.
        extra_channels: of the condition.
    """

    def __init__(self, latents: nn.Conv2d, extra_channels: int) -> None:
        super().__init__()
        self.latents = latents
        # not zero itself: what comes in is zero at first, and would never learn behind a second zero
        self.condition = nn.Conv2d(extra_channels, latents.out_channels, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(N, latent + extra, h, w) to (N, width, h, w)."""
        latents, extra = x.split([self.latents.in_channels, self.condition.in_channels], dim=1)
        return self.latents(latents) + self.condition(extra)


class AddedViewAttnProcessor(nn.Module):
    """Self-attention of each view as it was trained, plus attention over all views through a gate that starts at zero.

    Args:
        channels: of the layer's input.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.own = ViewAttnProcessor(channels, joint=False)
        self.shared = ViewAttnProcessor(channels, joint=True)
        self.gate = nn.Linear(channels, channels)
        nn.init.zeros_(self.gate.weight)
        nn.init.zeros_(self.gate.bias)

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
        positions: Tensor | None = None,
    ) -> Tensor:
        """Attends; the arguments are those of `ViewAttnProcessor`."""
        shared = self.shared(attn, hidden_states, positions=positions)
        return self.own(attn, hidden_states) + self.gate(shared)


def extend_trunk(unet: UNet2DConditionModel, extra_channels: int) -> None:
    """Lets a trained UNet take `extra_channels` more input channels and its views see each other.

    Views attend to each other where the UNet is widest, at the two coarsest sizes: elsewhere the views of a scene have
    too many pixels. Our choice.
    """
    unet.conv_in = ConditionedConv(unet.conv_in, extra_channels)
    widest = unet.config.block_out_channels[-1]

    def processor(name: str) -> AttentionProcessor:
        layer: Attention = unet.get_submodule(name.removesuffix(".processor"))
        if ".attn1." in name and layer.query_dim == widest:
            return AddedViewAttnProcessor(layer.query_dim)
        return ViewAttnProcessor(layer.query_dim, joint=False)

    unet.set_attn_processor({name: processor(name) for name in unet.attn_processors})
