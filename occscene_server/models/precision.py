"""Which arithmetic is fast on a device."""

from __future__ import annotations

from contextlib import nullcontext

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def is_fast_in_bfloat16(device: torch.device | str) -> bool:
    """Whether the hardware multiplies bfloat16: CUDA, and CPUs with AVX512-BF16."""
    kind = torch.device(device).type
    return kind == "cuda" or (kind == "cpu" and torch.cpu._is_avx512_bf16_supported())


def fast_autocast(
    device: torch.device | str, weights: torch.dtype = torch.float32
) -> torch.autocast | nullcontext[None]:
    """bfloat16 autocast where the hardware multiplies it or the weights are of that type, else nothing."""
    if weights is torch.bfloat16 or is_fast_in_bfloat16(device):
        return torch.autocast(torch.device(device).type, torch.bfloat16)
    return nullcontext()


class FastGroupNorm(nn.GroupNorm):
    """GroupNorm that computes small bfloat16 images in single precision on a CPU.

    For channels_last images of fewer than 32 x 32 pixels torch 2.13's bfloat16 kernel takes six times as long.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, h, w) to the same."""
        if x.dtype is torch.bfloat16 and x.device.type == "cpu" and x[0, 0].numel() < 1024:
            weight, bias = self.weight.float(), self.bias.float()
            return F.group_norm(x.float(), self.num_groups, weight, bias, self.eps).to(x.dtype)
        return super().forward(x)


def install_fast_group_norm(network: nn.Module) -> None:
    """Replaces every GroupNorm of a network that was just built; the names of its parameters stay."""
    for parent in list(network.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.GroupNorm):
                setattr(parent, name, FastGroupNorm(child.num_groups, child.num_channels, child.eps))
