"""Which parameters Muon steps, and that it steps them well in whatever layout they lie."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from occscene_server.training.optimizers import SplitOptimizer


def network(memory_format: torch.memory_format = torch.contiguous_format) -> nn.Module:
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(3, 32, 3, padding=1), nn.SiLU(), nn.Conv2d(32, 32, 3, padding=1), nn.SiLU(),
                           nn.Conv2d(32, 2, 1))  # fmt: skip
    return layers.to(memory_format=memory_format)


def steps(model: nn.Module, optimizer: SplitOptimizer, count: int, rate: float = 1e-2) -> list[float]:
    images = torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    target = images[:, :2].roll(1, 2) * 2 + 1
    losses = []
    for _ in range(count):
        loss = (model(images) - target).square().mean()
        model.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step(rate)
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_both_learn(name: str) -> None:
    model = network()
    losses = steps(model, SplitOptimizer(model, name, 0.0, (0.9, 0.98)), 60)  # type: ignore[arg-type]
    assert losses[-1] < 0.2 * losses[0]


def test_muon_steps_large_matrices_by_orthogonal_updates() -> None:
    model = network()
    before = [parameter.detach().clone() for parameter in model.parameters()]
    steps(model, SplitOptimizer(model, "muon", 0.0, (0.9, 0.98)), 1, rate=1.0)
    large = model[2].weight  # type: ignore[index]
    update = (large.detach() - before[2]).flatten(1)
    size = 0.2 * max(update.shape) ** 0.5  # what makes an update as large as AdamW's
    singular = torch.linalg.svdvals(update) / size
    assert singular.min() > 0.3
    assert singular.max() < 1.5
    # the thin last layer is AdamW's, whose first step is the rate along the gradient's signs
    step = (model[4].weight.detach() - before[4]).abs()  # type: ignore[index]
    torch.testing.assert_close(step, torch.ones_like(step), rtol=1e-3, atol=0)


def test_layout_does_not_matter() -> None:
    curves = []
    for memory_format in (torch.contiguous_format, torch.channels_last):
        model = network(memory_format)
        curves.append(steps(model, SplitOptimizer(model, "muon", 0.01, (0.9, 0.98)), 8))
    assert curves[0] == pytest.approx(curves[1], rel=1e-2)


def test_state_goes_on() -> None:
    whole, cut = network(), network()
    losses = steps(whole, SplitOptimizer(whole, "muon", 0.01, (0.9, 0.98)), 6)
    first = SplitOptimizer(cut, "muon", 0.01, (0.9, 0.98))
    start = steps(cut, first, 3)
    second = SplitOptimizer(cut, "muon", 0.01, (0.9, 0.98))
    second.load_state_dict(first.state_dict())
    assert start + steps(cut, second, 3) == losses
