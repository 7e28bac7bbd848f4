"""Mamba-2 in plain PyTorch: chunked state-space duality, interchangeable with `mamba_ssm.Mamba2`.

Dao and Gu, "Transformers are SSMs" (arXiv 2405.21060). Parameter names, shapes and initialisation are those of
`mamba_ssm.modules.mamba2.Mamba2`, so a state dict moves between the two. On CUDA the Triton kernel of `mamba_ssm`
takes over where that package is installed.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def ssd_ref(
    x: Tensor, dt: Tensor, a: Tensor, b: Tensor, c: Tensor, initial_state: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The recurrence itself: h_t = exp(dt_t a) h_(t-1) + dt_t b_t x_t and y_t = c_t h_t, one step at a time.

    Args:
        x: (B, L, H, P).
        dt: (B, L, H), positive step sizes (after the softplus).
        a: (H,), negative.
        b, c: (B, L, G, N); head h uses group h // (H / G).
        initial_state: (B, H, P, N), defaults to zeros.

    Returns:
        y (B, L, H, P) and the final state (B, H, P, N).
    """
    batch, length, heads, width = x.shape
    b, c = (m.repeat_interleave(heads // m.shape[2], dim=2) for m in (b, c))  # (B, L, H, N)
    state = x.new_zeros(batch, heads, width, b.shape[-1]) if initial_state is None else initial_state
    outputs = []
    for t in range(length):
        decay = torch.exp(dt[:, t] * a)[..., None, None]
        state = decay * state + (dt[:, t, :, None] * x[:, t])[..., None] * b[:, t, :, None]
        outputs.append((state * c[:, t, :, None]).sum(-1))
    return torch.stack(outputs, 1), state


def ssd_chunked(
    x: Tensor, dt: Tensor, a: Tensor, b: Tensor, c: Tensor, chunk: int, initial_state: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """The same as `ssd_ref` by matrix products over chunks of `chunk` steps (listing 1 of the paper).

    All heads of a group share one product with b and c. A ragged tail is padded with dt = 0, which neither adds to
    the state nor decays it, so the final state is right for any length.
    """
    batch, length, heads, width = x.shape
    groups, size = b.shape[2:]
    share = heads // groups
    chunk = min(chunk, length)
    if tail := -length % chunk:
        x, b, c = (F.pad(m, (0, 0, 0, 0, 0, tail)) for m in (x, b, c))
        dt = F.pad(dt, (0, 0, 0, tail))
    chunks = x.shape[1] // chunk

    total = (dt * a).view(batch, chunks, chunk, groups, share).cumsum(2)  # log-decay since the chunk's start
    steps = total.permute(0, 1, 3, 4, 2).contiguous()  # (B, K, G, S, Q)
    u = (x * dt[..., None]).view(batch, chunks, chunk, groups, share, width)
    b = b.view(batch, chunks, chunk, groups, size).transpose(2, 3)  # (B, K, G, Q, N)
    c = c.view(batch, chunks, chunk, groups, size).transpose(2, 3)

    # Within a chunk: y_i = sum over j <= i of (c_i . b_j) exp(total_i - total_j) u_j.
    decay = _decay(steps[..., :, None] - steps[..., None, :])
    scores = (c @ b.transpose(-1, -2)).tril()[:, :, :, None] * decay  # (B, K, G, S, Q, Q)
    y = scores @ u.permute(0, 1, 3, 4, 2, 5)  # (B, K, G, S, Q, P)

    # What each chunk leaves behind, and what each finds: states as (N, S * P) for all heads of a group at once.
    remaining = _decay(total[:, :, -1:] - total)  # (B, K, Q, G, S)
    left = (u * remaining[..., None]).flatten(4).transpose(2, 3)  # (B, K, G, Q, S*P)
    states = (b.transpose(-1, -2) @ left).unflatten(-1, (share, width))  # (B, K, G, N, S, P)
    state = torch.zeros_like(states[:, 0])
    if initial_state is not None:
        state = initial_state.view(batch, groups, share, width, size).permute(0, 1, 4, 2, 3)
    passed = _decay(total[:, :, -1, :, None, :, None])  # (B, K, G, 1, S, 1), over each chunk
    before = []
    for added, kept in zip(states.unbind(1), passed.unbind(1), strict=True):
        before.append(state)  # one by one: sums of log-decays over a long sequence would lose precision
        state = torch.addcmul(added, kept, state)

    carried = (c @ torch.stack(before, 1).flatten(4)).unflatten(-1, (share, width))  # (B, K, G, Q, S, P)
    since_start = _decay(steps).transpose(-1, -2)[..., None]
    y = torch.addcmul(y.transpose(3, 4), carried, since_start).transpose(2, 3)  # (B, K, Q, G, S, P)
    y = y.reshape(batch, chunks * chunk, heads, width)[:, :length]
    return y, state.permute(0, 1, 3, 4, 2).reshape(batch, heads, width, size)


def _decay(logarithm: Tensor) -> Tensor:
    """exp, at most 1 and at least the smallest normal number: beyond, where nothing depends on it, exp is slow."""
    return logarithm.clamp(math.log(torch.finfo(logarithm.dtype).tiny), 0).exp_()


@functools.cache
def _triton_scan() -> Callable[..., Tensor] | None:
    """`mamba_chunk_scan_combined` where mamba_ssm can be imported, else None."""
    try:
        from mamba_ssm.ops.triton.ssd_combined import mamba_chunk_scan_combined
    except Exception:  # a missing or mismatched compiled part raises more than ImportError
        return None
    return mamba_chunk_scan_combined


class CausalConvolution(torch.autograd.Function):
    """A causal depthwise convolution of (B, L, C) with taps (C, T), the last of which meets the present step.

    Channels last, where torch's own forward is fast; its gradient of the weight is not, so it is written out.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """The convolution plus `bias` (C,), (B, L, C)."""
        ctx.save_for_backward(x, weight)
        return _depthwise(x, weight, bias)[:, : x.shape[1]]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Gradients of the three inputs."""
        x, weight = ctx.saved_tensors
        taps, length = weight.shape[1], x.shape[1]
        past = F.pad(x, (0, 0, taps - 1, 0))
        grad_weight = torch.stack([(grad * past[:, t : t + length]).sum((0, 1)) for t in range(taps)], 1)
        return _depthwise(grad, weight.flip(1))[:, taps - 1 :], grad_weight, grad.sum((0, 1))


def _depthwise(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """(B, L, C) padded with T - 1 zeros on both sides and convolved with (C, T): (B, L + T - 1, C)."""
    channels, taps = weight.shape
    rows = x.transpose(1, 2)[:, :, None]  # (B, C, 1, L), channels last
    return F.conv2d(rows, weight[:, None, None], bias, padding=(0, taps - 1), groups=channels)[:, :, 0].transpose(1, 2)


class GatedRMSNorm(nn.Module):
    """RMS normalisation of y * silu(z) in groups of channels, in single precision or better."""

    def __init__(self, channels: int, groups: int, eps: float = 1e-5) -> None:
        """`channels` are normalised in `groups` equal parts."""
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.groups = groups
        self.eps = eps

    def forward(self, y: Tensor, z: Tensor) -> Tensor:
        """Normalises y (..., channels), gated by z of the same shape."""
        gated = y * F.silu(z.to(y.dtype))
        parts = gated.unflatten(-1, (self.groups, -1))
        parts = parts * torch.rsqrt(parts.square().mean(-1, keepdim=True) + self.eps)
        return parts.flatten(-2) * self.weight.to(y.dtype)


class Mamba2(nn.Module):
    """A Mamba-2 mixer: projection, causal depthwise convolution, state-space scan, gated norm, projection.

    Args:
        d_model: channels in and out.
        d_state: size N of the state.
        d_conv: length of the causal convolution.
        expand: inner channels are expand * d_model.
        headdim: channels P of a head.
        ngroups: groups G of heads that share b and c.
        chunk_size: steps of a chunk; any value gives the same result, 32 is fast on CPU.
    """

    def __init__(
        self,
        d_model: int,
        d_state: int = 128,
        d_conv: int = 4,
        expand: int = 2,
        headdim: int = 64,
        ngroups: int = 1,
        chunk_size: int = 32,
    ) -> None:
        """Initialises as `mamba_ssm.Mamba2` does: A in [1, 16], dt log-uniform in [1e-3, 0.1]."""
        super().__init__()
        self.d_inner = expand * d_model
        self.d_state, self.headdim, self.ngroups, self.chunk_size = d_state, headdim, ngroups, chunk_size
        heads = self.d_inner // headdim
        conv_channels = self.d_inner + 2 * ngroups * d_state
        self.in_proj = nn.Linear(d_model, self.d_inner + conv_channels + heads, bias=False)  # z, (x, b, c), dt
        self.conv1d = nn.Conv1d(conv_channels, conv_channels, d_conv, groups=conv_channels, padding=d_conv - 1)
        dt = torch.exp(torch.rand(heads) * math.log(0.1 / 1e-3) + math.log(1e-3)).clamp(min=1e-4)
        self.dt_bias = nn.Parameter(dt + torch.log(-torch.expm1(-dt)))  # the inverse of softplus
        self.A_log = nn.Parameter(torch.empty(heads).uniform_(1, 16).log())
        self.D = nn.Parameter(torch.ones(heads))
        self.norm = GatedRMSNorm(self.d_inner, ngroups)
        self.out_proj = nn.Linear(self.d_inner, d_model, bias=False)

    def forward(self, u: Tensor) -> Tensor:
        """Mixes a sequence (B, L, d_model) along L, causally."""
        heads = len(self.D)
        z, xbc, dt = self.in_proj(u).split([self.d_inner, self.conv1d.in_channels, heads], dim=-1)
        taps, bias = self.conv1d.weight[:, 0].to(xbc.dtype), self.conv1d.bias
        assert bias is not None
        xbc = CausalConvolution.apply(xbc, taps, bias.to(xbc.dtype))  # type: ignore[no-untyped-call]
        xbc = F.silu(xbc)
        x, b, c = xbc.split([self.d_inner, self.ngroups * self.d_state, self.ngroups * self.d_state], dim=-1)
        x = x.unflatten(-1, (heads, self.headdim))
        b, c = (m.unflatten(-1, (self.ngroups, self.d_state)) for m in (b, c))
        with torch.autocast(u.device.type, enabled=False):  # decays need single precision
            y = self._scan(x, dt, b, c)  # (B, L, d_inner)
            y = self.norm(y, z)
        return self.out_proj(y.to(u.dtype))

    def _scan(self, x: Tensor, dt: Tensor, b: Tensor, c: Tensor) -> Tensor:
        wide = torch.promote_types(x.dtype, torch.float32)
        a = -torch.exp(self.A_log.to(wide))
        scan = _triton_scan() if x.is_cuda else None
        if scan is not None:
            y = scan(x, dt, a, b, c, 256, D=self.D.to(wide), dt_bias=self.dt_bias.to(wide), dt_softplus=True)
            return y.flatten(2).to(wide)
        x, b, c = (m.to(wide) for m in (x, b, c))
        steps = F.softplus(dt.to(wide) + self.dt_bias.to(wide))
        y, _ = ssd_chunked(x, steps, a, b, c, self.chunk_size)
        return torch.addcmul(y, self.D.to(wide)[:, None], x).flatten(2)


class BidirectionalMamba2(nn.Module):
    """Two Mamba-2 mixers, one along the sequence and one against it, summed and projected."""

    def __init__(self, d_model: int, d_state: int = 32, headdim: int = 32) -> None:
        """`d_model` channels in and out; each direction has its own weights."""
        super().__init__()
        self.ahead = Mamba2(d_model, d_state=d_state, headdim=headdim)
        self.back = Mamba2(d_model, d_state=d_state, headdim=headdim)
        self.proj = nn.Linear(d_model, d_model)

    def forward(self, u: Tensor) -> Tensor:
        """Mixes a sequence (B, L, d_model) along L, both ways."""
        return self.proj(self.ahead(u) + self.back(u.flip(1)).flip(1))
