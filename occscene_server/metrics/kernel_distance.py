"""Kernel distance between the views of rooms, with what chance makes of it.

The squared MMD with the kernel (x.y / d + 1)^3 over given features (Binkowski et al. 2018, "Demystifying MMD GANs",
section 4). Views of one room are alike, rendered or generated, and are therefore never compared with one another: rooms
are the sample, so that the estimate has no bias however few they are, and two halves of one set are 0 apart on average.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class KernelDistance:
    """An estimate.

    Args:
        value: slightly negative by chance where distributions are equal.
        deviation: standard error over the choice of rooms.
    """

    value: float
    deviation: float


def kernel_distance(real: Tensor, generated: Tensor) -> KernelDistance:
    """The distance between real and generated views of the same N rooms, 3 at least.

    Args:
        real, generated: (N, V, F) features of V views of each room.

    Returns:
        The U-statistic over pairs of different rooms, its deviation by the jackknife.
    """
    first, second = _standardized(real, generated)
    across = _room_kernel(first, second)
    pairs = _room_kernel(first, first) + _room_kernel(second, second) - across - across.T
    pairs.fill_diagonal_(0)
    rooms = len(pairs)
    rows, total = pairs.sum(1), pairs.sum()
    without = (total - 2 * rows) / ((rooms - 1) * (rooms - 2))
    spread = (without - without.mean()).square().sum() * (rooms - 1) / rooms
    return KernelDistance(float(total / (rooms * (rooms - 1))), float(spread.sqrt()))


def distance_between_halves(real: Tensor, splits: int = 200, seed: int = 0) -> KernelDistance:
    """The distance between two halves of N rooms, 4 at least: mean and deviation over random halves.

    Args:
        real: (N, V, F) features.
        splits: how many halves are drawn.
        seed: of the halves.
    """
    rooms, half = len(real), len(real) // 2
    kernel = _room_kernel(*_standardized(real, real))
    generator = torch.Generator().manual_seed(seed)
    values = []
    for _ in range(splits):
        order = torch.randperm(rooms, generator=generator)
        first, second = order[:half], order[half:]
        within = [_mean_of_pairs(kernel[part][:, part]) for part in (first, second)]
        values.append(sum(within) - 2 * kernel[first][:, second].mean())
    stacked = torch.stack(values)
    return KernelDistance(float(stacked.mean()), float(stacked.std()))


def _standardized(real: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
    """Both sets (N, V, F) in the real views' own deviations."""
    flat = real.flatten(0, 1)
    mean, scale = flat.mean(0), flat.std(0).clamp_min(1e-4)
    return ((real - mean) / scale).double(), ((other - mean) / scale).double()


def _room_kernel(first: Tensor, second: Tensor) -> Tensor:
    """(N, M) the mean of the kernel over the views of each pair of rooms."""
    kernel = (torch.einsum("nvf,muf->nvmu", first, second) / first.shape[2] + 1) ** 3
    return kernel.mean((1, 3))


def _mean_of_pairs(kernel: Tensor) -> Tensor:
    count = len(kernel)
    return (kernel.sum() - kernel.diagonal().sum()) / (count * (count - 1))
