"""The training loop: a run that was cut and resumed is the run that was not."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from torch import nn

from occscene_server.training.loop import LoopOptions, learning_rate, train


def run(folder: Path, steps: int, stop_after: int | None = None) -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    options = LoopOptions(folder, steps, 1e-2, warmup_steps=5, ema_decay=0.9, checkpoint_minutes=0.0)

    class CutError(Exception):
        pass

    def loss_of_step(step: int) -> tuple[torch.Tensor, dict[str, float]]:
        if step == stop_after:
            raise CutError
        x = torch.from_numpy(np.random.default_rng(step).normal(size=(16, 4))).float()
        return (model(x) - x.sum(1, keepdim=True)).square().mean(), {}

    try:
        train(model, loss_of_step, options)
    except CutError:
        torch.manual_seed(99)
        return run(folder, steps)
    return model


def test_resumed_run_equals_uncut_run(tmp_path: Path) -> None:
    whole, cut = run(tmp_path / "whole", 60), run(tmp_path / "cut", 60, stop_after=33)
    for a, b in zip(whole.parameters(), cut.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


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
