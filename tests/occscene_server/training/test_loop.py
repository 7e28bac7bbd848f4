"""The training loop: a run that was cut and resumed is the run that was not."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from occscene_server.training.loop import LoopOptions, learning_rate, train


class CutError(Exception):
    """The end of a run that is killed."""


def run(folder: Path, steps: int, cuts: Sequence[int] = (), checkpoint_every: int = 1) -> tuple[nn.Module, list[float]]:
    """Trains a small network, killed before each of the steps `cuts` and resumed: the network and its losses."""
    losses: dict[int, float] = {}
    kills = iter([*cuts, None])
    while True:
        kill = next(kills)
        torch.manual_seed(0)  # as every stage does
        model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
        clock = itertools.count()
        options = LoopOptions(folder, steps, 1e-2, warmup_steps=5, ema_decay=0.9, checkpoint_minutes=checkpoint_every)

        def loss_of_step(step: int, model: nn.Module = model, kill: int | None = kill) -> tuple[torch.Tensor, dict]:
            if step == kill:
                raise CutError
            x = torch.from_numpy(np.random.default_rng(step).normal(size=(16, 4))).float()
            loss = (model(x) - x.sum(1, keepdim=True)).square().mean()
            losses[step] = loss.item()
            return loss, {}

        with pytest.MonkeyPatch.context() as patch, contextlib.suppress(CutError):
            # each look at the clock is a minute later, so that checkpoints come every few steps
            patch.setattr("occscene_server.training.loop.time.monotonic", lambda clock=clock: 60.0 * next(clock))
            train(model, loss_of_step, options)
            return model, [losses[step] for step in range(steps)]


def curve(folder: Path) -> list[tuple[int, float]]:
    """Steps and losses of the log."""
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [(row["step"], row["loss"]) for row in rows]


@pytest.mark.parametrize(
    ("cuts", "checkpoint_every"),
    [((1,), 1000), ((50,), 0), ((51,), 9), ((119,), 9), ((7, 60, 61, 104), 9), ((33, 103), 1000)],
)
def test_a_killed_run_is_the_run_that_was_not(tmp_path: Path, cuts: tuple[int, ...], checkpoint_every: int) -> None:
    """Every loss, every row of the log and every averaged weight, bit by bit, wherever the checkpoints lie."""
    whole, losses = run(tmp_path / "whole", 120)
    cut, cut_losses = run(tmp_path / "cut", 120, cuts, checkpoint_every)
    assert cut_losses == losses
    assert curve(tmp_path / "cut") == curve(tmp_path / "whole")
    for a, b in zip(whole.parameters(), cut.parameters(), strict=True):
        assert torch.equal(a, b)


def test_loss_falls_and_is_logged(tmp_path: Path) -> None:
    run(tmp_path, 150)
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [50, 100, 150]
    assert rows[-1]["loss"] < 0.5 * rows[0]["loss"]


def test_rate_rises_holds_and_falls(tmp_path: Path) -> None:
    options = LoopOptions(tmp_path, 100, 1.0, warmup_steps=10, decay_fraction=0.2)
    rates = [learning_rate(step, options) for step in (0, 9, 50, 80, 90, 99)]
    assert rates[0] == 0.1
    assert rates[1] == rates[2] == rates[3] == 1.0
    assert rates[4] == 0.5
    assert rates[5] == 0.05


def test_time_limit_stops_with_a_checkpoint(tmp_path: Path) -> None:
    model = nn.Linear(1, 1)
    options = LoopOptions(tmp_path, 10**6, 1e-3, max_minutes=0.001)
    assert not train(model, lambda step: (model(torch.ones(1, 1)).sum(), {}), options)
    assert (tmp_path / "checkpoint.pt").exists()
