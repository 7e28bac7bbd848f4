"""Which arithmetic is fast on a device."""

from __future__ import annotations

from contextlib import nullcontext

import torch


def fast_autocast(device: torch.device | str) -> torch.autocast | nullcontext[None]:
    """bfloat16 autocast where the hardware multiplies it: CUDA, and CPUs with AVX512-BF16; else nothing."""
    kind = torch.device(device).type
    if kind == "cuda" or (kind == "cpu" and torch.cpu._is_avx512_bf16_supported()):
        return torch.autocast(kind, torch.bfloat16)
    return nullcontext()
