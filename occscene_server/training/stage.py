"""What the commands of all stages do alike: draw by seed and step, keep a share of the initial weights, report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import typer
from torch import Tensor, nn

from occscene_server.terminal import say

Loss = tuple[Tensor, dict[str, float]]


def seeded(loss: Callable[[np.random.Generator], Loss], seed: int) -> Callable[[int], Loss]:
    """The loss of a step for `train`, everything random drawn from the seed and the step's number only."""
    return lambda step: loss(np.random.default_rng((seed, step)))


def on_random_rows(
    loss: Callable[[list[int], np.random.Generator], Loss], count: int, batch: int, seed: int
) -> Callable[[int], Loss]:
    """The same for a loss on `batch` of `count` rows, none of them twice in a step."""
    return seeded(lambda rng: loss(rng.choice(count, batch, replace=False).tolist(), rng), seed)


def check_keep(keep: float, initial: Path | None) -> None:
    """Refuses to keep a share of weights that are not given."""
    if keep > 0 and initial is None:
        raise typer.BadParameter(
            f"{keep:g} of the initial weights cannot be kept without --initial; give it, or omit --keep",
            param_hint="--keep",
        )


@torch.no_grad()
def blend_parameters(network: nn.Module, initial: nn.Module, keep: float) -> None:
    """Sets each parameter to `keep` parts of the initial one and 1 - `keep` parts of the trained one.

    A mixture can be better than either (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models", arXiv
    2109.01903).
    """
    start = dict(initial.named_parameters())
    for name, parameter in network.named_parameters():
        parameter.lerp_(start[name].to(parameter), keep)


def report(finished: bool, weights: Path, metrics: dict[str, float]) -> None:
    """Prints the metrics of a stage and where its weights are."""
    say({name: round(value, 4) for name, value in metrics.items()})
    say(f"{'Finished' if finished else 'Stopped at the time limit'}; weights in {weights}")
