"""Arithmetic that is faster on a CPU and says the same."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from occscene_server.models.precision import FastGroupNorm, install_fast_group_norm


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("side", [8, 16, 32])
def test_group_norm_is_torchs_own(side: int, dtype: torch.dtype) -> None:
    x = torch.randn(3, 64, side, side).to(dtype).contiguous(memory_format=torch.channels_last)
    fast = FastGroupNorm(32, 64)
    nn.init.normal_(fast.weight)
    nn.init.normal_(fast.bias)
    expected = F.group_norm(x.double(), 32, fast.weight.double(), fast.bias.double())
    assert fast(x).dtype is dtype
    torch.testing.assert_close(fast(x).double(), expected, rtol=1e-2, atol=2e-2 if dtype is torch.bfloat16 else 1e-5)


def test_installing_keeps_the_parameters_names_and_gradients() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 1), nn.ModuleDict({"norm": nn.GroupNorm(2, 8, eps=1e-3)}))
    names = list(network.state_dict())
    install_fast_group_norm(network)
    norm = network[1]["norm"]  # type: ignore[index]
    assert list(network.state_dict()) == names
    assert isinstance(norm, FastGroupNorm)
    assert norm.eps == 1e-3
    norm(torch.randn(1, 8, 4, 4).bfloat16()).sum().backward()
    assert norm.weight.grad is not None
