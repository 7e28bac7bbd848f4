"""Chunked Mamba-2 against its recurrence and a plain transcription of the block."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from occscene_server.models.mamba2 import (
    BidirectionalMamba2,
    CausalConvolution,
    Mamba2,
    _triton_scan,
    ssd_chunked,
    ssd_ref,
)


def _inputs(length: int, groups: int, heads: int = 4) -> tuple[Tensor, ...]:
    torch.manual_seed(length + groups)
    x = torch.randn(2, length, heads, 6, dtype=torch.float64)
    dt = F.softplus(torch.randn(2, length, heads, dtype=torch.float64))
    a = -torch.rand(heads, dtype=torch.float64) * 4
    b, c = torch.randn(2, 2, length, groups, 5, dtype=torch.float64)
    return x, dt, a, b, c


@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize(("length", "chunk"), [(1, 8), (7, 8), (8, 8), (37, 8), (64, 16), (65, 64)])
def test_chunked_equals_the_recurrence(length: int, chunk: int, groups: int) -> None:
    inputs = _inputs(length, groups)
    initial = torch.randn(2, 4, 6, 5, dtype=torch.float64)
    for start in (None, initial):
        y, state = ssd_chunked(*inputs, chunk, start)
        expected, expected_state = ssd_ref(*inputs, start)
        torch.testing.assert_close(y, expected, rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(state, expected_state, rtol=1e-10, atol=1e-12)


def test_gradients_equal_the_recurrence() -> None:
    inputs = [m.requires_grad_() for m in _inputs(21, 2)]
    weight = torch.randn(2, 21, 4, 6, dtype=torch.float64)
    fast = torch.autograd.grad((ssd_chunked(*inputs, 8)[0] * weight).sum(), inputs)
    slow = torch.autograd.grad((ssd_ref(*inputs)[0] * weight).sum(), inputs)
    for one, other in zip(fast, slow, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-11)


def test_strong_decay_does_not_overflow() -> None:
    x, dt, a, b, c = _inputs(130, 1)
    y, _ = ssd_chunked(x.float(), 50 * dt.float(), 4 * a.float(), b.float(), c.float(), 64)
    assert y.isfinite().all()


def _block_ref(block: Mamba2, u: Tensor) -> Tensor:
    """The block as its parameters are documented, with the recurrence and torch's convolution."""
    heads, inner, state = len(block.D), block.d_inner, block.ngroups * block.d_state
    z, x, b, c, dt = F.linear(u, block.in_proj.weight).split([inner, inner, state, state, heads], -1)
    xbc = torch.cat([x, b, c], -1).transpose(1, 2)
    xbc = F.silu(block.conv1d(xbc)[..., : u.shape[1]]).transpose(1, 2)
    x, b, c = xbc.split([inner, state, state], -1)
    x = x.unflatten(-1, (heads, -1))
    b, c = (m.unflatten(-1, (block.ngroups, -1)) for m in (b, c))
    y, _ = ssd_ref(x, F.softplus(dt + block.dt_bias), -block.A_log.exp(), b, c)
    y = (y + block.D[:, None] * x).flatten(2) * F.silu(z)
    y = y.unflatten(-1, (block.ngroups, -1))
    y = (y / (y.square().mean(-1, keepdim=True) + 1e-5).sqrt()).flatten(2) * block.norm.weight
    return F.linear(y, block.out_proj.weight)


@pytest.mark.parametrize("groups", [1, 2])
def test_block_equals_its_transcription(groups: int) -> None:
    torch.manual_seed(0)
    block = Mamba2(16, d_state=8, headdim=8, ngroups=groups, chunk_size=8).double()
    torch.nn.init.uniform_(block.norm.weight)
    u = torch.randn(2, 19, 16, dtype=torch.float64)
    torch.testing.assert_close(block(u), _block_ref(block, u), rtol=1e-9, atol=1e-11)


def test_parameters_are_named_and_shaped_as_in_mamba_ssm() -> None:
    shapes = {name: tuple(p.shape) for name, p in Mamba2(32, d_state=16, headdim=16, ngroups=2).named_parameters()}
    assert shapes == {
        "dt_bias": (4,),
        "A_log": (4,),
        "D": (4,),
        "in_proj.weight": (2 * 64 + 2 * 2 * 16 + 4, 32),
        "conv1d.weight": (64 + 2 * 2 * 16, 1, 4),
        "conv1d.bias": (64 + 2 * 2 * 16,),
        "norm.weight": (64,),
        "out_proj.weight": (32, 64),
    }


def test_initial_steps_and_decays_are_in_range() -> None:
    block = Mamba2(256, headdim=4)
    steps = F.softplus(block.dt_bias)
    assert steps.min() >= 1e-3 * 0.999
    assert steps.max() <= 0.1 * 1.001
    assert block.A_log.exp().min() >= 1
    assert block.A_log.exp().max() <= 16


def test_mixing_is_causal() -> None:
    block = Mamba2(16, d_state=8, headdim=8, chunk_size=4)
    u = torch.randn(1, 12, 16)
    changed = u.clone()
    changed[:, 7] += 1
    difference = (block(u) - block(changed)).abs().sum(-1)[0]
    assert difference[:7].max() == 0
    assert difference[7:].min() > 0


def test_autocast_stays_close_to_single_precision() -> None:
    torch.manual_seed(0)
    block = Mamba2(32, d_state=16, headdim=16)
    u = torch.randn(2, 100, 32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = block(u)
    torch.testing.assert_close(y.float(), block(u), atol=0.03, rtol=0.05)


def test_flipping_the_input_and_swapping_directions_flips_the_output() -> None:
    torch.manual_seed(0)
    block = BidirectionalMamba2(16, d_state=8, headdim=8).double()
    swapped = BidirectionalMamba2(16, d_state=8, headdim=8).double()
    swapped.load_state_dict(block.state_dict())
    swapped.ahead, swapped.back = swapped.back, swapped.ahead
    u = torch.randn(2, 30, 16, dtype=torch.float64)
    torch.testing.assert_close(swapped(u.flip(1)).flip(1), block(u))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_convolution_equals_torchs(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    convolution = torch.nn.Conv1d(24, 24, 4, groups=24, padding=3).to(dtype)
    x, weight = (torch.randn(2, 19, 24).to(dtype) for _ in range(2))
    results = []
    for work in (
        lambda x: CausalConvolution.apply(x, convolution.weight[:, 0], convolution.bias),
        lambda x: convolution(x.transpose(1, 2))[..., :19].transpose(1, 2),
    ):
        leaf = x.clone().requires_grad_()
        y = work(leaf)
        results.append((y, *torch.autograd.grad((y * weight).sum(), (leaf, *convolution.parameters()))))
    tolerance = 1e-5 if dtype == torch.float32 else 0.05
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other, rtol=tolerance, atol=tolerance)


@pytest.mark.skipif(not torch.cuda.is_available() or _triton_scan() is None, reason="needs CUDA and mamba_ssm")
def test_triton_scan_equals_ours() -> None:
    torch.manual_seed(0)
    block = Mamba2(64, d_state=32, headdim=32, ngroups=2)
    u = torch.randn(2, 300, 64)
    expected = block(u)
    torch.testing.assert_close(block.cuda()(u.cuda()).cpu(), expected, rtol=2e-2, atol=2e-2)
