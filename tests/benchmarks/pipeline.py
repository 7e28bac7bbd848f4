"""The whole pipeline with the bundled weights against itself without what makes it fast.

`python -m tests.benchmarks.pipeline`, on an otherwise idle machine. The peer is the same pipeline in float32 in the
default memory layout, one guidance pass after the other, 16 steps of Euler's method; text and condition are encoded
once there too. Next to each row's time is how near its views are to those of 40 steps of UniPC in float32: what is
faster must not be further away.

`python -m tests.benchmarks.pipeline --data DATA` also scores the first and the last row on the test split, as
`occscene-server evaluate run` does: what is faster must not be worse.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import fields
from pathlib import Path
from typing import Annotated
from unittest.mock import patch

import numpy as np
import torch
import typer
from diffusers import FlowMatchEulerDiscreteScheduler, SchedulerMixin
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from torch import Tensor

from occscene_server.evaluation.evaluator import Evaluator, scenes_of
from occscene_server.evaluation.scene_scores import Generation, SceneScores, generate_scenes
from occscene_server.evaluation.speed import MainJob, main_job
from occscene_server.models.denoiser import Condition
from occscene_server.pipelines import occscene as pipeline_module
from occscene_server.pipelines.occscene import OccScenePipeline
from occscene_server.pipelines.prediction import flow_scheduler
from occscene_server.weights import default_model

ROUNDS = 3
REFERENCE_STEPS = 40
BUDGET_SECONDS = 10.0
AIMED_RATIO = 2.5


def one_by_one(pipe: OccScenePipeline) -> OccScenePipeline:
    """The pipeline with the rows of every batch, a guidance pass each, denoised one after the other."""
    batched = pipe.denoiser.forward

    def forward(
        latents: Tensor, timestep: Tensor, text: Tensor, text_mask: Tensor, condition: Condition, prior: Tensor
    ) -> Tensor:
        def denoise(row: slice) -> Tensor:
            one = Condition(*(getattr(condition, field.name)[row] for field in fields(condition)))
            return batched(latents[row], timestep[row], text[row], text_mask[row], one, prior[row])

        return torch.cat([denoise(slice(i, i + 1)) for i in range(len(latents))])

    pipe.denoiser.forward = forward
    return pipe


def load(memory_format: torch.memory_format) -> OccScenePipeline:
    """The bundled model."""
    pipe = OccScenePipeline.from_pretrained(str(default_model()))
    pipe.set_progress_bar_config(disable=True)
    for network in (pipe.vae, pipe.denoiser):
        network.to(memory_format=memory_format)
    return pipe


def views(pipe: OccScenePipeline, job: MainJob, scheduler: SchedulerMixin, steps: int) -> NDArray[np.float32]:
    """One scene."""
    pipe.scheduler = scheduler
    return pipe(job.prompt, job.cameras, job.grid, num_inference_steps=steps, output_type="np").images


def psnr(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Decibels between two sets of views in [0, 1]."""
    return float(-10 * np.log10(np.square(first - second).mean()))


def in_float32() -> AbstractContextManager[object]:
    """Keeps the pipeline from bfloat16."""
    return patch.object(pipeline_module, "fast_autocast", lambda *_: nullcontext())


def time_variants(plain: OccScenePipeline, fast: OccScenePipeline) -> None:
    """Times every variant in turn, `ROUNDS` times, and prints the fastest of each."""
    job = main_job()
    euler, unipc = FlowMatchEulerDiscreteScheduler(), flow_scheduler()

    def precisely(pipe: OccScenePipeline, scheduler: SchedulerMixin, steps: int) -> NDArray[np.float32]:
        with in_float32():
            return views(pipe, job, scheduler, steps)

    variants: dict[str, Callable[[], NDArray[np.float32]]] = {
        "plain: float32, pass by pass, 16 steps of Euler": lambda: precisely(plain, euler, 16),
        "passes batched, channels_last": lambda: precisely(fast, euler, 16),
        "and bfloat16": lambda: views(fast, job, euler, 16),
        "and 8 steps of UniPC: as shipped": lambda: views(fast, job, unipc, 8),
    }
    reference = precisely(plain, unipc, REFERENCE_STEPS)
    nearness = {name: psnr(run(), reference) for name, run in variants.items()}
    seconds = dict.fromkeys(variants, float("inf"))
    for _ in range(ROUNDS):
        for name, run in variants.items():
            start = time.perf_counter()
            run()
            seconds[name] = min(seconds[name], time.perf_counter() - start)

    threads = torch.get_num_threads()
    table = Table(
        "pipeline", "seconds", "times as fast", f"PSNR to {REFERENCE_STEPS} steps, dB",
        title=f"4 views of 256 x 256 with occupancy, {threads} threads",
    )  # fmt: skip
    slowest, *_, shipped = seconds.values()
    for name, taken in seconds.items():
        table.add_row(name, f"{taken:.2f}", f"{slowest / taken:.2f}", f"{nearness[name]:.1f}")
    console = Console()
    console.print(table)
    met = "met" if slowest / shipped >= AIMED_RATIO and shipped <= BUDGET_SECONDS else "MISSED"
    console.print(f"aim: {AIMED_RATIO} times as fast and at most {BUDGET_SECONDS:.0f} s: {met}")


def score_variants(plain: OccScenePipeline, fast: OccScenePipeline, data: Path) -> None:
    """Prints the evaluation's metrics of the plain pipeline and of the shipped one."""
    scenes = list(scenes_of(data, "test"))
    evaluator = Evaluator.load(default_model().parent / "evaluator-indoor")
    plain.scheduler, fast.scheduler = FlowMatchEulerDiscreteScheduler(), flow_scheduler()
    variants = {"plain": (plain, 16, in_float32()), "as shipped": (fast, 8, nullcontext())}
    table = Table(
        "pipeline", "mIoU", "segmenter", "style, wall, floor", "hint delta E", "warp PSNR", "kernel distance",
        title=f"{len(scenes)} test scenes",
    )  # fmt: skip
    for name, (pipe, steps, precision) in variants.items():
        scores = SceneScores(evaluator, scenes[0].blockout.taxonomy)
        with precision:
            for result in generate_scenes(pipe, scenes, Generation(steps=steps)):
                scores.add(result)
        metrics = scores.metrics()
        table.add_row(
            name,
            f"{metrics['occupancy']['from_generated_views']['miou']:.3f}",
            f"{metrics['segmenter_agreement']['generated']:.3f}",
            ", ".join(f"{probe['generated']:.3f}" for probe in metrics["probes"].values()),
            f"{metrics['hint_delta_e']['generated']:.1f}",
            f"{metrics['warp_psnr']['generated']:.2f}",
            f"{metrics['kernel_distance']['generated']:.2f} +- {metrics['kernel_distance']['generated_spread']:.2f}",
        )
    Console(width=120).print(table)


def main(
    data: Annotated[Path | None, typer.Option(help="Folder that `occscene-server studio render` filled.")] = None,
) -> None:
    """Time the pipeline, and with data score it."""
    plain, fast = one_by_one(load(torch.contiguous_format)), load(torch.channels_last)
    time_variants(plain, fast)
    if data is not None:
        score_variants(plain, fast, data)


if __name__ == "__main__":
    typer.run(main)
