"""Opening whatever `--model` names: a pipeline of the project's own, or an artist's checkpoint."""

from __future__ import annotations

import logging
from pathlib import Path

import diffusers.utils.logging
import numpy as np
import torch
import transformers.utils.logging
from occscene.camera import PinholeCamera
from occscene.grid import SemanticGrid
from occscene.limits import MAX_VIEWS
from occscene.rigid import looking_at
from occscene.taxonomy import INDOOR

from occscene_server.models.checkpoint_device import resolve_dtype, views_that_fit
from occscene_server.models.checkpoint_options import CheckpointOptions
from occscene_server.models.checkpoint_source import CheckpointSource, find_checkpoint
from occscene_server.models.checkpoints import load_checkpoint
from occscene_server.models.hub_cache import require_repository
from occscene_server.models.samplers import STOCHASTIC
from occscene_server.pipelines.occscene import OccScenePipeline
from occscene_server.pipelines.zero_shot import ZeroShotPipeline
from occscene_server.weights import bundled_models

log = logging.getLogger(__name__)

UNTRIED = "tried with tiny random checkpoints only so far: how real ones look has not been seen"
"""What is said of this way of painting wherever a checkpoint is loaded."""


def open_pipeline(
    model: str, device: str, options: CheckpointOptions | None = None, taxonomy: str = INDOOR.name
) -> OccScenePipeline | ZeroShotPipeline:
    """Loads a model onto a device.

    Args:
        model: a folder written by `OccScenePipeline.save_pretrained`; or a Stable Diffusion checkpoint: a folder in
            diffusers' layout, a .safetensors file, or a preset's name; or the hub id of one of these.
        device: "cpu", "cuda" or "cuda:N".
        options: of checkpoints; None for the usual ones. A model of the project's own takes none.
        taxonomy: of checkpoints, the domain whose bundled model drafts for it.

    Raises:
        OSError, ValueError: the model or its weights are missing, damaged, or of a kind that cannot be run.
        RuntimeError: the device is not there.
    """
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()
    options, source = options or CheckpointOptions(), find_checkpoint(model)
    if source is not None:
        return _painting(source, options, device, taxonomy)
    if options != CheckpointOptions():
        raise ValueError(
            f"{model} is a model of OccScene's own, which takes no ControlNets, adapters or samplers; omit their "
            "options, or give a Stable Diffusion checkpoint"
        )
    return _opened(model if Path(model).exists() else str(require_repository(model)), device)


def open_bundled(taxonomy: str, device: str) -> OccScenePipeline | None:
    """The bundled model of a taxonomy on a device; None if there is none."""
    folder = bundled_models().get(taxonomy)
    return None if folder is None else _opened(str(folder), device)


def _opened(folder: str, device: str) -> OccScenePipeline:
    pipe = OccScenePipeline.from_pretrained(folder)
    pipe.to(device)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def usual_device(device: str) -> str:
    """The device that "auto" stands for; any other as it is."""
    if device != "auto":
        return device
    return "cuda" if torch.cuda.is_available() else "cpu"


def _painting(source: CheckpointSource, options: CheckpointOptions, device: str, taxonomy: str) -> ZeroShotPipeline:
    """Loads a checkpoint, tries one view of it, and decides how many views are run at once."""
    checkpoint = load_checkpoint(source, options, resolve_dtype(options.dtype, device))
    compact = open_bundled(taxonomy, device) if options.draft != "none" else None
    consistency = options.consistency or "synced"
    pipe = ZeroShotPipeline(
        checkpoint, device, consistency, options.views_at_once or 1, compact, options.offload, taxonomy
    )
    if checkpoint.sampler in STOCHASTIC and consistency != "none":
        log.warning("--sampler %s draws new noise for each view at each step: views agree less", checkpoint.sampler)
    if not options.views_at_once and device.startswith("cuda"):
        pipe.views_at_once = _measured_views(pipe)
    log.info("%s: %d views at once; %s", checkpoint.name, pipe.views_at_once, UNTRIED)
    return pipe


def _measured_views(pipe: ZeroShotPipeline) -> int:
    """How many views fit at once, by one step of one view: a number that stays, for it changes the last bits."""
    labels = np.zeros((32, 32, 24), np.uint8)
    labels[:, :, 0], labels[:, -1] = INDOOR.index_of("floor"), INDOOR.index_of("wall")
    grid = SemanticGrid(labels, 0.1, np.eye(4), INDOOR.name)
    side = min(1024, pipe.checkpoint.side)
    pose = looking_at(np.array([1.6, 0.2, 1.2]), np.array([1.6, 3.0, 1.0]))
    camera = PinholeCamera("trial", side, side, side, side, side / 2, side / 2, pose)
    compact, pipe.compact = pipe.compact, None
    torch.cuda.synchronize(pipe.device)
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info(pipe.device)
    before = torch.cuda.memory_allocated(pipe.device)
    torch.cuda.reset_peak_memory_stats(pipe.device)
    try:
        pipe("", [camera], grid, num_inference_steps=1, text_guidance_scale=2.0)
        peak = torch.cuda.max_memory_allocated(pipe.device) - before
    finally:
        pipe.compact = compact
        torch.cuda.empty_cache()
    log.info("a view takes %.1f GiB at its peak, %.1f GiB are free", peak / 2**30, free / 2**30)
    return views_that_fit(free, peak, MAX_VIEWS)
