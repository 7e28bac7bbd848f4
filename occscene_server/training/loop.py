"""One training loop for every stage: warm-up, constant rate, decay; moving average; checkpoints that resume exactly.

What a step sees depends only on the seed and the step's number, so a run that was killed and resumed has the loss
curve of one that was not.
"""

from __future__ import annotations

import ctypes
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers.training_utils import EMAModel
from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn
from torch import Tensor, nn

from occscene_server.models.precision import fast_autocast
from occscene_server.terminal import PlainTextColumn, Progress
from occscene_server.training.optimizers import OptimizerName, SplitOptimizer

CHECKPOINT = "checkpoint.pt"
LOG = "log.jsonl"


@dataclass(frozen=True)
class LoopOptions:
    """How long and how fast to train.

    Args:
        output: folder of the checkpoint, the log and the finished weights.
        steps: optimizer steps in all, those before a resume included.
        learning_rate: after the warm-up.
        warmup_steps: linear rise.
        decay_fraction: the last part of the steps, over which the rate falls linearly to a twentieth.
        ema_decay: of the moving average that is evaluated and shipped.
        weight_decay: of AdamW, on matrices only.
        betas: of AdamW.
        optimizer: "adamw", or "muon", which for the denoiser gets further with each step, and takes a third longer.
        checkpoint_minutes: time between checkpoints.
        max_minutes: stop after this time with a checkpoint; None for no limit.
        device: "cpu" or "cuda".
    """

    output: Path
    steps: int
    learning_rate: float
    warmup_steps: int = 200
    decay_fraction: float = 0.2
    ema_decay: float = 0.999
    weight_decay: float = 0.01
    betas: tuple[float, float] = (0.9, 0.98)
    optimizer: OptimizerName = "adamw"
    checkpoint_minutes: float = 5.0
    max_minutes: float | None = None
    device: str = "cpu"


def train(
    model: nn.Module,
    loss_of_step: Callable[[int], tuple[Tensor, dict[str, float]]],
    options: LoopOptions,
    evaluate: Callable[[], dict[str, float]] | None = None,
) -> bool:
    """Trains `model` in place and leaves it with its averaged weights.

    Args:
        model: already on the device.
        loss_of_step: step number to a scalar loss and metrics for the log.
        options: see `LoopOptions`.
        evaluate: called with the averaged weights in place at every checkpoint; its metrics go to the log.

    Returns:
        Whether all steps were done; False when the time limit came first.
    """
    _keep_freed_memory()
    options.output.mkdir(parents=True, exist_ok=True)
    parameters = [p for p in model.parameters() if p.requires_grad]
    optimizer = SplitOptimizer(model, options.optimizer, options.weight_decay, options.betas)
    average = EMAModel(parameters, decay=options.ema_decay, use_ema_warmup=True, power=0.75, foreach=True)
    first, recent = _resume(model, optimizer, average, options)
    started = saved = time.monotonic()
    columns = (PlainTextColumn(), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    step = first
    with Progress(*columns, refresh_per_second=0.5) as progress:
        task = progress.add_task("training", total=options.steps, completed=first)
        while step < options.steps:
            with fast_autocast(options.device):
                loss, metrics = loss_of_step(step)
            model.zero_grad(set_to_none=True)
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            if torch.isfinite(norm):  # one overflowing batch must not spoil the run
                optimizer.step(learning_rate(step, options))
                average.step(parameters)
            step += 1
            recent.append(float(loss.detach()))
            if step % 50 == 0 or step == options.steps:
                rate = (step - first) / (time.monotonic() - started)
                _log(options, step=step, loss=sum(recent) / len(recent), steps_per_second=rate, **metrics)
                progress.update(task, completed=step, description=f"loss {sum(recent) / len(recent):.4f}")
                recent.clear()
            now = time.monotonic()
            over = options.max_minutes is not None and now - started > options.max_minutes * 60
            if now - saved > options.checkpoint_minutes * 60 or over or step == options.steps:
                saved = now
                _save(model, optimizer, average, step, recent, options)
                if evaluate is not None:
                    average.store(parameters)
                    average.copy_to(parameters)
                    _log(options, step=step, **evaluate())
                    average.restore(parameters)
            if over:
                break
    average.copy_to(parameters)
    return step >= options.steps


def learning_rate(step: int, options: LoopOptions) -> float:
    """The rate at a step: linear warm-up, constant, linear decay."""
    decay_steps = max(1, int(options.steps * options.decay_fraction))
    remaining = (options.steps - step) / decay_steps
    return options.learning_rate * min(1.0, (step + 1) / max(1, options.warmup_steps), max(0.05, remaining))


def _keep_freed_memory() -> None:
    """Lets glibc reuse what tensors leave: otherwise every step returns it and faults in every page again."""
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            trim_threshold, mmap_max = -1, -4
            mallopt(mmap_max, 0)
            mallopt(trim_threshold, 2**31 - 1)


def _resume(
    model: nn.Module, optimizer: SplitOptimizer, average: EMAModel, options: LoopOptions
) -> tuple[int, list[float]]:
    """Loads the checkpoint, if there is one: the steps done, and their losses that are not in the log yet."""
    path = options.output / CHECKPOINT
    if not path.exists():
        _cut_log(options, 0)
        return 0, []
    state = torch.load(path, map_location=options.device, weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    average.load_state_dict(state["average"])
    average.to(options.device)
    _cut_log(options, int(state["step"]))
    return int(state["step"]), state.get("recent", [])  # the first checkpoints had none


def _save(
    model: nn.Module,
    optimizer: SplitOptimizer,
    average: EMAModel,
    step: int,
    recent: list[float],
    options: LoopOptions,
) -> None:
    """Writes the checkpoint next to the old one and renames it, so that a kill leaves one whole."""
    state = {
        "model": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "average": average.state_dict(),
        "step": step,
        "recent": recent,
    }
    partial = options.output / f"{CHECKPOINT}.partial"
    torch.save(state, partial)
    partial.replace(options.output / CHECKPOINT)


def _cut_log(options: LoopOptions, step: int) -> None:
    """Takes rows after `step` from the log: a run that was killed since its last checkpoint will write them again."""
    path = options.output / LOG
    if path.exists():
        rows = path.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [row for row in rows if row.endswith("\n") and json.loads(row)["step"] <= step]
        path.write_text("".join(kept), encoding="utf-8")


def _log(options: LoopOptions, **metrics: float) -> None:
    with (options.output / LOG).open("a", encoding="utf-8") as file:
        file.write(json.dumps({"time": round(time.time(), 1), **metrics}) + "\n")
