"""`occscene-server benchmark`: how fast this machine does the main job."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Annotated

import typer
from occscene.limits import MAX_STEPS, MAX_VIEWS

from occscene_server.models.checkpoint_options import CheckpointOptions
from occscene_server.pipelines.checkpoint_arguments import USUAL, open_chosen, with_checkpoint
from occscene_server.terminal import PlainTable, console, say, track


@with_checkpoint()
def benchmark(
    model: Annotated[
        str | None, typer.Option(help="Model folder, hub id, checkpoint or preset; the bundled model if omitted.")
    ] = None,
    scenes: Annotated[int, typer.Option(min=1, help="Scenes to time, after one to warm up.")] = 5,
    views: Annotated[int, typer.Option(min=1, max=MAX_VIEWS, help="Cameras of the scene.")] = 4,
    side: Annotated[int, typer.Option(min=64, max=1024, help="Width and height of a view in pixels.")] = 256,
    steps: Annotated[
        int | None, typer.Option(min=1, max=MAX_STEPS, help="Denoising steps; the model's default if omitted.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")] = "auto",
    checkpoint: CheckpointOptions = USUAL,
) -> None:
    """Measure seconds a scene on this machine, by stage."""
    import torch

    from occscene_server.evaluation.speed import main_job, time_scenes, typical
    from occscene_server.models.precision import is_fast_in_bfloat16
    from occscene_server.pipelines.zero_shot import ZeroShotPipeline
    from occscene_server.weights import default_model

    folder = model or str(default_model())
    pipe = open_chosen(folder, device, checkpoint)
    job = main_job(pipe.config.taxonomy, views, side)
    options = {} if steps is None else {"num_inference_steps": steps}
    runs = time_scenes(pipe, job, scenes, **options)
    times = list(track(runs, "timing", total=scenes, transient=True))
    usual = typical(times)
    if isinstance(pipe, ZeroShotPipeline):
        precision, scheduler = str(pipe.checkpoint.unet.dtype).removeprefix("torch."), pipe.checkpoint.scheduler
        if pipe.device.type == "cuda":
            say(f"{torch.cuda.max_memory_allocated(pipe.device) / 2**30:.1f} GiB at the peak, {pipe.views_at_once} "
                "views at once")  # fmt: skip
    else:
        precision, scheduler = "bfloat16" if is_fast_in_bfloat16(pipe.device) else "float32", pipe.scheduler
    table = PlainTable(
        "phase", "seconds", "share", title=f"{Path(folder).name}: {views} views of {side} x {side}, with occupancy"
    )
    for phase, seconds in usual.phases.items():
        table.add_row(phase, f"{seconds:.3f}", f"{seconds / usual.total:.0%}")
    table.add_section()
    table.add_row("a scene (median)", f"{usual.total:.3f}", "")
    table.add_row("a scene (fastest)", f"{min(run.total for run in times):.3f}", "")
    console.print(table)
    say(
        f"{pipe.num_timesteps} steps of {type(scheduler).__name__} in {precision} on {pipe.device}; "
        f"{platform.processor() or platform.machine()}, {torch.get_num_threads()} of {os.cpu_count()} cores, "
        f"torch {torch.__version__}"
    )
