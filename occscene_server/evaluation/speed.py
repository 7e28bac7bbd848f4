"""How fast a machine does the main job, and where the time goes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from occscene.camera import PinholeCamera
from occscene.grid import GridObject, SemanticGrid
from occscene.rigid import looking_at
from occscene.taxonomy import TAXONOMIES
from occscene.volumes import default_volume

from occscene_server.pipelines.checkpoint_denoiser import CheckpointDenoiser
from occscene_server.pipelines.occscene import OccScenePipeline
from occscene_server.pipelines.zero_shot import ZeroShotPipeline

PROMPT = "a modern living room, white walls, wooden floor, a red sofa, a low table, bright day"


@dataclass(frozen=True)
class MainJob:
    """A furnished room as a blockout, and cameras around it."""

    prompt: str
    cameras: list[PinholeCamera]
    grid: SemanticGrid


@dataclass(frozen=True)
class SceneTimes:
    """Seconds of one scene: in all, and of every phase by name."""

    total: float
    phases: dict[str, float]


def main_job(taxonomy: str = "indoor", views: int = 4, side: int = 256) -> MainJob:
    """A room of the taxonomy's usual size with `views` cameras of `side` x `side` pixels, always the same.

    Outdoor it is the same boxes in a larger volume: what they are does not change how long it takes.
    """
    volume = default_volume(taxonomy)
    x, y, z = volume.shape
    labels = np.zeros(volume.shape, np.uint8)
    instances = np.zeros(volume.shape, np.uint16)
    classes = len(TAXONOMIES[taxonomy])
    # kind, and from where to where in parts of the volume: floor, two walls, sofa, table, shelf, chair
    boxes = (
        (2, (0, 0, 0), (1, 1, 0.03)), (3, (0, 0.95, 0), (1, 1, 1)), (3, (0, 0, 0), (0.04, 1, 1)),
        (7, (0.1, 0.6, 0.03), (0.35, 0.92, 0.32)), (8, (0.42, 0.42, 0.03), (0.62, 0.58, 0.2)),
        (10, (0.55, 0.85, 0.03), (0.8, 0.95, 0.7)), (5, (0.7, 0.3, 0.03), (0.82, 0.42, 0.35)),
    )  # fmt: skip
    for index, (kind, low, high) in enumerate(boxes, start=1):
        box = tuple(
            slice(round(a * side), max(round(b * side), round(a * side) + 1))
            for a, b, side in zip(low, high, (x, y, z), strict=True)
        )
        labels[box], instances[box] = min(kind, classes - 1), index
    hints = (None, None, None, (0.7, 0.05, 0.05), None, None, (0.1, 0.2, 0.6))
    objects = tuple(GridObject(index, f"box {index}", hint) for index, hint in enumerate(hints, start=1))
    grid = SemanticGrid(labels, volume.voxel_size, volume.world_from_grid, taxonomy, instances, objects)
    return MainJob(PROMPT, _cameras_around(grid, views, side), grid)


def _cameras_around(grid: SemanticGrid, views: int, side: int) -> list[PinholeCamera]:
    """Cameras on a quarter of a circle at eye height in the room's open corner, all looking at its middle."""
    size = np.array(grid.shape) * grid.voxel_size
    cameras = []
    for view in range(views):
        angle = -np.pi / 2 + np.pi / 2 * (view + 0.5) / views
        eye = size * (0.5 + 0.45 * np.cos(angle), 0.5 + 0.45 * np.sin(angle), 0.6)
        pose = grid.world_from_grid @ looking_at(eye, size * (0.5, 0.5, 0.25))
        cameras.append(PinholeCamera(f"view{view}", side, side, 0.8 * side, 0.8 * side, side / 2, side / 2, pose))
    return cameras


def time_scenes(
    pipe: OccScenePipeline | ZeroShotPipeline, job: MainJob, scenes: int, **options: Any
) -> Iterator[SceneTimes]:
    """Generates a scene to warm up, then times `scenes` more.

    Args:
        pipe: on its device.
        job: what to generate.
        scenes: how many to time.
        options: of the pipeline's call.
    """
    for index in range(scenes + 1):
        with _clocked(pipe) as phases:
            start = _now(pipe)
            pipe(job.prompt, job.cameras, job.grid, seed=index, **options)
            total = _now(pipe) - start
        if index:
            yield SceneTimes(total, {**phases, "the rest": max(0.0, total - sum(phases.values()))})


def typical(times: list[SceneTimes]) -> SceneTimes:
    """The median of each time."""
    return SceneTimes(
        statistics.median(each.total for each in times),
        {name: statistics.median(each.phases[name] for each in times) for name in times[0].phases},
    )


def _now(pipe: OccScenePipeline | ZeroShotPipeline) -> float:
    if pipe.device.type == "cuda":
        torch.cuda.synchronize(pipe.device)  # what was started there is part of the time
    return time.perf_counter()


@contextmanager
def _clocked(pipe: OccScenePipeline | ZeroShotPipeline) -> Iterator[dict[str, float]]:
    """Seconds by phase, while the methods that make up a call of the pipeline are watched."""
    if isinstance(pipe, ZeroShotPipeline):
        drafts = () if pipe.compact is None else ((pipe, "_draft", "draft"),)
        methods: tuple[tuple[Any, str, str], ...] = (
            *drafts, (CheckpointDenoiser, "predict", "denoising"), (pipe, "encode", "encoding"),
            (pipe, "decode", "decoding"),
        )  # fmt: skip
    else:
        methods = _methods(pipe)
    seconds = {phase: 0.0 for _, _, phase in methods}

    def clocked(method: Callable[..., Any], phase: str) -> Callable[..., Any]:
        def run(*args: Any, **options: Any) -> Any:
            start = _now(pipe)
            try:
                return method(*args, **options)
            finally:
                seconds[phase] += _now(pipe) - start

        return run

    before = [(owner, name, vars(owner).get(name)) for owner, name, _ in methods]
    for owner, name, phase in methods:
        setattr(owner, name, clocked(getattr(owner, name), phase))
    try:
        yield seconds
    finally:
        for owner, name, own in before:
            if own is None:
                delattr(owner, name)
            else:
                setattr(owner, name, own)


def _methods(pipe: OccScenePipeline) -> tuple[tuple[Any, str, str], ...]:
    """What makes up a call: owner, name and phase of each method."""
    denoiser = pipe.denoiser
    return (

        (pipe, "encode_text", "text"), (denoiser, "gbuffer_features", "gbuffer"),
        (denoiser, "encode_absence", "dual alignment"), (denoiser, "encode_condition", "dual alignment"),
        (denoiser, "predict_prior", "regression prior"),
        (denoiser, "forward", "denoising"), (pipe, "decode_latents", "decoding"),
        (pipe, "draw_views", "guided decoder"),
        (pipe, "perceive", "perception"),
    )  # fmt: skip
