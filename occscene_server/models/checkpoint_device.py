"""How a checkpoint is placed on a device: the type of its weights, and how many views fit at once."""

from __future__ import annotations

import torch

_HEADROOM = 0.9
"""Share of the free memory that is planned with: other programs, and fragments."""


def resolve_dtype(chosen: str, device: str) -> torch.dtype:
    """The type of the weights: the chosen one, or for "auto" what the device is fast in.

    bfloat16 on CUDA devices that have it (compute capability 8), float16 on older ones, float32 on the CPU.
    """
    named = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
    if chosen in named:
        return named[chosen]
    if not device.startswith("cuda"):
        return torch.float32
    return torch.bfloat16 if torch.cuda.get_device_capability(device)[0] >= 8 else torch.float16


def views_that_fit(free: int, one_view: int, most: int) -> int:
    """How many views one pass may have.

    Args:
        free: bytes while nothing runs.
        one_view: bytes that a pass with one view takes at its peak.
        most: views of a request.
    """
    return max(1, min(most, int(_HEADROOM * free) // max(one_view, 1)))
